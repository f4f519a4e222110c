//! What SMTP clients and hosts send: sessions, the octets of messages, answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mail::{AccountId, BodyType, Domain, EnhancedCode, Reply, Timestamp};
use smtp_in::{
    Action, Answer, AuthStep, BareNewlines, Engine, Identity, Limits, ListenerKind, Policy, SessionFacts, SessionId,
    TlsFacts, Verdict,
};
use smtp_out::fuzzing;

use crate::cuts::cut;

/// What a session did that others see.
#[derive(Debug, Default, PartialEq, Eq)]
struct Session {
    replies: Vec<u8>,
    /// The messages that the host was asked to keep.
    kept: Vec<Vec<u8>>,
    closed: bool,
    /// What the last URL names and was not read.
    linked: Vec<u8>,
}

/// A session with a host that lets everybody do everything but write to `nobody`, and whose disk is full at the end. TLS is on
/// for the listener that demands it and not offered on the other, for behind STARTTLS a cut rightly makes a difference.
fn converse(kind: ListenerKind, bare_newlines: BareNewlines, pieces: &[&[u8]]) -> Session {
    let mut session = Session::default();
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let Ok(host_name) = Domain::parse("mx.example") else { return session };
    let policy = Policy {
        host_name,
        limits: Arc::new(Limits::default()),
        bare_newlines,
        starttls: false,
        scram: true,
        tokens: true,
        // The client may name another.
        xclient_from: vec![at.ip()],
        burl: true,
        no_soliciting: vec!["net.example:ADV".to_owned()],
    };
    let now = Timestamp(0);
    let mut engine = Engine::new(policy, SessionFacts::new(SessionId(1), kind, at, at), now);
    if kind == ListenerKind::Submissions {
        engine.tls_from_the_start(TlsFacts::default());
    }
    let mut message = Vec::new();
    advance(&mut engine, now, &mut session, &mut message);
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() && !session.closed {
            assert!(engine.room() > 0, "an engine that has nothing more to do takes input");
            let (some, behind) = rest.split_at(rest.len().min(engine.room()));
            engine.receive(some, now);
            rest = behind;
            advance(&mut engine, now, &mut session, &mut message);
        }
    }
    session
}

fn advance(engine: &mut Engine, now: Timestamp, session: &mut Session, message: &mut Vec<u8>) {
    while let Some(action) = engine.next(now) {
        let answer = match action {
            Action::Send(octets) => {
                assert!(!octets.is_empty(), "nothing is not sent");
                session.replies.extend(octets);
                continue;
            }
            Action::Enter => Answer::Entered(None),
            Action::MayBegin => Answer::Begin(Verdict::Accept),
            Action::AskRecipient { path } => Answer::Recipient(if path.to_string().contains("nobody") {
                Verdict::Refuse(Reply::new(550, Some(EnhancedCode(5, 1, 1)), "no such mailbox"))
            } else {
                Verdict::Accept
            }),
            Action::Authenticate { login, .. } => {
                Answer::Authenticated(Ok(Identity { account: AccountId(1), login, mark: 0 }))
            }
            // One more message from the client, then it is who it says.
            Action::Respond { begins, .. } => Answer::Responded(Ok(if begins {
                AuthStep::Challenge(b"and".to_vec())
            } else {
                AuthStep::Done(Identity { account: AccountId(1), login: "alice".to_owned(), mark: 0 })
            })),
            Action::Verify { text } | Action::Expand { text } => {
                let told: String = text.chars().filter(|c| c.is_ascii_alphanumeric()).take(100).collect();
                Answer::LookedUp(Reply::new(250, Some(EnhancedCode(2, 1, 5)), format!("<{told}@x.example>")))
            }
            Action::BeginBody => {
                message.clear();
                Answer::Opened(Ok(()))
            }
            Action::FindUrl { url } => {
                session.linked = linked(url.expose());
                Answer::UrlFound(if session.linked.starts_with(b"nobody") {
                    Err(Reply::new(554, Some(EnhancedCode(5, 6, 6)), "nothing"))
                } else {
                    Ok(session.linked.len() as u64)
                })
            }
            Action::ReadUrl => {
                let left = session.linked.split_off(session.linked.len().min(LINKED_PIECE_OCTETS));
                Answer::UrlRead(Ok(std::mem::replace(&mut session.linked, left)))
            }
            Action::Body(octets) => {
                message.extend(octets);
                continue;
            }
            Action::AbandonBody => {
                message.clear();
                continue;
            }
            Action::EndBody { envelope } => {
                assert!(!envelope.recipients.is_empty(), "a message is for somebody");
                let binary = envelope.body == BodyType::BinaryMime;
                assert!(binary || smuggled(message).is_none(), "{:?}", String::from_utf8_lossy(message));
                session.kept.push(std::mem::take(message));
                Answer::Kept(Err(Reply::new(452, Some(EnhancedCode(4, 3, 1)), "the disk is full")))
            }
            Action::StartTls | Action::Close => {
                assert!(matches!(action, Action::Close), "TLS was not offered");
                session.closed = true;
                return;
            }
        };
        engine.answer(answer, now);
    }
}

