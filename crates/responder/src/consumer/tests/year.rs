//! A year of random responders against a model that knows nothing of the code: it keeps every answer ever given, looks
//! at the calendar of each zone, and says for each message which responders answer.

use std::collections::{BTreeMap, BTreeSet};

use routing::limits::SENDER_ANSWERS_PER_DAY_MAX;
use routing::objects::{Audience, Hours, HoursWhen};

use super::*;

/// A few numbers from a seed.
struct Dice(u64);

impl Dice {
    fn upto(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.upto(all.len())]
    }
}

/// What the model knows of a responder.
struct Known {
    id: u64,
    owner: usize,
    away: bool,
    first: Option<jiff::civil::Date>,
    last: Option<jiff::civil::Date>,
    /// For each weekday and minute: whether it acts.
    week: Option<Vec<bool>>,
    frequency: i64,
    audience: Audience,
}

const OWNERS: [(&str, &str); 4] = [
    ("paris", "Europe/Paris"),
    ("cairo", "Africa/Cairo"),
    ("lordhowe", "Australia/Lord_Howe"),
    ("newyork", "America/New_York"),
];
const COLLEAGUES: [&str; 2] = ["c1@a.example", "c2@a.example"];
const STRANGERS: [&str; 3] = ["s1@r.example", "s2@r.example", "s3@r.example"];

#[derive(Default)]
struct Model {
    responders: Vec<Known>,
    contacts: BTreeSet<(usize, String)>,
    /// Times of answers, by responder and sender.
    given: BTreeMap<(u64, String), Vec<i64>>,
    /// Times of answers, by sender.
    all: BTreeMap<String, Vec<i64>>,
}

impl Model {
    fn acts(&self, known: &Known, at: i64) -> bool {
        let zone = routing::responders::zone_named(OWNERS[known.owner].1);
        let civil = jiff::Timestamp::from_second(at).unwrap().to_zoned(zone).datetime();
        let date = civil.date();
        let in_week = known.week.as_ref().is_none_or(|week| {
            let day = civil.weekday().to_monday_zero_offset() as usize;
            week[day * 1440 + civil.hour() as usize * 60 + civil.minute() as usize]
        });
        known.first.is_none_or(|first| date >= first) && known.last.is_none_or(|last| date <= last) && in_week
    }

    fn speaks_to(&self, known: &Known, sender: &str) -> bool {
        let colleague = COLLEAGUES.contains(&sender);
        match known.audience {
            Audience::Everyone => true,
            Audience::Inside => colleague,
            Audience::Contacts => colleague || self.contacts.contains(&(known.owner, sender.to_owned())),
        }
    }

    fn full(times: Option<&Vec<i64>>, at: i64, max: u32) -> bool {
        let mut day: Option<(i64, u32)> = None;
        for time in times.into_iter().flatten() {
            day = match day {
                Some((from, count)) if time - from < 86_400 => Some((from, count + 1)),
                _ => Some((*time, 1)),
            };
        }
        day.is_some_and(|(from, count)| at - from < 86_400 && count >= max)
    }

    /// Which responders answer, and the note that they did.
    fn receive(&mut self, owner: usize, sender: &str, named: bool, automatic: bool, at: i64) -> BTreeSet<u64> {
        let mut answering = BTreeSet::new();
        if automatic {
            return answering;
        }
        let candidates: Vec<&Known> = self
            .responders
            .iter()
            .filter(|known| known.owner == owner && self.acts(known, at) && self.speaks_to(known, sender))
            .collect();
        let length = |known: &Known| match (known.first, known.last) {
            (Some(first), Some(last)) => (last - first).get_days(),
            _ => i32::MAX,
        };
        let absence = candidates.iter().filter(|known| known.away);
        let absence = absence.min_by_key(|known| (known.last.is_none(), known.week.is_none(), length(known), known.id));
        let absence = absence.map(|known| known.id);
        let chosen: Vec<(u64, i64)> = candidates
            .iter()
            .filter(|known| !known.away || (named && absence == Some(known.id)))
            .map(|known| (known.id, known.frequency))
            .collect();
        for (id, frequency) in chosen {
            let key = (id, sender.to_owned());
            let recent = self.given.get(&key).and_then(|times| times.last()).is_some_and(|last| at - last < frequency);
            if recent
                || Self::full(self.given.get(&key), at, ANSWERS_PER_DAY_MAX)
                || Self::full(self.all.get(sender), at, SENDER_ANSWERS_PER_DAY_MAX)
            {
                continue;
            }
            self.given.entry(key).or_default().push(at);
            self.all.entry(sender.to_owned()).or_default().push(at);
            answering.insert(id);
        }
        answering
    }
}

