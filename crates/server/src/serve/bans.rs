//! Bans over a restart: the door's changes become rows, log lines and metrics.

use std::sync::Arc;
use std::time::Duration;

use abuse::{Change, Door, Settings};
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
pub(super) async fn keep(store: Store, door: Door, bell: Bell, stop: CancellationToken) -> Result<(), String> {
    metrics::gauge!("relais_bans_in_force").set(count(&door, store.now()));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell.0.notified() => {}
            () = store.world().clock.sleep(SWEEP_INTERVAL) => {
                door.sweep(store.now());
            }
        }
        write(&store, &door, &stop).await;
    }
    // What was decided while sessions ended.
    write(&store, &door, &stop).await;
    Ok(())
}

async fn write(store: &Store, door: &Door, stop: &CancellationToken) {
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for change in door.take_changes() {
        match change {
            Change::Banned(ban) => {
                tell(&ban);
                kept.push(ban);
            }
            Change::Gone(prefix) => {
                tracing::info!(who = %prefix, "no ban any more");
                gone.push(prefix);
            }
        }
    }
    metrics::gauge!("relais_bans_in_force").set(count(door, store.now()));
    if kept.is_empty() && gone.is_empty() {
        return;
    }
    // The bans hold in memory meanwhile; what is decided until then waits at the door.
    while let Err(error) = store.keep_bans(kept.clone(), gone.clone()).await {
        tracing::warn!(%error, "bans could not be kept for the next start; it is tried again");
        tokio::select! {
            () = stop.cancelled() => return,
            () = store.world().clock.sleep(RETRY_INTERVAL) => {}
        }
    }
}

fn tell(ban: &abuse::Ban) {
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
}
