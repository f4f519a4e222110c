//! Ways out with names of their own, and retry schedules of classes of mail: `[[queue.route]]`, `[[queue.schedule]]`.

use std::path::PathBuf;

use mail::{Domain, ReversePath};
use queue::{NamedRoute, Routes};
use serde::{Deserialize, Serialize};
use storage::rows::MailClass;
use toml::de::DeTable;

use super::values::{at_least, host};
use super::{Config, Queue, SmartHostTls};

/// The longest name of a route.
const NAME_CHARACTERS_MAX: usize = 64;

/// A server that some outgoing mail is handed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// What explanations, the trace and `relais queue reroute` call it.
    pub(crate) name: String,
    /// The host: a name or an IP address.
    #[serde(deserialize_with = "host")]
    pub(crate) host: String,
    #[serde(default = "submission_port")]
    pub(crate) port: u16,
    #[serde(default = "starttls")]
    pub(crate) tls: SmartHostTls,
    /// Empty: the authorities that browsers trust.
    #[serde(default)]
    pub(crate) ca_file: PathBuf,
    /// Empty: no login.
    #[serde(default)]
    pub(crate) login: String,
    #[serde(default)]
    pub(crate) password_file: PathBuf,
    #[serde(default)]
    pub(crate) senders: Vec<Sender>,
    #[serde(default)]
    pub(crate) sender_domains: Vec<Domain>,
    #[serde(default)]
    pub(crate) recipient_domains: Vec<Domain>,
    /// 0: at once.
    #[serde(default, deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) after_failures: u32,
    /// 0: as to each destination.
    #[serde(default, deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) deliveries_max: u32,
    /// 0: as to each destination.
    #[serde(default, deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) deliveries_per_minute_max: u32,
}

/// A reverse-path, as people write it: an address, or `<>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Sender(pub(crate) ReversePath);

impl TryFrom<String> for Sender {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let path = if text.starts_with('<') { text.clone() } else { format!("<{text}>") };
        if text.is_empty() {
            return Err("a sender is an address, or \"<>\" for reports, which have none".to_owned());
        }
        ReversePath::parse(&path).map(Self).map_err(|flaw| {
            format!("\"{text}\" is no address: {flaw}; \"<>\" stands for reports, which have no sender")
        })
    }
}

impl From<Sender> for String {
    fn from(sender: Sender) -> Self {
        sender.0.address().map_or_else(|| "<>".to_owned(), ToString::to_string)
    }
}

/// How long and how often mail of a class is tried; what is not said is as in `[queue]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassSchedule {
    pub(crate) class: MailClass,
    #[serde(default)]
    pub(crate) age_max_secs: Option<u64>,
    #[serde(default)]
    pub(crate) retry_delays_secs: Option<Vec<u64>>,
    /// 0: never.
    #[serde(default)]
    pub(crate) delay_notice_secs: Option<u64>,
}

const fn submission_port() -> u16 {
    587
}

const fn starttls() -> SmartHostTls {
    SmartHostTls::Starttls
}

impl Route {
    fn named(&self) -> NamedRoute {
        NamedRoute {
            name: self.name.clone(),
            host: self.shown(),
            senders: self.senders.iter().map(|sender| sender.0.clone()).collect(),
            sender_domains: self.sender_domains.clone(),
            recipient_domains: self.recipient_domains.clone(),
            after_failures: self.after_failures,
        }
    }

    fn shown(&self) -> String {
        shown(&self.host, self.port)
    }
}

/// A host and its port, as the sending side shows them.
fn shown(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(ip) => format!("{}:{port}", Domain::literal(ip)),
        Err(_) => format!("{host}:{port}"),
    }
}

impl Queue {
    /// The ways that the file names, for those who choose among them.
    pub(crate) fn routes(&self) -> Routes {
        let smart = &self.smart_host;
        Routes {
            named: self.route.iter().map(Route::named).collect(),
            destinations: self.destination.iter().map(|one| (one.domain.clone(), shown(&one.host, one.port))).collect(),
            smart_host: (!smart.host.is_empty()).then(|| shown(&smart.host, smart.port)),
        }
    }
}

/// What is wrong with the routes and schedules together: where it stands in the text, and what it is.
pub(super) fn flaw(config: &Config, text: &str) -> Option<(usize, String)> {
    let queue = &config.queue;
    let at = |list: &str, n: usize, key: &str| offset_in_list(text, &["queue", list], n, key);
    for (n, route) in queue.route.iter().enumerate() {
        let name = &route.name;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_name) {
            let message = format!(
                "\"{name}\" is no name for a route: letters, digits, \"-\", \"_\" and \".\", {NAME_CHARACTERS_MAX} at the most"
            );
            return Some((at("route", n, "name"), message));
        }
        if queue.route.iter().take(n).any(|before| before.name == *name) {
            return Some((at("route", n, "name"), format!("there is a route \"{name}\" already")));
        }
        if !route.login.is_empty() && route.password_file.as_os_str().is_empty() {
            return Some((at("route", n, "login"), "a login needs a password: set `password_file`".to_owned()));
        }
        if route.login.is_empty() && !route.password_file.as_os_str().is_empty() {
            return Some((at("route", n, "password_file"), "a password needs a name: set `login`".to_owned()));
        }
    }
    for (n, schedule) in queue.schedule.iter().enumerate() {
        if queue.schedule.iter().take(n).any(|before| before.class == schedule.class) {
            let message = format!("the class \"{}\" has a schedule already", schedule.class.name());
            return Some((at("schedule", n, "class"), message));
        }
        if schedule.retry_delays_secs.as_ref().is_some_and(|delays| delays.is_empty() || delays.contains(&0)) {
            let message = "this needs at least one wait, each of at least 1 second".to_owned();
            return Some((at("schedule", n, "retry_delays_secs"), message));
        }
        if schedule.age_max_secs == Some(0) {
            return Some((at("schedule", n, "age_max_secs"), "0 is too small; the least is 1".to_owned()));
        }
    }
    let sources = &queue.source_addresses;
    if sources.iter().filter(|ip| ip.is_ipv4()).count() > 1 || sources.iter().filter(|ip| ip.is_ipv6()).count() > 1 {
        let message = "one address of each family at the most: one IPv4, one IPv6".to_owned();
        return Some((super::load::offset_of(text, &["queue", "source_addresses"]), message));
    }
    None
}

/// Where a key of the nth table in a list stands; the table itself when it has no such key.
pub(super) fn offset_in_list(text: &str, path: &[&str], n: usize, key: &str) -> usize {
    let Ok(document) = DeTable::parse(text) else { return 0 };
    let mut table = document.get_ref();
    let (last, parents) = match path.split_last() {
        Some(split) => split,
        None => return 0,
    };
    for name in parents {
        let Some(next) = table.get(*name).and_then(|value| value.get_ref().as_table()) else { return 0 };
        table = next;
    }
    let item = table.get(*last).and_then(|value| value.get_ref().as_array()).and_then(|list| list.get(n));
    let Some(item) = item else { return 0 };
    let found = item.get_ref().as_table().and_then(|table| table.iter().find(|(known, _)| known.get_ref() == key));
    found.map_or(item.span().start, |(known, _)| known.span().start)
}
