//! What is known of a client that hands over mail, and of who it says that the mail is from. Pure.
//!
//! - [`lists`]: block and allow lists in the DNS (RFC 5782): which names are asked for, and what the answers say.
//! - [`doubts`]: what in a client's names and addresses gives reason to doubt it, each with a sentence and a weight.
//! - [`standing`]: what became of former mail from the same sender; it decays with time.
//! - [`greylist`]: who is asked to come again, and when they are let in.
//!
//! Nobody is refused for doubts or for a bad standing: they weigh in the content filter, and the doubtful are asked to come again.
//! Only what is certain refuses: a list that the administrator has chosen for it, and a client that uses this server's own name.

pub mod answers;
pub mod dialin;
pub mod doubts;
pub mod greylist;
pub mod limits;
pub mod lists;
pub mod network;
pub mod origin;
pub mod standing;
pub mod text;

pub use answers::{AnswerTable, AnswerTableFlaw};
pub use doubts::{Doubt, OwnNames, Reason, Seen, doubts, own_name, sum};
pub use greylist::{Grey, GreyKey, GreylistSettings, Greylisted};
pub use lists::{List, ListUse, Reading, Subject};
pub use network::Network;
pub use origin::Origin;
pub use standing::{Rating, Sender, Standing, What};
