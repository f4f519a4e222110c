//! The one table of command order: which command may come when, and what it needs (RFC 5321 §4.1.4).

use super::session::Session;
use super::verb::Verb;
use crate::misbehaviour::Misbehaviour;
use crate::settings::ListenerKind;

/// Where a session stands between two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Neither EHLO nor HELO was said.
    Start = 0b00_0001,
    /// No mail transaction is open.
    Ready = 0b00_0010,
    /// As `Ready`, and a BDAT chunk has failed: others may be on their way.
    ChunkFailed = 0b00_0100,
    /// MAIL was accepted.
    Mail = 0b00_1000,
    /// A recipient was accepted.
    Rcpt = 0b01_0000,
    /// The message is coming by BDAT; another chunk is awaited.
    Chunks = 0b10_0000,
}

const START: u8 = Phase::Start as u8;
const READY: u8 = Phase::Ready as u8 | Phase::ChunkFailed as u8;
const MAIL: u8 = Phase::Mail as u8;
const RCPT: u8 = Phase::Rcpt as u8;
const CHUNKS: u8 = Phase::Chunks as u8;
const ANY: u8 = START | READY | MAIL | RCPT | CHUNKS;

/// What a command needs on a submission port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Tls,
    /// TLS and AUTH.
    Auth,
}

/// The table: command, phases in which it may come, what it needs on a submission port.
const ORDER: [(Verb, u8, Needs); 19] = [
    (Verb::Ehlo, ANY, Needs::Nothing),
    (Verb::Helo, ANY, Needs::Tls),
    (Verb::Lhlo, ANY, Needs::Nothing),
    (Verb::XClient, START | READY, Needs::Nothing),
    (Verb::StartTls, READY, Needs::Nothing),
    (Verb::Auth, READY, Needs::Tls),
    (Verb::Mail, READY, Needs::Auth),
    (Verb::Rcpt, MAIL | RCPT, Needs::Auth),
    (Verb::Data, RCPT, Needs::Auth),
    (Verb::Bdat, RCPT | CHUNKS, Needs::Auth),
    (Verb::Burl, RCPT | CHUNKS, Needs::Auth),
    (Verb::Rset, ANY, Needs::Tls),
    (Verb::Noop, ANY, Needs::Nothing),
    (Verb::Quit, ANY, Needs::Nothing),
    (Verb::Vrfy, ANY, Needs::Tls),
    (Verb::Expn, ANY, Needs::Tls),
    (Verb::Etrn, ANY, Needs::Tls),
    (Verb::Help, ANY, Needs::Tls),
    (Verb::Absent, ANY, Needs::Tls),
];

/// Whether the command may come now.
pub(super) fn check(verb: Verb, phase: Phase, session: &Session) -> Result<(), Misbehaviour> {
    let Some((_, phases, needs)) = ORDER.iter().find(|(of, ..)| *of == verb) else {
        return Err(Misbehaviour::NotImplemented);
    };
    let submission = session.facts.kind.is_submission();
    let tls_missing = session.facts.kind == ListenerKind::Submission && session.facts.tls.is_none();
    // RFC 3207 §4: 530 for every command but NOOP, EHLO, STARTTLS and QUIT.
    if tls_missing && *needs != Needs::Nothing {
        return Err(Misbehaviour::TlsFirst);
    }
    let in_phase = phases & phase as u8 != 0;
    let lmtp = session.facts.kind == ListenerKind::Lmtp;
    if lmtp && matches!(verb, Verb::Ehlo | Verb::Helo) {
        return Err(Misbehaviour::LhloHere);
    }
    if (!lmtp && verb == Verb::Lhlo) || (verb == Verb::Burl && !session.has_burl()) {
        return Err(Misbehaviour::NotImplemented);
    }
    if !in_phase && phase == Phase::Start {
        return Err(if lmtp { Misbehaviour::LhloFirst } else { Misbehaviour::HelloFirst });
    }
    if submission && *needs == Needs::Auth && session.facts.identity.is_none() {
        return Err(Misbehaviour::AuthFirst);
    }
    if in_phase {
        return Ok(());
    }
    let misbehaviour = out_of_order(verb, phase);
    let no_recipients = misbehaviour == Misbehaviour::NoRecipients;
    Err(if lmtp && no_recipients { Misbehaviour::NoLmtpRecipients } else { misbehaviour })
}

/// What is wrong with a command in a phase that the table does not give it.
fn out_of_order(verb: Verb, phase: Phase) -> Misbehaviour {
    match (verb, phase) {
        (_, Phase::Chunks) => Misbehaviour::BetweenChunks,
        (Verb::Bdat | Verb::Burl, Phase::ChunkFailed) => Misbehaviour::ChunkAfterFailure,
        (Verb::Data | Verb::Bdat | Verb::Burl, Phase::Mail) => Misbehaviour::NoRecipients,
        (Verb::Mail, _) => Misbehaviour::NestedMail,
        (Verb::StartTls | Verb::Auth | Verb::XClient, _) => Misbehaviour::InsideTransaction,
        _ => Misbehaviour::MailFirst,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::session;

    #[test]
    fn every_command_has_one_row() {
        for verb in Verb::ALL {
            assert_eq!(ORDER.iter().filter(|(of, ..)| of == verb).count(), 1, "{verb:?}");
        }
    }

    #[test]
    fn the_reason_fits_the_phase() {
        let mx = session(ListenerKind::Mx);
        let wrong = |verb, phase| check(verb, phase, &mx).unwrap_err();
        assert_eq!(wrong(Verb::Mail, Phase::Start), Misbehaviour::HelloFirst);
        assert_eq!(wrong(Verb::Mail, Phase::Rcpt), Misbehaviour::NestedMail);
        assert_eq!(wrong(Verb::Rcpt, Phase::Ready), Misbehaviour::MailFirst);
        assert_eq!(wrong(Verb::Data, Phase::Ready), Misbehaviour::MailFirst);
        assert_eq!(wrong(Verb::Data, Phase::Mail), Misbehaviour::NoRecipients);
        assert_eq!(wrong(Verb::Data, Phase::Chunks), Misbehaviour::BetweenChunks);
        assert_eq!(wrong(Verb::Bdat, Phase::ChunkFailed), Misbehaviour::ChunkAfterFailure);
        assert_eq!(wrong(Verb::StartTls, Phase::Mail), Misbehaviour::InsideTransaction);
        assert_eq!(check(Verb::Mail, Phase::ChunkFailed, &mx), Ok(()));
    }

    #[test]
    fn a_submission_port_wants_tls_and_then_auth() {
        let mut submission = session(ListenerKind::Submission);
        assert_eq!(check(Verb::Mail, Phase::Ready, &submission), Err(Misbehaviour::TlsFirst));
        assert_eq!(check(Verb::Vrfy, Phase::Ready, &submission), Err(Misbehaviour::TlsFirst));
        assert_eq!(check(Verb::Noop, Phase::Ready, &submission), Ok(()));
        submission.facts.tls = Some(crate::TlsFacts::default());
        assert_eq!(check(Verb::Mail, Phase::Ready, &submission), Err(Misbehaviour::AuthFirst));
    }
}
