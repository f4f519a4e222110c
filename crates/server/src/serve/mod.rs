//! The running server.
//!
//! Starting: read the configuration and the certificate's files, open the ports, give up root, and only then start
//! threads, open the store and serve. Stopping: listeners close and sessions are told; when their grace is over, what
//! delivers stops between two messages; the store is synced and closed last. `SIGHUP` reloads certificate, limits and `[abuse]`.

mod absence;
mod background;
mod bans;
mod clients;
#[cfg(test)]
mod days;
mod discovery;
mod host;
mod http;
mod issuer;
mod learning;
mod listen;
mod log;
mod login;
mod own;
mod reload;
mod settings;
mod supervise;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::{Authenticator, DirectoryAuthenticator};
use delivery::Delivery;
use fetch::Fetch;
use lists::Lists;
use nix::sys::signal::{SigSet, Signal};
use reports::Reports;
use responder::{Responder, SwitchOffLinks};
use search::Indexer;
use smtp_in::ListenerKind;
use smtp_out::SmtpOut;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Failure, no_runtime};
use crate::config::{self, Config, doubts};
use crate::socket::{self, AdminSocket};
use crate::{administration, descriptors, privileges, store};

use absence::Absences;
use background::Background;
use host::MailHost;
use listen::Listening;
use reload::Reloadable;
use supervise::Supervisor;

pub(crate) use settings::auth as login_settings;

/// Runs the server that a file describes, until it is told to stop.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    serve(config::load(file)?, Some(file.to_owned()))
}

/// Runs a server; `source` is read again on `SIGHUP`.
pub(crate) fn serve(config: Config, source: Option<PathBuf>) -> Result<(), Failure> {
    // Signals wait until there is somebody to hear them: the default of SIGHUP would be the end. Threads that begin
    // later inherit this, so that the main thread alone takes them.
    let held = SigSet::from_iter([Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT]);
    held.thread_block().map_err(no_signals)?;
    log::start(&config.log);
    let files = descriptors::raise();
    let mut config = config;
    descriptors::fit(&mut config, files);
    // A certificate and a password that only root may read are read before root is given up.
    let secrets = Secrets { identity: tls::given(&config)?, logins: settings::logins(&config)? };
    if socket::is_answered(&config.data_dir) {
        let failure = Failure::new(format!(
            "a server of this configuration runs already: {} is in use",
            config.data_dir.display()
        ));
        return Err(failure.hint("stop that first; `relais health` asks whether it takes mail"));
    }
    let listening = Listening::open(&config.listeners)?;
    privileges::become_owner(&config)?;
    if privileges::is_root() {
        tracing::warn!("the server runs as root: set `run_as_user`, and `chown -R` the data folder to that user");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| no_runtime(&error))?;
    runtime.block_on(async {
        let signals = Signals::hear()?;
        held.thread_unblock().map_err(no_signals)?;
        serve_on(config, source, files, secrets, listening, signals).await
    })
}

/// Whether its ports can be opened now; says which one can't, and why.
pub(crate) fn ports_are_free(config: &Config) -> Result<(), Failure> {
    Listening::open(&config.listeners).map(drop)
}

/// How external accounts are fetched, for who does it beside a server.
pub(crate) fn fetch_settings(config: &Config) -> fetch::Settings {
    settings::fetch(&config.fetch)
}

/// What is read while this process may still read it.
struct Secrets {
    identity: Option<tls::Identity>,
    logins: settings::Logins,
}

fn no_signals(error: impl std::fmt::Display) -> Failure {
    let failure = Failure::new(format!("signals can't be heard: {error}"));
    failure.hint("the system forbids it: see the sandbox (seccomp, container) that this runs in")
}

