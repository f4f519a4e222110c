//! What is known of a client before it hands anything over: lists in the DNS, the names of the client, what became of its former mail. And
//! what follows at RCPT: it is let in, refused for what is certain, or asked to come again.
//!
//! The DNS is asked in the background, about the address from the greeting on, about EHLO and the reverse-path from MAIL on; RCPT waits for
//! answers that are not there yet, for [`PATIENCE`] at the most. What is decided is pure: crate `reputation`.

mod ask;
mod cache;
mod door;
mod explain;
mod places;
mod soundness;
mod told;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::{Address, Domain, Timestamp};
use parking_lot::Mutex;
use reputation::doubts::OwnNames;
use reputation::greylist::GreylistSettings;
use reputation::lists::List;
use sender_auth::verify::SenderAuthentication;
use spam::Points;
use world::{BoxFuture, World};

use ask::{Names, OfAddress, OfDomain, OfNames};
use cache::{Answer as _, Cache};
use places::{Bounds, Places};
use soundness::Health;

pub use door::{Admission, Turned};
pub use explain::{ClientFacts, ListState};
pub use told::Introduction;
pub(crate) use told::{Judged, rating_of, senders_of};

/// How clients are looked at.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// Lists in the DNS.
    pub lists: Vec<List>,
    /// Names and addresses of this server: who uses them elsewhere is refused.
    pub own: OwnNames,
    /// Whether names of clients are looked at.
    pub doubts: bool,
    /// Whether former mail counts.
    pub standing: bool,
    /// Who is asked to come again; `None`: nobody.
    pub greylist: Option<Greylisting>,
}

/// Who is asked to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greylisting {
    /// From how many points of doubt on.
    pub threshold: Points,
    /// For how long.
    pub times: GreylistSettings,
}

/// What is known of clients. Clones share it.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    world: World,
    by: Option<Arc<dyn SenderAuthentication>>,
    settings: ClientSettings,
    health: Mutex<Vec<Health>>,
    addresses: Cache<IpAddr, OfAddress>,
    names: Cache<Names, OfNames>,
    organizations: Cache<Domain, OfDomain>,
    /// When the log was last told that the greylist is full.
    full_told: Mutex<Option<Timestamp>>,
    /// Who may ask the DNS at once.
    places: Places,
}

/// How long an answer of the DNS is waited for. One that comes later is no answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long each question is asked, so that what others answer is there in time.
const ASKED_FOR: Duration = Duration::from_secs(3);

/// The same for the words of a list.
const TEXT_ASKED_FOR: Duration = Duration::from_secs(1);

/// The same for the organization of a domain.
const ORGANIZATION_ASKED_FOR: Duration = Duration::from_secs(1);

/// Answers about addresses, about names, and about domains, that are kept.
const KEPT_MAX: usize = 10_000;

/// About how many clients the DNS is asked at once, and how much of that one client has.
const PLACES: Bounds = Bounds {
    all: 500,
    of_client: 20,
    waiting: 1_500,
    waiting_of_client: 100,
    // With what is asked then, it is there within [`PATIENCE`].
    patience: Duration::from_millis(500),
};

/// How often lists are looked at, when nobody uses them.
const TESTED_EVERY: Duration = Duration::from_secs(86_400);

/// How often those that never answered are.
const RETRIED_EVERY: Duration = Duration::from_secs(300);

impl Clients {
    /// With these settings. `by`: who knows SPF and names of addresses; `None`: nobody.
    #[must_use]
    pub fn new(world: World, by: Option<Arc<dyn SenderAuthentication>>, settings: ClientSettings) -> Self {
        let health = Mutex::new(vec![Health::default(); settings.lists.len()]);
        let (addresses, names) = (Cache::new(KEPT_MAX), Cache::new(KEPT_MAX));
        let organizations = Cache::new(KEPT_MAX);
        let (full_told, places) = (Mutex::default(), Places::new(PLACES));
        Self(Arc::new(Inner { world, by, settings, health, addresses, names, organizations, full_told, places }))
    }

