//! IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) for one store: listeners on ports 143 and 993.
//!
//! Extensions: IDLE (RFC 2177), NAMESPACE (2342), ID (2971), CHILDREN (3348), UNSELECT (3691), UIDPLUS (4315), ESEARCH
//! (4731), SASL-IR (4959), WITHIN (5032), ENABLE (5161), SEARCHRES (5182), LANGUAGE and I18NLEVEL (5255), SORT and THREAD
//! (5256, 5957), LIST-EXTENDED (5258), CONTEXT and ESORT (5267), METADATA (5464), response codes (5530), LIST-STATUS (5819),
//! ACL with namespaces for others' and shared mailboxes (4314), SPECIAL-USE (6154), FUZZY (6203), MOVE (6851), CONDSTORE and
//! QRESYNC (7162), MULTISEARCH (7377), LITERAL+ (7888), APPENDLIMIT (7889), STATUS=SIZE (8438), LIST-MYRIGHTS (8440), QUOTA
//! (9208), PARTIAL (9394), LIST-METADATA (9590), MULTIAPPEND (3502), BINARY (3516), URLAUTH (4467), CATENATE (4469), COMPRESS
//! (4978), NOTIFY (5465), URL-PARTIAL (5550), UTF8=ACCEPT (6855), UNAUTHENTICATE (8437), OBJECTID (8474), REPLACE (8508),
//! SAVEDATE (8514), PREVIEW (8970), INPROGRESS (9585), UIDONLY (9586), UIDBATCHES (draft). Logins: PLAIN, LOGIN, SCRAM (5802, 7677), EXTERNAL (4422).
//! All of them, with what holds: `docs/rfc/status.tsv`.
//!
//! What it promises:
//! - A tagged OK after APPEND, COPY, MOVE, STORE and EXPUNGE means that it is on disk.
//! - Sequence numbers mean the same to client and server at every moment: EXPUNGE is told only where RFC 3501 §7.4.1 allows.
//! - No session holds a whole message; an idle one holds next to nothing; a mailbox that many have open is in memory once.
//!
//! Three parts: `engine` (pure), [`Imap`] with its sessions and `commands` (async over the store), `connection` (the socket).

mod access;
mod annotations;
mod auth;
mod commands;
mod connection;
mod engine;
mod fault;
mod finding;
mod foreign;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod metrics;
mod notify;
mod orders;
mod progress;
mod records;
mod server;
mod session;
mod settings;
mod sync;
mod text_search;
mod tls;
mod turn;
mod views;

use std::sync::Arc;

use bus::Bus;
use storage::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use auth::{AuthError, Authenticator};
pub use engine::message_limit::MessageLimit;
pub use server::Imap;
pub use settings::{Security, Settings};
pub use tls::TlsHandle;

/// What a listener is made of, for [`run`].
pub struct Parts {
    /// The mail.
    pub store: Store,
    /// Where changes are heard of.
    pub bus: Bus,
    /// Who may come in.
    pub authenticator: Arc<dyn Authenticator>,
    /// What the administrator set.
    pub settings: Settings,
    /// The certificate, when there is one.
    pub tls: Option<Arc<TlsHandle>>,
}

/// Serves one listener until told to stop. For several listeners make one [`Imap`] and call [`Imap::serve`] for each.
pub async fn run(listener: TcpListener, security: Security, parts: Parts, shutdown: CancellationToken) {
    let Parts { store, bus, authenticator, settings, tls } = parts;
    Imap::new(store, bus, authenticator, settings, tls).serve(listener, security, shutdown).await;
}
