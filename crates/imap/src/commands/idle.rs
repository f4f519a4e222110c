//! IDLE (RFC 2177): the client listens, and hears of everything at once.
//!
//! The watch began with SELECT, before anything was read; each ring is followed by a look at what changed. Time in IDLE
//! is not limited: a line now and then keeps middleboxes from forgetting the connection, and finds out who is gone.

use imap_wire::response::{self, Condition};

use crate::connection::Event;
use crate::fault::{Answer, Fault};
use crate::limits::KEEP_ALIVE;
use crate::session::{Session, ring};

impl Session {
    pub(crate) async fn idle(&mut self) -> Result<Answer, Fault> {
        self.connection.framer.expect_line();
        response::continuation(self.connection.out(), "idling");
        loop {
            self.tell_news(true).await?;
            match Box::pin(self.tell_annotations()).await {
                Err(Fault::Storage(error)) => {
                    tracing::warn!(peer = %self.peer, %error, "changes of annotations could not be read");
                }
                told => told?,
            }
            self.connection.flush().await?;
            let ring = ring(self.selected.as_deref_mut().map(|selected| &mut selected.watch), self.notify.as_deref());
            let keep_alive = self.server.world.clock.sleep(KEEP_ALIVE);
            tokio::select! {
                biased;
                event = self.connection.next(None) => return Ok(match event? {
                    Event::Line(line) if line.reveal().eq_ignore_ascii_case(b"DONE") => Answer::ok("Idle no more"),
                    Event::BadLine(refusal) => Answer::bad(refusal.text),
                    Event::Line(_)
                    | Event::Command(_)
                    | Event::Announced(_)
                    | Event::Chunk(_)
                    | Event::MessageEnd { .. }
                    | Event::Misbehaviour { .. } => Answer::bad("IDLE ends with DONE"),
                }),
                () = ring => {}
                () = keep_alive => {
                    self.server.orders.age(self.server.store.now());
                    self.say(Condition::Ok, None, "Still here");
                }
            }
        }
    }
}