/// The numbers of the responders whose answers have come since the last call.
struct Observed {
    queue: QueueId,
    inboxes: BTreeMap<&'static str, u32>,
}

impl Observed {
    async fn answers(&mut self, server: &Server) -> BTreeSet<u64> {
        let mut blobs = Vec::new();
        for row in server.store.queue_entries(self.queue, 1000).await.unwrap() {
            self.queue = row.id;
            if row.reverse_path.is_null() {
                blobs.push(row.blob);
            }
        }
        for who in COLLEAGUES {
            let account = server.store.directory().account(&address(who)).unwrap().id;
            let inbox = server.store.inbox(account).await.unwrap().id;
            let seen = self.inboxes.entry(who).or_insert(0);
            for row in server.store.messages(account, inbox, Uid(*seen + 1), Uid(u32::MAX), 1000).await.unwrap() {
                *seen = row.uid.0;
                blobs.push(row.blob);
            }
        }
        let mut answering = BTreeSet::new();
        for blob in blobs {
            let text = server.text(&blob, 0).await;
            let (_, rest) = text.split_once("Subject: R").unwrap();
            let id = rest.split_once("\r\n").unwrap().0.parse().unwrap();
            assert!(answering.insert(id), "two answers of one responder to one message");
        }
        answering
    }
}

async fn stage(dice: &mut Dice) -> (Server, Model) {
    let server = Server::open(SimulatedWorld::new(Timestamp(1_767_225_600_000), 7), MemoryEngine::default()).await;
    server.put(Object::Domain(DomainObject::new(Domain::parse("a.example").unwrap()))).await;
    for who in COLLEAGUES {
        server.store.add_account(AccountObject::new(address(who))).await.unwrap();
    }
    let mut model = Model::default();
    for (owner, (name, zone)) in OWNERS.iter().enumerate() {
        let account = AccountObject {
            time_zone: (*zone).to_owned(),
            ..AccountObject::new(address(&format!("{name}@a.example")))
        };
        server.store.add_account(account).await.unwrap();
        for _ in 0..2 + dice.upto(4) {
            add_responder(&server, &mut model, dice, owner).await;
        }
    }
    (server, model)
}