    /// How they are looked at.
    #[must_use]
    pub fn settings(&self) -> &ClientSettings {
        &self.0.settings
    }

    /// A client has connected: the DNS is asked about its address.
    pub fn connected(&self, ip: IpAddr) {
        if !is_near(ip) {
            drop(self.ask_address(ip.to_canonical()));
        }
    }

    /// A client has said who it is, and as whom it writes: the DNS is asked about that.
    pub fn presented(&self, ip: IpAddr, helo: Option<&str>, reverse_path: Option<&Address>) {
        if !is_near(ip) {
            drop(self.ask_names(names(ip, helo, reverse_path)));
        }
    }

    /// What is known of a client, as far as the DNS answers in time.
    pub async fn introduction(&self, ip: IpAddr, helo: Option<&str>, reverse_path: Option<&Address>) -> Introduction {
        let asked = names(ip, helo, reverse_path);
        if is_near(ip) {
            return Introduction::of_neighbour(asked);
        }
        let world = &self.0.world;
        let (address, names) = (self.ask_address(asked.ip), self.ask_names(asked.clone()));
        let (address, names) = futures_util::join!(world.timeout(PATIENCE, address), world.timeout(PATIENCE, names));
        Introduction::new(asked, address.unwrap_or_default(), names.unwrap_or_default(), &self.0.settings)
    }

    /// Tests the lists from time to time, until told to stop.
    pub async fn test_lists(&self, stopped: impl Future<Output = ()>) {
        let mut stopped = std::pin::pin!(stopped);
        loop {
            self.0.test_all().await;
            let wait = if self.0.any_untested() { RETRIED_EVERY } else { TESTED_EVERY };
            tokio::select! {
                () = &mut stopped => return,
                () = self.0.world.clock.sleep(wait) => {}
            }
        }
    }

    /// What an administrator should know of the lists: which are not used, and why.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.0.notes()
    }

    /// The greylist is full: the log is told once a minute.
    fn is_full(&self) {
        let now = self.0.world.clock.now();
        let mut told = self.0.full_told.lock();
        if told.is_none_or(|at| now < at || now.since(at) >= Duration::from_secs(60)) {
            *told = Some(now);
            tracing::warn!("the greylist is full: doubted clients are let in without waiting");
        }
    }

    /// The organization whose server a client is, when SPF says so. What the DNS does not tell of it in time, the domain itself stands for.
    async fn pool_of(&self, introduction: &Introduction) -> Option<Domain> {
        let domain = introduction.pool()?;
        let ask = || {
            let (inner, asked, ip) = (self.0.clone(), domain.clone(), introduction.names.ip);
            let ask = move || -> BoxFuture<'static, OfDomain> {
                Box::pin(async move { inner.organization_of(asked, ip).await })
            };
            self.0.organizations.ask(domain, self.0.world.clock.now(), ask)
        };
        let mut found = ask().await;
        if !found.was_asked() {
            // It was another client's question, for which that one had no place.
            found = ask().await;
        }
        Some(found.organization.as_ref().unwrap_or(domain).clone())
    }

    fn ask_address(&self, ip: IpAddr) -> cache::Asked<OfAddress> {
        let inner = self.0.clone();
        self.0.addresses.ask(&ip, self.0.world.clock.now(), move || Box::pin(async move { inner.of_address(ip).await }))
    }

    fn ask_names(&self, names: Names) -> cache::Asked<OfNames> {
        let (inner, asked) = (self.0.clone(), names.clone());
        self.0.names.ask(&names, self.0.world.clock.now(), move || Box::pin(async move { inner.of_names(asked).await }))
    }
}

fn names(ip: IpAddr, helo: Option<&str>, reverse_path: Option<&Address>) -> Names {
    Names { ip: ip.to_canonical(), helo: helo.map(str::to_owned), reverse_path: reverse_path.cloned() }
}

/// This machine itself: its address says nothing, and what runs here may not be able to come again.
fn is_near(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
