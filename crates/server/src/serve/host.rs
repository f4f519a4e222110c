//! What SMTP sessions ask of the server: who may send, who receives, and to keep the message.
//!
//! **Invariant:** the acknowledgement is made from the token of the commit that holds the message and all that follows
//! from it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use abuse::Door;
use auth::Authenticator;
use bus::Bus;
use delivery::limits::TRACE_ROUTED_MAX;
use delivery::{Asking, Delivery, Filing, Intake, Refused, SHARED_MAILBOX_FULL, Turned, Unwelcome, storage_reply};
use mail::{
    AccountId, Address, BodyType, Domain, EnhancedCode, Envelope, ForwardPath, Prefix, Reply, ReversePath, Timestamp,
    Topic,
};
use message::{BinaryFlaw, BinaryParts};
use parking_lot::Mutex;
use routing::objects::{AccountObject, Service};
use routing::{Directory, may_log_in, may_send_as};
use sender_auth::verify::Client;
use smtp_in::{
    Acknowledgement, AuthExchange, AuthFailure, Host, Identity, LinkedContent, ListenerKind, Mechanism, MessageSink,
    Secret, SessionFacts, Verdict, trace_header,
};
use storage::rows::{Waiting, WaitsFor};
use storage::submitted::LimitReached;
use storage::trace::{Step, Term};
use storage::{StorageError, Transaction};
use storage_rocksdb::{Health, RocksEngine};
use world::BoxFuture;

use identity::check_identity;
use lookup::Expansion;
use refusals::{Logged, Refusals, TRACED_PER_DAY_MAX};
use submitted::{Author, Held, SubmittedHeader, message_id, missing_fields, priority_of, without_what_stays_here};
use unwelcome::UnwelcomeTrace;

/// The server behind SMTP sessions.
pub(super) struct MailHost {
    delivery: Delivery,
    authenticator: Arc<dyn Authenticator>,
    bus: Bus,
    engine: Arc<RocksEngine>,
    /// The responder may lag behind so far before senders are asked to wait.
    backlog_max: Arc<AtomicUsize>,
    refusals: Arc<Mutex<Refusals>>,
    /// Whose mail is not checked.
    trusted: Vec<Prefix>,
    /// Whether `Received` tells where a submitted message comes from.
    shows_clients: bool,
    /// Classes of solicitation that are not wanted (RFC 3865).
    unwanted: Arc<[String]>,
    /// How long what people submit may wait for them to take it back, in seconds.
    undo_send_max: Arc<AtomicU32>,
    /// Who keeps count of clients; `None`: nobody.
    door: Option<Door>,
}

/// The client in the words of a trace: its address, and the name that it gave itself.
fn client_of(facts: &SessionFacts) -> String {
    match &facts.helo {
        Some(name) => format!("{} ({name})", facts.remote.ip()),
        None => facts.remote.ip().to_string(),
    }
}

/// What outside filters are told of a session.
fn session_of(facts: &SessionFacts, hostname: &Domain, id: &str) -> outside::Session {
    outside::Session {
        hostname: hostname.clone(),
        client: facts.remote,
        local: facts.local,
        helo: facts.helo.clone(),
        tls: facts.tls.as_ref().map(|tls| (tls.version.clone(), tls.cipher.clone())),
        login: facts.identity.as_ref().map(|identity| identity.login.clone()),
        id: id.to_owned(),
    }
}

