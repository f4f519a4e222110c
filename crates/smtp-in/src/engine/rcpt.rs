//! `RCPT`: add one forward-path to the mail transaction.
//!
//! Command: RFC 5321 §4.1.1.3. Parameters: NOTIFY, ORCPT (RFC 3461 §4.1, §4.2; RFC 6533 §3). Routing owns the
//! answer, so the reply waits in `AwaitVerdict`; nothing here blocks. Dialogs:
//! `tests/transcripts/rfc5321/4.1.1.3-*.txt`.

use std::collections::BTreeSet;

use mail::{DsnNotify, EnhancedCode, Envelope, EnvelopeRecipient, ForwardPath, Reply};
use smtp_proto::{RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, Request};

use super::Action;
use super::parameters::Parameters;
use super::request::{self, Checked};
use super::session::Session;
use super::state::State;
use super::step::Step;
use super::xtext;
use crate::host::Verdict;
use crate::misbehaviour::Misbehaviour;

/// Checks the argument, then asks routing whether the forward-path is accepted.
pub(super) fn rcpt(session: &Session, envelope: Envelope, checked: Checked<'_>) -> Step {
    if envelope.recipients.len() >= session.limits().recipients_max {
        // RFC 5321 §4.5.3.1.10: 452, so the client may send the rest in a new transaction.
        return Step::refuse(State::Transaction(envelope), Misbehaviour::TooManyRecipients);
    }
    match recipient(envelope.smtputf8, checked.argument) {
        Ok(recipient) => {
            let path = recipient.forward_path.clone();
            if one_domain_more(&envelope, &path, session.limits().recipient_domains_max) {
                // RFC 9422 §4.3.
                return Step::refuse(State::Transaction(envelope), Misbehaviour::TooManyDomains);
            }
            Step::ask(State::AwaitVerdict(envelope, recipient), Action::AskRecipient { path })
        }
        Err(misbehaviour) => Step::refuse(State::Transaction(envelope), misbehaviour),
    }
}

/// Routing has answered: keep the recipient, or hand its refusal to the client.
pub(super) fn rcpt_verdict(
    session: &mut Session,
    mut envelope: Envelope,
    recipient: EnvelopeRecipient,
    verdict: Verdict,
) -> Step {
    match verdict {
        Verdict::Accept => {
            envelope.recipients.push(recipient);
            session.bad_commands = 0;
            Step::reply(State::Transaction(envelope), ACCEPTED)
        }
        Verdict::Refuse(reply) => {
            session.refused_recipients = session.refused_recipients.saturating_add(1);
            if session.refused_recipients > session.limits().refused_recipients_max {
                return Step::refuse(State::Transaction(envelope), Misbehaviour::TooManyRefusedRecipients);
            }
            Step::reply(State::Transaction(envelope), reply)
        }
    }
}

/// Whether a forward-path leads to one domain more than a transaction may have; 0 for no limit.
fn one_domain_more(envelope: &Envelope, path: &ForwardPath, domains_max: usize) -> bool {
    let domain = |path: &ForwardPath| match path {
        ForwardPath::Address(address) => Some(address.domain().clone()),
        ForwardPath::Postmaster => None,
    };
    let Some(new) = domain(path).filter(|_| domains_max > 0) else { return false };
    let known: BTreeSet<_> = envelope.recipients.iter().filter_map(|one| domain(&one.forward_path)).collect();
    known.len() >= domains_max && !known.contains(&new)
}

fn recipient(smtputf8: bool, argument: &str) -> Result<EnvelopeRecipient, Misbehaviour> {
    let (path, rest) = request::split_path(argument, "TO").ok_or(Misbehaviour::Syntax(FORM))?;
    let mut parameters = Parameters::parse(rest, &["NOTIFY", "ORCPT"], FORM)?;
    let original = match parameters.take("ORCPT") {
        None => None,
        Some(coded) => {
            let coded = coded.filter(|coded| smtputf8 || coded.is_ascii());
            Some(coded.and_then(xtext::original_recipient).ok_or(Misbehaviour::BadParameter("ORCPT"))?)
        }
    };
    let notify_said = parameters.value("NOTIFY");
    let Request::Rcpt { to } = request::parse(&parameters.line("RCPT TO:<>"), FORM)? else {
        return Err(Misbehaviour::Syntax(FORM));
    };
    let notify = notify(notify_said, to.flags)?;
    let forward_path = ForwardPath::parse(path).map_err(Misbehaviour::BadForwardPath)?;
    if !path.is_ascii() && !smtputf8 {
        return Err(Misbehaviour::NeedsSmtpUtf8);
    }
    Ok(EnvelopeRecipient { forward_path, notify, original })
}