/// What a URL names: its own last segment, in which some characters stand for ends of lines and for NUL.
fn linked(url: &[u8]) -> Vec<u8> {
    let text = url.rsplit(|octet| *octet == b'/').next().unwrap_or_default();
    let octet = |octet: &u8| match octet {
        b'~' => b"\r\n".to_vec(),
        b'^' => vec![b'\r'],
        b'_' => vec![b'\n'],
        b'|' => vec![0],
        other => vec![*other],
    };
    text.iter().flat_map(octet).collect()
}

/// So many octets of what a URL names are read at a time.
const LINKED_PIECE_OCTETS: usize = 5;

/// Where octets have a CR or an LF that is no part of a CRLF, or a NUL.
fn smuggled(octets: &[u8]) -> Option<usize> {
    let at = |index: usize| octets.get(index).copied();
    (0..octets.len()).find(|index| match at(*index) {
        Some(b'\r') => at(index + 1) != Some(b'\n'),
        Some(b'\n') => index.checked_sub(1).and_then(at) != Some(b'\r'),
        Some(octet) => octet == 0,
        None => false,
    })
}

fn sound(session: &Session) {
    assert_eq!(smuggled(&session.replies), None, "replies are lines");
    for line in session.replies.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
        // RFC 5321 §4.5.3.1.5: 512 octets with CRLF.
        assert!(line.len() <= 511, "{line:?}");
        assert!(line.iter().take(3).all(u8::is_ascii_digit), "{line:?}");
        // RFC 6531 §3.7.4.2: what the host says to VRFY here has no more either.
        assert!(line.is_ascii(), "{line:?}");
    }
}

fn policy(how: u8) -> (ListenerKind, BareNewlines) {
    let kind = match (how & 8, how & 1) {
        (0, 0) => ListenerKind::Mx,
        (0, _) => ListenerKind::Submissions,
        _ => ListenerKind::Lmtp,
    };
    (kind, if how & 2 == 0 { BareNewlines::Refuse } else { BareNewlines::Convert })
}

/// Any commands, cut anywhere: the same replies and the same messages, none of which holds a line end that is no CRLF.
pub(crate) fn session(input: &[u8]) {
    let Some((how, input)) = input.split_first() else { return };
    let (kind, bare_newlines) = policy(*how);
    let (pieces, whole) = cut(input);
    let session = converse(kind, bare_newlines, &[whole]);
    sound(&session);
    assert_eq!(converse(kind, bare_newlines, &pieces), session, "cut");
}

