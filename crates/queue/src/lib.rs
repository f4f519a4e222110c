//! The queue's decisions, without I/O: when to try again, what an attempt's outcome means for each recipient, and what a
//! DSN says.
//!
//! The rows are [`storage::rows::QueueRow`]; `smtp-out` claims them, attempts delivery and writes what [`after_attempt`]
//! decides in one transaction with the DSNs that [`dsn`] builds. RFC 5321 §4.5.4, RFC 3461, RFC 3464, RFC 6533.
//!
//! Invariant: each recipient ends exactly once (delivered or failed) or still waits; none is forgotten.

mod attempt;
pub mod dsn;
mod edit;
pub mod limits;
pub mod pace;
mod policy;
mod routes;
pub mod xtext;

pub use attempt::{Decision, Outcome, Report, ReportKind, ReportedRecipient, after_attempt};
pub use edit::{hold, is_out_of_time, is_wanted_at_once, reroute, reroute_by, resume, retry_now};
pub use pace::{Health, Pace};
pub use policy::{RetryPolicy, Schedules};
pub use routes::{Choice, NamedRoute, Routes, Way};
