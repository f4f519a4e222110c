//! What a running server takes over from its configuration file on `SIGHUP`: certificate, limits and `[abuse]`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rustls::ServerConfig;
use smtp_in::Live;

use crate::cli::Failure;
use crate::config::{self, Config};
use crate::descriptors;

use world::World;

use super::tls::Identity;
use super::{settings, tls};

pub(super) struct Reloadable {
    /// What is in force.
    config: Mutex<Config>,
    /// Open files that the system grants.
    files: u64,
    world: World,
    /// How far the responder may lag behind.
    pub(super) backlog_max: Arc<AtomicUsize>,
    /// How long what people submit may wait for them to take it back, in seconds.
    pub(super) undo_send_max: Arc<AtomicU32>,
    pub(super) smtp_limits: Live<smtp_in::Limits>,
    pub(super) smtp_tls: Live<ServerConfig>,
    pub(super) submission_tls: Live<ServerConfig>,
    pub(super) imap_tls: Arc<imap::TlsHandle>,
    /// Who keeps count of clients.
    pub(super) door: abuse::Door,
    /// The IMAP service, once it is there.
    imap: Mutex<Option<imap::Imap>>,
}

impl Reloadable {
    pub(super) fn new(
        config: &Config,
        files: u64,
        identity: &Identity,
        world: World,
        door: abuse::Door,
    ) -> Result<Self, Failure> {
        let server_config = Arc::new(identity.server_config()?);
        let login_config = Arc::new(identity.login_config(&config.tls.client_ca_file)?);
        Ok(Self {
            config: Mutex::new(config.clone()),
            files,
            world,
            backlog_max: Arc::new(AtomicUsize::new(settings::backlog_max(&config.limits))),
            undo_send_max: Arc::new(AtomicU32::new(config.limits.undo_send_secs_max)),
            smtp_limits: Live::new(settings::smtp_limits(&config.limits)),
            smtp_tls: Live::shared(server_config),
            submission_tls: Live::shared(login_config.clone()),
            imap_tls: Arc::new(imap::TlsHandle::new(login_config)),
            door,
            imap: Mutex::default(),
        })
    }

    /// From now on, the service hears of new limits.
    pub(super) fn watch_imap(&self, service: imap::Imap) {
        *self.imap.lock() = Some(service);
    }

    /// Reads the file again. What is wrong with it is logged, and everything stays as it is.
    pub(super) fn reload(&self, file: &Path) {
        match self.try_reload(file) {
            Ok(()) => tracing::info!(file = %file.display(), "SIGHUP: certificate and limits are reloaded"),
            Err(failure) => tracing::error!(%failure, "SIGHUP: nothing is changed"),
        }
    }

    fn try_reload(&self, file: &Path) -> Result<(), Failure> {
        let mut new = config::load(file)?;
        descriptors::fit(&mut new, self.files);
        let mut current = self.config.lock();
        let identity = match tls::given(&new)? {
            Some(identity) => identity,
            None => tls::self_signed(&current, self.world.clock.now())?,
        };
        let server_config = Arc::new(identity.server_config()?);
        let login_config = Arc::new(identity.login_config(&new.tls.client_ca_file)?);
        self.smtp_tls.set(server_config);
        self.submission_tls.set(login_config.clone());
        self.imap_tls.replace(login_config);
        self.smtp_limits.set(Arc::new(settings::smtp_limits(&new.limits)));
        self.undo_send_max.store(new.limits.undo_send_secs_max, Ordering::Relaxed);
        self.backlog_max.store(settings::backlog_max(&new.limits), Ordering::Relaxed);
        current.tls = new.tls.clone();
        current.limits = new.limits.clone();
        current.abuse = new.abuse.clone();
        self.door.reload(current.abuse());
        if let Some(service) = &*self.imap.lock() {
            service.reload(settings::imap(&current));
        }
        if *current != new {
            tracing::warn!("what else has changed in the file needs a restart");
        }
        Ok(())
    }
}