/// The octets of a message, behind DATA: the message ends with the first CRLF.CRLF and nowhere else, with dots unstuffed.
pub(crate) fn data(input: &[u8]) {
    let Some((how, input)) = input.split_first() else { return };
    let (_, bare_newlines) = policy(*how);
    let (pieces, whole) = cut(input);
    let preamble = b"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n";
    let all = [&preamble[..], whole].concat();
    let session = converse(ListenerKind::Mx, bare_newlines, &[&all]);
    sound(&session);
    let cut_up: Vec<&[u8]> = std::iter::once(&preamble[..]).chain(pieces).collect();
    assert_eq!(converse(ListenerKind::Mx, bare_newlines, &cut_up), session, "cut");
    // The CRLF of the DATA line counts as the first (RFC 5321 §4.1.1.4).
    let framed = [b"\r\n", whole].concat();
    let end = framed.windows(5).position(|window| window == b"\r\n.\r\n");
    let sent = end.map(|end| framed.get(..end + 2).unwrap_or_default());
    if let (Some(sent), Some(kept)) = (sent, session.kept.first()) {
        let lines: Vec<&[u8]> = split_lines(sent.get(2..).unwrap_or_default());
        let unstuffed: Vec<u8> =
            lines.iter().flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect();
        if smuggled(&unstuffed).is_none() {
            assert!(
                *kept == unstuffed,
                "{:?} was kept of {:?}",
                String::from_utf8_lossy(kept),
                String::from_utf8_lossy(sent)
            );
        }
    }
    assert!(end.is_some() || session.kept.is_empty(), "a message that has not ended is not kept");
}

/// Arguments of BURL: a message is kept with all that its pieces name, or not at all, whatever its client sends on.
pub(crate) fn burl(input: &[u8]) {
    let line: Vec<u8> = input.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
    let before = b"EHLO a\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@b.example>\r\nBURL ";
    let said = [before, line.as_slice(), b"\r\nBDAT 6 LAST\r\nbehind"].concat();
    let session = converse(ListenerKind::Submissions, BareNewlines::Refuse, &[&said]);
    let octets: Vec<&[u8]> = said.chunks(1).collect();
    assert_eq!(converse(ListenerKind::Submissions, BareNewlines::Refuse, &octets), session, "cut");
    sound(&session);
    let Some(kept) = session.kept.first() else { return };
    assert_eq!(session.kept.len(), 1, "one message was begun");
    let end = line.iter().rposition(|octet| !matches!(octet, b' ' | b'\t')).map_or(0, |at| at + 1);
    let words: Vec<&[u8]> = line.split(|octet| *octet == b' ').filter(|word| !word.is_empty()).collect();
    let url = words.first().map(|word| word.get(..word.len().min(end)).unwrap_or_default()).unwrap_or_default();
    let named = linked(url.trim_ascii_end());
    let whole = [named.as_slice(), b"behind"].concat();
    assert!(*kept == named || *kept == whole, "{:?}", String::from_utf8_lossy(kept));
}

/// Lines with their CRLF.
fn split_lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (line, behind) = rest.split_at(end + 2);
        lines.push(line);
        rest = behind;
    }
    lines.push(rest);
    lines
}

/// Answers of other hosts: one after the other, the same ones wherever they are cut.
pub(crate) fn reply(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let (answers, read) = answers(&[whole]);
    assert_eq!(self::answers(&pieces), (answers.clone(), read), "cut");
    for (code, text) in answers.into_iter().flatten() {
        assert!((200..600).contains(&code), "{code}");
        assert!(!text.contains(['\r', '\0']) || whole.iter().any(|octet| matches!(octet, b'\r' | 0)), "{text:?}");
        let mut line = Vec::new();
        Reply::new(code, None, text).write_to(&mut line);
        // It is repeated to submitters and in traces.
        assert_eq!(smuggled(&line), None, "{:?}", String::from_utf8_lossy(&line));
    }
}

/// Code and text of each answer, `None` for what is none and ends the conversation; and how many octets were read.
fn answers(pieces: &[&[u8]]) -> (Vec<Option<(u16, String)>>, usize) {
    let mut found = Vec::new();
    let mut reader = fuzzing::Answers::default();
    let mut read = 0;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (used, answer) = reader.read(rest);
            read += used;
            rest = rest.get(used..).unwrap_or_default();
            if let Some(answer) = answer {
                let over = answer.is_none();
                found.push(answer);
                if over {
                    return (found, read);
                }
            }
        }
    }
    (found, read)
}
