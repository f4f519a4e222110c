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
            Ok(Reloaded { taken, left }) => {
                tracing::info!(file = %file.display(), changed = taken.join(", "), "SIGHUP: [tls], [limits] and [abuse] are reloaded");
                if !left.is_empty() {
                    tracing::warn!(keys = left.join(", "), "SIGHUP: what else has changed in the file needs a restart");
                }
            }
            Err(failure) => tracing::error!(%failure, "SIGHUP: nothing is changed"),
        }
    }

    fn try_reload(&self, file: &Path) -> Result<Reloaded, Failure> {
        let mut new = config::load(file)?;
        descriptors::fit(&mut new, self.files);
        let mut current = self.config.lock();
        let changed = config::changed_keys(&current, &new);
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
        let (taken, left) = changed.into_iter().partition(|key| is_live(key));
        Ok(Reloaded { taken, left })
    }
}

/// The keys that have changed: those that are in force now, and those that wait for a restart.
struct Reloaded {
    taken: Vec<String>,
    left: Vec<String>,
}

/// The sections that are taken over.
const LIVE: [&str; 3] = ["tls", "limits", "abuse"];

fn is_live(key: &str) -> bool {
    key.split('.').next().is_some_and(|section| LIVE.contains(&section))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::REFERENCE;

    #[test]
    fn the_reference_marks_as_live_what_is_taken_over_and_nothing_else() {
        let (mut marked, mut live) = (Vec::new(), false);
        for line in REFERENCE.lines() {
            if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                if std::mem::take(&mut live) {
                    marked.push(section);
                }
            } else if line.starts_with("# ") {
                live |= line.contains("(live");
            } else {
                assert!(!live, "the mark belongs in front of its section: {line}");
            }
        }
        assert_eq!(marked, LIVE);
    }

    #[test]
    fn what_has_changed_is_told_by_its_keys() {
        let parse = |text: &str| config::parse(text, Path::new("relais.toml")).unwrap();
        let before = parse("");
        let after = parse(
            "hostname = \"mx.example.org\"\n[limits]\nrecipients_max = 200\n[queue]\nage_max_secs = 60\n\
             [queue.smart_host]\nhost = \"relay.example.org\"\n[abuse]\nenabled = false\n",
        );
        assert!(config::changed_keys(&before, &before).is_empty());
        let (live, left): (Vec<_>, Vec<_>) =
            config::changed_keys(&before, &after).into_iter().partition(|key| is_live(key));
        assert_eq!(live, ["abuse.enabled", "limits.recipients_max"]);
        assert_eq!(left, ["hostname", "queue.age_max_secs", "queue.smart_host.host"]);
    }
}
