//! A host, a certificate and two stages for the tests of this crate.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod engine_stage;
pub(crate) mod host;
pub(crate) mod net_stage;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use mail::Domain;
use relais_smtp_in::{BareNewlines, Limits, ListenerKind, Live, Settings};
use rustls::crypto::aws_lc_rs::default_provider;

/// What directives set before the first line.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) kind: ListenerKind,
    pub(crate) limits: Limits,
    pub(crate) bare_newlines: BareNewlines,
    pub(crate) scram: bool,
    pub(crate) tokens: bool,
    pub(crate) proxies: Vec<IpAddr>,
    pub(crate) xclient_from: Vec<IpAddr>,
    pub(crate) certificate: bool,
    pub(crate) no_soliciting: Vec<String>,
    pub(crate) burl: bool,
    pub(crate) door: Option<abuse::Door>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            kind: ListenerKind::Mx,
            limits: Limits::default(),
            bare_newlines: BareNewlines::Refuse,
            scram: false,
            tokens: false,
            proxies: Vec::new(),
            xclient_from: Vec::new(),
            certificate: true,
            no_soliciting: Vec::new(),
            burl: true,
            door: None,
        }
    }
}

impl Setup {
    /// Understands a directive about the listener; false when it is about something else.
    pub(crate) fn directive(&mut self, directive: &str) -> Result<bool, String> {
        match directive.split_once(' ').unwrap_or((directive, "")) {
            ("listener", "mx") => self.kind = ListenerKind::Mx,
            ("listener", "submission") => self.kind = ListenerKind::Submission,
            ("listener", "submissions") => self.kind = ListenerKind::Submissions,
            ("bare-newlines", "convert") => self.bare_newlines = BareNewlines::Convert,
            ("listener", "lmtp") => self.kind = ListenerKind::Lmtp,
            ("scram", "") => self.scram = true,
            ("tokens", "") => self.tokens = true,
            ("xclient-from", list) => {
                self.xclient_from =
                    list.split(' ').map(str::parse).collect::<Result<_, _>>().map_err(|e| format!("{e}"))?;
            }
            ("no-soliciting", list) => self.no_soliciting = list.split(' ').map(str::to_owned).collect(),
            ("no-burl", "") => self.burl = false,
            ("no-certificate", "") => self.certificate = false,
            ("limit", rest) => {
                let (name, value) = rest.split_once('=').ok_or("@limit name=value")?;
                let value: u32 = value.parse().map_err(|_| "a limit is a number")?;
                match name {
                    "message_octets_max" => self.limits.message_octets_max = value.into(),
                    "swallow_octets_max" => self.limits.swallow_octets_max = value.into(),
                    "recipient_domains_max" => self.limits.recipient_domains_max = value as usize,
                    "hold_max_secs" => self.limits.hold_max = std::time::Duration::from_secs(value.into()),
                    "recipients_max" => self.limits.recipients_max = value as usize,
                    "bad_commands_max" => self.limits.bad_commands_max = value,
                    "excused_errors_max" => self.limits.excused_errors_max = value,
                    "idle_commands_max" => self.limits.idle_commands_max = value,
                    "auth_failures_max" => self.limits.auth_failures_max = value,
                    "transactions_max" => self.limits.transactions_max = value,
                    other => return Err(format!("no limit is called {other}")),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            kind: self.kind,
            host_name: Domain::parse("mx.example").unwrap(),
            limits: Live::new(self.limits.clone()),
            tls: self.certificate.then(|| Live::shared(tls().0.clone())),
            bare_newlines: self.bare_newlines,
            scram: self.scram,
            tokens: self.tokens,
            proxies: self.proxies.clone(),
            xclient_from: self.xclient_from.clone(),
            burl: self.burl,
            no_soliciting: self.no_soliciting.clone(),
            door: self.door.clone(),
        }
    }
}

/// The server's and the client's side of one throw-away certificate.
pub(crate) fn tls() -> &'static (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    static TLS: OnceLock<(Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>)> = OnceLock::new();
    TLS.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(vec!["mx.example".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let server = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(server), Arc::new(client))
    })
}

/// `5m`, `30s`.
pub(crate) fn span(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || format!("{text} is no span of time");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    Ok(std::time::Duration::from_secs(number * seconds))
}
