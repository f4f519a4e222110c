//! Places for those who ask the DNS: so many at once, and of one client's network no more than its share. Whoever finds none waits for a
//! moment; then nothing is known of the client.
//!
//! So a client whose names and lists never answer waits for itself alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use reputation::Network;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use world::World;

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Questions at once.
    pub(super) all: usize,
    /// Of these, those about one client's network.
    pub(super) of_client: usize,
    /// Questions that wait for a place.
    pub(super) waiting: usize,
    /// Of these, those about one client's network.
    pub(super) waiting_of_client: usize,
    /// How long each of them does.
    pub(super) patience: Duration,
}

/// The places.
pub(super) struct Places {
    bounds: Bounds,
    all: Arc<Semaphore>,
    /// Who has a place, or waits for one.
    here: AtomicUsize,
    /// The shares of clients that are there.
    shares: Mutex<HashMap<Network, Share>>,
}

struct Share {
    places: Arc<Semaphore>,
    here: usize,
}

/// A place among those who ask; given back when dropped.
pub(super) struct Place<'p> {
    _all: OwnedSemaphorePermit,
    _of_client: OwnedSemaphorePermit,
    _turn: Turn<'p>,
}

/// Somebody who has a place, or waits for one.
struct Turn<'p> {
    places: &'p Places,
    client: Network,
    share: Arc<Semaphore>,
}

impl Places {
    pub(super) fn new(bounds: Bounds) -> Self {
        let all = Arc::new(Semaphore::new(bounds.all));
        Self { bounds, all, here: AtomicUsize::new(0), shares: Mutex::default() }
    }

    /// A place for a question about a client; `None`: there is none in time.
    pub(super) async fn take(&self, world: &World, client: Network) -> Option<Place<'_>> {
        let place = self.taken(world, client).await;
        if place.is_none() {
            metrics::counter!("relais_reputation_unasked_total").increment(1);
        }
        place
    }

    async fn taken(&self, world: &World, client: Network) -> Option<Place<'_>> {
        let turn = self.turn(client)?;
        let taking = async {
            // Its own share first: who waits for that takes nobody else's place.
            let of_client = turn.share.clone().acquire_owned().await.ok()?;
            let all = self.all.clone().acquire_owned().await.ok()?;
            Some((all, of_client))
        };
        let (all, of_client) = world.timeout(self.bounds.patience, taking).await.ok().flatten()?;
        Some(Place { _all: all, _of_client: of_client, _turn: turn })
    }

    fn turn(&self, client: Network) -> Option<Turn<'_>> {
        let Bounds { all, of_client, waiting, waiting_of_client, .. } = self.bounds;
        let most = all.saturating_add(waiting);
        let one_more = |here: usize| here.checked_add(1).filter(|here| *here <= most);
        self.here.try_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let mut shares = self.shares.lock();
        let share =
            shares.entry(client).or_insert_with(|| Share { places: Arc::new(Semaphore::new(of_client)), here: 0 });
        if share.here >= of_client.saturating_add(waiting_of_client) {
            self.here.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        share.here = share.here.saturating_add(1);
        Some(Turn { places: self, client, share: share.places.clone() })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.places.here.fetch_sub(1, Ordering::Relaxed);
        let mut shares = self.places.shares.lock();
        let Some(share) = shares.get_mut(&self.client) else { return };
        share.here = share.here.saturating_sub(1);
        if share.here == 0 {
            shares.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;

    const BOUNDS: Bounds =
        Bounds { all: 6, of_client: 2, waiting: 4, waiting_of_client: 3, patience: Duration::from_millis(500) };

    fn network(n: u8) -> Network {
        std::net::IpAddr::from([192, 0, n, 1]).into()
    }

    #[tokio::test]
    async fn one_client_has_its_share_and_others_theirs() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let (world, places) = (sim.world(), Places::new(BOUNDS));
        let mut first = join_all([places.take(&world, network(1)), places.take(&world, network(1))]).await;
        assert!(first.iter().all(Option::is_some));
        // Three more wait, and no fourth.
        let mut waiting = Box::pin(join_all((0..3).map(|_| places.take(&world, network(1)))));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(places.take(&world, network(1)).now_or_never().unwrap().is_none());
        // Another client is not disturbed.
        let others =
            join_all([places.take(&world, network(2)), places.take(&world, network(2))]).now_or_never().unwrap();
        assert!(others.iter().all(Option::is_some));
        // A place that is given back is taken by who waits; who finds none in time goes without.
        drop(first.pop());
        assert!(waiting.as_mut().now_or_never().is_none());
        sim.clock.advance(BOUNDS.patience);
        let found = waiting.await;
        assert_eq!(found.iter().filter(|place| place.is_some()).count(), 1);
        drop((first, found, others));
        assert_eq!(
            (places.here.load(Ordering::Relaxed), places.shares.lock().len()),
            (0, 0),
            "nothing is left of them"
        );
    }

    #[tokio::test]
    async fn all_clients_together_are_bounded() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let (world, places) = (sim.world(), Places::new(BOUNDS));
        let mut asking = Box::pin(join_all((0..200).map(|n| places.take(&world, network(n / 2)))));
        assert!(asking.as_mut().now_or_never().is_none());
        assert_eq!(places.here.load(Ordering::Relaxed), 10);
        assert!(places.shares.lock().len() <= 10);
        sim.clock.advance(BOUNDS.patience);
        let found = asking.await;
        assert_eq!(found.iter().filter(|place| place.is_some()).count(), 6);
        drop(found);
        // The turns of who gave up are over, and all places are free again.
        let again = join_all((0..6).map(|n| places.take(&world, network(n)))).now_or_never().unwrap();
        assert!(again.iter().all(Option::is_some));
    }
}
