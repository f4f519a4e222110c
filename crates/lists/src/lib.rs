//! Mailing lists, and the moderation of lists and groups.
//!
//! # The life of a post
//!
//! 1. At RCPT, routing accepts `garden@`, and `garden-join@`, `garden-confirm+TOKEN@` and so on as well. The transaction
//!    behind the 250 deposits the message into the INBOX of the list's part of the store and writes an event of
//!    [`mail::Topic::HeldMessage`]. Nothing has been sent yet, and nothing can be lost any more.
//! 2. [`Lists`] consumes the event. It reads the beginning of the message and what its address is for. Each order (join,
//!    leave, a moderator's answer, a bounce) has all its effects in the one transaction that finishes the event and
//!    removes the message.
//! 3. A post is judged: a message that was here before, or that a machine wrote in answer, goes nowhere; one that is too
//!    large, or from a stranger where strangers are refused, is refused by a letter; one that has to wait gets a row with
//!    its expiry, and the moderators a letter each. It stays in the INBOX.
//! 4. A decision, by answer, link or command line, is a mark on that row and a new event ([`delivery::decide_waiting`]).
//!    The first one counts. So an approved post comes here again and passes.
//! 5. A post that passes is written once with its new header, into the mailbox `Outgoing`; its body is copied this once.
//!    With it goes a cursor row. Then members get it in batches of a hundred: one transaction holds the queue rows and
//!    mailbox rows of a batch and moves the cursor. After a crash the cursor says who is next, so each member gets it
//!    exactly once. The last transaction ends the event, files the post in `Archive` if that is wanted, and removes it
//!    from the other two mailboxes.
//! 6. Each copy has a reverse-path of its own (VERP). A DSN that comes back to it is counted for that member; who bounces
//!    on too many days is suspended, and told how to come back.
//!
//! # Who may do what
//!
//! A From can be written by anyone. So whatever it asks for (joining, leaving, moving to another address) is confirmed by
//! a letter to the address concerned, unless the sender has logged in here; and a moderator's own post passes without
//! waiting only when its sender has logged in as that moderator. Links carry signed tokens for one purpose
//! ([`token`]); a GET changes nothing, since mail scanners follow links.
//!
//! Letters are never an amplifier: they are counted for each address and day, and none is sent in answer to a machine, to
//! the null reverse-path, or to an author whose address does not agree with the envelope.

mod acts;
mod added;
mod answerable;
mod bounces;
mod budget;
mod consumer;
mod distribute;
mod dmarc;
mod function;
mod header;
mod incoming;
pub mod limits;
pub mod links;
mod members;
mod moderate;
mod owners;
pub mod page;
mod place;
mod post;
mod suspension;
mod sweep;
#[cfg(test)]
mod tests;
mod text;
pub mod token;
mod waiting;

pub use page::form;

use std::sync::Arc;

use bus::{Bus, consume};
use delivery::Delivery;
use mail::Topic;
use storage::{StorageError, Store};
use tokio_util::sync::CancellationToken;

use crate::added::Greeter;
use crate::limits::SWEEP_INTERVAL;
use crate::token::Tokens;

/// The lists of one server.
#[derive(Clone)]
pub struct Lists {
    store: Store,
    delivery: Delivery,
    tokens: Tokens,
    /// Where the pages are reached from outside, without a final slash.
    web: Option<Arc<str>>,
    waiting_octets_max: u64,
}

/// What an administrator decides for all lists.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where [`links::router`] is reached from outside; empty: letters have no links.
    pub web_url: String,
    /// Octets of the messages of one list or group that wait for its moderators.
    pub waiting_octets_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { web_url: String::new(), waiting_octets_max: limits::WAITING_OCTETS_MAX }
    }
}

impl Lists {
    /// Lists over a delivery.
    ///
    /// # Errors
    /// When the store can't be read or written: the key of the tokens lives there.
    pub async fn new(delivery: Delivery, settings: Settings) -> Result<Self, StorageError> {
        let store = delivery.store().clone();
        let tokens = Tokens::new(store.secret("lists").await?);
        let web = Some(settings.web_url.trim_end_matches('/')).filter(|url| !url.is_empty()).map(Arc::from);
        Ok(Self { store, delivery, tokens, web, waiting_octets_max: settings.waiting_octets_max })
    }

    /// Takes events until told to stop, and sweeps now and then.
    ///
    /// # Errors
    /// When the store can't be read any more.
    pub async fn run(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        let messages = consume(bus, &self.store, Topic::HeldMessage, self, stop.clone());
        let greeter = Greeter(self);
        let members = consume(bus, &self.store, Topic::MemberAdded, &greeter, stop);
        tokio::select! {
            ended = async { tokio::try_join!(messages, members).map(drop) } => ended,
            never = self.sweep_forever() => match never {},
        }
    }

    async fn sweep_forever(&self) -> std::convert::Infallible {
        loop {
            self.store.world().clock.sleep(SWEEP_INTERVAL).await;
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "sweeping the lists failed; it is tried again later");
            }
        }
    }
}
