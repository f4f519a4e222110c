//! `MAIL`: begin a mail transaction with its reverse-path.
//!
//! Command: RFC 5321 §4.1.1.2. Parameters: SIZE (RFC 1870), BODY (RFC 6152; BINARYMIME by RFC 3030 §3), SMTPUTF8
//! (RFC 6531), RET and ENVID (RFC 3461), AUTH (RFC 4954 §5, read and not used), REQUIRETLS (RFC 8689), and those of
//! `extensions.rs`. The host is asked whether the
//! transaction may begin. Dialogs: `tests/transcripts/rfc5321/4.1.1.2-*.txt`.

use mail::{BodyType, DsnReturn, EnhancedCode, Envelope, Reply, ReversePath, Timestamp};
use smtp_proto::{MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8, Request};

use super::Action;
use super::extensions::Said;
use super::parameters::Parameters;
use super::request::{self, Checked};
use super::session::Session;
use super::state::State;
use super::step::Step;
use super::xtext;
use crate::host::Verdict;
use crate::limits::SIZE_DIGITS_MAX;
use crate::misbehaviour::Misbehaviour;

/// Reads the command and asks the host.
pub(super) fn mail(session: &mut Session, state: State, checked: Checked<'_>, now: Timestamp) -> Step {
    if session.transactions >= session.limits().transactions_max {
        return Step::refuse(state, Misbehaviour::TooManyTransactions);
    }
    match envelope(session, checked.argument, now) {
        Ok(envelope) => Step::ask(State::AwaitBegin(envelope), Action::MayBegin),
        Err(misbehaviour) => Step::refuse(state, misbehaviour),
    }
}

/// The host has answered.
pub(super) fn mail_verdict(session: &mut Session, envelope: Envelope, verdict: Verdict) -> Step {
    match verdict {
        Verdict::Accept => {
            session.transactions = session.transactions.saturating_add(1);
            Step::reply(State::Transaction(envelope), ACCEPTED)
        }
        Verdict::Refuse(reply) => Step::reply(State::Ready, reply),
    }
}

