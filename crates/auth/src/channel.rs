//! What logins want to know of the TLS that they run over: to what SCRAM can be bound, and who the client is.

use rustls::ServerConnection;
use rustls::sign::CertifiedKey;

use crate::certificate::{email_addresses, end_point_binding};
use crate::scram::ChannelBindings;

/// A TLS channel as a login sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsChannel {
    /// What SCRAM can be bound to.
    pub bindings: ChannelBindings,
    /// The e-mail addresses in the client's certificate, which was verified; empty without one.
    pub certified: Vec<String>,
}

impl TlsChannel {
    /// Reads a session whose handshake is over. `shown` is the certificate that the server has shown in it, which rustls does not
    /// tell afterwards.
    #[must_use]
    pub fn of(session: &ServerConnection, shown: Option<&CertifiedKey>) -> Self {
        let server_end_point = shown.and_then(|key| end_point_binding(key.cert.first()?));
        // RFC 9266 §4.2: with TLS 1.2 only where the master secret is extended, which rustls does not tell.
        let exporter = (session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3))
            .then(|| session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok())
            .flatten();
        let certified = session.peer_certificates().and_then(|chain| chain.first());
        let certified = certified.map(|certificate| email_addresses(certificate)).unwrap_or_default();
        let bindings = ChannelBindings { exporter: exporter.map(|octets: [u8; 32]| octets.to_vec()), server_end_point };
        Self { bindings, certified }
    }
}
