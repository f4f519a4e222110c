//! A world for tests: time moves when told to, chance follows from a seed, DNS is a table.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mail::{Domain, Timestamp};
use tokio::sync::oneshot;

use crate::{BoxFuture, Chance, Clock, Connector, MxRecord, Proven, ResolveError, Resolver, Stream, TlsaRecord, World};

/// A world made of tables, and the handles to change them.
#[derive(Clone)]
pub struct SimulatedWorld {
    /// Moves when told to.
    pub clock: Arc<SimulatedClock>,
    /// Follows from its seed.
    pub chance: Arc<SimulatedChance>,
    /// Answers from its table.
    pub resolver: Arc<SimulatedResolver>,
    /// Connects to handlers registered here.
    pub connector: Arc<SimulatedConnector>,
}

impl SimulatedWorld {
    /// A world that starts at a time, with a seed.
    #[must_use]
    pub fn new(start: Timestamp, seed: u64) -> Self {
        Self {
            clock: Arc::new(SimulatedClock::new(start)),
            chance: Arc::new(SimulatedChance(Mutex::new(seed))),
            resolver: Arc::new(SimulatedResolver::default()),
            connector: Arc::new(SimulatedConnector::default()),
        }
    }

    /// What the crates under test take.
    #[must_use]
    pub fn world(&self) -> World {
        World {
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            resolver: self.resolver.clone(),
            connector: self.connector.clone(),
        }
    }
}

/// A clock that stands still until [`SimulatedClock::advance`].
pub struct SimulatedClock(Mutex<ClockState>);

struct ClockState {
    now: Timestamp,
    sleepers: Vec<(Timestamp, oneshot::Sender<()>)>,
}

impl SimulatedClock {
    /// Sets the time, as an administrator or NTP does. Who sleeps goes on for as long as it had still to sleep.
    pub fn set(&self, now: Timestamp) {
        let mut state = lock(&self.0);
        let before = std::mem::replace(&mut state.now, now);
        for (at, _) in &mut state.sleepers {
            *at = Timestamp(at.0.saturating_sub(before.0).saturating_add(now.0));
        }
    }

    fn new(now: Timestamp) -> Self {
        Self(Mutex::new(ClockState { now, sleepers: Vec::new() }))
    }

    /// Moves time forward and wakes whoever slept until then.
    pub fn advance(&self, span: Duration) {
        let mut state = lock(&self.0);
        state.now = state.now.plus(span);
        let now = state.now;
        let due: Vec<_> = state.sleepers.extract_if(.., |(at, _)| *at <= now).collect();
        drop(state);
        for (_, sleeper) in due {
            // A sleeper that gave up has dropped its end: nobody to tell.
            sleeper.send(()).ok();
        }
    }

    /// The earliest moment that somebody sleeps until.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        lock(&self.0).sleepers.iter().filter(|(_, s)| !s.is_closed()).map(|(at, _)| *at).min()
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        lock(&self.0).now
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let (wake, woken) = oneshot::channel();
        let mut state = lock(&self.0);
        if !span.is_zero() {
            let at = state.now.plus(span);
            state.sleepers.push((at, wake));
        }
        Box::pin(async move {
            // With no span the sender is dropped at once, which ends the sleep as well.
            woken.await.ok();
        })
    }
}

/// `splitmix64` from a seed. Not fit for secrets.
pub struct SimulatedChance(Mutex<u64>);

impl Chance for SimulatedChance {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = lock(&self.0);
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
    }
}

/// DNS from a table; a name that is not in it does not exist.
#[derive(Default)]
pub struct SimulatedResolver {
    mx: Mutex<HashMap<Domain, Result<Vec<MxRecord>, ResolveError>>>,
    addresses: Mutex<HashMap<Domain, Result<Vec<IpAddr>, ResolveError>>>,
    txt: Mutex<HashMap<Domain, Result<Vec<String>, ResolveError>>>,
    tlsa: Mutex<HashMap<Domain, Result<Vec<TlsaRecord>, ResolveError>>>,
    signed: Mutex<HashSet<Domain>>,
    wildcards: Mutex<Vec<(Domain, Vec<IpAddr>)>>,
    silent: Mutex<Vec<Domain>>,
}

