//! smtp-in
mod engine;
mod host;
mod limits;
mod misbehaviour;
mod secret;
mod session;
mod settings;
mod trace;

pub use engine::{Action, Answer, Engine, Mechanism, Policy};
pub use host::{Acknowledgement, AuthFailure, Host, MessageSink, Verdict};
pub use limits::Limits;
pub use misbehaviour::Misbehaviour;
pub use secret::Secret;
pub use session::{Identity, SessionFacts, SessionId, TlsFacts};
pub use settings::{BareNewlines, ListenerKind, Live, Settings};
pub use trace::trace_header;