async fn add_responder(server: &Server, model: &mut Model, dice: &mut Dice, owner: usize) {
    let new_year: jiff::civil::Date = "2026-01-01".parse().unwrap();
    let first = new_year.checked_add(jiff::Span::new().days(dice.upto(330) as i64)).unwrap();
    let last = first.checked_add(jiff::Span::new().days(dice.upto(120) as i64)).unwrap();
    let (first, last) = (dice.one_of(&[None, Some(first), Some(first)]), dice.one_of(&[None, Some(last), Some(last)]));
    let away = dice.upto(2) == 0;
    let frequency = dice.one_of(&[0_u64, 3_600, 86_400, 7 * 86_400]);
    let audience = dice.one_of(&[Audience::Everyone, Audience::Everyone, Audience::Contacts, Audience::Inside]);
    let (mut week, mut hours) = (None, None);
    if dice.upto(2) == 0 {
        let inside = dice.upto(2) == 0;
        let (mut table, mut texts) = (vec![!inside; 7 * 1440], Vec::new());
        for _ in 0..1 + dice.upto(4) {
            let (day, from) = (dice.upto(7), dice.upto(1440));
            let to = (from + 1 + dice.upto(1439)) % 1440;
            let length = if to > from { to - from } else { to + 1440 - from };
            (0..length).for_each(|n| table[(day * 1440 + from + n) % (7 * 1440)] = inside);
            let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let to = if to == 0 { 1440 } else { to };
            let clock = |minute: usize| format!("{:02}:{:02}", minute / 60, minute % 60);
            texts.push(format!("{} {}-{}", names[day], clock(from), clock(to)));
        }
        week = Some(table);
        let when = if inside { HoursWhen::Inside } else { HoursWhen::Outside };
        hours = Some(Hours { week: texts.join("; "), when });
    }
    let at = format!("{}@a.example", OWNERS[owner].0);
    let id = server
        .add_responder(&at, |r| {
            r.kind = if away { ResponderKind::OutOfOffice } else { ResponderKind::Autoresponder };
            (r.starts, r.ends) = (first.map(|day| day.to_string()), last.map(|day| day.to_string()));
            (r.frequency_secs, r.audience, r.hours) = (frequency, audience, hours);
            (r.subject, r.file_in_sent) = ("R".to_owned(), false);
        })
        .await;
    let mut object = server.store.directory().responder(id).unwrap().as_ref().clone();
    object.subject = format!("R{id}");
    server.store.put_object(Object::Responder(object), PutMode::Replace).await.unwrap();
    let frequency = frequency as i64;
    model.responders.push(Known { id, owner, away, first, last, week, frequency, audience });
}

async fn year(seed: u64, messages: usize) -> usize {
    let mut dice = Dice(seed);
    let (server, mut model) = stage(&mut dice).await;
    let mut observed = Observed { queue: QueueId(0), inboxes: BTreeMap::new() };
    let mut times: Vec<u64> = (0..messages).map(|_| dice.upto(365 * 86_400) as u64).collect();
    // And some who write without end for an hour.
    for _ in 0..3 {
        let from = dice.upto(364 * 86_400) as u64;
        times.extend((0..40).map(|n| from + n * 90));
    }
    times.sort_unstable();
    let (mut now, mut count) = (0, 0);
    for time in times {
        server.sim.clock.advance(Duration::from_secs(time - now));
        now = time;
        let at = server.store.now().as_secs();
        let owner = dice.upto(OWNERS.len());
        let to = format!("{}@a.example", OWNERS[owner].0);
        if dice.upto(20) == 0 {
            let stranger = dice.one_of(&STRANGERS);
            server.submit(&to, stranger).await;
            model.contacts.insert((owner, stranger.to_owned()));
            continue;
        }
        let (sender, named, automatic) = if dice.upto(3) == 0 {
            let colleague = dice.one_of(&COLLEAGUES);
            server.submit(colleague, &to).await;
            (colleague, true, false)
        } else {
            let (stranger, kind) = (dice.one_of(&STRANGERS), dice.upto(8));
            let header = if kind == 0 { "List-Id: <x.r.example>\r\n" } else { "" };
            let written = if kind == 1 { "somebody@else.example" } else { to.as_str() };
            let content = format!("From: {stranger}\r\nTo: {written}\r\nSubject: x\r\n{header}\r\nx\r\n");
            server.accept(ReversePath::Address(address(stranger)), &to, content.as_bytes()).await;
            (stranger, kind != 1, kind == 0)
        };
        server.take_all().await.unwrap();
        let expected = model.receive(owner, sender, named, automatic, at);
        count += expected.len();
        let when = jiff::Timestamp::from_second(at).unwrap();
        assert_eq!(observed.answers(&server).await, expected, "seed {seed}: {sender} to {to} at {when}");
    }
    count
}

#[tokio::test]
async fn v05_a_year_of_responders_against_a_model() {
    let mut answers = 0;
    for seed in 1..=4 {
        answers += year(seed, 300).await;
    }
    assert!(answers > 200, "{answers} answers show too little");
}