/// Whether a name is below a zone, or the zone itself.
fn is_in(name: &Domain, zone: &Domain) -> bool {
    let above = name.as_str().strip_suffix(zone.as_str());
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

impl SimulatedResolver {
    /// What an MX look-up of the domain answers from now on.
    pub fn set_mx(&self, domain: Domain, answer: Result<Vec<MxRecord>, ResolveError>) {
        lock(&self.mx).insert(domain, answer);
    }

    /// What an address look-up of the host answers from now on.
    pub fn set_addresses(&self, host: Domain, answer: Result<Vec<IpAddr>, ResolveError>) {
        lock(&self.addresses).insert(host, answer);
    }

    /// From now on every name in the zone that is not in the table has these addresses.
    pub fn set_wildcard(&self, zone: Domain, addresses: Vec<IpAddr>) {
        lock(&self.wildcards).push((zone, addresses));
    }

    /// From now on no address look-up in the zone ever comes to an end.
    pub fn silence(&self, zone: Domain) {
        lock(&self.silent).push(zone);
    }

    /// What a TXT look-up of the name answers from now on.
    pub fn set_txt(&self, name: Domain, answer: Result<Vec<String>, ResolveError>) {
        lock(&self.txt).insert(name, answer);
    }

    /// What a TLSA look-up of the name answers from now on.
    pub fn set_tlsa(&self, name: Domain, answer: Result<Vec<TlsaRecord>, ResolveError>) {
        lock(&self.tlsa).insert(name, answer);
    }

    /// From now on, DNSSEC proves whatever there is of this name and the names below it.
    pub fn sign(&self, zone: Domain) {
        lock(&self.signed).insert(zone);
    }

    fn proven<T>(
        &self,
        name: &Domain,
        answer: Result<Vec<T>, ResolveError>,
    ) -> BoxFuture<'static, Result<Proven<T>, ResolveError>>
    where
        T: Send + 'static,
    {
        let secure = lock(&self.signed).iter().any(|zone| is_in(name, zone));
        let name = name.clone();
        let proven = |records, exists| Ok(Proven { records, secure, exists, name });
        let answer = match answer {
            Ok(records) => proven(records, true),
            Err(ResolveError::NoRecords) => proven(Vec::new(), true),
            Err(ResolveError::NoSuchName) => proven(Vec::new(), false),
            Err(temporary @ ResolveError::Temporary(_)) => Err(temporary),
        };
        Box::pin(async move { answer })
    }
}

impl Resolver for SimulatedResolver {
    fn validates(&self) -> BoxFuture<'_, bool> {
        let validates = !lock(&self.signed).is_empty();
        Box::pin(async move { validates })
    }

    fn proven_mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Proven<MxRecord>, ResolveError>> {
        Box::pin(async move { self.proven(domain, self.mx(domain).await).await })
    }

    fn proven_addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Proven<IpAddr>, ResolveError>> {
        Box::pin(async move { self.proven(host, self.addresses(host).await).await })
    }

    fn tlsa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Proven<TlsaRecord>, ResolveError>> {
        let answer = lock(&self.tlsa).get(name).cloned().unwrap_or(Err(ResolveError::NoSuchName));
        self.proven(name, answer)
    }

    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<MxRecord>, ResolveError>> {
        let known_host = lock(&self.addresses).contains_key(domain);
        let missing = if known_host { ResolveError::NoRecords } else { ResolveError::NoSuchName };
        let answer = lock(&self.mx).get(domain).cloned().unwrap_or(Err(missing));
        Box::pin(async move { answer })
    }

    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        if let Some(ip) = host.as_literal() {
            return Box::pin(async move { Ok(vec![ip]) });
        }
        if lock(&self.silent).iter().any(|zone| is_in(host, zone)) {
            return Box::pin(std::future::pending());
        }
        let wildcards = lock(&self.wildcards);
        let wild = wildcards.iter().find(|(zone, _)| is_in(host, zone)).map(|(_, addresses)| addresses.clone());
        let answer = lock(&self.addresses).get(host).cloned();
        let answer = answer.unwrap_or_else(|| wild.ok_or(ResolveError::NoSuchName));
        Box::pin(async move { answer })
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<String>, ResolveError>> {
        let answer = lock(&self.txt).get(name).cloned().unwrap_or(Err(ResolveError::NoSuchName));
        Box::pin(async move { answer })
    }
}

