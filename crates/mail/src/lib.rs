//! The shared vocabulary of Relais: the nouns of the mail RFCs as types, and nothing else.
//!
//! Depends on no other crate of ours, does no I/O, reads no clock. What a protocol, the store and the routing
//! all speak of lives here; what only one of them knows stays there. Values are parsed once, at the edge.

mod accents;
mod address;
mod domain;
mod envelope;
mod flags;
pub mod french;
mod ids;
mod notice;
mod path;
mod prefix;
mod reply;
mod special_use;
mod time;

pub use accents::without_accents;
pub use address::{Address, AddressFlaw, LocalPart};
pub use domain::{Domain, DomainFlaw};
pub use envelope::{
    BodyType, DeliverBy, DeliverByMode, DsnNotify, DsnReturn, Envelope, EnvelopeRecipient, OriginalRecipient,
};
pub use flags::{Flags, Keyword, KeywordFlaw, SystemFlags};
pub use ids::{AccountId, BlobHash, MailboxId, ModSeq, QueueId, SequenceNumber, TraceId, Uid, UidValidity};
pub use notice::{Notice, Topic};
pub use path::{ForwardPath, PathFlaw, ReversePath};
pub use prefix::{Prefix, PrefixFlaw};
pub use reply::{EnhancedCode, Reply};
pub use special_use::SpecialUse;
pub use time::{InternalDate, Timestamp};
