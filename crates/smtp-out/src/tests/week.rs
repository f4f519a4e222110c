//! A week of queue life in seconds, against a simple model: hosts come and go, the server crashes, and each recipient ends once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::remote::CLOSE;
use super::*;

const HOUR: i64 = 3_600_000;
const DESTINATIONS: usize = 3;

/// How a destination is out of order.
#[derive(Clone, Copy, Debug)]
enum Outage {
    /// Nobody listens.
    Refused,
    /// The greeting sends everybody away.
    Away,
    /// Each recipient is deferred.
    Deferred,
    /// The connection ends where the message would begin.
    Closes,
    /// DNS does not answer.
    NoDns,
}

#[derive(Clone, Debug)]
struct Letter {
    at_hour: i64,
    destination: usize,
    from_nobody: bool,
    recipients: usize,
    /// How many of them do not exist.
    unknown: usize,
}

#[derive(Clone, Debug)]
struct Week {
    seed: u8,
    letters: Vec<Letter>,
    /// Destination, first hour, hours, kind.
    outages: Vec<(usize, i64, i64, Outage)>,
    crashes: Vec<i64>,
}

fn weeks() -> impl Strategy<Value = Week> {
    let letter = (0_i64..40, 0..DESTINATIONS, prop::bool::weighted(0.2), 1_usize..4, 0_usize..2).prop_map(
        |(at_hour, destination, from_nobody, recipients, unknown)| Letter {
            at_hour,
            destination,
            from_nobody,
            recipients,
            unknown,
        },
    );
    let kinds = [Outage::Refused, Outage::Away, Outage::Deferred, Outage::Closes, Outage::NoDns];
    let lengths = prop_oneof![1_i64..10, 20_i64..60, Just(170)];
    let outage = (0..DESTINATIONS, 0_i64..50, lengths, prop::sample::select(kinds.to_vec()));
    let crashes = prop::collection::vec(1_i64..150, 0..4);
    (any::<u8>(), prop::collection::vec(letter, 1..10), prop::collection::vec(outage, 0..5), crashes)
        .prop_map(|(seed, letters, outages, crashes)| Week { seed, letters, outages, crashes })
}

/// The world as it is at an hour.
fn arrange(stage: &Stage, remotes: &[Remote], week: &Week, hour: i64) {
    for (n, remote) in remotes.iter().enumerate() {
        let out = week.outages.iter().find(|(at, from, hours, _)| *at == n && (*from..from + hours).contains(&hour));
        let (name, address) = (format!("d{n}.example"), format!("192.0.2.{}:25", 10 + n));
        remote.heal();
        remote.listen(&stage.world, &address);
        stage.mx(&name, &[(10, &format!("mx.{name}"))]);
        remote.reply("RCPT TO:<no", &["550 5.1.1 nobody"]);
        match out.map(|(_, _, _, kind)| *kind) {
            None => {}
            Some(Outage::Refused) => stage.world.connector.close(address.parse().unwrap()),
            Some(Outage::NoDns) => stage.no_dns(&name),
            Some(Outage::Away) => {
                remote.greet("421 4.3.2 not now");
            }
            Some(Outage::Deferred) => {
                remote.reply("RCPT", &["451 4.2.0 later"]).reply("RCPT TO:<no", &["451 4.2.0 later"]);
            }
            Some(Outage::Closes) => {
                remote.reply("DATA", &[CLOSE]);
            }
        }
    }
}

/// What became of a recipient.
#[derive(Clone, Debug, Default)]
struct Fate {
    arrived: Vec<Timestamp>,
    failed: usize,
    delayed: usize,
}

