//! Macros: what filters are told beside the commands, under the names that Sendmail gave.
//!
//! A filter may say which ones it wants at a stage; names that mean nothing here are left out.

use super::codec::Stage;
use crate::facts::{Letter, Session, bare};

/// The names that a filter gets which has not said which ones it wants.
const fn usual(stage: Stage) -> &'static [&'static str] {
    match stage {
        Stage::Connect => &[
            "j",
            "_",
            "{daemon_name}",
            "{daemon_addr}",
            "{daemon_port}",
            "v",
            "{client_addr}",
            "{client_name}",
            "{client_ptr}",
            "{client_port}",
        ],
        Stage::Helo => &["{tls_version}", "{cipher}"],
        Stage::Mail => {
            &["i", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_mailer}", "{mail_host}", "{mail_addr}"]
        }
        Stage::Recipient => &["i", "{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}"],
        Stage::Data | Stage::EndOfHeader | Stage::EndOfMessage => &["i"],
    }
}

/// The macros of a stage, for RCPT with the recipient that follows: its place among all.
pub(super) fn macros(
    stage: Stage,
    wanted: &[(Stage, Vec<String>)],
    session: &Session,
    letter: &Letter<'_>,
    recipient: Option<usize>,
) -> Vec<(String, String)> {
    let value = |name: &str| Some((name.to_owned(), value(name, session, letter, recipient)?));
    match wanted.iter().find(|(for_stage, _)| *for_stage == stage) {
        Some((_, names)) => names.iter().filter_map(|name| value(name)).collect(),
        None => usual(stage).iter().filter_map(|name| value(name)).collect(),
    }
}

fn value(name: &str, session: &Session, letter: &Letter<'_>, recipient: Option<usize>) -> Option<String> {
    let bare_name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    let client = session.client.ip().to_canonical();
    let sender = letter.envelope.reverse_path.address();
    let path = recipient.and_then(|at| letter.envelope.recipients.get(at)).map(|one| &one.forward_path);
    let address = |path: &mail::ForwardPath| match path {
        mail::ForwardPath::Address(address) => Some(address.clone()),
        mail::ForwardPath::Postmaster => None,
    };
    Some(match bare_name {
        "j" => session.hostname.to_string(),
        "v" => format!("Relais {}", env!("CARGO_PKG_VERSION")),
        "i" => session.id.clone(),
        "_" => format!("unknown [{client}]"),
        "daemon_name" => if session.is_submission() { "submission" } else { "mx" }.to_owned(),
        "daemon_addr" => session.local.ip().to_canonical().to_string(),
        "daemon_port" => session.local.port().to_string(),
        // As Postfix has it, an address of IPv6 has its prefix here.
        "client_addr" if client.is_ipv6() => format!("IPv6:{client}"),
        "client_addr" => client.to_string(),
        "client_port" => session.client.port().to_string(),
        // No look-up was made.
        "client_name" | "client_ptr" => "unknown".to_owned(),
        "tls_version" => session.tls.as_ref()?.0.clone(),
        "cipher" => session.tls.as_ref()?.1.clone(),
        // By which mechanism, the session does not tell.
        "auth_type" => session.login.as_ref().map(|_| "SASL".to_owned())?,
        "auth_authen" => session.login.clone()?,
        "mail_mailer" | "rcpt_mailer" => "smtp".to_owned(),
        "mail_host" => sender?.domain().to_string(),
        "mail_addr" => sender.map(ToString::to_string).unwrap_or_default(),
        "rcpt_host" => address(path?)?.domain().to_string(),
        "rcpt_addr" => bare(path?),
        "nrcpts" => letter.envelope.recipients.len().to_string(),
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use mail::{Envelope, EnvelopeRecipient, ForwardPath, ReversePath};

    use super::*;
    use crate::header::Header;
    use crate::spool::MemorySpool;

    #[test]
    fn filters_get_the_usual_names_or_those_that_they_want() {
        let session = Session {
            hostname: "mx.example.org".parse().unwrap(),
            client: "[2001:db8::1]:4242".parse().unwrap(),
            local: "192.0.2.9:25".parse().unwrap(),
            helo: Some("mail.far.example".to_owned()),
            tls: Some(("TLSv1.3".to_owned(), "TLS_AES_128_GCM_SHA256".to_owned())),
            login: Some("alice@example.org".to_owned()),
            id: "7f".to_owned(),
        };
        let mut envelope = Envelope::new(ReversePath::parse("<zoe@far.example>").unwrap());
        let path = ForwardPath::parse("<bob@example.org>").unwrap();
        envelope.recipients =
            vec![EnvelopeRecipient { forward_path: path, notify: Default::default(), original: None }];
        let mut spool = MemorySpool::default();
        let letter = Letter::new(Header::default(), &mut spool, envelope, 0);
        let told = |stage, wanted: &[(Stage, Vec<String>)], at| {
            let all = macros(stage, wanted, &session, &letter, at);
            all.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        let connect = told(Stage::Connect, &[], None);
        for one in ["j=mx.example.org", "{client_addr}=IPv6:2001:db8::1", "{client_port}=4242", "{daemon_port}=25"] {
            assert!(connect.contains(&one.to_owned()), "{connect:?}");
        }
        assert_eq!(told(Stage::Helo, &[], None), ["{tls_version}=TLSv1.3", "{cipher}=TLS_AES_128_GCM_SHA256"]);
        let mail = told(Stage::Mail, &[], None).join(" ");
        assert!(
            mail.contains("{auth_authen}=alice@example.org") && mail.contains("{mail_addr}=zoe@far.example"),
            "{mail}"
        );
        assert_eq!(
            told(Stage::Recipient, &[], Some(0)),
            ["i=7f", "{rcpt_mailer}=smtp", "{rcpt_host}=example.org", "{rcpt_addr}=bob@example.org"]
        );
        let wanted = [(Stage::EndOfMessage, vec!["rcpt_addr".to_owned(), "j".to_owned(), "{nothing}".to_owned()])];
        assert_eq!(told(Stage::EndOfMessage, &wanted, None), ["j=mx.example.org"]);
    }
}
