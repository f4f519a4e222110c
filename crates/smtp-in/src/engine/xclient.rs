//! `XCLIENT`: a proxy in front tells for whom it speaks (Postfix, `XCLIENT_README`).
//!
//! Taken from addresses that the settings name, announced to them alone, refused to everybody else. `LOGIN` is not supported: who
//! logs in proves it here. The session begins anew, with a greeting, as if the client had just connected. It is said once: proxies such as nginx
//! pass on what the client says from then on, and whoever is trusted is not its client. Dialogs:
//! `tests/transcripts/xclient/`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::Action;
use super::request::Checked;
use super::session::Session;
use super::state::State;
use super::step::Step;
use super::xtext;
use crate::misbehaviour::Misbehaviour;
use crate::session::SessionFacts;

/// What is announced.
pub(super) const ANNOUNCED: &str = "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT";

/// Takes over what is said of the client.
pub(super) fn xclient(session: &mut Session, state: State, checked: Checked<'_>) -> Step {
    if session.policy.xclient_from.is_empty() {
        // Where nobody may say it, it is no command.
        return Step::refuse(state, Misbehaviour::UnknownCommand);
    }
    if !session.takes_xclient {
        return Step::refuse(state, Misbehaviour::XclientRefused);
    }
    let Some((remote, local)) = ends(&session.facts, checked.argument) else {
        return Step::refuse(state, Misbehaviour::Syntax(FORM));
    };
    let facts = &session.facts;
    // A certificate is the proxy's, and says nothing of its client.
    let mut tls = facts.tls.clone();
    tls.iter_mut().for_each(|tls| tls.channel.certified.clear());
    session.facts = SessionFacts { tls, ..SessionFacts::new(facts.id, facts.kind, remote, local) };
    // What follows may be the client's own words, passed on: it must not say who it is.
    session.takes_xclient = false;
    session.progress();
    // Who the client is was not known before: whether it may come in is asked now.
    Step::ask(State::AwaitEntry, Action::Enter)
}

/// Both ends as the attributes say; what they do not name stays. `None`: they can't be read.
fn ends(facts: &SessionFacts, argument: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (mut remote, mut local) = (facts.remote, facts.local);
    let mut words = argument.split(' ').filter(|word| !word.is_empty()).peekable();
    words.peek()?;
    for word in words {
        let (name, coded) = word.split_once('=')?;
        let value = xtext::decode_xtext(coded)?;
        let unknown = value.eq_ignore_ascii_case("[UNAVAILABLE]") || value.eq_ignore_ascii_case("[TEMPUNAVAIL]");
        match name.to_ascii_uppercase().as_str() {
            // An address that is not known leaves the proxy's own.
            "ADDR" | "DESTADDR" | "PORT" | "DESTPORT" if unknown => {}
            "ADDR" => remote.set_ip(ip(&value)?),
            "DESTADDR" => local.set_ip(ip(&value)?),
            "PORT" => remote.set_port(value.parse().ok()?),
            "DESTPORT" => local.set_port(value.parse().ok()?),
            // Read by nothing here: the name is looked up, and EHLO comes again.
            "NAME" | "PROTO" | "HELO" => {}
            _ => return None,
        }
    }
    Some((remote, local))
}

/// An address; IPv6 ones have a prefix as in an address literal.
fn ip(text: &str) -> Option<IpAddr> {
    let prefix = text.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("IPv6:"));
    match prefix {
        Some(prefix) => text.strip_prefix(prefix)?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

const FORM: &str = "XCLIENT attribute=value ...";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::session;
    use crate::settings::ListenerKind;

    fn read(argument: &str) -> Option<String> {
        let facts = session(ListenerKind::Mx).facts;
        ends(&facts, argument).map(|(remote, local)| format!("{remote} {local}"))
    }

    #[test]
    fn attributes_are_read_and_others_are_refused() {
        let plain = "198.51.100.9:4711 192.0.2.1:25".to_owned();
        assert_eq!(read("ADDR=198.51.100.9 PORT=4711 NAME=c.example HELO=c.example PROTO=ESMTP"), Some(plain));
        assert_eq!(read("addr=IPV6:2001:db8::9 name=[UNAVAILABLE]"), Some("[2001:db8::9]:25 192.0.2.1:25".to_owned()));
        assert_eq!(read("ADDR=[UNAVAILABLE]"), Some("192.0.2.1:25 192.0.2.1:25".to_owned()));
        let to = Some("192.0.2.1:25 203.0.113.2:26".to_owned());
        assert_eq!(read("DESTADDR=203.0.113.2 DESTPORT=26"), to);
        for wrong in
            ["", "ADDR", "ADDR=", "ADDR=c.example", "PORT=65536", "PORT=x", "LOGIN=alice", "ADDR=1.2.3.4+0D+0AX"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