async fn serve_on(
    config: Config,
    source: Option<PathBuf>,
    files: u64,
    secrets: Secrets,
    listening: Listening,
    signals: Signals,
) -> Result<(), Failure> {
    let metrics = http::record_metrics()?;
    let open = store::open(&config).await?;
    // Before anything says that the server is ready: a command that comes too early waits, where it would find the store held.
    let socket = AdminSocket::bind(&config.data_dir)?;
    let (store, bus, engine) = (open.store.clone(), open.bus.clone(), open.engine.clone());
    let world = store.world().clone();

    let identity = match secrets.identity {
        Some(identity) => identity,
        None => tls::self_signed(&config, world.clock.now())?,
    };
    let (door, bell) = bans::open(&store, config.abuse())
        .await
        .map_err(|error| Failure::new(format!("bans can't be read: {error}")))?;
    let reloadable = Reloadable::new(&config, files, &identity, world.clone(), door.clone())?;
    let command = config::command(source.as_deref());
    let delivery = Delivery::new(store.clone(), administration::delivery(&config)).with_command(&command);
    let delivery = if config.trace.keep_days == 0 { delivery.without_traces() } else { delivery };
    let strictness = settings::auth(&config.security);
    let authenticator = tokio::task::block_in_place(|| DirectoryAuthenticator::new(store.clone(), strictness));
    let authenticator = authenticator.map_err(|error| Failure::new(format!("[security]: {error}")))?;
    let authenticator = authenticator.watched_by(door.clone());
    let authenticator: Arc<dyn Authenticator> =
        Arc::new(issuer::with_issuer(authenticator, &config.oauth, store.world())?);
    let backlog_max = reloadable.backlog_max.clone();
    let delivery = settings::checking(delivery, &config)?.suppressing(config.suppression.settings());
    let mut logins = secrets.logins;
    let (delivery, filters) = settings::asking_outside(delivery, &config, &mut logins.filters)?;
    let host = MailHost::new(delivery.clone(), authenticator.clone(), bus.clone(), engine.clone(), backlog_max);
    let host = host.trusting(config.sender_authentication.trusted_networks.clone());
    let host = host.undoing_within(reloadable.undo_send_max.clone()).not_wanting(&config.security.no_soliciting);
    let host = host.behind(door.clone());
    let host = Arc::new(host.showing_clients(config.security.submission_shows_client));

    let mut tasks = Supervisor::new(world.clone());
    for (kind, listeners) in [
        (ListenerKind::Mx, listening.mx),
        (ListenerKind::Submission, listening.submission),
        (ListenerKind::Submissions, listening.submissions),
        (ListenerKind::Lmtp, listening.lmtp),
    ] {
        let settings = Arc::new(settings::smtp_in(&config, kind, &reloadable));
        for listener in listeners {
            let running = smtp_in::run(
                listener.into_tokio()?,
                settings.clone(),
                host.clone(),
                world.clone(),
                tasks.listeners_stop(),
            );
            tasks.listener(kind.name(), running);
        }
    }
    if let Some(socket) = listen::lmtp_socket(&config.listeners.lmtp_socket)? {
        let kind = ListenerKind::Lmtp;
        let settings = Arc::new(settings::smtp_in(&config, kind, &reloadable));
        let running = smtp_in::run(socket, settings, host.clone(), world.clone(), tasks.listeners_stop());
        tasks.listener(kind.name(), running);
    }
    // One service for all ports: open mailboxes and connection limits are shared.
    let service = imap::Imap::new(
        store.clone(),
        bus.clone(),
        Arc::new(login::ImapLogin(authenticator.clone())),
        settings::imap(&config),
        Some(reloadable.imap_tls.clone()),
    );
    let service = service.behind(door.clone());
    reloadable.watch_imap(service.clone());
    for (security, listeners) in
        [(imap::Security::StartTls, listening.imap), (imap::Security::ImplicitTls, listening.imaps)]
    {
        for listener in listeners {
            let (service, stop) = (service.clone(), tasks.listeners_stop());
            let listener = listener.into_tokio()?;
            tasks.listener("imap", async move { service.serve(listener, security, stop).await });
        }
    }
    for listener in listening.http {
        let state = http::State::new(
            metrics.clone(),
            engine.clone(),
            store.clone(),
            bus.clone(),
            tasks.listeners_stop(),
            config.storage.free_space_reserve_mib,
        );
        let state = state.noting(delivery.clients()).asking(filters.as_ref());
        tasks.listener("http", http::serve(listener.into_tokio()?, state, descriptors::of_http(files)));
    }

    clients::watch_lists(&mut tasks, delivery.clients());
    let out = settings::smtp_out(&config, logins, &own::interface_addresses())?;
    let smtp_out = SmtpOut::new(bus.clone(), delivery.clone(), out).map_err(|error| {
        let failure = Failure::new(format!("[queue]: {error}"));
        failure.hint(
            "notices of failed deliveries come from postmaster at `hostname`, so that must be a mail domain's name",
        )
    })?;
    let stop = tasks.workers_stop();
    tasks.worker("smtp-out", move || {
        let (smtp_out, stop) = (smtp_out.clone(), stop.clone());
        async move {
            smtp_out.run(stop).await;
            Ok(())
        }
    });
    let lists = Lists::new(delivery.clone(), settings::lists(&config))
        .await
        .map_err(|error| Failure::new(format!("lists: {error}")))?;
    for doubt in doubts(&config) {
        tracing::warn!("{doubt}");
    }
    let url = Some(config.web.url.as_str()).filter(|url| !url.is_empty());
    let links = SwitchOffLinks::new(&store, url).await;
    let links = links.map_err(|error| Failure::new(format!("links in letters: {error}")))?;
    let mut admin = administration::settings(&config, Some(authenticator));
    admin.command = command;
    admin.door = Some(door.clone());
    admin.clients = delivery.clients().cloned();
    let absences = Absences { store: store.clone(), settings: admin.clone(), links: links.clone() };
    let discovery = discovery::Discovery::new(store.clone(), admin.connection.clone());
    for listener in listening.web {
        let pages = lists::links::router(lists.clone()).merge(absence::router(absences.clone()));
        let router = discovery.in_front_of(pages);
        let (stop, most) = (tasks.listeners_stop(), descriptors::of_http(files));
        tasks.listener("web", http::serve_router(listener.into_tokio()?, router, world.clone(), stop, most));
    }
    let (listing, heard, stop) = (lists, bus.clone(), tasks.workers_stop());
    tasks.worker("lists", move || {
        let (lists, bus, stop) = (listing.clone(), heard.clone(), stop.clone());
        async move { lists.run(&bus, stop).await.map_err(|error| error.to_string()) }
    });
    let fetch = Fetch::new(delivery.clone(), settings::fetch(&config.fetch)).await;
    let fetch = fetch.map_err(|error| Failure::new(format!("external accounts: {error}")))?;
    let (fetching, heard, stop) = (fetch.clone(), bus.clone(), tasks.workers_stop());
    tasks.worker("fetch", move || {
        let (fetch, bus, stop) = (fetching.clone(), heard.clone(), stop.clone());
        async move { fetch.run(&bus, stop).await.map_err(|error| error.to_string()) }
    });
    let hooks = settings::hooks(delivery.clone(), &config)?;
    let (heard, stop) = (bus.clone(), tasks.workers_stop());
    tasks.worker("webhooks", move || {
        let (hooks, bus, stop) = (hooks.clone(), heard.clone(), stop.clone());
        async move { hooks.run(&bus, stop).await.map_err(|error| error.to_string()) }
    });
    let reports =
        Reports::new(store.clone(), u32::try_from(config.sender_authentication.reports_keep_days).unwrap_or(u32::MAX));
    let (heard, stop) = (bus.clone(), tasks.workers_stop());
    tasks.worker("reports of others", move || {
        let (reports, bus, stop) = (reports.clone(), heard.clone(), stop.clone());
        async move { reports.run(&bus, stop).await.map_err(|error| error.to_string()) }
    });
    let (reporting, reports_stop) = (delivery.clone(), tasks.workers_stop());
    let (searched, judged) = (bus.clone(), bus.clone());
    let (answering, stop) = (Responder::new(delivery).with_links(links), tasks.workers_stop());
    tasks.worker("responder", move || {
        let (answering, bus, stop) = (answering.clone(), bus.clone(), stop.clone());
        async move { answering.run(&bus, stop).await.map_err(|error| error.to_string()) }
    });
    let (indexing, heard, stop) =
        (Indexer::new(store.clone(), config.search.attachments), searched, tasks.workers_stop());
    let background = Background::start()
        .map_err(|error| Failure::new(format!("no thread for the full-text index can be started: {error}")))?;
    tasks.background_worker("search", background, move || {
        let (indexing, bus, stop) = (indexing.clone(), heard.clone(), stop.clone());
        async move { indexing.run(&bus, stop).await.map_err(|error| error.to_string()) }
    });
    let learner = learning::Learner { store: store.clone(), shared: config.spam.learn_site_wide };
    let (learner, heard, stop) = (Arc::new(learner), judged, tasks.workers_stop());
    tasks.worker("spam", move || {
        let (learner, bus, stop) = (learner.clone(), heard.clone(), stop.clone());
        async move {
            let learning = bus::consume(&bus, &learner.store, mail::Topic::MessageJudged, &*learner, stop);
            learning.await.map_err(|error| error.to_string())
        }
    });
    tasks.worker("dmarc reports", move || report(reporting.clone(), reports_stop.clone()));
    let (sweeping, stop) = (store.clone(), tasks.workers_stop());
    let keep_days = config.trace.keep_days;
    tasks.worker("sweeper", move || sweep(sweeping.clone(), keep_days, stop.clone()));

    let (keeping, stop) = (store.clone(), tasks.workers_stop());
    tasks.worker("bans", move || bans::keep(keeping.clone(), door.clone(), bell.clone(), stop.clone()));

    admin.tester = Some(Arc::new(administration::Tester(fetch)));
    admin.outside = Some(Arc::new(administration::OutsideFilters(filters)));
    let (departing, settings, stop) = (store.clone(), admin.clone(), tasks.workers_stop());
    tasks.worker("departures", move || depart(departing.clone(), settings.clone(), stop.clone()));
    let stop = tasks.listeners_stop();
    tasks.listener("admin socket", socket.serve(store, admin, stop));

    tracing::info!(version = env!("CARGO_PKG_VERSION"), hostname = %config.hostname, "Relais serves");
    let ended = until_told(signals, &mut tasks, &reloadable, source.as_deref()).await;
    tasks.shut_down().await;
    open.close().await?;
    tracing::info!("stopped; the store is closed");
    ended
}

