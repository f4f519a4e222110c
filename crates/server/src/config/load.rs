//! Reads a configuration file and checks what no single value shows.
#![expect(clippy::disallowed_methods, reason = "the configuration is read before there is a world")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::{Config, ConfigError, Endpoint};

/// Where the configuration is when nobody says otherwise.
pub(crate) const DEFAULT_FILE: &str = "/etc/relais/relais.toml";

/// How a command for the server of a configuration begins.
pub(crate) fn command(file: Option<&Path>) -> String {
    match file.and_then(|file| std::path::absolute(file).ok()) {
        Some(file) if file != Path::new(DEFAULT_FILE) => format!("relais --config {}", file.display()),
        Some(_) | None => "relais".to_owned(),
    }
}

/// The file that is read when none is named: `$RELAIS_CONFIG`, or the system's place.
pub(crate) fn default_file() -> PathBuf {
    std::env::var_os("RELAIS_CONFIG").map_or_else(|| PathBuf::from(DEFAULT_FILE), PathBuf::from)
}

/// Reads a file. Relative paths in it are taken from the folder that it is in.
pub(crate) fn load(file: &Path) -> Result<Config, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable { file: file.to_owned(), reason };
    let bytes = std::fs::read(file).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            let next = "`relais init` makes a first configuration; `--config FILE` names another";
            return unreadable(format!("there is no such file. {next}"));
        }
        unreadable(error.to_string())
    })?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))?;
    let mut config = parse(&text, file)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let routes = config.queue.route.iter_mut().flat_map(|route| [&mut route.password_file, &mut route.ca_file]);
    let filters = config.outside.filter.iter_mut().flat_map(|filter| [&mut filter.password_file, &mut filter.ca_file]);
    for path in routes.chain(filters).chain([
        &mut config.data_dir,
        &mut config.tls.certificate_file,
        &mut config.tls.key_file,
        &mut config.queue.smart_host.password_file,
        &mut config.queue.smart_host.ca_file,
        &mut config.queue.tls.ca_file,
        &mut config.queue.tls.trust_anchor_file,
    ]) {
        if !path.as_os_str().is_empty() && path.is_relative() {
            *path = folder.join(&*path);
        }
    }
    Ok(config)
}

/// Parses a text; `file` is for messages.
pub(crate) fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let config: Config = toml::from_str(text).map_err(|error| ConfigError::from_toml(file, text, &error))?;
    match contradiction(&config) {
        None => match super::routes::flaw(&config, text).or_else(|| super::outside::flaw(&config, text)) {
            None => Ok(config),
            Some((offset, message)) => Err(ConfigError::at(file, text, offset, message)),
        },
        Some((path, message)) => Err(ConfigError::at(file, text, offset_of(text, path), message)),
    }
}

/// What is no mistake for sure, and keeps links from working: to be told at the start.
pub(crate) fn doubts(config: &Config) -> Vec<&'static str> {
    let mut doubts = Vec::new();
    match (config.web.url.is_empty(), config.listeners.web.is_empty()) {
        (false, true) => doubts.push(
            "[web] url is set, and [listeners] web is not: letters have links, and this server has no pages behind them",
        ),
        (true, false) => doubts.push(
            "[listeners] web is set, and [web] url is not: letters have no links to the pages; say how people reach them",
        ),
        (true, true) | (false, false) => {}
    }
    doubts
}

/// What single values can't show: the path of a key and what is wrong there.
fn contradiction(config: &Config) -> Option<(&'static [&'static str], String)> {
    let empty = |path: &Path| path.as_os_str().is_empty();
    let tls = &config.tls;
    if !empty(&tls.certificate_file) && empty(&tls.key_file) {
        return Some((&["tls", "certificate_file"], "a certificate needs its key: set `key_file` too".to_owned()));
    }
    if empty(&tls.certificate_file) && !empty(&tls.key_file) {
        return Some((&["tls", "key_file"], "a key needs its certificate: set `certificate_file` too".to_owned()));
    }
    if empty(&config.data_dir) {
        return Some((&["data_dir"], "the data folder needs a name".to_owned()));
    }
    if config.hostname.as_literal().is_some() {
        return Some((&["hostname"], "this must be a name, not an IP address".to_owned()));
    }
    if let Some(twice) = same_port(config) {
        return Some(twice);
    }
    let queue = &config.queue;
    if queue.retry_delays_secs.is_empty() || queue.retry_delays_secs.contains(&0) {
        let message = "this needs at least one wait, each of at least 1 second".to_owned();
        return Some((&["queue", "retry_delays_secs"], message));
    }
    let smart = &queue.smart_host;
    if !smart.login.is_empty() && empty(&smart.password_file) {
        return Some((&["queue", "smart_host", "login"], "a login needs a password: set `password_file`".to_owned()));
    }
    if let Some(missing) = config.oauth.contradiction() {
        return Some(missing);
    }
    let security = &config.security;
    if u64::from(security.argon2_memory_kib) < 8 * u64::from(security.argon2_lanes) {
        let least = 8 * u64::from(security.argon2_lanes);
        let message = format!("Argon2 needs 8 KiB for each lane: at least {least}");
        return Some((&["security", "argon2_memory_kib"], message));
    }
    if let Some(wrong) = config.log.level.split(',').find(|part| !is_level(part)) {
        let message = format!("\"{wrong}\" is no level; use error, warn, info, debug or trace");
        return Some((&["log", "level"], message));
    }
    None
}

/// An address and port that stands in the lists twice.
fn same_port(config: &Config) -> Option<(&'static [&'static str], String)> {
    let listeners = &config.listeners;
    let services: [(&[&str], &Vec<Endpoint>); 7] = [
        (&["listeners", "mx"], &listeners.mx),
        (&["listeners", "submission"], &listeners.submission),
        (&["listeners", "submissions"], &listeners.submissions),
        (&["listeners", "lmtp"], &listeners.lmtp),
        (&["listeners", "imap"], &listeners.imap),
        (&["listeners", "imaps"], &listeners.imaps),
        (&["listeners", "http"], &listeners.http),
    ];
    let mut seen = BTreeMap::new();
    for (path, endpoints) in services {
        for endpoint in endpoints {
            if let Some(first) = seen.insert(endpoint.0, path) {
                let first = first.last().copied().unwrap_or_default();
                return Some((path, format!("{endpoint} is there twice: it is one of {first} already")));
            }
        }
    }
    None
}

/// A level, or a level for one part of the program.
fn is_level(part: &str) -> bool {
    let level = part.rsplit('=').next().unwrap_or(part).trim();
    level.parse::<tracing::level_filters::LevelFilter>().is_ok()
}

/// Where a key stands in the text; the start when it does not.
pub(super) fn offset_of(text: &str, path: &[&str]) -> usize {
    let Ok(document) = DeTable::parse(text) else { return 0 };
    let (mut table, mut offset) = (document.get_ref(), 0);
    for name in path {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        offset = key.span().start;
        let Some(next) = value.get_ref().as_table() else { break };
        table = next;
    }
    offset
}