impl MailHost {
    pub(super) fn new(
        delivery: Delivery,
        authenticator: Arc<dyn Authenticator>,
        bus: Bus,
        engine: Arc<RocksEngine>,
        backlog_max: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            delivery,
            authenticator,
            bus,
            engine,
            backlog_max,
            refusals: Arc::default(),
            trusted: Vec::new(),
            shows_clients: false,
            unwanted: Arc::default(),
            undo_send_max: Arc::default(),
            door: None,
        }
    }

    /// The same, which takes no solicitations of these classes.
    pub(super) fn not_wanting(mut self, classes: &[String]) -> Self {
        self.unwanted = classes.into();
        self
    }

    /// The same, where people may have what they submit wait for so many seconds at the most.
    pub(super) fn undoing_within(mut self, secs_max: Arc<AtomicU32>) -> Self {
        self.undo_send_max = secs_max;
        self
    }

    /// The same, behind a door that hears of messages and of recipients that there are not.
    pub(super) fn behind(mut self, door: Door) -> Self {
        self.door = Some(door);
        self
    }

    /// The same, with clients that submit named in `Received`, or not.
    pub(super) fn showing_clients(mut self, shows: bool) -> Self {
        self.shows_clients = shows;
        self
    }

    /// The same, which takes the mail of these networks as it is.
    pub(super) fn trusting(mut self, networks: Vec<Prefix>) -> Self {
        self.trusted = networks;
        self
    }

    /// Whether there is room for a message now.
    fn room(&self) -> Result<(), Reply> {
        match self.engine.health() {
            Health::Ready => {}
            Health::DiskFull { .. } => return Err(DISK_FULL),
            Health::Failed(_) => return Err(STORE_FAILED),
            Health::Closed => return Err(CLOSING),
        }
        let most = self.backlog_max.load(Ordering::Relaxed);
        if [Topic::MessageStored, Topic::HeldMessage].iter().any(|topic| self.bus.backlog(*topic) > most) {
            return Err(BUSY);
        }
        Ok(())
    }

    async fn begin(&self, facts: &SessionFacts, envelope: &Envelope) -> Result<(), Reply> {
        self.room()?;
        self.admit_message(facts, envelope).await?;
        if let Err(reply) = self.may_use(facts, envelope) {
            tracing::info!(session = %facts.id, from = %envelope.reverse_path, %reply, "submission refused");
            self.trace_refusal(facts, envelope, None, &reply, "").await;
            return Err(reply);
        }
        self.presented(facts, envelope);
        match &facts.identity {
            Some(identity) => self.may_submit(facts, identity, envelope).await,
            None => Ok(()),
        }
    }

    /// Whether an account may submit one more message today; a refusal leaves its trace.
    async fn may_submit(&self, facts: &SessionFacts, identity: &Identity, envelope: &Envelope) -> Result<(), Reply> {
        let answer = self.delivery.may_submit(identity.account, envelope).await;
        if let Err(reply) = &answer {
            tracing::info!(session = %facts.id, from = %envelope.reverse_path, %reply, "submission refused");
            self.trace_refusal(facts, envelope, None, reply, "").await;
        }
        answer
    }

    /// Whether a session may send under the reverse-path.
    fn may_use(&self, facts: &SessionFacts, envelope: &Envelope) -> Result<(), Reply> {
        match (&facts.identity, envelope.reverse_path.address()) {
            // A null reverse-path is nobody's identity: read receipts leave so (RFC 8098 §2.1).
            (Some(identity), Some(address)) => {
                let directory = self.delivery.store().directory();
                still_in(&directory, facts, identity)?;
                may_send(&directory, identity.account, address)
            }
            _ => Ok(()),
        }
    }

    /// On whose behalf a session hands mail over, and what it says of the message.
    fn asking(&self, facts: &SessionFacts, envelope: &Envelope) -> Result<Asking, Reply> {
        let store = self.delivery.store();
        if let Some(identity) = &facts.identity {
            still_in(&store.directory(), facts, identity)?;
        }
        let account = facts.identity.as_ref().map(|identity| identity.account);
        let reverse_path = envelope.reverse_path.clone();
        Ok(Asking { reverse_path, account, now: store.now(), octets: envelope.octets, own: false })
    }

    fn minute(&self) -> i64 {
        self.delivery.store().now().as_secs().div_euclid(60)
    }

    /// Notes a refused recipient, or without one a refused message, when not too many are refused just now: whoever guesses addresses
    /// writes no store full.
    async fn trace_refusal(
        &self,
        facts: &SessionFacts,
        envelope: &Envelope,
        path: Option<&ForwardPath>,
        reply: &Reply,
        why: &str,
    ) {
        let traced = self.refusals.lock().traces(self.minute(), facts.remote.ip());
        match traced {
            Logged::Not => return,
            Logged::Last => tracing::warn!(max = TRACED_PER_DAY_MAX, "further recipients refused today are not traced"),
            Logged::One => {}
        }
        let recipient = path.and_then(address_of);
        let refused = Step::Refused { recipient: recipient.clone(), reply: reply.clone() };
        // A message is found by all that it was for.
        let all = envelope.recipients.iter().filter(|_| path.is_none());
        let terms = terms_of(facts, envelope, recipient, all.map(|recipient| &recipient.forward_path));
        let why = Some(why)
            .filter(|why| !why.is_empty() && *why != reply.text)
            .map(|why| Step::Decided { text: why.to_owned() });
        self.delivery
            .trace_refusal(std::iter::once(offered(facts, envelope)).chain(why).chain([refused]).collect(), terms)
            .await;
    }

    async fn open_message(&self, facts: &SessionFacts, envelope: &Envelope) -> Result<Message, Reply> {
        self.room()?;
        if let Some(identity) = &facts.identity {
            self.may_submit(facts, identity, envelope).await?;
        }
        let world = self.delivery.store().world();
        // One number for all: the trace, `Received`, the log and the reply, so that any of them finds the message.
        let trace = self.delivery.new_trace();
        let id = trace.map_or_else(|| format!("{:016x}", world.chance.number()), |trace| trace.to_string());
        let hostname = &self.delivery.settings().hostname;
        // Where people write from is nobody's business (RFC 6409 says nothing of it); the log and the trace have it.
        let hidden = (facts.identity.is_some() && !self.shows_clients).then(|| facts.without_client());
        let received = trace_header(hidden.as_ref().unwrap_or(facts), envelope, hostname, &id, world.clock.now());
        // What comes by LMTP was checked by the server of ours that took it: its own address says nothing of the sender.
        let trusted =
            facts.kind != ListenerKind::Mx || self.trusted.iter().any(|network| network.has(facts.remote.ip()));
        let session = session_of(facts, hostname, &id);
        let begun = if facts.identity.is_some() {
            self.delivery.submitted_intake(&envelope.reverse_path, session, &received).await
        } else if !trusted {
            let reverse_path = envelope.reverse_path.address().cloned();
            let client = Client { ip: facts.remote.ip().to_canonical(), helo: facts.helo.clone(), reverse_path };
            self.delivery.incoming_intake(client, Some(session), &received).await
        } else {
            self.delivery.intake(&envelope.reverse_path, &received).await
        };
        let mut intake = begun.map_err(|Refused(reply)| reply)?;
        if let Some(introduction) = self.introduction(facts, envelope).await {
            intake.introduced(introduction);
        }
        intake.traced_as(trace);
        intake.from_client(client_of(facts));
        intake.led_by(envelope);
        let sender = facts.identity.as_ref().map(|identity| identity.account);
        if let Some(account) = sender {
            intake.submitted_by(account);
        }
        let header = SubmittedHeader::default();
        let paths = envelope.recipients.iter().map(|recipient| &recipient.forward_path);
        let unwelcome = UnwelcomeTrace {
            offered: offered(facts, envelope),
            terms: terms_of(facts, envelope, None, paths),
            remote: facts.remote.ip(),
            refusals: self.refusals.clone(),
        };
        let undo_secs = self.undo_secs(sender);
        Ok(Message {
            id,
            intake,
            sender,
            undo_secs,
            reverse_path: envelope.reverse_path.address().cloned(),
            priority: envelope.priority,
            header,
            binary: (envelope.body == BodyType::BinaryMime).then(BinaryParts::default),
            fields: Vec::new(),
            unwanted: self.unwanted.clone(),
            delivery: self.delivery.clone(),
            unwelcome,
        })
    }

    /// How long a message of an account waits, so that its person can take it back.
    fn undo_secs(&self, sender: Option<AccountId>) -> u32 {
        let directory = self.delivery.store().directory();
        let account = sender.and_then(|account| directory.account_by_id(account));
        account.map_or(0, |account| account.undo_send_secs.min(self.undo_send_max.load(Ordering::Relaxed)))
    }
}