fn envelope(session: &Session, argument: &str, now: Timestamp) -> Result<Envelope, Misbehaviour> {
    let (path, rest) = request::split_path(argument, "FROM").ok_or(Misbehaviour::Syntax(FORM))?;
    let mut announced = vec!["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "SOLICIT"];
    if session.offers_submission() {
        announced.extend(["AUTH", "BY", "MT-PRIORITY"]);
    }
    if session.offers_hold() {
        announced.extend(["HOLDFOR", "HOLDUNTIL"]);
    }
    if session.offers_require_tls() {
        announced.push("REQUIRETLS");
    }
    let mut parameters = Parameters::parse(rest, &announced, FORM)?;
    let size = size(parameters.take("SIZE"))?;
    let envelope_id = match parameters.take("ENVID") {
        None => None,
        Some(coded) => Some(coded.and_then(xtext::envelope_id).ok_or(Misbehaviour::BadParameter("ENVID"))?),
    };
    if let Some(submitter) = parameters.take("AUTH") {
        submitter.and_then(xtext::decode_xtext).ok_or(Misbehaviour::BadParameter("AUTH"))?;
    }
    let said = Said::take(&mut parameters, session, now)?;
    let require_tls = match parameters.take("REQUIRETLS") {
        None => false,
        Some(None) => true,
        Some(Some(_)) => return Err(Misbehaviour::BadParameter("REQUIRETLS")),
    };
    if parameters.value("SMTPUTF8").is_some() {
        return Err(Misbehaviour::BadParameter("SMTPUTF8"));
    }
    let Request::Mail { from } = request::parse(&parameters.line("MAIL FROM:<>"), FORM)? else {
        return Err(Misbehaviour::Syntax(FORM));
    };
    let says = |flag| from.flags & flag != 0;
    let smtputf8 = says(MAIL_SMTPUTF8);
    let reverse_path = ReversePath::parse(path).map_err(Misbehaviour::BadReversePath)?;
    if !path.is_ascii() && !smtputf8 {
        return Err(Misbehaviour::NeedsSmtpUtf8);
    }
    if size > session.limits().message_octets_max {
        // RFC 1870 §6.1: told now, so that the message is not sent in vain.
        return Err(Misbehaviour::MessageTooLarge);
    }
    let mut envelope = Envelope::new(reverse_path);
    envelope.smtputf8 = smtputf8;
    envelope.body = match (says(MAIL_BODY_BINARYMIME), says(MAIL_BODY_8BITMIME)) {
        (true, _) => BodyType::BinaryMime,
        (false, true) => BodyType::EightBitMime,
        (false, false) => BodyType::SevenBit,
    };
    envelope.dsn_return = match (says(MAIL_RET_FULL), says(MAIL_RET_HDRS)) {
        (true, _) => Some(DsnReturn::Full),
        (false, true) => Some(DsnReturn::Headers),
        (false, false) => None,
    };
    envelope.envelope_id = envelope_id;
    envelope.octets = (size > 0).then_some(size);
    envelope.hold_until = said.hold_until;
    envelope.deliver_by = said.deliver_by;
    envelope.priority = said.priority;
    envelope.solicits = said.solicits;
    envelope.require_tls = require_tls;
    Ok(envelope)
}

/// The declared size (RFC 1870 §4: 1 to 20 digits); 0 when none is. One that fits no number is over every limit.
fn size(value: Option<Option<&str>>) -> Result<u64, Misbehaviour> {
    let Some(value) = value else { return Ok(0) };
    let digits = value.unwrap_or_default();
    let good = (1..=SIZE_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if !good {
        return Err(Misbehaviour::BadParameter("SIZE"));
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

const FORM: &str = "MAIL FROM:<address> [parameters]";
const ACCEPTED: Reply = Reply::fixed(250, EnhancedCode(2, 1, 0), "Reverse-path accepted");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::session;
    use crate::settings::ListenerKind;

    fn read(argument: &str) -> Result<Envelope, Misbehaviour> {
        envelope(&session(ListenerKind::Mx), argument, Timestamp(0))
    }

    #[test]
    fn parameters_reach_the_envelope() {
        let read = read("FROM:<a@b.example> SIZE=10 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=x+2By").unwrap();
        assert_eq!(read.reverse_path.to_string(), "<a@b.example>");
        assert_eq!((read.body, read.smtputf8), (BodyType::EightBitMime, true));
        assert_eq!((read.dsn_return, read.envelope_id.as_deref()), (Some(DsnReturn::Headers), Some("x+y")));
    }

    #[test]
    fn trap_quotes_in_an_address_are_kept() {
        let read = read("FROM:<\"a@b\"@c.example>").unwrap();
        assert_eq!(read.reverse_path.to_string(), "<\"a@b\"@c.example>");
    }

    #[test]
    fn trap_address_literals_are_taken() {
        for path in ["<a@[192.0.2.1]>", "<a@[IPv6:2001:db8::1]>"] {
            assert_eq!(read(&format!("FROM:{path}")).unwrap().reverse_path.to_string(), path);
        }
    }

    #[test]
    fn trap_a_size_of_too_many_digits_is_refused() {
        let bad = Err(Misbehaviour::BadParameter("SIZE"));
        assert_eq!(read("FROM:<> SIZE=99999999999999999999999"), bad);
        assert_eq!(read("FROM:<> SIZE=99999999999999999999"), Err(Misbehaviour::MessageTooLarge));
        assert_eq!(read("FROM:<> SIZE=-1"), bad);
        assert_eq!(read("FROM:<> SIZE"), bad);
    }

    #[test]
    fn trap_repeated_parameters_are_refused() {
        assert_eq!(read("FROM:<> RET=FULL RET=HDRS"), Err(Misbehaviour::RepeatedParameter));
        assert_eq!(read("FROM:<> ENVID=a ENVID=b"), Err(Misbehaviour::RepeatedParameter));
    }

    #[test]
    fn what_was_not_announced_is_refused() {
        for parameter in ["REQUIRETLS", "BY=10;R", "MT-PRIORITY=3", "HOLDFOR=3", "AUTH=<>", "X=1"] {
            let refused = read(&format!("FROM:<> {parameter}"));
            assert_eq!(refused, Err(Misbehaviour::UnsupportedParameter), "{parameter}");
        }
        assert_eq!(read("FROM:<> BODY=9BIT"), Err(Misbehaviour::BadParameter("BODY")));
        assert_eq!(read("FROM:<> RET=ALL"), Err(Misbehaviour::BadParameter("RET")));
        assert_eq!(read("FROM:<> SMTPUTF8=1"), Err(Misbehaviour::BadParameter("SMTPUTF8")));
    }

    #[test]
    fn an_address_beyond_ascii_needs_smtputf8() {
        assert_eq!(read("FROM:<josé@b.example>"), Err(Misbehaviour::NeedsSmtpUtf8));
        assert_eq!(read("FROM:<a@café.example>"), Err(Misbehaviour::NeedsSmtpUtf8));
        assert!(read("FROM:<josé@b.example> SMTPUTF8").is_ok());
    }
}
