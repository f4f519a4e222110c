//! The responder: reads what was received, asks [`routing::responders::decide`], and answers.
//!
//! It is the consumer of [`mail::Topic::MessageStored`]. For each event one transaction holds everything: the note that
//! the sender was answered, the answer (queued, or delivered to a mailbox of ours), its copies, the `\Answered` flag, the
//! failure notice of a free address, and the end of the event. So there is one answer whatever crashes, and one for two
//! messages of one sender that come at once. RFC 3834, RFC 5230 §4 and §5; rows A1 to A14, V1, V2, V5 of `docs/design.md`.
//!
//! **Invariant:** every answer carries `Auto-Submitted: auto-replied` and leaves from the null reverse-path.

mod answer;
mod answered;
mod authentication;
mod begun;
mod consumer;
mod ended;
mod header;
mod lifetimes;
pub mod limits;
mod notice;
mod switch_off;
mod told;

pub use answer::Answer;
pub use consumer::Responder;
pub use header::ReceivedHeader;
pub use switch_off::{Opened, SwitchOffLinks};
pub use told::Told;
