//! Random commands of several sessions on shared mailboxes, against a simple model of mailboxes and of what a client keeps: after
//! each step the store holds what the model does, and whoever is told everything knows just that. Clients lose their connection
//! at any time and come back with what they kept (RFC 7162 §6). One client waits in IDLE (RFC 2177), one has asked by NOTIFY to
//! hear of all mailboxes (RFC 5465): both are told of every step without asking.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "tests may"
)]

use std::collections::{BTreeMap, BTreeSet};

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD, fixture};
use mail::{SystemFlags, Uid};
use proptest::prelude::*;
use relais_imap::Settings;
use tokio_util::sync::CancellationToken;

const MAILBOXES: [&str; 2] = ["INBOX", "Trash"];

/// `\Seen`, `\Flagged`, `\Deleted` as bits, as the store has them.
type Flags = u8;

const FLAGS: [(&str, SystemFlags); 3] =
    [("\\Seen", SystemFlags::SEEN), ("\\Flagged", SystemFlags::FLAGGED), ("\\Deleted", SystemFlags::DELETED)];

/// What is in a mailbox.
#[derive(Clone, Debug, Default)]
struct Mailbox {
    messages: BTreeMap<u32, Flags>,
    last_uid: u32,
}

impl Mailbox {
    fn add(&mut self, flags: Flags) {
        self.last_uid += 1;
        self.messages.insert(self.last_uid, flags);
    }

    /// A session removes only what it has heard of.
    fn expunge(&mut self, heard_of: u32) {
        self.messages.retain(|uid, flags| *flags & SystemFlags::DELETED.0 == 0 || *uid > heard_of);
    }
}

/// What a client keeps of a mailbox when it has gone.
#[derive(Clone, Debug, Default)]
struct Kept {
    validity: String,
    modseq: u64,
    messages: BTreeMap<u32, Flags>,
    /// Nothing had come of which it knew the number alone: new messages are for the client to ask for (RFC 7162 §6).
    complete: bool,
}

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Rev2,
    Qresync,
    UidOnly,
    /// Waits in IDLE between its commands.
    Idle,
    /// Hears of all mailboxes by NOTIFY.
    Notify,
}

/// What a client that listens knows of a mailbox that it has not selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Picture {
    messages: usize,
    uid_next: u32,
    /// `None` until it is told: NOTIFY begins without it (RFC 5465 §3.1).
    unseen: Option<usize>,
}

impl Picture {
    fn of(mailbox: &Mailbox) -> Self {
        let unseen = mailbox.messages.values().filter(|flags| **flags & SystemFlags::SEEN.0 == 0).count();
        Self { messages: mailbox.messages.len(), uid_next: mailbox.last_uid + 1, unseen: Some(unseen) }
    }
}

struct Session {
    kind: Kind,
    client: Client,
    selected: Option<usize>,
    /// Message numbers: UIDs where they are known.
    numbers: Vec<Option<u32>>,
    known: BTreeMap<u32, Flags>,
    validity: String,
    modseq: u64,
    /// The largest MODSEQ told since the last tagged response, and the code that overrules it.
    heard: (u64, Option<u64>),
    uid_next: u32,
    /// It has heard of messages up to this UID.
    heard_of: u32,
    kept: BTreeMap<usize, Kept>,
    pictures: [Picture; MAILBOXES.len()],
    /// The messages that it saw as `\Recent`, with the selection in which it did.
    recents: BTreeMap<(usize, u32), u32>,
    selections: u32,
    /// The mailbox of the last SELECT, from the moment it is sent.
    selecting: Option<usize>,
    idling: bool,
    tag: u32,
}

/// What the client that listens by NOTIFY wants to hear of.
const NOTIFY: &str = "NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) \
                      (personal (MessageNew MessageExpunge FlagChange))";

async fn connect(house: &House, kind: Kind) -> Client {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    let enable = match kind {
        Kind::Plain | Kind::Notify => return client,
        Kind::Rev2 | Kind::Idle => "ENABLE IMAP4rev2",
        Kind::Qresync => "ENABLE QRESYNC",
        Kind::UidOnly => "ENABLE QRESYNC UIDONLY",
    };
    assert!(client.command("e", enable).await.unwrap().last().unwrap().starts_with("e OK"));
    client
}

fn numbers(set: &str) -> BTreeSet<u32> {
    let range = |range: &str| match range.split_once(':') {
        Some((first, last)) => first.parse().unwrap()..=last.parse().unwrap(),
        None => range.parse().unwrap()..=range.parse().unwrap(),
    };
    set.split(',').flat_map(range).collect()
}