/// What NOTIFY asks for: NEVER alone, or each of the others at most once (RFC 3461 §4.1).
fn notify(said: Option<&str>, flags: u64) -> Result<DsnNotify, Misbehaviour> {
    let Some(said) = said else { return Ok(DsnNotify::default()) };
    let says = |flag| flags & flag != 0;
    let words = said.split(',').count();
    let different = [RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_DELAY];
    if words != different.into_iter().filter(|flag| says(*flag)).count() || (says(RCPT_NOTIFY_NEVER) && words > 1) {
        return Err(Misbehaviour::BadParameter("NOTIFY"));
    }
    Ok(DsnNotify::asked(says(RCPT_NOTIFY_SUCCESS), says(RCPT_NOTIFY_FAILURE), says(RCPT_NOTIFY_DELAY)))
}

const FORM: &str = "RCPT TO:<address> [parameters]";
const ACCEPTED: Reply = Reply::fixed(250, EnhancedCode(2, 1, 5), "Recipient accepted");

#[cfg(test)]
mod tests {
    use mail::PathFlaw;

    use super::*;

    #[test]
    fn trap_an_empty_path_and_postmaster_are_told_apart() {
        let empty = recipient(false, "TO:<>");
        assert_eq!(empty, Err(Misbehaviour::BadForwardPath(PathFlaw::NullForward)));
        assert_eq!(recipient(false, "TO:<PostMaster>").unwrap().forward_path, ForwardPath::Postmaster);
    }

    #[test]
    fn trap_quotes_and_address_literals_are_kept() {
        for path in ["<\"a@b\"@c.example>", "<a@[192.0.2.1]>", "<a@[IPv6:2001:db8::1]>", "<\"a b\"@c.example>"] {
            assert_eq!(recipient(false, &format!("TO:{path}")).unwrap().forward_path.to_string(), path);
        }
    }

    #[test]
    fn trap_notify_never_stands_alone() {
        let bad = Err(Misbehaviour::BadParameter("NOTIFY"));
        for value in ["NEVER,SUCCESS", "SUCCESS,NEVER", "SUCCESS,SUCCESS", "SUCCESS,", ",SUCCESS", "X"] {
            assert_eq!(recipient(false, &format!("TO:<a@b> NOTIFY={value}")), bad, "{value}");
        }
        let never = recipient(false, "TO:<a@b> NOTIFY=never").unwrap();
        assert_eq!(never.notify, DsnNotify::NEVER);
        let two = recipient(false, "TO:<a@b> NOTIFY=SUCCESS,DELAY").unwrap();
        assert_eq!(two.notify, DsnNotify::asked(true, false, true));
        assert_eq!(recipient(false, "TO:<a@b>").unwrap().notify, DsnNotify::default());
        let default_said = recipient(false, "TO:<a@b> NOTIFY=FAILURE,DELAY").unwrap().notify;
        assert_eq!(default_said, DsnNotify { said: true, ..DsnNotify::default() });
    }

    #[test]
    fn trap_repeated_parameters_are_refused() {
        let repeated = recipient(false, "TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY");
        assert_eq!(repeated, Err(Misbehaviour::RepeatedParameter));
    }

    #[test]
    fn trap_orcpt_beyond_ascii_needs_smtputf8() {
        let line = "TO:<a@b> ORCPT=utf-8;josé@b.example";
        assert_eq!(recipient(false, line), Err(Misbehaviour::BadParameter("ORCPT")));
        assert_eq!(recipient(true, line).unwrap().original.unwrap().address, "josé@b.example");
    }

    #[test]
    fn an_address_beyond_ascii_needs_smtputf8() {
        assert_eq!(recipient(false, "TO:<josé@b.example>"), Err(Misbehaviour::NeedsSmtpUtf8));
        assert!(recipient(true, "TO:<josé@b.example>").is_ok());
    }

    #[test]
    fn parameters_of_mail_do_not_belong_here() {
        assert_eq!(recipient(false, "TO:<a@b> SIZE=1"), Err(Misbehaviour::UnsupportedParameter));
        assert_eq!(recipient(false, "TO:<a@b> RRVS=2014-04-03T23:01:00Z"), Err(Misbehaviour::UnsupportedParameter));
    }
}
