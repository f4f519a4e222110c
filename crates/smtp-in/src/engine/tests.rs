//! The engine as a whole: limits, time, grouping, and what no transcript can show.

use std::net::SocketAddr;

use ::mail::{AccountId, Domain};
use proptest::prelude::*;
use storage::Committed;

use super::*;
use crate::limits::{BARE_LF_PATIENCE, INPUT_OCTETS_MAX, Limits};
use crate::session::SessionId;
use crate::settings::{BareNewlines, ListenerKind};

/// A session for the tests of single commands.
pub(in crate::engine) fn session(kind: ListenerKind) -> Session {
    Session::new(policy(Limits::default()), facts(kind))
}

fn policy(limits: Limits) -> Policy {
    Policy {
        host_name: Domain::parse("mx.example").unwrap(),
        limits: Arc::new(limits),
        bare_newlines: BareNewlines::Refuse,
        starttls: true,
        scram: false,
        tokens: false,
        xclient_from: Vec::new(),
        burl: true,
        no_soliciting: Vec::new(),
    }
}

fn facts(kind: ListenerKind) -> SessionFacts {
    let at: SocketAddr = "192.0.2.1:25".parse().unwrap();
    SessionFacts::new(SessionId(1), kind, at, at)
}

/// A host that accepts everybody but `nobody@…`, and login `tim`; it keeps what it is handed.
struct Driver {
    engine: Engine,
    now: Timestamp,
    sent: Vec<Vec<u8>>,
    kept: Vec<(Envelope, Vec<u8>)>,
    open: Option<Vec<u8>>,
    full: bool,
    closed: bool,
    /// How many writes there had been when a recipient was asked about, each time.
    asked_behind: Vec<usize>,
}

impl Driver {
    fn new(kind: ListenerKind, limits: Limits) -> Self {
        let now = Timestamp(0);
        let engine = Engine::new(policy(limits), facts(kind), now);
        let mut driver = Self {
            engine,
            now,
            sent: Vec::new(),
            kept: Vec::new(),
            open: None,
            full: false,
            closed: false,
            asked_behind: Vec::new(),
        };
        driver.run();
        driver
    }

    fn mx() -> Self {
        let mut driver = Self::new(ListenerKind::Mx, Limits::default());
        driver.say(b"EHLO c.example\r\n");
        driver
    }

    fn submission(limits: Limits) -> Self {
        let mut driver = Self::new(ListenerKind::Submissions, limits);
        let tls =
            TlsFacts { version: "TLSv1.3".into(), cipher: "TLS_AES_128_GCM_SHA256".into(), ..TlsFacts::default() };
        driver.engine.session.facts.tls = Some(tls);
        driver.say(b"EHLO c.example\r\n");
        driver
    }

    fn run(&mut self) {
        while let Some(action) = self.engine.next(self.now) {
            if matches!(action, Action::AskRecipient { .. }) {
                self.asked_behind.push(self.sent.len());
            }
            let answer = match action {
                Action::Send(octets) => {
                    self.sent.push(octets);
                    continue;
                }
                Action::Enter => Answer::Entered(None),
                Action::MayBegin => Answer::Begin(Verdict::Accept),
                Action::AskRecipient { path } if path.to_string().starts_with("<nobody@") => {
                    Answer::Recipient(Verdict::Refuse(Reply::plain(550, "No such mailbox")))
                }
                Action::AskRecipient { path } if path.to_string().starts_with("<told@") => {
                    Answer::Recipient(Verdict::Refuse(Reply::plain(550, "Not for jos\u{e9}")))
                }
                Action::AskRecipient { .. } => Answer::Recipient(Verdict::Accept),
                Action::Authenticate { login, .. } if login == "tim" => {
                    Answer::Authenticated(Ok(Identity { account: AccountId(1), login, mark: 0 }))
                }
                Action::Authenticate { .. } => Answer::Authenticated(Err(AuthFailure::Refused)),
                Action::Respond { .. } => Answer::Responded(Err(AuthFailure::Unavailable)),
                Action::Verify { .. } | Action::Expand { .. } => {
                    Answer::LookedUp(Reply::plain(550, "Nobody but jos\u{e9}"))
                }
                Action::BeginBody => {
                    self.open = Some(Vec::new());
                    Answer::Opened(Ok(()))
                }
                Action::FindUrl { .. } => Answer::UrlFound(Err(Reply::plain(554, "Nothing"))),
                Action::ReadUrl => unreachable!("no URL gives anything"),
                Action::Body(octets) => {
                    self.open.as_mut().expect("a message is open").extend(octets);
                    if self.full {
                        self.open = None;
                        self.engine.body_failed(Reply::plain(452, "Disk full"));
                    }
                    continue;
                }
                Action::AbandonBody => {
                    assert!(self.open.take().is_some(), "only an open message is abandoned");
                    continue;
                }
                Action::EndBody { envelope } => {
                    self.kept.push((envelope, self.open.take().expect("a message is open")));
                    let text = format!("m{}", self.kept.len());
                    Answer::Kept(Ok(Acknowledgement { committed: Committed::attest(), text }))
                }
                Action::StartTls => {
                    let tls = TlsFacts {
                        version: "TLSv1.3".into(),
                        cipher: "TLS_AES_128_GCM_SHA256".into(),
                        ..TlsFacts::default()
                    };
                    Answer::TlsStarted(tls)
                }
                Action::Close => {
                    self.closed = true;
                    continue;
                }
            };
            self.engine.answer(answer, self.now);
        }
    }