/// The number behind a name in a line.
fn after(line: &str, name: &str) -> Option<u64> {
    let rest = line.split(name).nth(1)?.trim_start_matches([' ', '(']);
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Session {
    async fn new(house: &House, kind: Kind) -> Self {
        Self {
            kind,
            client: connect(house, kind).await,
            selected: None,
            numbers: Vec::new(),
            known: BTreeMap::new(),
            validity: String::new(),
            modseq: 0,
            heard: (0, None),
            uid_next: 0,
            heard_of: 0,
            kept: BTreeMap::new(),
            pictures: <[Picture; MAILBOXES.len()]>::default(),
            recents: BTreeMap::new(),
            selections: 0,
            selecting: None,
            idling: false,
            tag: 0,
        }
    }

    /// Says again what it wants to hear of: a connection is new.
    async fn begin(&mut self) {
        self.idling = false;
        if self.kind == Kind::Notify {
            self.pictures = Default::default();
            let answer = self.command(NOTIFY).await;
            assert!(answer.contains(" OK "), "{answer}");
        }
    }

    fn resyncs(&self) -> bool {
        matches!(self.kind, Kind::Qresync | Kind::UidOnly)
    }

    /// Sends a command, takes in what is told, and gives the tagged response.
    async fn command(&mut self, text: &str) -> String {
        if std::mem::take(&mut self.idling) {
            self.client.send(b"DONE\r\n").await.unwrap();
            let lines = self.client.until("i").await.unwrap();
            lines.iter().for_each(|line| self.hear(line));
        }
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let lines = self.client.command(&tag, text).await.unwrap();
        let (last, rest) = lines.split_last().unwrap();
        rest.iter().for_each(|line| self.hear(line));
        if let Some(code) = after(last, "[HIGHESTMODSEQ") {
            self.heard.1 = Some(code);
        }
        // RFC 7162 §6: the code counts, whatever larger ones were seen; else the largest.
        let (highest, code) = std::mem::take(&mut self.heard);
        self.modseq = code.unwrap_or(self.modseq.max(highest));
        last.clone()
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["*", number, "EXISTS"] => {
                let number: usize = number.parse().unwrap();
                assert!(number >= self.numbers.len(), "EXISTS shrinks nothing: {line}");
                self.numbers.resize(number, None);
            }
            ["*", number, "EXPUNGE"] => {
                assert!(!self.resyncs(), "{line}");
                let uid = self.numbers.remove(number.parse::<usize>().unwrap() - 1);
                uid.and_then(|uid| self.known.remove(&uid));
            }
            ["*", "VANISHED", "(EARLIER)", set] => {
                for uid in numbers(set) {
                    self.known.remove(&uid);
                }
            }
            ["*", "VANISHED", set] => {
                for uid in numbers(set) {
                    self.known.remove(&uid);
                    // One whose UID it has not asked for yet lies between those of its neighbours.
                    let at = self.numbers.iter().position(|known| *known == Some(uid));
                    let larger = self.numbers.iter().position(|known| known.is_some_and(|known| known > uid));
                    let before = &self.numbers[..larger.unwrap_or(self.numbers.len())];
                    let at = at.or_else(|| before.iter().rposition(Option::is_none));
                    self.numbers.remove(at.unwrap_or_else(|| panic!("not counted: {line}")));
                }
            }
            ["*", number, what @ ("FETCH" | "UIDFETCH"), ..] => self.hear_fetch(line, number.parse().unwrap(), what),
            ["*", "OK", "[UIDVALIDITY", ..] => self.validity = after(line, "[UIDVALIDITY").unwrap().to_string(),
            ["*", "OK", "[UIDNEXT", ..] => self.uid_next = after(line, "[UIDNEXT").unwrap() as u32,
            ["*", "OK", "[HIGHESTMODSEQ", ..] => self.heard.1 = after(line, "[HIGHESTMODSEQ"),
            ["*", "STATUS", name, ..] if self.kind == Kind::Notify => {
                let at = MAILBOXES.iter().position(|known| *known == name.trim_matches('"'));
                assert!(at.is_none() || at != self.selected, "the selected mailbox is told by itself: {line}");
                if let Some(picture) = at.map(|at| &mut self.pictures[at]) {
                    let told = |item: &str| after(line, item).map(|number| number as usize);
                    picture.messages = told("MESSAGES").unwrap_or(picture.messages);
                    picture.unseen = told("UNSEEN").or(picture.unseen);
                    picture.uid_next = told("UIDNEXT").map_or(picture.uid_next, |next| next as u32);
                }
            }
            ["*", "STATUS", ..] => {
                let (next, highest) = (after(line, "UIDNEXT").unwrap(), after(line, "HIGHESTMODSEQ").unwrap());
                assert!(u64::from(self.uid_next) <= next && self.modseq <= highest, "behind what was told: {line}");
            }
            _ => {}
        }
    }

    fn hear_fetch(&mut self, line: &str, number: u32, what: &str) {
        assert_eq!(what == "UIDFETCH", self.kind == Kind::UidOnly, "{line}");
        let uid = match self.kind {
            Kind::UidOnly => Some(number),
            Kind::Plain | Kind::Rev2 | Kind::Qresync | Kind::Idle | Kind::Notify => {
                let slot = &mut self.numbers[number as usize - 1];
                if let Some(uid) = after(line, "UID").map(|uid| uid as u32) {
                    assert_eq!(*slot.get_or_insert(uid), uid, "a number changed its message: {line}");
                }
                *slot
            }
        };
        let told = uid.is_some() || self.kind == Kind::Plain;
        assert!(told, "RFC 7162 §3.2.4, RFC 9051 §7.5.2: with its UID: {line}");
        let in_line = self.kind != Kind::Notify || after(line, "UID").is_some();
        assert!(in_line, "RFC 5465 §5.1: with its UID, whether or not the number is known: {line}");
        // By number alone, of a message that is still to be asked for.
        let Some(uid) = uid else { return };
        self.heard.0 = self.heard.0.max(after(line, "MODSEQ").unwrap_or(0));
        if let Some((_, flags)) = line.split_once("FLAGS (") {
            let flags = flags.split(')').next().unwrap();
            assert!(!matches!(self.kind, Kind::Rev2 | Kind::Idle) || !flags.contains("Recent"), "{line}");
            if let (true, Some(here)) = (flags.contains("\\Recent"), self.selecting) {
                let before = self.recents.insert((here, uid), self.selections);
                assert!(before.is_none_or(|before| before == self.selections), "\\Recent once more: {line}");
            }
            let bits = FLAGS.iter().filter(|(name, _)| flags.contains(name)).map(|(_, flag)| flag.0);
            self.known.insert(uid, bits.fold(0, |all, bit| all | bit));
        }
    }

    /// Asks for what it was told of by number alone.
    async fn learn(&mut self) {
        if self.numbers.iter().any(Option::is_none) || self.known.len() != self.numbers.len() {
            let told = self.command("UID FETCH 1:* (UID FLAGS)").await;
            assert!(told.contains(" OK "), "{told}");
            if self.kind == Kind::UidOnly {
                self.numbers = self.known.keys().copied().map(Some).collect();
            }
        }
    }

    fn keep(&mut self) {
        if let Some(at) = self.selected.take() {
            let unseen = self.known.values().filter(|flags| **flags & SystemFlags::SEEN.0 == 0).count();
            self.pictures[at] =
                Picture { messages: self.known.len(), uid_next: self.heard_of + 1, unseen: Some(unseen) };
            let (validity, modseq) = (self.validity.clone(), self.modseq);
            let complete = self.numbers.len() == self.known.len() && self.numbers.iter().all(Option::is_some);
            self.kept.insert(at, Kept { validity, modseq, messages: std::mem::take(&mut self.known), complete });
        }
        self.numbers.clear();
        self.known.clear();
    }

    /// Waits, without asking, until it knows all that is so.
    async fn listen(&mut self, world: &[Mailbox]) {
        if self.kind == Kind::Idle && self.selected.is_some() && !self.idling {
            self.client.send(b"i IDLE\r\n").await.unwrap();
            loop {
                let line = self.client.read_line().await.unwrap().unwrap();
                if line.starts_with('+') {
                    break;
                }
                self.hear(&line);
            }
            self.idling = true;
        }
        while !self.agrees(world) {
            let line = self.client.read_line().await.unwrap_or_else(|error| {
                let told = (self.selected, &self.known, &self.numbers, self.pictures);
                panic!("{:?} is not told what is: {error}; told {told:?}, there is {world:?}", self.kind)
            });
            self.hear(&line.unwrap());
        }
        if self.kind == Kind::Idle && self.numbers.iter().any(Option::is_none) {
            // It has heard of new messages by number alone.
            self.learn().await;
            assert_eq!(Some(&self.known), self.selected.map(|here| &world[here].messages), "after IDLE");
        }
        if let Some(here) = self.selected {
            self.heard_of = world[here].last_uid;
        }
    }

    /// Whether what a client that listens knows is what the model holds.
    fn agrees(&self, world: &[Mailbox]) -> bool {
        let others = || world.iter().zip(&self.pictures).enumerate().filter(|(at, _)| Some(*at) != self.selected);
        let differs = |(model, picture): (&Mailbox, &Picture)| {
            let (model, told) = (Picture::of(model), picture.unseen);
            model != Picture { unseen: told.or(model.unseen), ..*picture }
        };
        if self.kind == Kind::Notify && others().any(|(_, both)| differs(both)) {
            return false;
        }
        let Some(here) = self.selected.map(|here| &world[here].messages) else { return true };
        // By NOTIFY it has asked for UID and FLAGS of what is new; in IDLE it knows the number of it.
        let all = self.known.len() == here.len() || self.kind == Kind::Idle;
        let right = self.known.iter().all(|(uid, flags)| here.get(uid) == Some(flags));
        all && right && self.numbers.len() == here.len()
    }

    async fn select(&mut self, at: usize) {
        self.keep();
        self.modseq = 0;
        let kept = self.kept.get(&at).cloned().filter(|kept| self.resyncs() && kept.modseq > 0);
        let parameter = match &kept {
            Some(kept) => format!(" (QRESYNC ({} {}))", kept.validity, kept.modseq),
            None => String::new(),
        };
        // What VANISHED and FETCH say is about what was kept.
        self.known = kept.as_ref().map(|kept| kept.messages.clone()).unwrap_or_default();
        self.selecting = Some(at);
        self.selections += 1;
        let answer = self.command(&format!("SELECT {}{parameter}", MAILBOXES[at])).await;
        assert!(answer.contains("OK [READ-WRITE]"), "{answer}");
        self.selected = Some(at);
        if kept.is_some_and(|kept| kept.complete) {
            assert_eq!(self.numbers.len(), self.known.len(), "what was kept and told is what is there");
            let uids: Vec<Option<u32>> = self.known.keys().copied().map(Some).collect();
            for (slot, uid) in self.numbers.iter_mut().zip(uids) {
                assert!(slot.is_none() || *slot == uid, "a number has another UID");
                *slot = uid;
            }
        }
        self.learn().await;
    }
}