/// Lets time pass as [`Stage::pass`] does, with fewer turns where nothing happens.
async fn pass(stage: &Stage, remotes: &[Remote], span: Duration) {
    let happened = || remotes.iter().map(|remote| remote.commands().len() + remote.sessions()).sum::<usize>();
    let end = stage.world.clock.now().plus(span);
    loop {
        let mut quiet = 0;
        let mut before = happened();
        while quiet < 3 {
            for _ in 0..150 {
                tokio::task::yield_now().await;
            }
            let now = happened();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
        let now = stage.world.clock.now();
        let left = end.since(now);
        if left.is_zero() {
            return;
        }
        let step = stage.world.clock.next_wake().map_or(left, |wake| wake.since(now).min(left));
        stage.world.clock.advance(step.max(Duration::from_millis(1)));
    }
}

async fn live(week: &Week) {
    let mut stage = Stage::new().await;
    stage.settings.schedules.usual.jitter_percent = 10;
    // Another chance for each week.
    stage.world.world().chance.fill(&mut vec![0; usize::from(week.seed) * 8]);
    let mut remotes: Vec<Remote> =
        (0..DESTINATIONS).map(|n| Remote::at(&stage.world, &format!("192.0.2.{}:25", 10 + n))).collect();
    for n in 0..DESTINATIONS {
        stage.host(&format!("mx.d{n}.example"), &[&format!("192.0.2.{}", 10 + n)]);
    }
    let destinations = remotes.clone();
    remotes.push(stage.origin.clone());
    let start = stage.world.clock.now();
    stage.start();
    let mut sent: BTreeMap<String, Timestamp> = BTreeMap::new();
    for hour in 0..175 {
        arrange(&stage, &destinations, week, hour);
        for (k, letter) in week.letters.iter().enumerate().filter(|(_, letter)| letter.at_hour == hour) {
            let name = |n: usize| {
                let kind = if n < letter.unknown { "no" } else { "ok" };
                format!("{kind}-{k}-{n}@d{}.example", letter.destination)
            };
            let to: Vec<String> = (0..letter.recipients).map(name).collect();
            let from = if letter.from_nobody { "<>" } else { "<a@origin.example>" };
            stage.send(envelope(from, &to.iter().map(String::as_str).collect::<Vec<_>>()), MESSAGE).await;
            sent.extend(to.into_iter().map(|to| (to, stage.world.clock.now())));
        }
        pass(&stage, &remotes, Duration::from_secs(1_800)).await;
        if week.crashes.contains(&hour) {
            // Nothing is on its way at this moment, so nothing may come twice.
            stage.crash().await;
            stage.start();
        }
        pass(&stage, &remotes, Duration::from_secs(1_800)).await;
        let now = stage.world.clock.now();
        for row in stage.queue().await {
            assert!(row.next_attempt <= now.plus(Duration::from_secs(16_200)), "{row:?} waits for too long");
            assert!(now < row.accepted_at.plus(Duration::from_secs(5 * 86_400 + 600)), "{row:?} is too old");
            let hours = now.since(row.accepted_at).as_secs() / 3_600;
            assert!(u64::from(row.attempts) <= 8 + hours / 3, "{row:?} is tried too often");
        }
    }
    assert!(stage.queue().await.is_empty(), "a week is the end of everything");
    let fates = fates(&stage, &destinations, sent.keys());
    for (to, at) in &sent {
        let letter = &week.letters[to.split('-').nth(1).unwrap().parse::<usize>().unwrap()];
        judge(week, letter, to, (at.0 - start.0) / HOUR, *at, &fates[to]);
    }
}

fn fates<'a>(stage: &Stage, remotes: &[Remote], sent: impl Iterator<Item = &'a String>) -> BTreeMap<String, Fate> {
    let dsns: Vec<String> =
        stage.origin.got().iter().map(|got| String::from_utf8_lossy(&got.content).into_owned()).collect();
    sent.map(|to| {
        let rcpt = format!("RCPT TO:<{to}>");
        let mut fate = Fate::default();
        for got in remotes.iter().flat_map(Remote::got) {
            fate.arrived.extend(got.rcpts.contains(&rcpt).then_some(got.at));
        }
        for block in dsns.iter().flat_map(|dsn| dsn.split("\r\n\r\n")) {
            if block.contains(&format!("Final-Recipient: rfc822;{to}")) {
                fate.failed += block.matches("Action: failed").count();
                fate.delayed += block.matches("Action: delayed").count();
            }
        }
        (to.clone(), fate)
    })
    .collect()
}

/// The model: who can be reached for long enough gets it, who can't is reported, and nobody gets or hears anything twice.
fn judge(week: &Week, letter: &Letter, to: &str, at_hour: i64, at: Timestamp, fate: &Fate) {
    let what = format!("{to}: {fate:?} in {week:?}");
    let is_up = |hour: i64| {
        let out = |(d, from, hours, _): &(usize, i64, i64, Outage)| {
            *d == letter.destination && (*from..from + hours).contains(&hour)
        };
        !week.outages.iter().any(out)
    };
    let (exists, told) = (!to.starts_with("no"), !letter.from_nobody);
    let ended = fate.arrived.len() + fate.failed;
    assert!(fate.arrived.len() <= 1 && fate.failed <= 1, "twice: {what}");
    assert!(!(fate.arrived.len() == 1 && fate.failed == 1), "delivered and failed: {what}");
    assert!(!told || ended == 1, "lost: {what}");
    assert!(exists || fate.arrived.is_empty(), "{what}");
    assert!(told || fate.failed + fate.delayed == 0, "a DSN about a message from nobody: {what}");
    let life = at_hour..at_hour + 120;
    // Four hours and a half: the longest wait with its jitter.
    let up_for_long = life.clone().any(|hour| (hour..hour + 6).all(|hour| life.contains(&hour) && is_up(hour)));
    if exists && up_for_long {
        assert_eq!(fate.arrived.len(), 1, "it could be delivered: {what}");
    }
    if life.clone().all(|hour| !is_up(hour)) && is_up(at_hour + 120).then_some(()).is_none() {
        assert!(fate.arrived.is_empty(), "{what}");
    }
    if let Some(arrived) = fate.arrived.first() {
        let age = arrived.since(at).as_secs();
        if age < 4 * 3_600 {
            assert_eq!(fate.delayed, 0, "told too early: {what}");
        } else if told && age > 4 * 3_600 + 60 {
            assert_eq!(fate.delayed, 1, "a delay is told once: {what}");
        }
    } else if exists && told {
        assert_eq!((fate.failed, fate.delayed), (1, 1), "{what}");
    }
    assert!(fate.delayed <= 1, "{what}");
    if exists
        && is_up(at_hour)
        && (at_hour..at_hour + 1).all(is_up)
        && !week.outages.iter().any(|(d, ..)| *d == letter.destination)
    {
        assert_eq!(fate.arrived.first(), Some(&at), "nothing in its way, and late: {what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_week_ends_with_everybody_served_or_told_once(week in weeks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(live(&week));
    }
}
