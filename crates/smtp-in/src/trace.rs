//! The `Received` field that this server puts in front of a message (RFC 5321 §4.4).
//!
//! Pure. What the client said of itself is cut down to the characters of a domain or address literal, so that it can
//! add neither a field nor a comment. `for` names the recipient only when there is one, or a blind copy would show.

use mail::{Domain, Envelope, ForwardPath, Timestamp};

use crate::session::SessionFacts;

/// One `Received` field, folded, with its final CRLF.
///
/// `id` is the message's name in the trace; only the characters of an atom are taken from it.
#[must_use]
pub fn trace_header(facts: &SessionFacts, envelope: &Envelope, our_name: &Domain, id: &str, now: Timestamp) -> Vec<u8> {
    let helo = facts.helo.as_deref().map_or_else(|| "unknown".to_owned(), clean_name);
    // RFC 5321 §4.4 wants `from`; a client that is not to be told has no address behind it.
    let ip = facts.remote.ip().to_canonical();
    let remote = if ip.is_unspecified() { String::new() } else { format!(" ({})", Domain::literal(ip)) };
    let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    let mut field = format!("Received: from {helo}{remote}\r\n\tby {our_name}");
    field.push_str(&format!(" with {}", facts.protocol(envelope.smtputf8)));
    if !id.is_empty() {
        field.push_str(&format!(" id {id}"));
    }
    if let [only] = envelope.recipients.as_slice() {
        let path = match &only.forward_path {
            ForwardPath::Postmaster => Some(format!("<postmaster@{our_name}>")),
            // A field of ours must not be what makes a message need SMTPUTF8 on its further way.
            ForwardPath::Address(address) => (!address.needs_smtputf8()).then(|| format!("<{address}>")),
        };
        if let Some(path) = path {
            field.push_str(&format!("\r\n\tfor {path}"));
        }
    }
    // RFC 5321 §4.4: what others have registered stands behind `for`.
    if envelope.priority != 0 {
        // RFC 6710 §7: the clause that tells a later reader of the order in which it was handled.
        field.push_str(&format!("\r\n\tpriority {}", envelope.priority));
    }
    if let Some(tls) = &facts.tls {
        // RFC 8314 §4.3: the `tls` clause.
        field.push_str(&format!("\r\n\ttls {}", clean_name(&tls.cipher)));
    }
    field.push_str(&format!(";\r\n\t{}\r\n", now.to_rfc5322()));
    field.into_bytes()
}

/// What a domain or an address literal may consist of; anything else becomes `?`.
fn clean_name(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    name.chars().take(NAME_CHARACTERS_MAX).map(|c| if good(c) { c } else { '?' }).collect()
}

const NAME_CHARACTERS_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use mail::{AccountId, DsnNotify, EnvelopeRecipient, ReversePath};

    use super::*;
    use crate::session::{Identity, SessionId, TlsFacts};
    use crate::settings::ListenerKind;

    fn facts() -> SessionFacts {
        let remote = "192.0.2.7:4711".parse().unwrap();
        let local = "192.0.2.1:25".parse().unwrap();
        let mut facts = SessionFacts::new(SessionId(1), ListenerKind::Mx, remote, local);
        facts.helo = Some("client.example".into());
        facts.esmtp = true;
        facts
    }

    fn envelope(recipients: &[&str]) -> Envelope {
        let mut envelope = Envelope::new(ReversePath::Null);
        envelope.recipients = recipients
            .iter()
            .map(|path| EnvelopeRecipient {
                forward_path: ForwardPath::parse(path).unwrap(),
                notify: DsnNotify::default(),
                original: None,
            })
            .collect();
        envelope
    }

    fn header(facts: &SessionFacts, envelope: &Envelope) -> String {
        let name = Domain::parse("mx.example").unwrap();
        let field = trace_header(facts, envelope, &name, "0a1b", Timestamp::from_secs(784_111_777));
        String::from_utf8(field).unwrap()
    }

    #[test]
    fn one_recipient_is_named() {
        assert_eq!(
            header(&facts(), &envelope(&["<bob@b.example>"])),
            "Received: from client.example ([192.0.2.7])\r\n\tby mx.example with ESMTP id 0a1b\r\n\
             \tfor <bob@b.example>;\r\n\tSun, 06 Nov 1994 08:49:37 +0000\r\n"
        );
        assert!(header(&facts(), &envelope(&["<postmaster>"])).contains("for <postmaster@mx.example>;"));
    }

    /// RFC 5321 §4.4: `Opt-info` has with, id and for in this order, and registered clauses behind them.
    #[test]
    fn clauses_stand_in_their_order() {
        let mut facts = facts();
        facts.tls = Some(TlsFacts {
            version: "TLSv1.3".into(),
            cipher: "TLS_AES_128_GCM_SHA256".into(),
            ..TlsFacts::default()
        });
        let mut envelope = envelope(&["<bob@b.example>"]);
        envelope.priority = -4;
        assert_eq!(
            header(&facts, &envelope),
            "Received: from client.example ([192.0.2.7])\r\n\tby mx.example with ESMTPS id 0a1b\r\n\
             \tfor <bob@b.example>\r\n\tpriority -4\r\n\ttls TLS_AES_128_GCM_SHA256;\r\n\
             \tSun, 06 Nov 1994 08:49:37 +0000\r\n"
        );
    }

    #[test]
    fn the_field_is_ascii() {
        assert!(!header(&facts(), &envelope(&["<josé@b.example>"])).contains("for "));
    }

    #[test]
    fn several_recipients_are_not() {
        assert!(!header(&facts(), &envelope(&["<a@b.example>", "<c@b.example>"])).contains("for "));
    }

    #[test]
    fn tls_and_authentication_show() {
        let mut facts = facts();
        facts.tls = Some(TlsFacts {
            version: "TLSv1.3".into(),
            cipher: "TLS_AES_128_GCM_SHA256".into(),
            ..TlsFacts::default()
        });
        facts.identity = Some(Identity { account: AccountId(1), login: "alice".into(), mark: 0 });
        let header = header(&facts, &envelope(&["<bob@b.example>"]));
        assert!(header.contains(" with ESMTPSA id 0a1b\r\n"), "{header}");
        assert!(header.contains("\r\n\ttls TLS_AES_128_GCM_SHA256;\r\n"), "{header}");
        assert!(!header.contains("alice"), "{header}");
    }

    #[test]
    fn an_ipv6_client_has_its_literal() {
        let mut facts = facts();
        facts.remote = "[2001:db8::7]:4711".parse().unwrap();
        assert!(header(&facts, &envelope(&[])).contains("([IPv6:2001:db8::7])"));
        facts.remote = "[::ffff:192.0.2.9]:4711".parse().unwrap();
        assert!(header(&facts, &envelope(&[])).contains("([192.0.2.9])"));
    }

    #[test]
    fn a_client_may_be_left_out() {
        let header = header(&facts().without_client(), &envelope(&[]));
        assert!(header.starts_with("Received: from unknown\r\n\tby mx.example with ESMTP id 0a1b;"), "{header}");
    }

    #[test]
    fn a_helo_name_adds_nothing() {
        let mut facts = facts();
        facts.helo = Some("a\r\nBcc: x@y (by) with;\"é".into());
        let header = header(&facts, &envelope(&[]));
        assert!(header.starts_with("Received: from a??Bcc:?x?y??by??with??? ([192.0.2.7])\r\n\tby"), "{header}");
        assert_eq!(header.matches("\r\n").count(), 3);
    }
}