    /// Sends, and gives back the replies of this moment.
    fn say(&mut self, octets: &[u8]) -> String {
        self.sent.clear();
        let mut rest = octets;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(self.engine.room()));
            self.engine.receive(piece, self.now);
            self.run();
            rest = behind;
        }
        String::from_utf8(self.sent.concat()).unwrap()
    }

    fn codes(&mut self, octets: &[u8]) -> Vec<String> {
        let replies = self.say(octets);
        replies.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).map(|line| line[..3].to_owned()).collect()
    }
}

const BEGIN: &[u8] = b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n";

#[test]
fn a_message_is_kept_as_it_was_sent() {
    let mut driver = Driver::mx();
    let said = [BEGIN, b"DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "354", "250"]);
    let (envelope, message) = &driver.kept[0];
    assert_eq!(message, b"Subject: x\r\n\r\n.dot\r\n");
    assert_eq!(envelope.recipients.len(), 1);
}

#[test]
fn chunks_make_one_message() {
    let mut driver = Driver::mx();
    let said = [BEGIN, b"BDAT 3\r\na\r\nBDAT 4\r\n.\r\nbBDAT 2 LAST\r\n\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "250", "250", "250"]);
    assert_eq!(driver.kept[0].1, b"a\r\n.\r\nb\r\n");
}

#[test]
fn a_refused_chunk_is_thrown_away() {
    let mut driver = Driver::mx();
    assert_eq!(driver.codes(b"BDAT 10 LAST\r\nRSET\r\nQUITNOOP\r\n"), ["503", "250"]);
    assert!(!driver.closed);
    let limits = Limits { message_octets_max: 5, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    driver.say(b"EHLO c.example\r\n");
    let said = [BEGIN, b"BDAT 4\r\na\r\n.BDAT 6\r\nQUIT\r\nBDAT 4 LAST\r\nQUITNOOP\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "250", "552", "503", "250"]);
    assert!(driver.open.is_none() && driver.kept.is_empty());
    // Nothing of it is left over: a new transaction begins.
    assert_eq!(driver.codes(&[BEGIN, b"BDAT 0 LAST\r\n"].concat()), ["250", "250", "250"]);
}

#[test]
fn a_chunk_size_that_nobody_can_read_closes() {
    let mut driver = Driver::mx();
    let said = [BEGIN, b"BDAT 99999999999999999999999\r\nNOOP\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "501"]);
    assert!(driver.closed);
    let mut driver = Driver::mx();
    assert_eq!(driver.codes(b"BDAT 9999999999999999999\r\nNOOP\r\n"), ["552"]);
    assert!(driver.closed);
}

#[test]
fn a_message_over_the_limit_is_read_to_its_end() {
    let limits = Limits { message_octets_max: 10, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    driver.say(b"EHLO c.example\r\n");
    assert_eq!(driver.codes(b"MAIL FROM:<> SIZE=11\r\n"), ["552"]);
    let said = [BEGIN, b"DATA\r\n0123456789\r\n.\r\nNOOP\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "354", "552", "250"]);
    let said = [BEGIN, b"DATA\r\n01234567\r\n.\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "354", "250"]);
    assert_eq!(driver.kept.len(), 1);
}

#[test]
fn a_message_far_over_the_limit_closes() {
    let limits = Limits { message_octets_max: 10, swallow_octets_max: 100, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    driver.say(b"EHLO c.example\r\n");
    driver.say(&[BEGIN, b"DATA\r\n"].concat());
    assert_eq!(driver.codes(&[b'x'; 101]), ["552"]);
    assert!(driver.closed);
}

#[test]
fn a_full_disk_is_told_at_the_end_of_the_message() {
    let mut driver = Driver::mx();
    driver.full = true;
    let said = [BEGIN, b"DATA\r\na\r\nb\r\n.\r\nNOOP\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "354", "452", "250"]);
    let said = [BEGIN, b"BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\nNOOP\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "452", "503", "250"]);
}

#[test]
fn replies_leave_together() {
    let mut driver = Driver::mx();
    driver.say(&[BEGIN, b"RCPT TO:<nobody@b.example>\r\nRSET\r\n"].concat());
    assert_eq!(driver.sent.len(), 1, "RFC 2920: one write for a group");
    driver.say(b"RSET\r\nNOOP\r\nRSET\r\n");
    assert_eq!(driver.sent.len(), 2, "RFC 2920: a reply to NOOP is not held back");
}

/// RFC 2920 §3.2 (6): nothing is held back that was no command.
#[test]
fn a_reply_to_what_is_no_command_is_not_held_back() {
    let mut driver = Driver::mx();
    for wrong in ["XYZZY", "TURN", "", "NOOP \u{1}", "LHLO c.example"] {
        driver.say(format!("RSET\r\n{wrong}\r\nRSET\r\nRSET\r\n").as_bytes());
        let codes: Vec<usize> =
            driver.sent.iter().map(|sent| sent.iter().filter(|octet| **octet == b'\n').count()).collect();
        assert_eq!(codes, [2, 2], "{wrong:?}");
    }
}

/// RFC 2920 §3.2 (7): while the last recipient is looked for, what was said before has been sent.
#[test]
fn no_reply_waits_for_a_question_when_no_command_has_come() {
    let mut driver = Driver::mx();
    for (said, asked_behind) in [
        ("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n", vec![1]),
        ("RCPT TO:<c@b.example>\r\n", vec![0]),
        // Further commands have come: their replies may leave together.
        ("RCPT TO:<d@b.example>\r\nRCPT TO:<e@b.example>\r\nRSET\r\n", vec![0, 0]),
        // Half a command is none.
        ("MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nRSE", vec![1]),
        ("T\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n", vec![0]),
    ] {
        driver.asked_behind.clear();
        driver.say(said.as_bytes());
        assert_eq!(driver.asked_behind, asked_behind, "{said}");
    }
}

/// RFC 6531 §3.7.4.2: whoever makes a reply, it is ASCII where nobody has asked for more.
#[test]
fn replies_have_more_than_ascii_only_when_asked_for() {
    let mut driver = Driver::submission(Limits::default());
    let last = |driver: &mut Driver, said: &str| driver.say(said.as_bytes()).lines().last().unwrap().to_owned();
    assert!(last(&mut driver, "AUTH PLAIN AHRpbQB4\r\n").starts_with("235"));
    for parameter in ["", " SMTPUTF8"] {
        let begin = format!("RSET\r\nMAIL FROM:<a@b.example>{parameter}\r\n");
        let told = last(&mut driver, &format!("{begin}RCPT TO:<told@b.example>\r\n"));
        assert_eq!(told, "550 Not for jos\\x{E9}", "the host's");
        for wrong in ["\u{2028}", "\u{200b}", "\u{e000}", "\u{a7}"] {
            let told = last(&mut driver, &format!("{begin}RCPT TO:<a@b{wrong}c.example>\r\n"));
            assert!(told.is_ascii(), "our own: {told}");
        }
    }
    for verb in ["VRFY", "EXPN"] {
        assert_eq!(last(&mut driver, &format!("{verb} josé\r\n")), "550 Nobody but jos\\x{E9}");
        assert_eq!(last(&mut driver, &format!("{verb} josé smtputf8\r\n")), "550 Nobody but jos\u{e9}");
    }
}

#[test]
fn what_is_pipelined_behind_starttls_is_dropped() {
    let mut driver = Driver::mx();
    assert_eq!(driver.codes(b"STARTTLS\r\nEHLO evil.example\r\nRSET\r\n"), ["220"]);
    assert_eq!(driver.engine.facts().helo, None);
    assert_eq!(driver.codes(b"MAIL FROM:<>\r\n"), ["503"]);
    assert_eq!(driver.codes(b"EHLO c.example\r\nSTARTTLS\r\n"), ["250", "503"]);
}

#[test]
fn guessing_passwords_ends_the_session() {
    let mut driver = Driver::submission(Limits::default());
    let wrong = b"AUTH PLAIN AGJvYgB4\r\n";
    assert_eq!(driver.codes(&wrong.repeat(3)), ["535", "535", "535"]);
    assert_eq!(driver.codes(wrong), ["421"]);
    assert!(driver.closed);
}

#[test]
fn trap_a_long_auth_line_may_come_in_several_reads() {
    let mut driver = Driver::submission(Limits::default());
    // 6,000 octets in two reads, and 12,288 with CRLF as the most (RFC 4954 §4).
    let long = [b"AUTH PLAIN ".as_slice(), &[b'A'; 6000], b"\r\n"].concat();
    let (head, tail) = long.split_at(4000);
    assert!(driver.codes(head).is_empty());
    assert_eq!(driver.codes(tail), ["501"]);
    let response = [[b'A'; 12_286].as_slice(), b"\r\n"].concat();
    assert_eq!(driver.codes(&[b"AUTH PLAIN\r\n", response.as_slice()].concat()), ["334", "501"]);
    let response = [[b'A'; 12_287].as_slice(), b"\r\n"].concat();
    assert_eq!(driver.codes(&[b"AUTH PLAIN\r\n", response.as_slice(), b"NOOP\r\n"].concat()), ["334", "500", "250"]);
}

#[test]
fn long_lines_are_answered_once() {
    let mut driver = Driver::mx();
    let long = [b"NOOP ".as_slice(), &[b'x'; 100_000], b"\r\nNOOP\r\n"].concat();
    assert_eq!(driver.codes(&long), ["500", "250"]);
    let path = [b"MAIL FROM:<".as_slice(), &[b'x'; 1_500], b">\r\n"].concat();
    assert_eq!(driver.codes(&path), ["501"]);
}

#[test]
fn patience_has_limits() {
    let limits = Limits { bad_commands_max: 2, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    assert_eq!(driver.codes(b"X\r\nX\r\nX\r\nX\r\n"), ["500", "500", "421"]);
    assert!(driver.closed);

    let limits = Limits { idle_commands_max: 3, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    assert_eq!(driver.codes(b"EHLO a\r\nNOOP\r\nRSET\r\nNOOP\r\n"), ["250", "250", "250", "421"]);

    let limits = Limits { refused_recipients_max: 1, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    let probe = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@b>\r\nRCPT TO:<nobody@b>\r\n";
    assert_eq!(driver.codes(probe), ["250", "250", "550", "421"]);

    let limits = Limits { transactions_max: 1, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    assert_eq!(driver.codes(b"EHLO a\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n"), ["250", "250", "250", "421"]);
}

#[test]
fn recipients_over_the_limit_are_for_the_next_transaction() {
    let limits = Limits { recipients_max: 2, bad_commands_max: 3, ..Limits::default() };
    let mut driver = Driver::new(ListenerKind::Mx, limits);
    driver.say(b"EHLO a\r\nMAIL FROM:<>\r\n");
    let many = b"RCPT TO:<b@b.example>\r\n".repeat(9);
    let codes = driver.codes(&many);
    assert_eq!(codes[..2], ["250", "250"]);
    assert!(codes[2..].iter().all(|code| code == "452"), "{codes:?}");
    assert_eq!(driver.codes(b"DATA\r\n.\r\n"), ["354", "250"]);
}

#[test]
fn silence_ends_a_session() {
    let mut driver = Driver::mx();
    assert_eq!(driver.engine.deadline(), Some(Timestamp(300_000)));
    driver.now = Timestamp(299_999);
    driver.engine.tick(driver.now);
    assert_eq!(driver.codes(b"NOOP\r\n"), ["250"]);
    driver.now = Timestamp(599_999);
    driver.engine.tick(driver.now);
    driver.sent.clear();
    driver.run();
    assert!(driver.sent.concat().starts_with(b"421 4.4.2 "));
    assert!(driver.closed);
}

#[test]
fn a_trickle_of_octets_is_not_a_command() {
    let mut driver = Driver::mx();
    driver.now = Timestamp(200_000);
    driver.say(b"NOO");
    assert_eq!(driver.engine.deadline(), Some(Timestamp(300_000)));
}

#[test]
fn a_client_that_ends_lines_with_lf_is_told() {
    let mut driver = Driver::mx();
    driver.sent.clear();
    driver.say(b"MAIL FROM:<a@b.example>\n");
    assert!(driver.sent.is_empty());
    assert_eq!(driver.engine.deadline(), Some(Timestamp(5_000)));
    driver.now = Timestamp(5_000);
    assert!(driver.engine.tick(driver.now) && !driver.engine.tick(driver.now));
    driver.run();
    assert_eq!(driver.sent.concat(), b"500 5.5.2 The line ends with LF alone; lines must end with CR LF\r\n");
    // Its end comes late: it was answered, and the next line is a line of its own.
    assert!(driver.codes(b"\r\n").is_empty());
    assert_eq!(driver.codes(b"NOOP\r\n"), ["250"]);
    // LF inside a line that does end is one error, wherever it was cut.
    driver.now = Timestamp(6_000);
    assert!(driver.codes(b"NOOP\n").is_empty());
    driver.now = Timestamp(10_000);
    assert!(!driver.engine.tick(driver.now));
    assert_eq!(driver.codes(b"NOOP\r\nNOOP\r\n"), ["500", "250"]);
    // Every such line is an error, and there is an end of errors.
    while !driver.closed {
        driver.say(b"QUIT\n");
        driver.now = driver.now.plus(BARE_LF_PATIENCE);
        driver.engine.tick(driver.now);
        driver.run();
    }
    assert!(driver.sent.concat().ends_with(b"421 4.7.0 Too many errors; closing\r\n"));
    assert!(driver.now < Timestamp(300_000));
}

#[test]
fn lf_alone_ends_an_exchange_of_auth_too() {
    let mut driver = Driver::submission(Limits::default());
    assert_eq!(driver.codes(b"AUTH PLAIN\r\nAHRpbQB4\n"), ["334"]);
    driver.now = Timestamp(5_000);
    assert!(driver.engine.tick(driver.now));
    assert_eq!(driver.codes(b"\r\nNOOP\r\n"), ["500", "250"]);
}

#[test]
fn errors_that_do_not_count_have_an_end_all_the_same() {
    let limits = Limits { excused_errors_max: 50, recipients_max: 2, message_octets_max: 100, ..Limits::default() };
    let chunk = format!("BDAT 101\r\n{}", "x".repeat(101));
    let floods =
        [b"RCPT TO:<b@b.example>\r\n".as_slice(), b"MAIL FROM:<> SIZE=101\r\n", chunk.as_bytes(), b"BDAT 0\r\n"];
    for flood in floods {
        let mut driver = Driver::new(ListenerKind::Mx, limits.clone());
        driver.say(b"EHLO a\r\n");
        if !flood.starts_with(b"MAIL") {
            driver.say(b"MAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\n");
        }
        let mut times = 0;
        while !driver.closed {
            driver.say(flood);
            times += 1;
            assert!(times < 200, "{}", String::from_utf8_lossy(flood));
        }
        assert!(times > 40, "an honest client has room");
        assert!(
            String::from_utf8(driver.sent.concat()).unwrap().lines().last().unwrap().starts_with("421 4.7.0 Too many")
        );
    }
    // DATA without a recipient, which pipelining clients send.
    let mut driver = Driver::new(ListenerKind::Mx, limits.clone());
    driver.say(b"EHLO a\r\nMAIL FROM:<>\r\n");
    assert_eq!(driver.codes(&b"DATA\r\n".repeat(51)).last().unwrap(), "421");
}

#[test]
fn a_message_has_a_total_time() {
    let mut driver = Driver::mx();
    driver.say(&[BEGIN, b"DATA\r\n"].concat());
    for minute in 1..60 {
        driver.now = Timestamp(minute * 60_000);
        driver.engine.tick(driver.now);
        driver.say(b"x");
    }
    assert!(!driver.closed);
    driver.now = Timestamp(3_600_000);
    driver.engine.tick(driver.now);
    driver.run();
    assert!(driver.closed && driver.kept.is_empty());
}

#[test]
fn a_shutdown_lets_a_message_end() {
    let mut driver = Driver::mx();
    driver.say(&[BEGIN, b"DATA\r\nx"].concat());
    driver.engine.shut_down();
    driver.run();
    assert!(!driver.closed);
    assert_eq!(driver.codes(b"\r\n.\r\nNOOP\r\n"), ["250", "421"]);
    assert!(driver.closed);

    let mut driver = Driver::mx();
    driver.say(BEGIN);
    driver.engine.shut_down();
    driver.run();
    assert!(driver.closed);
}

#[test]
fn convert_repairs_line_ends() {
    let mut driver = Driver::mx();
    driver.engine.session.policy.bare_newlines = BareNewlines::Convert;
    let said = [BEGIN, b"DATA\r\na\nb\n.\r\nc\r\n.\r\n"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "354", "250"]);
    assert_eq!(driver.kept[0].1, b"a\r\nb\r\n.\r\nc\r\n");
    let said = [BEGIN, b"BDAT 2 LAST\r\na\r"].concat();
    assert_eq!(driver.codes(&said), ["250", "250", "250"]);
    assert_eq!(driver.kept[1].1, b"a\r\n");
}

#[test]
fn input_is_bounded_while_an_answer_is_outstanding() {
    let now = Timestamp(0);
    let mut engine = Engine::new(policy(Limits::default()), facts(ListenerKind::Mx), now);
    engine.receive(b"EHLO a\r\nMAIL FROM:<>\r\n", now);
    while !matches!(engine.next(now), Some(Action::MayBegin)) {}
    engine.receive(&vec![b'x'; engine.room()], now);
    assert_eq!((engine.room(), engine.deadline()), (0, None));
    assert!(engine.next(now).is_none());
    assert_eq!(INPUT_OCTETS_MAX, engine.input.waiting().len());
}

#[test]
#[should_panic(expected = "a refusal is a 4xx or 5xx reply")]
fn a_refusal_is_never_positive() {
    let now = Timestamp(0);
    let mut engine = Engine::new(policy(Limits::default()), facts(ListenerKind::Mx), now);
    engine.receive(b"EHLO a\r\nMAIL FROM:<>\r\n", now);
    while !matches!(engine.next(now), Some(Action::MayBegin)) {}
    engine.answer(Answer::Begin(Verdict::Refuse(Reply::plain(250, "Yes"))), now);
}

/// RFC 5321 §3.8: after 421 nothing more is said, whoever said it.
#[test]
fn a_421_of_the_host_ends_the_session() {
    let now = Timestamp(0);
    let mut engine = Engine::new(policy(Limits::default()), facts(ListenerKind::Mx), now);
    engine.receive(b"EHLO a\r\nMAIL FROM:<>\r\nNOOP\r\n", now);
    while !matches!(engine.next(now), Some(Action::MayBegin)) {}
    engine.answer(Answer::Begin(Verdict::Refuse(Reply::plain(421, "Come again later"))), now);
    let Some(Action::Send(said)) = engine.next(now) else { panic!() };
    assert_eq!(said, b"421 Come again later\r\n");
    assert!(matches!(engine.next(now), Some(Action::Close)));
    assert!(engine.next(now).is_none());
}

#[test]
fn who_is_turned_away_is_told_and_heard_no_more() {
    let now = Timestamp(0);
    let reply = Reply::plain(554, "No");
    let mut engine = Engine::turning_away(policy(Limits::default()), facts(ListenerKind::Mx), reply, now);
    engine.receive(b"EHLO a\r\n", now);
    let Some(Action::Send(said)) = engine.next(now) else { panic!() };
    assert_eq!(said, b"554 No\r\n");
    assert!(matches!(engine.next(now), Some(Action::Close)));
    assert!(engine.next(now).is_none() && engine.deadline().is_none());
}

#[test]
fn suspicious_commands_are_told_once_and_honest_mistakes_are_none() {
    let mut driver = Driver::mx();
    driver.say(b"RCPT TO:<tim@c.example>\r\nGET /\r\nMAIL FROM:<\r\n");
    assert_eq!((driver.engine.take_bad_commands(), driver.engine.take_bad_commands()), (3, 0));
    driver.say(&[BEGIN, b"RCPT TO:<nobody@c.example>\r\nMAIL FROM:<>\r\nVRFY x\r\nNOOP\r\n"].concat());
    assert_eq!(driver.engine.take_bad_commands(), 0);
    assert!(driver.engine.turn_away(Reply::plain(421, "No")));
    driver.run();
    assert!(driver.closed);
}

#[test]
fn trap_the_ehlo_reply_is_ours_and_ends() {
    let mut driver = Driver::new(ListenerKind::Mx, Limits::default());
    let reply = driver.say(b"EHLO c.example\r\n");
    assert!(reply.starts_with("250-mx.example greets c.example\r\n250-PIPELINING\r\n"), "{reply}");
    assert!(reply.contains("\r\n250-LIMITS MAILMAX=1000 RCPTMAX=1000\r\n"), "{reply}");
    assert!(reply.ends_with("\r\n250 HELP\r\n"), "{reply}");
    assert!(!reply.contains("AUTH") && !reply.contains("FUTURERELEASE"), "{reply}");
}

/// Pieces that make up conversations near the interesting edges.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        &b"EHLO a\r\n"[..],
        b"MAIL FROM:<a@b>\r\n",
        b"RCPT TO:<a@b>\r\n",
        b"RCPT TO:<nobody@b>\r\n",
        b"DATA\r\n",
        b"BDAT 5\r\n",
        b"BDAT 3 LAST\r\n",
        b"RSET\r\n",
        b"STARTTLS\r\n",
        b"AUTH LOGIN\r\n",
        b"AUTH PLAIN\r\n",
        b"dGlt\r\n",
        b"*\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"\r",
        b"\n",
        b".",
        b"text",
        b"\0",
    ]);
    prop_oneof![6 => known.prop_map(<[u8]>::to_vec), 1 => proptest::collection::vec(any::<u8>(), 0..20)]
}

fn converse(kind: ListenerKind, pieces: &[&[u8]]) -> (Vec<u8>, Vec<Vec<u8>>, bool) {
    let mut driver = Driver::new(kind, Limits::default());
    // STARTTLS drops what came with it, so there a cut rightly makes a difference.
    driver.engine.session.policy.starttls = false;
    if kind == ListenerKind::Submissions {
        driver.engine.session.facts.tls = Some(TlsFacts::default());
    }
    let mut replies = Vec::new();
    for piece in pieces {
        driver.say(piece);
        replies.extend(driver.sent.concat());
    }
    (replies, driver.kept.into_iter().map(|(_, message)| message).collect(), driver.closed)
}

proptest! {
    #[test]
    fn any_octets_and_any_cut_give_the_same_session(
        pieces in proptest::collection::vec(piece(), 0..25),
        cut in 0usize..400,
        submissions: bool,
    ) {
        let kind = if submissions { ListenerKind::Submissions } else { ListenerKind::Mx };
        let octets: Vec<u8> = pieces.concat();
        let whole = converse(kind, &[&octets]);
        let (head, tail) = octets.split_at(cut.min(octets.len()));
        prop_assert_eq!(&converse(kind, &[head, tail]), &whole);
        let singles: Vec<&[u8]> = octets.chunks(1).collect();
        prop_assert_eq!(&converse(kind, &singles), &whole);
    }

    #[test]
    fn noise_never_panics(octets in proptest::collection::vec(any::<u8>(), 0..2000)) {
        converse(ListenerKind::Mx, &[&octets]);
    }
}

#[test]
fn every_misbehaviour_has_its_own_counter_and_a_refusal() {
    use ::mail::PathFlaw;
    let all = [
        Misbehaviour::LineTooLong,
        Misbehaviour::AuthLineTooLong,
        Misbehaviour::BareNewlineInCommand,
        Misbehaviour::ControlCharacter,
        Misbehaviour::BadUtf8,
        Misbehaviour::UnknownCommand,
        Misbehaviour::NotImplemented,
        Misbehaviour::ArgumentNotAllowed,
        Misbehaviour::Syntax("X"),
        Misbehaviour::BadHelo,
        Misbehaviour::BadReversePath(PathFlaw::NoBrackets),
        Misbehaviour::BadForwardPath(PathFlaw::NullForward),
        Misbehaviour::NeedsSmtpUtf8,
        Misbehaviour::BadParameter("SIZE"),
        Misbehaviour::RepeatedParameter,
        Misbehaviour::UnsupportedParameter,
        Misbehaviour::HelloFirst,
        Misbehaviour::MailFirst,
        Misbehaviour::NoRecipients,
        Misbehaviour::NestedMail,
        Misbehaviour::InsideTransaction,
        Misbehaviour::BetweenChunks,
        Misbehaviour::ChunkAfterFailure,
        Misbehaviour::ChunkSizeUnreadable,
        Misbehaviour::TlsNotOffered,
        Misbehaviour::AlreadyTls,
        Misbehaviour::TlsFirst,
        Misbehaviour::TlsBeforeAuth,
        Misbehaviour::AuthFirst,
        Misbehaviour::AlreadyAuthenticated,
        Misbehaviour::UnknownMechanism,
        Misbehaviour::BadBase64,
        Misbehaviour::BadCredentials,
        Misbehaviour::AuthCancelled,
        Misbehaviour::AuthRefused,
        Misbehaviour::TooManyAuthFailures,
        Misbehaviour::MessageTooLarge,
        Misbehaviour::MessageFarTooLarge,
        Misbehaviour::TooManyRecipients,
        Misbehaviour::BareNewlineInMessage,
        Misbehaviour::NulInMessage,
        Misbehaviour::TooManyBadCommands,
        Misbehaviour::TooManyIdleCommands,
        Misbehaviour::TooManyRefusedRecipients,
        Misbehaviour::TooManyTransactions,
        Misbehaviour::Idle,
        Misbehaviour::BodyTooSlow,
        Misbehaviour::TooManyConnections,
    ];
    let counters: std::collections::BTreeSet<_> = all.iter().map(Misbehaviour::counter).collect();
    assert_eq!(counters.len(), all.len());
    for misbehaviour in all {
        let reply = misbehaviour.reply();
        let class = reply.enhanced.expect("each has an enhanced code").0;
        assert!((400..600).contains(&reply.code), "{reply}");
        assert_eq!(u16::from(class), reply.code / 100, "{reply}");
    }
}

/// A proxy shows a certificate of its own: behind XCLIENT it neither offers EXTERNAL nor lets anybody in.
#[test]
fn a_proxys_certificate_says_nothing_of_its_client() {
    let mut driver = Driver::submission(Limits::default());
    let channel = ::auth::TlsChannel { certified: vec!["alice@a.example".to_owned()], ..::auth::TlsChannel::default() };
    driver.engine.session.facts.tls = Some(TlsFacts { channel, ..TlsFacts::default() });
    driver.engine.session.policy.xclient_from = vec!["192.0.2.1".parse().unwrap()];
    driver.engine.session.takes_xclient = true;
    assert!(
        driver.say(b"EHLO proxy.example\r\n").contains("AUTH EXTERNAL PLAIN LOGIN\r\n"),
        "its own, as long as it speaks for itself"
    );
    assert_eq!(driver.codes(b"XCLIENT ADDR=198.51.100.9\r\n"), ["220"]);
    assert!(driver.say(b"EHLO c.example\r\n").contains("AUTH PLAIN LOGIN\r\n"));
    assert_eq!(driver.codes(b"AUTH EXTERNAL =\r\n"), ["504"]);
    let facts = driver.engine.facts();
    assert!(facts.tls.as_ref().is_some_and(|tls| tls.channel.certified.is_empty()), "TLS stays, without its name");
    assert_eq!(facts.remote.ip().to_string(), "198.51.100.9");
}