/// That a client wants to hand a message over.
fn offered(facts: &SessionFacts, envelope: &Envelope) -> Step {
    let by = match facts.kind {
        ListenerKind::Mx => "smtp",
        ListenerKind::Lmtp => "lmtp",
        ListenerKind::Submission | ListenerKind::Submissions => "submission",
    };
    Step::Offered {
        by: by.to_owned(),
        client: client_of(facts),
        login: login_of(facts),
        reverse_path: envelope.reverse_path.clone(),
    }
}

fn login_of(facts: &SessionFacts) -> Option<Address> {
    facts.identity.as_ref().and_then(|identity| Address::parse(&identity.login).ok())
}

fn address_of(path: &ForwardPath) -> Option<Address> {
    match path {
        ForwardPath::Address(address) => Some(address.clone()),
        ForwardPath::Postmaster => None,
    }
}

/// What the trace of a refusal is found by: whom it is from, who had logged in, one recipient or all of them.
fn terms_of<'a>(
    facts: &SessionFacts,
    envelope: &Envelope,
    recipient: Option<Address>,
    all: impl Iterator<Item = &'a ForwardPath>,
) -> Vec<Term> {
    let sender = Term::Sender(envelope.reverse_path.clone());
    let login = login_of(facts).map(ReversePath::Address).filter(|login| *login != envelope.reverse_path);
    let recipients = recipient.into_iter().chain(all.filter_map(address_of).take(TRACE_ROUTED_MAX));
    std::iter::once(sender).chain(login.map(Term::Sender)).chain(recipients.map(Term::Recipient)).collect()
}

