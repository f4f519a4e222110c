//! Readers of what clients say at logins for `relais-fuzz-targets`, which give them any octets. For nobody else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use routing::objects::{ScramKey, ScramKeys};

use crate::bearer;
use crate::scram::{ChannelBindings, ClientFirst, ScramHash, ServerFirst};

/// What came of an exchange by SCRAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scram {
    /// Whom the client has named.
    pub username: String,
    /// The server's first message.
    pub challenge: String,
    /// Whether the client has proved that it knows the password, which it can't.
    pub proved: bool,
}

/// The client's two messages, to a server that could bind or not, with keys of which nobody knows the password; `None` when the first is none.
#[must_use]
pub fn scram(first: &[u8], last: &[u8], plus: bool, sha256: bool) -> Option<Scram> {
    let bindings = ChannelBindings { exporter: plus.then(|| b"exported".to_vec()), server_end_point: None };
    let client = ClientFirst::parse(first, plus, &bindings).ok()?;
    let (hash, octets) = if sha256 { (ScramHash::Sha256, 32) } else { (ScramHash::Sha1, 20) };
    let key = |octet| STANDARD.encode(vec![octet; octets]);
    let key = ScramKey { stored: key(1), server: key(2) };
    let keys = ScramKeys {
        of: String::new(),
        salt: STANDARD.encode([3; 16]),
        iterations: 4_096,
        sha1: key.clone(),
        sha256: key,
    };
    let username = client.username.clone();
    let server = ServerFirst::new(client, hash, &keys, [7; 18]);
    let proved = matches!(server.check(last), Ok(Some(_)));
    Some(Scram { username, challenge: server.message().to_owned(), proved })
}

/// Identity and token of a message of OAUTHBEARER (RFC 7628 §3.1), or else of XOAUTH2.
#[must_use]
pub fn bearer(message: &[u8], oauthbearer: bool) -> Option<(String, String)> {
    let said = if oauthbearer { bearer::oauthbearer(message) } else { bearer::xoauth2(message) };
    said.map(|said| (said.identity, said.token.to_owned()))
}
