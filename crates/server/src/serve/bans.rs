//! Bans over a restart: the door's changes become rows, log lines and metrics.

use std::sync::Arc;
use std::time::Duration;

use abuse::{Change, Changes, Door, Settings};
use mail::Timestamp;
use storage::{StorageError, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Rings when the door has something to be kept.
#[derive(Clone, Default)]
pub(super) struct Bell(Arc<Notify>);

/// The door, with the bans that were kept.
pub(super) async fn open(store: &Store, settings: Settings) -> Result<(Door, Bell), StorageError> {
    let bell = Bell::default();
    let ringing = bell.clone();
    let door = Door::new(settings, move || ringing.0.notify_one());
    door.load(store.bans().await?);
    Ok((door, bell))
}

/// Keeps what the door decides, and forgets what has been over for long, until told to stop.
///
/// While nothing can be written, as on a full disk, the bans hold in memory. What is to be written waits here and at the door: of each place the
/// newest, and when that is too much, all that is remembered.
pub(super) async fn keep(store: Store, door: Door, bell: Bell, stop: CancellationToken) -> Result<(), String> {
    metrics::gauge!("relais_bans_in_force").set(count(&door, store.now()));
    let mut pending = Changes::default();
    loop {
        let wait = if pending.is_empty() { SWEEP_INTERVAL } else { RETRY_INTERVAL };
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell.0.notified(), if pending.is_empty() => {}
            () = store.world().clock.sleep(wait) => {
                door.sweep(store.now());
            }
        }
        write(&store, &door, &mut pending).await;
    }
    // What was decided while sessions ended.
    write(&store, &door, &mut pending).await;
    Ok(())
}

/// Writes what waits, and what the door has decided; what can't be written goes on waiting.
async fn write(store: &Store, door: &Door, pending: &mut Changes) {
    let decided = door.take_changes();
    if decided.is_everything() {
        tracing::warn!("more bans were made and lifted than can wait to be kept: all of them are written anew");
    }
    decided.iter().for_each(|change| tell(&change));
    pending.add(decided);
    metrics::gauge!("relais_bans_in_force").set(count(door, store.now()));
    if pending.is_empty() {
        return;
    }
    let written = if pending.is_everything() {
        store.replace_bans(door.remembered()).await
    } else {
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for change in pending.iter() {
            match change {
                Change::Banned(ban) => kept.push(ban),
                Change::Gone(prefix) => gone.push(prefix),
            }
        }
        store.keep_bans(kept, gone).await
    };
    match written {
        Ok(()) => *pending = Changes::default(),
        Err(error) => tracing::warn!(%error, "bans could not be kept for the next start; it is tried again"),
    }
}

fn tell(change: &Change) {
    let ban = match change {
        Change::Banned(ban) => ban,
        Change::Gone(prefix) => {
            tracing::info!(who = %prefix, "no ban any more");
            return;
        }
    };
    let until = ban.until.map_or_else(|| "removed".to_owned(), Timestamp::to_rfc3339);
    tracing::warn!(who = %ban.prefix, cause = ban.cause.name(), why = ban.why, until, times = ban.times, "banned");
    metrics::counter!("relais_bans_total", "cause" => ban.cause.name()).increment(1);
}

fn count(door: &Door, now: Timestamp) -> f64 {
    u32::try_from(door.count(now)).unwrap_or(u32::MAX).into()
}

/// How often bans that are over are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use storage::MemoryEngine;
    use world::simulated::SimulatedWorld;

    use super::*;

    #[tokio::test]
    async fn bans_outlive_a_restart_and_are_forgotten_in_the_end() {
        let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
        let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
        let (door, bell) = open(&store, Settings::default()).await.unwrap();
        let stop = CancellationToken::new();
        let keeping = tokio::spawn(keep(store.clone(), door.clone(), bell, stop.clone()));
        let guesser = "192.0.2.7".parse().unwrap();
        for _ in 0..20 {
            let _done = door.failed_login(guesser, false, None, store.now());
        }
        while store.bans().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        // The next start knows.
        let (next, _) = open(&store, Settings::default()).await.unwrap();
        assert!(next.banned(guesser, store.now()).unwrap().contains("20 failed logins in an hour"));
        // It is over, and long over.
        for days in [1, 30] {
            sim.clock.advance(Duration::from_secs(days * 86_400));
            assert_eq!(next.banned(guesser, store.now()), None);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        while !store.bans().await.unwrap().is_empty() {
            sim.clock.advance(SWEEP_INTERVAL);
            tokio::task::yield_now().await;
        }
        // What is decided while the server stops is kept as well.
        door.ban("192.0.2.8".parse().unwrap(), "at the end", None, store.now()).unwrap();
        stop.cancel();
        keeping.await.unwrap().unwrap();
        assert_eq!(store.bans().await.unwrap().len(), 1);
    }

    /// Everybody else has had their turn.
    async fn quiet() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn bans_hold_while_the_disk_is_full_and_are_kept_when_it_is_not() {
        let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
        let engine = MemoryEngine::default();
        let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
        let (door, bell) = open(&store, Settings::default()).await.unwrap();
        let stop = CancellationToken::new();
        let keeping = tokio::spawn(keep(store.clone(), door.clone(), bell, stop.clone()));
        let place = |n: u32| mail::Prefix::place(std::net::Ipv4Addr::from_bits(0x0A00_0000 + n).into());
        let ban = |n: u32, secs: u32| {
            let until = store.now().plus(Duration::from_secs(secs.into()));
            door.ban(place(n), "spam wave", Some(until), store.now()).unwrap();
        };
        // One that is kept, and goes while nothing can be written.
        ban(0, 1_000_000);
        while store.bans().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        engine.fail_after(0, StorageError::DiskFull);
        door.lift(&place(0)).unwrap();
        ban(1, 1_000_000);
        for _ in 0..10 {
            quiet().await;
            sim.clock.advance(RETRY_INTERVAL);
        }
        assert!(door.banned(place(1).first(), store.now()).is_some(), "it holds in memory");
        assert_eq!(store.bans().await.unwrap().len(), 1);
        engine.heal();
        let kept = async || store.bans().await.unwrap().into_iter().map(|ban| ban.prefix).collect::<Vec<_>>();
        while kept().await != [place(1)] {
            sim.clock.advance(RETRY_INTERVAL);
            quiet().await;
        }
        // More than can wait, from as many places as an attacker likes: what is written in the end is what is remembered.
        engine.fail_after(0, StorageError::DiskFull);
        let most = u32::try_from(abuse::limits::BANS_MAX).unwrap();
        for n in 2..most + 10 {
            ban(n, 1_000_000 + n);
        }
        quiet().await;
        assert!(door.banned(place(most + 9).first(), store.now()).is_some());
        assert_eq!(kept().await, [place(1)]);
        engine.heal();
        while kept().await.len() <= 1 {
            sim.clock.advance(RETRY_INTERVAL);
            quiet().await;
        }
        let mut remembered: Vec<_> = door.remembered().into_iter().map(|ban| ban.prefix).collect();
        remembered.sort();
        let mut rows = kept().await;
        rows.sort();
        assert_eq!(remembered.len(), abuse::limits::BANS_MAX);
        assert_eq!(rows, remembered);
        stop.cancel();
        keeping.await.unwrap().unwrap();
    }
}