/// The account of a session that has logged in, when what let it in still does (M6).
fn still_in<'a>(
    directory: &'a Directory,
    facts: &SessionFacts,
    identity: &Identity,
) -> Result<&'a Arc<AccountObject>, Reply> {
    let (account, reason) = match directory.account_by_id(identity.account) {
        None => (None, "the account is gone".to_owned()),
        Some(account) if password_mark(account) != identity.mark => (None, "the password was changed".to_owned()),
        Some(account) => match may_log_in(directory, account, Service::Submission) {
            Ok(()) => (Some(account), String::new()),
            Err(reason) => (None, reason.to_string()),
        },
    };
    account.ok_or_else(|| {
        tracing::info!(session = %facts.id, remote = %facts.remote.ip(), login = %identity.login, reason, "no longer let in");
        ACCOUNT_GONE
    })
}

/// Whether a submitted message waits, until when and why.
fn waiting(account: AccountId, undo_secs: u32, envelope: &Envelope, now: Timestamp) -> Option<Waiting> {
    let undo = now.plus(Duration::from_secs(undo_secs.into()));
    // What is wanted by a time waits no longer than half of it (RFC 2852): the rest is for the way there.
    let time = envelope.deliver_by.filter(|deliver| deliver.by > now);
    let undo = time.map_or(undo, |deliver| undo.min(now.plus(deliver.by.since(now) / 2)));
    match envelope.hold_until.filter(|until| *until > undo) {
        Some(until) => Some(Waiting { account, until, why: WaitsFor::Release }),
        None => (undo > now).then_some(Waiting { account, until: undo, why: WaitsFor::Undo }),
    }
}

/// By which a session knows whether the password is still the one it was opened with.
fn password_mark(account: &AccountObject) -> u64 {
    let mut hasher = DefaultHasher::new();
    account.password_hash.hash(&mut hasher);
    hasher.finish()
}

/// Whether an account may use an address, as a reply when not.
fn may_send(directory: &Directory, account: AccountId, address: &Address) -> Result<(), Reply> {
    let decision = may_send_as(directory, account, address);
    if decision.allowed {
        return Ok(());
    }
    let text = format!("You may not send as {address}: {}", decision.reason);
    Err(Reply::new(550, Some(EnhancedCode(5, 7, 1)), text))
}

impl Host for MailHost {
    fn connected(&self, facts: &SessionFacts) {
        self.met(facts);
    }

