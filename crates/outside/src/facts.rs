//! What filters are told about a message beside its octets.

use std::net::SocketAddr;

use mail::{BodyType, Domain, Envelope, ForwardPath, Reply};

use crate::header::Header;
use crate::spool::Spool;

/// The session in which a message comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// This server's name.
    pub hostname: Domain,
    /// Where the client is.
    pub client: SocketAddr,
    /// Where it has connected to.
    pub local: SocketAddr,
    /// What it calls itself.
    pub helo: Option<String>,
    /// Version and cipher of TLS.
    pub tls: Option<(String, String)>,
    /// Whom it has logged in as; then the message is submitted.
    pub login: Option<String>,
    /// The message's name in the log and in the reply.
    pub id: String,
}

impl Session {
    /// Whether the message is one of somebody here.
    #[must_use]
    pub const fn is_submission(&self) -> bool {
        self.login.is_some()
    }
}

/// A message under the eyes of filters, as the ones before have left it.
pub struct Letter<'s> {
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: &'s mut dyn Spool,
    /// Its envelope.
    pub envelope: Envelope,
    /// Octets of all of it, as it came.
    pub octets: u64,
    /// A filter has written another body.
    pub body_changed: bool,
    /// Recipients that a filter does not want, and the replies that they would have had.
    pub refused: Vec<(mail::EnvelopeRecipient, Reply)>,
    /// Recipients that filters have added.
    pub added: usize,
}

impl<'s> Letter<'s> {
    /// A message as it came.
    pub fn new(header: Header, body: &'s mut dyn Spool, envelope: Envelope, octets: u64) -> Self {
        Self { header, body, envelope, octets, body_changed: false, refused: Vec::new(), added: 0 }
    }
}

/// A forward-path without brackets.
pub(crate) fn bare(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Address(address) => address.to_string(),
        ForwardPath::Postmaster => "postmaster".to_owned(),
    }
}

/// What MAIL said, as far as filters want to know it.
pub(crate) fn parameters(envelope: &Envelope) -> Vec<String> {
    let size = envelope.octets.map(|octets| format!("SIZE={octets}"));
    let body = match envelope.body {
        BodyType::SevenBit => None,
        BodyType::EightBitMime => Some("BODY=8BITMIME".to_owned()),
        BodyType::BinaryMime => Some("BODY=BINARYMIME".to_owned()),
    };
    let utf8 = envelope.smtputf8.then(|| "SMTPUTF8".to_owned());
    size.into_iter().chain(body).chain(utf8).collect()
}