/// One step: who, what, and a number to choose with.
type Step = (usize, u8, u32);

async fn run(steps: Vec<Step>) {
    let house = House::new(Settings { plaintext_login_on_loopback: true, ..Settings::default() }, false).await;
    let mut world = [Mailbox::default(), Mailbox::default()];
    let mut sessions = Vec::new();
    for kind in [Kind::Plain, Kind::Rev2, Kind::Qresync, Kind::UidOnly, Kind::Idle, Kind::Notify] {
        let mut session = Session::new(&house, kind).await;
        session.begin().await;
        sessions.push(session);
    }
    let mail = fixture("simple.eml");
    for (who, what, number) in steps {
        let session = &mut sessions[who];
        let at = number as usize % 2;
        let Some(here) = session.selected.filter(|_| what > 2) else {
            if what == 0 {
                house.deliver("alice", MAILBOXES[at], &mail, true).await;
                world[at].add(0);
            } else {
                session.select(at).await;
                assert_eq!(session.known, world[at].messages, "{:?} after SELECT", session.kind);
                session.heard_of = world[at].last_uid;
            }
            all_listen(&mut sessions, &world).await;
            continue;
        };
        // A message that the client sees, whether or not it is still there.
        let pick = session.numbers.get(number as usize % session.numbers.len().max(1)).copied().flatten();
        let alive = |world: &[Mailbox], uid: u32| world[here].messages.get(&uid).copied();
        match (what, pick) {
            // Of what it puts into mailboxes itself it is not told; of the selected one STATUS is only what it asks for.
            (6..=9 | 12, _) if session.kind == Kind::Notify => {}
            (3 | 4, Some(uid)) => {
                let (name, flag) = FLAGS[number as usize / 2 % 3];
                let add = what == 3;
                let by_number = session.numbers.iter().position(|known| *known == Some(uid)).unwrap() + 1;
                let sign = if add { '+' } else { '-' };
                let command = match session.kind {
                    Kind::UidOnly | Kind::Rev2 | Kind::Idle => format!("UID STORE {uid} {sign}FLAGS ({name})"),
                    Kind::Plain | Kind::Qresync | Kind::Notify => format!("STORE {by_number} {sign}FLAGS ({name})"),
                };
                session.command(&command).await;
                if let Some(flags) = world[here].messages.get_mut(&uid) {
                    *flags = if add { *flags | flag.0 } else { *flags & !flag.0 };
                }
            }
            (5, _) => {
                session.command("EXPUNGE").await;
                world[here].expunge(session.heard_of);
            }
            (6 | 7, Some(uid)) => {
                let verb = if what == 6 { "COPY" } else { "MOVE" };
                session.command(&format!("UID {verb} {uid} {}", MAILBOXES[at])).await;
                if let Some(flags) = alive(&world, uid) {
                    world[at].add(flags);
                    if what == 7 {
                        world[here].messages.remove(&uid);
                    }
                }
            }
            (8, Some(uid)) => {
                let text = format!("UID REPLACE {uid} {} (\\Seen) {{4+}}\r\na: b", MAILBOXES[at]);
                let answer = session.command(&text).await;
                assert_eq!(answer.contains(" OK "), alive(&world, uid).is_some(), "{answer}");
                if alive(&world, uid).is_some() {
                    world[at].add(SystemFlags::SEEN.0);
                    world[here].messages.remove(&uid);
                }
            }
            (9, _) => {
                session.command(&format!("APPEND {} (\\Flagged) {{4+}}\r\na: b", MAILBOXES[at])).await;
                world[at].add(SystemFlags::FLAGGED.0);
            }
            (10, _) => {
                session.command("CLOSE").await;
                world[here].expunge(session.heard_of);
                // RFC 7162 §3.2.8: what CLOSE removes, the client learns when it comes back.
                session.keep();
                // Who has removed it itself is not told.
                session.pictures[here] = Picture::of(&world[here]);
            }
            (11, _) => {
                // The connection is lost; what the last tagged response left is kept.
                session.client = connect(&house, session.kind).await;
                session.keep();
                session.begin().await;
            }
            (12, _) => {
                session.command(&format!("STATUS {} (UIDNEXT HIGHESTMODSEQ)", MAILBOXES[here])).await;
            }
            (13, _) => {
                // No client may notice.
                let account = house.account("alice").id;
                let row = house.store.mailbox_by_name(account, MAILBOXES[at]).await.unwrap().unwrap();
                house.store.forget_expunges(account, row.id, number % 3).await.unwrap();
            }
            _ => {
                session.command("NOOP").await;
                session.learn().await;
                assert_eq!(session.known, world[here].messages, "{:?} after NOOP", session.kind);
            }
        }
        // Who has not spoken has not been told either.
        if what != 13 {
            session.heard_of = world[here].last_uid;
        }
        check(&house, &world).await;
        all_listen(&mut sessions, &world).await;
    }
    // Once all have listened, all agree.
    for session in &mut sessions {
        if let Some(here) = session.selected {
            session.command("NOOP").await;
            session.learn().await;
            assert_eq!(session.known, world[here].messages, "{:?} in the end", session.kind);
        }
    }
}

/// Who listens is told; and no message was `\Recent` to two (RFC 3501 §2.3.2).
async fn all_listen(sessions: &mut [Session], world: &[Mailbox]) {
    let mut recents = BTreeSet::new();
    for session in sessions {
        if matches!(session.kind, Kind::Idle | Kind::Notify) {
            session.listen(world).await;
        }
        assert!(session.recents.keys().all(|message| recents.insert(*message)), "\\Recent to another: {recents:?}");
    }
}

/// What is stored is what the model holds.
async fn check(house: &House, world: &[Mailbox]) {
    let account = house.account("alice").id;
    for (name, model) in MAILBOXES.iter().zip(world) {
        let row = house.store.mailbox_by_name(account, name).await.unwrap().unwrap();
        let stored = house.store.messages(account, row.id, Uid(1), Uid(u32::MAX), 10_000).await.unwrap();
        let stored: BTreeMap<u32, Flags> = stored.iter().map(|row| (row.uid.0, row.system_flags.0)).collect();
        assert_eq!(stored, model.messages, "{name}");
        assert_eq!(row.uid_next, Uid(model.last_uid + 1), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sessions_agree_with_the_model(steps in prop::collection::vec((0usize..6, 0u8..16, any::<u16>().prop_map(u32::from)), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