    fn may_begin<'a>(&'a self, facts: &'a SessionFacts, envelope: &'a Envelope) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.begin(facts, envelope).await.map_or_else(Verdict::Refuse, |()| Verdict::Accept) })
    }

    fn recipient<'a>(
        &'a self,
        facts: &'a SessionFacts,
        envelope: &'a Envelope,
        path: &'a ForwardPath,
    ) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let decided = match self.asking(facts, envelope) {
                Ok(asking) => match self.delivery.decide(&asking, path).await {
                    Ok(()) => self.admitted(facts, envelope, &asking, path).await,
                    Err(turned) => Err(turned),
                },
                Err(reply) => Err(Turned::plainly(reply)),
            };
            if let Err(Turned { reply, why }) = &decided {
                let logged = self.refusals.lock().logs(self.minute(), facts.id);
                if logged != Logged::Not {
                    tracing::info!(session = %facts.id, remote = %facts.remote.ip(), from = %envelope.reverse_path, to = %path,
                    %reply, why, "recipient refused");
                }
                if logged == Logged::Last {
                    tracing::info!(session = %facts.id, "further recipients refused in this minute are not logged");
                }
                let closing = self.unknown_recipient(facts, reply).await;
                self.trace_refusal(facts, envelope, Some(path), closing.as_ref().unwrap_or(reply), why).await;
                if let Some(closing) = closing {
                    return Verdict::Refuse(closing);
                }
            }
            decided.map_or_else(|turned| Verdict::Refuse(turned.reply), |()| Verdict::Accept)
        })
    }

    fn authenticate<'a>(
        &'a self,
        facts: &'a SessionFacts,
        login: &'a str,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<Identity, AuthFailure>> {
        Box::pin(async move {
            // What is no UTF-8 was never set as a password.
            let password = std::str::from_utf8(password.expose()).map_err(|_| AuthFailure::Refused)?;
            match self.authenticator.authenticate(login, password, facts.remote.ip(), Service::Submission).await {
                Ok(account) => Ok(exchange::identity(&account)),
                Err(error) => Err(exchange::failure(error)),
            }
        })
    }

    fn exchange<'a>(&'a self, facts: &SessionFacts, mechanism: Mechanism) -> Option<Box<dyn AuthExchange + 'a>> {
        exchange::begin(&*self.authenticator, facts, mechanism)
    }

    fn verify<'a>(&'a self, facts: &'a SessionFacts, text: &'a str) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let directory = self.delivery.store().directory();
            let asker = facts.identity.as_ref().ok_or(ACCOUNT_GONE);
            let asker = asker.and_then(|identity| still_in(&directory, facts, identity));
            asker.map_or_else(
                |reply| reply,
                |asker| lookup::verify(&directory, asker, text, self.delivery.store().now()),
            )
        })
    }

    fn expand<'a>(&'a self, facts: &'a SessionFacts, text: &'a str) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let store = self.delivery.store();
            let found = {
                let directory = store.directory();
                let asker = facts.identity.as_ref().ok_or(ACCOUNT_GONE);
                let asker = asker.and_then(|identity| still_in(&directory, facts, identity));
                asker.map_or_else(Expansion::Told, |asker| lookup::expand(&directory, asker, text))
            };
            match found {
                Expansion::Told(reply) => reply,
                Expansion::List(part, question) => lookup::members(store, part, &question).await,
            }
        })
    }

    fn linked<'a>(
        &'a self,
        facts: &'a SessionFacts,
        url: &'a Secret,
    ) -> BoxFuture<'a, Result<Box<dyn LinkedContent>, Reply>> {
        Box::pin(async move {
            let store = self.delivery.store();
            let identity = facts.identity.as_ref().ok_or(ACCOUNT_GONE)?;
            let account = Arc::clone(still_in(&store.directory(), facts, identity)?);
            let hostname = self.delivery.settings().hostname.to_string();
            linked::find(store, &hostname, &account, url.expose()).await
        })
    }

    fn open<'a>(
        &'a self,
        facts: &'a SessionFacts,
        envelope: &'a Envelope,
    ) -> BoxFuture<'a, Result<Box<dyn MessageSink>, Reply>> {
        Box::pin(async move {
            let message = self.open_message(facts, envelope).await?;
            Ok(Box::new(message) as Box<dyn MessageSink>)
        })
    }
}

/// A message as it comes in.
struct Message {
    id: String,
    intake: Intake,
    /// Who submits it; `None`: another server hands it over.
    sender: Option<AccountId>,
    /// How long it waits, so that it can be taken back.
    undo_secs: u32,
    /// Under whose address it is sent; `None` with the null reverse-path.
    reverse_path: Option<Address>,
    /// Its priority (RFC 6710), by MAIL or by its header.
    priority: i8,
    header: SubmittedHeader,
    /// Makes lines of a message with binary parts.
    binary: Option<BinaryParts>,
    /// The header of a submitted message, once it is complete.
    fields: Vec<u8>,
    /// Classes of solicitation that are not wanted.
    unwanted: Arc<[String]>,
    delivery: Delivery,
    unwelcome: UnwelcomeTrace,
}

impl Message {
    /// Takes octets of a submitted message: its header waits until it is complete.
    async fn take_submitted(&mut self, account: AccountId, octets: &[u8]) -> Result<(), Reply> {
        let Some(held) = self.header.take(octets)? else {
            return if self.header.has_ended() { self.intake(octets).await } else { Ok(()) };
        };
        self.take_header(account, held).await
    }

