//! The SMTP client: a session with one host, the commands, the message's octets.

pub(crate) mod answer;
pub(crate) mod command;
pub(crate) mod offers;
pub(crate) mod session;
pub(crate) mod stuffing;
pub(crate) mod transaction;
mod wire;