/// What the server can be told from outside.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn hear() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(no_signals);
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hang_up: hear(SignalKind::hangup())?,
        })
    }
}

/// Waits for the end: a signal, or a task that should not have ended.
async fn until_told(
    mut signals: Signals,
    tasks: &mut Supervisor,
    reloadable: &Reloadable,
    source: Option<&Path>,
) -> Result<(), Failure> {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => {
                tracing::info!("SIGTERM: stopping");
                return Ok(());
            }
            _ = signals.interrupt.recv() => {
                tracing::info!("SIGINT: stopping");
                return Ok(());
            }
            _ = signals.hang_up.recv() => match source {
                Some(file) => reloadable.reload(file),
                None => tracing::warn!("SIGHUP: this server has no configuration file"),
            },
            name = tasks.ended() => {
                let failure = Failure::new(format!("the task \"{name}\" ended, and the server can't go on without it"));
                return Err(failure.hint("the log above tells why"));
            }
        }
    }
}

/// Ends what ends by itself after somebody has left.
async fn depart(
    store: storage::Store,
    settings: admin::Settings,
    stop: tokio_util::sync::CancellationToken,
) -> Result<(), String> {
    loop {
        // What is begun is finished: it is a few transactions.
        admin::departures::do_what_is_due(&store, &settings).await;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = store.world().clock.sleep(admin::departures::LOOK_EVERY) => {}
        }
    }
}