    /// The header is complete, with what came behind it in the same octets.
    async fn take_header(&mut self, account: AccountId, held: Held) -> Result<(), Reply> {
        let now = self.delivery.store().now();
        let missing = {
            let directory = self.delivery.store().directory();
            let author = directory.account_by_id(account).zip(self.reverse_path.as_ref());
            let author = author.map(|(account, address)| Author::of(account, address));
            let hostname = &self.delivery.settings().hostname;
            missing_fields(held.header(), &self.id, hostname, now, author.as_ref())
        };
        self.fields = [missing.as_bytes(), held.header()].concat();
        check_identity(&self.delivery.store().directory(), account, &self.fields)?;
        if self.priority == 0 {
            self.priority = priority_of(held.header());
        }
        self.intake(missing.as_bytes()).await?;
        if self.priority != 0 {
            // RFC 6758 §3: it goes on through servers that do not know the extension.
            self.intake(format!("MT-Priority: {}\r\n", self.priority).as_bytes()).await?;
        }
        self.intake(&without_what_stays_here(held.header())).await?;
        self.intake(held.behind()).await
    }

    /// Takes octets, and what they are kept as.
    async fn take(&mut self, came: &[u8], octets: &[u8]) -> Result<(), Reply> {
        match self.sender {
            Some(account) => self.take_submitted(account, octets).await,
            None => self.intake.write_recoded(came, octets).await.map_err(|Refused(reply)| reply),
        }
    }

    async fn intake(&mut self, octets: &[u8]) -> Result<(), Reply> {
        self.intake.write(octets).await.map_err(|Refused(reply)| reply)
    }

    /// The rest of what came is taken, and the header, should the message be nothing else.
    async fn complete(&mut self, envelope: &mut Envelope) -> Result<(), Reply> {
        if let Some(mut binary) = self.binary.take() {
            let mut lines = Vec::new();
            binary.finish(&mut lines);
            if let Some(flaw) = binary.flaw() {
                return Err(binary_flaw(flaw));
            }
            self.take(&[], &lines).await?;
            // What it is kept as; whether it has more than ASCII is seen.
            envelope.body = BodyType::SevenBit;
        }
        if let (Some(account), Some(held)) = (self.sender, self.header.end()) {
            self.take_header(account, held).await?;
        }
        envelope.priority = self.priority;
        Ok(())
    }

    /// What is refused for good in the middle of it leaves its trace, too.
    async fn traced<T>(&self, result: Result<T, Reply>) -> Result<T, Reply> {
        if let Err(reply) = &result
            && reply.is_permanent()
        {
            let Self { id, unwelcome, .. } = self;
            tracing::info!(id, remote = %unwelcome.remote, %reply, "message refused");
            unwelcome.write(&self.delivery, Unwelcome::plain(reply.clone())).await;
        }
        result
    }

    async fn write_octets(&mut self, octets: &[u8]) -> Result<(), Reply> {
        let Some(binary) = &mut self.binary else { return self.take(octets, octets).await };
        let mut lines = Vec::with_capacity(octets.len().saturating_mul(4) / 3);
        binary.write(octets, &mut lines);
        if let Some(flaw) = binary.flaw() {
            return Err(binary_flaw(flaw));
        }
        self.take(octets, &lines).await
    }

