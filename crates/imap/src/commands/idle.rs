//! IDLE (RFC 2177): the client listens, and hears of everything at once.
//!
//! The watch began with SELECT, before anything was read; each ring is followed by a look at what changed. Time in IDLE
//! is not limited: a line now and then keeps middleboxes from forgetting the connection, and finds out who is gone.
//!
//! What comes in one piece with `+ idling` Thunderbird unpacks (RFC 4978) and does not look at before the next piece comes, in minutes or
//! hours. So a client that packs hears `+` by itself, and what there is to tell some moments behind it.

use imap_wire::response::{self, Condition};

use crate::connection::Event;
use crate::fault::{Answer, Fault};
use crate::limits::{IDLE_BEGINS_WITHIN, KEEP_ALIVE};
use crate::session::{Session, ring};

impl Session {
    pub(crate) async fn idle(&mut self) -> Result<Answer, Fault> {
        self.connection.framer.expect_line();
        let mut tells = !self.connection.is_compressed();
        let idling = self.enabled.language.say("idling");
        response::continuation(self.connection.out(), &idling);
        loop {
            if tells {
                self.tell_news(true).await?;
                match Box::pin(self.tell_annotations()).await {
                    Err(Fault::Storage(error)) => {
                        tracing::warn!(peer = %self.peer, %error, "changes of annotations could not be read");
                    }
                    told => told?,
                }
            }
            self.connection.flush().await?;
            let clock = &*self.server.world.clock;
            let selected = self.selected.as_deref_mut().map(|selected| &mut selected.watch);
            let ring = ring(selected, self.notify.as_deref(), clock);
            let pause = self.server.world.clock.sleep(if tells { KEEP_ALIVE } else { IDLE_BEGINS_WITHIN });
            tokio::select! {
                biased;
                event = self.connection.next(None) => return Ok(match event? {
                    Event::Line(line) if line.reveal().eq_ignore_ascii_case(b"DONE") => Answer::ok("Idle no more"),
                    Event::BadLine(refusal) => refusal.into(),
                    Event::Line(_)
                    | Event::Command(_)
                    | Event::Announced(_)
                    | Event::Chunk(_)
                    | Event::MessageEnd { .. }
                    | Event::Misbehaviour { .. } => Answer::bad("IDLE ends with DONE"),
                }),
                () = ring, if tells => {}
                () = pause => {
                    if tells {
                        self.server.orders.age(self.server.store.now());
                        self.say(Condition::Ok, None, "Still here");
                    }
                    tells = true;
                }
            }
        }
    }
}