type Accept = Box<dyn Fn(Box<dyn Stream>) + Send + Sync>;

/// In-memory connections to handlers registered by address; anything else is refused.
#[derive(Default)]
pub struct SimulatedConnector(
    Mutex<HashMap<SocketAddr, Accept>>,
    Mutex<Vec<Attempted>>,
    Mutex<HashMap<SocketAddr, Arc<SimulatedClock>>>,
    Mutex<HashMap<PathBuf, Accept>>,
);

/// A connection that was asked for: from where, when that was said, and where to.
type Attempted = (Option<IpAddr>, SocketAddr);

impl SimulatedConnector {
    /// From now on, connections to the address are handed to `accept` (which spawns its own task).
    pub fn listen(&self, at: SocketAddr, accept: impl Fn(Box<dyn Stream>) + Send + Sync + 'static) {
        lock(&self.0).insert(at, Box::new(accept));
    }

    /// From now on, connections to the Unix socket are handed to `accept` (which spawns its own task).
    pub fn listen_socket(&self, path: PathBuf, accept: impl Fn(Box<dyn Stream>) + Send + Sync + 'static) {
        lock(&self.3).insert(path, Box::new(accept));
    }

    /// The connections that were asked for lately, in their order: from where, when that was said, and where to.
    #[must_use]
    pub fn attempted(&self) -> Vec<(Option<IpAddr>, SocketAddr)> {
        lock(&self.1).clone()
    }

    /// From now on, connections to the address are never answered: they end with the time that they are given.
    pub fn swallow(&self, at: SocketAddr, clock: Arc<SimulatedClock>) {
        lock(&self.2).insert(at, clock);
    }

    /// From now on, connections to the address are refused.
    pub fn close(&self, at: SocketAddr) {
        lock(&self.0).remove(&at);
    }
}

impl Connector for SimulatedConnector {
    fn connect_from(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
        within: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Stream>>> {
        {
            let mut attempted = lock(&self.1);
            // The latest are what tests look at.
            if attempted.len() >= ATTEMPTED_MAX {
                attempted.clear();
            }
            attempted.push((from, to));
        }
        if let Some(clock) = lock(&self.2).get(&to) {
            let sleep = clock.sleep(within);
            return Box::pin(async move {
                sleep.await;
                Err(std::io::Error::from(std::io::ErrorKind::TimedOut))
            });
        }
        let (near, far) = tokio::io::duplex(64 * 1024);
        let result = match lock(&self.0).get(&to) {
            Some(accept) => {
                accept(Box::new(far));
                Ok(Box::new(near) as Box<dyn Stream>)
            }
            None => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
        };
        Box::pin(async move { result })
    }

    fn connect_socket<'a>(
        &'a self,
        path: &'a Path,
        _within: Duration,
    ) -> BoxFuture<'a, std::io::Result<Box<dyn Stream>>> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let result = match lock(&self.3).get(path) {
            Some(accept) => {
                accept(Box::new(far));
                Ok(Box::new(near) as Box<dyn Stream>)
            }
            None => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        Box::pin(async move { result })
    }
}

const ATTEMPTED_MAX: usize = 100_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TimedOut;

    #[tokio::test]
    async fn sleeping_ends_when_time_is_moved() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let sleep = sim.clock.sleep(Duration::from_secs(3600));
        assert_eq!(sim.clock.next_wake(), Some(Timestamp(3_600_000)));
        sim.clock.advance(Duration::from_secs(3600));
        sleep.await;
        assert_eq!(sim.clock.now(), Timestamp(3_600_000));
    }

    #[tokio::test]
    async fn a_timeout_is_told_apart() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let world = sim.world();
        assert_eq!(world.timeout(Duration::from_secs(1), async { 7 }).await, Ok(7));
        assert_eq!(world.timeout(Duration::ZERO, std::future::pending::<()>()).await, Err(TimedOut));
    }

    #[test]
    fn the_same_seed_gives_the_same_chance() {
        let draw = || {
            let chance: &dyn Chance = &SimulatedChance(Mutex::new(7));
            (chance.number(), chance.number())
        };
        assert_eq!(draw(), draw());
        assert_ne!(draw().0, draw().1);
    }
}