    async fn keep(mut self, mut envelope: Envelope) -> Result<Acknowledgement, Reply> {
        let completed = self.complete(&mut envelope).await;
        self.traced(completed).await?;
        let Self { id, mut intake, delivery, sender, undo_secs, fields, unwanted, unwelcome, .. } = self;
        let asked = match intake.check().await {
            Ok(()) => intake.ask_outside(&mut envelope).await,
            refused => refused,
        };
        if let Err(refused) = asked {
            let reply = refused.reply.clone();
            tracing::info!(id, remote = %unwelcome.remote, from = %envelope.reverse_path, %reply, "message refused");
            unwelcome.write(&delivery, *refused).await;
            return Err(reply);
        }
        let from = envelope.reverse_path.to_string();
        if soliciting::is_unwanted(intake.header(), &unwanted) {
            let reply = soliciting::UNWANTED;
            tracing::info!(id, remote = %unwelcome.remote, from, %reply, "message refused");
            unwelcome.write(&delivery, Unwelcome::plain(reply.clone())).await;
            return Err(reply);
        }
        let recipients = envelope.recipients.len();
        let waiting = sender.and_then(|account| waiting(account, undo_secs, &envelope, delivery.store().now()));
        // What waits is filed when it goes its way.
        let filing = sender.filter(|_| waiting.is_none()).map(|account| {
            Filing::of(&delivery.store().directory(), account, envelope.reverse_path.address(), &fields)
        });
        let prepared = match intake.finish(envelope).await {
            Ok(prepared) => prepared,
            // What is refused for its content has a trace as well.
            Err(Refused(reply)) => {
                tracing::info!(id, remote = %unwelcome.remote, from, %reply, "message refused");
                unwelcome.write(&delivery, Unwelcome::plain(reply.clone())).await;
                return Err(reply);
            }
        };
        let prepared = match waiting {
            Some(waiting) => delivery.waiting(prepared, waiting),
            None => prepared,
        };
        let filing = match filing {
            Some(filing) => Some(filing.filtered(delivery.store(), &prepared, &fields).await),
            None => None,
        };
        let octets = prepared.octets();
        let files = filing.as_ref().is_some_and(|filing| !filing.is_empty());
        let keep = move |tx: &mut Transaction<'_>| {
            let applied = prepared.apply(tx)?;
            filing.as_ref().map_or(Ok(()), |filing| filing.apply(tx, &prepared))?;
            Ok(applied)
        };
        let done = match delivery.store().transact(keep).await {
            Ok(done) => done,
            Err(error) => {
                if let (Some(account), Some(limit)) = (sender, LimitReached::of(&error)) {
                    let reply = delivery.limit_reached(account, limit).await;
                    tracing::info!(id, from, %reply, "message refused");
                    let terms = message_id(&fields).map(Term::MessageId).into_iter().collect();
                    unwelcome.write(&delivery, Unwelcome { terms, ..Unwelcome::plain(reply.clone()) }).await;
                    return Err(reply);
                }
                tracing::error!(id, %error, "a message could not be kept");
                // Only what is filed is held against a quota here: others' mailboxes have been asked at RCPT.
                let full = files && error == StorageError::OverQuota;
                return Err(if full { SHARED_MAILBOX_FULL } else { storage_reply(&error) });
            }
        };
        let applied = done.value;
        tracing::info!(
            id,
            from,
            recipients,
            octets,
            mailboxes = applied.deposits.len(),
            queued = applied.queued.len(),
            responders = applied.events,
            "message kept"
        );
        Ok(Acknowledgement { committed: done.committed, text: id })
    }
}

impl MessageSink for Message {
    fn write<'a>(&'a mut self, octets: &'a [u8]) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async move {
            let written = self.write_octets(octets).await;
            self.traced(written).await
        })
    }

    fn finish(self: Box<Self>, envelope: Envelope) -> BoxFuture<'static, Result<Acknowledgement, Reply>> {
        Box::pin(self.keep(envelope))
    }
}

fn binary_flaw(flaw: BinaryFlaw) -> Reply {
    match flaw {
        BinaryFlaw::Nul => {
            Reply::fixed(550, EnhancedCode(5, 6, 0), "The message has a NUL octet outside of its binary parts")
        }
        BinaryFlaw::BareNewline => {
            Reply::fixed(550, EnhancedCode(5, 6, 11), "The message has CR or LF alone outside of its binary parts")
        }
        BinaryFlaw::TooLarge => {
            Reply::fixed(550, EnhancedCode(5, 6, 0), "The message has a header that is too long, or too deep parts")
        }
    }
}

const DISK_FULL: Reply = Reply::fixed(452, EnhancedCode(4, 3, 1), "Insufficient system storage, try again later");
const STORE_FAILED: Reply = Reply::fixed(451, EnhancedCode(4, 3, 0), "The store can't be written now, try again later");
const CLOSING: Reply = Reply::fixed(421, EnhancedCode(4, 3, 2), "Server is shutting down, try again later");
const BUSY: Reply = Reply::fixed(451, EnhancedCode(4, 3, 2), "Too much mail is being worked on, try again later");
const ACCOUNT_GONE: Reply =
    Reply::fixed(550, EnhancedCode(5, 7, 1), "Your account may not send mail any more; log in again");
mod clients;
mod door;
mod exchange;
mod identity;
mod linked;
mod lookup;
mod refusals;
mod soliciting;
mod submitted;
#[cfg(test)]
mod tests;
mod unwelcome;