/// Sends what domains are told of yesterday's mail, once the day is over.
async fn report(delivery: Delivery, stop: tokio_util::sync::CancellationToken) -> Result<(), String> {
    loop {
        match delivery.send_reports().await {
            Ok(0) => {}
            Ok(sent) => tracing::info!(sent, "DMARC and TLS reports left"),
            Err(error) => tracing::warn!(%error, "DMARC and TLS reports could not be sent; it is tried again later"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = delivery.store().world().clock.sleep(REPORT_INTERVAL) => {}
        }
    }
}

const REPORT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(3600);

/// Removes contents that nobody needs any more, now and then.
async fn sweep(store: storage::Store, keep_days: u32, stop: tokio_util::sync::CancellationToken) -> Result<(), String> {
    let mut swept_list_at = None;
    let keep = std::time::Duration::from_secs(u64::from(keep_days).saturating_mul(86_400));
    let mut rounds = 0_u32;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = store.world().clock.sleep(SWEEP_INTERVAL) => {}
        }
        match store.sweep().await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "contents that nobody needs were removed"),
            Err(error) => tracing::warn!(%error, "sweeping failed; it is tried again later"),
        }
        if swept_list_at.is_none_or(|at| store.now().since(at) >= SWEEP_LIST_INTERVAL) {
            swept_list_at = Some(store.now());
            if let Err(error) = store.sweep_suppressed().await {
                tracing::warn!(%error, "the suppression list could not be swept; it is tried again later");
            }
            if let Err(error) = store.sweep_standings().await {
                tracing::warn!(%error, "old standings of senders could not be removed; it is tried again later");
            }
        }
        if let Err(error) = store.sweep_greylist().await {
            tracing::warn!(%error, "the greylist could not be swept; it is tried again later");
        }
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(POLICY_ROUNDS)
            && let Err(error) = store.forget_sts_policies().await
        {
            tracing::warn!(%error, "old MTA-STS policies could not be removed; it is tried again later");
        }
        if let Err(error) = store.sweep_traces(store.now().minus(keep)).await {
            tracing::warn!(%error, "old traces could not be removed; it is tried again later");
        }
    }
}

/// How often the suppression list is read as a whole.
const SWEEP_LIST_INTERVAL: std::time::Duration = std::time::Duration::from_secs(6 * 3600);
const SWEEP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(60);

/// Policies of other domains live for weeks: they are looked through once in so many rounds.
const POLICY_ROUNDS: u32 = 60;
