//! `check_host()` (RFC 7208 §4), within the bounds of §4.6.4.

use std::net::IpAddr;

use futures_util::future::BoxFuture;

use super::super::names::{Names, NoAnswer};
use super::super::results::{Outcome, Spf, SpfSeen};
use super::breadth::Breadth;
use super::macros::{MacroString, Place, Values};
use super::record::{Mechanism, Prefixes, Record, among};

/// Terms that ask the DNS, of one check.
const LOOKUPS_MAX: u32 = 10;

/// Questions of one check that may find nothing.
const VOID_LOOKUPS_MAX: u32 = 2;

/// Hosts of one `mx`, and names of one address, that are looked up.
const HOSTS_MAX: usize = 10;

/// Octets of an explanation.
const EXPLANATION_OCTETS_MAX: usize = 400;

/// Who sends, and for whom.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Question<'q> {
    pub(in super::super) ip: IpAddr,
    pub(in super::super) helo: &'q str,
    /// `MAIL FROM`, or `postmaster@` and the name in EHLO.
    pub(in super::super) sender: &'q str,
    pub(in super::super) receiver: &'q str,
    pub(in super::super) now_secs: i64,
}

/// What one check has used up.
struct Check<'q> {
    names: Names<'q>,
    ip: IpAddr,
    local: &'q str,
    sender_domain: &'q str,
    question: Question<'q>,
    lookups: u32,
    voids: u32,
    client_names: Option<Vec<String>>,
    breadth: Breadth,
}

/// The end of a check before its time.
type End = Outcome;

/// SPF of a sender.
pub(in super::super) async fn check(names: Names<'_>, question: Question<'_>) -> SpfSeen {
    let (local, domain) = question.sender.rsplit_once('@').unwrap_or(("", question.sender));
    // §4.3.
    let local = if local.is_empty() { "postmaster" } else { local };
    let mut check = Check {
        names,
        // §5: an IPv4 address that comes as IPv6 is one.
        ip: question.ip.to_canonical(),
        local,
        sender_domain: domain,
        question,
        lookups: 0,
        voids: 0,
        client_names: None,
        breadth: Breadth::default(),
    };
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let (outcome, explanation) = check.host(domain, true).await;
    let narrow = outcome == Outcome::Pass && check.breadth.is_narrow();
    SpfSeen { spf: Spf { outcome, domain: domain.to_owned(), explanation }, narrow }
}

/// §4.3: a name of several labels, none of them empty or too long.
fn is_complete(domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    domain.len() <= 253
        && domain.contains('.')
        && !domain.starts_with('[')
        && domain.split('.').all(|label| (1..=63).contains(&label.len()))
}

fn in_network(one: IpAddr, other: IpAddr, prefixes: Prefixes) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let shift = 32_u32.saturating_sub(u32::from(prefixes.v4));
            one.to_bits().checked_shr(shift).unwrap_or(0) == other.to_bits().checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let shift = 128_u32.saturating_sub(u32::from(prefixes.v6));
            one.to_bits().checked_shr(shift).unwrap_or(0) == other.to_bits().checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

impl<'q> Check<'q> {
    /// `check_host()`, and the explanation of a failure when one is wanted.
    fn host<'a>(&'a mut self, domain: &'a str, explain: bool) -> BoxFuture<'a, (Outcome, Option<String>)>
    where
        'q: 'a,
    {
        Box::pin(async move {
            if !is_complete(domain) {
                return (Outcome::None, None);
            }
            let record = match self.names.texts(domain).await.map(|texts| among(&texts)) {
                Ok(Ok(Some(record))) => record,
                Ok(Ok(None)) | Err(NoAnswer::Void) => return (Outcome::None, None),
                Ok(Err(_)) => return (Outcome::PermanentError, None),
                Err(NoAnswer::Temporary) => return (Outcome::TemporaryError, None),
            };
            let outcome = match self.directives(&record, domain).await {
                Ok(Some(outcome)) => outcome,
                Ok(None) => match &record.redirect {
                    Some(target) => return self.redirect(target, domain, explain).await,
                    None => Outcome::Neutral,
                },
                Err(end) => end,
            };
            let explanation = match &record.explanation {
                Some(target) if explain && outcome == Outcome::Fail => self.explanation(target, domain).await,
                Some(_) | None => None,
            };
            (outcome, explanation)
        })
    }

    /// §6.1.
    async fn redirect(&mut self, target: &MacroString, domain: &str, explain: bool) -> (Outcome, Option<String>) {
        if let Err(end) = self.count_lookup() {
            return (end, None);
        }
        if target.is_of_client() {
            self.breadth.passes_by_anything();
        }
        let target = self.name(target, domain).await;
        match self.host(&target, explain).await {
            (Outcome::None, _) => (Outcome::PermanentError, None),
            found => found,
        }
    }

    async fn directives(&mut self, record: &Record, domain: &str) -> Result<Option<Outcome>, End> {
        // All networks of a record count, also behind the one that matches: the next client may be in any of them.
        for directive in record.directives.iter().filter(|directive| directive.outcome == Outcome::Pass) {
            if let Mechanism::Ip(ip, prefix) = directive.mechanism
                && ip.is_ipv4() == self.ip.is_ipv4()
            {
                self.breadth.add(ip, prefix, 1);
            }
        }
        for directive in &record.directives {
            if self.matches(&directive.mechanism, domain).await? {
                if directive.outcome == Outcome::Pass && directive.names_no_addresses() {
                    self.breadth.passes_by_anything();
                }
                return Ok(Some(directive.outcome));
            }
        }
        Ok(None)
    }

    /// Whether the client is in one of the networks around these addresses.
    fn is_around(&mut self, found: &[IpAddr], prefixes: Prefixes) -> bool {
        self.breadth.add(self.ip, prefixes.of(self.ip), found.len());
        found.iter().any(|ip| in_network(self.ip, *ip, prefixes))
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, End> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip(ip, prefix) => Ok(in_network(self.ip, *ip, Prefixes { v4: *prefix, v6: *prefix })),
            Mechanism::Include(target) => {
                self.count_lookup()?;
                let target = self.name(target, domain).await;
                match self.host(&target, false).await.0 {
                    Outcome::Pass => Ok(true),
                    Outcome::Fail | Outcome::SoftFail | Outcome::Neutral | Outcome::Policy => Ok(false),
                    Outcome::TemporaryError => Err(Outcome::TemporaryError),
                    Outcome::PermanentError | Outcome::None => Err(Outcome::PermanentError),
                }
            }
            Mechanism::A(target, prefixes) => {
                self.count_lookup()?;
                let target = self.target(target.as_ref(), domain).await;
                let found = self.names.addresses(&target, self.ip).await;
                let found = self.found(found)?;
                Ok(self.is_around(&found, *prefixes))
            }
            Mechanism::Mx(target, prefixes) => {
                self.count_lookup()?;
                let target = self.target(target.as_ref(), domain).await;
                let hosts = self.names.mail_hosts(&target).await;
                let hosts = self.found(hosts)?;
                if hosts.len() > HOSTS_MAX {
                    return Err(Outcome::PermanentError);
                }
                for host in hosts {
                    match self.names.addresses(&host, self.ip).await {
                        Ok(found) if self.is_around(&found, *prefixes) => return Ok(true),
                        Ok(_) | Err(NoAnswer::Void) => {}
                        Err(NoAnswer::Temporary) => return Err(Outcome::TemporaryError),
                    }
                }
                Ok(false)
            }
            Mechanism::Ptr(target) => {
                self.count_lookup()?;
                let target = self.target(target.as_ref(), domain).await.to_ascii_lowercase();
                Ok(self.client_names().await.iter().any(|name| is_below(name, &target)))
            }
            Mechanism::Exists(target) => {
                self.count_lookup()?;
                let target = self.name(target, domain).await;
                let found = self.names.ipv4(&target).await;
                Ok(!self.found(found)?.is_empty())
            }
        }
    }

    fn count_lookup(&mut self) -> Result<(), End> {
        self.lookups = self.lookups.saturating_add(1);
        if self.lookups > LOOKUPS_MAX { Err(Outcome::PermanentError) } else { Ok(()) }
    }

    /// What an answer gives; nothing counts.
    fn found<T>(&mut self, answer: Result<Vec<T>, NoAnswer>) -> Result<Vec<T>, End> {
        match answer {
            Ok(found) => Ok(found),
            Err(NoAnswer::Temporary) => Err(Outcome::TemporaryError),
            Err(NoAnswer::Void) => {
                self.voids = self.voids.saturating_add(1);
                if self.voids > VOID_LOOKUPS_MAX { Err(Outcome::PermanentError) } else { Ok(Vec::new()) }
            }
        }
    }

    async fn target(&mut self, target: Option<&MacroString>, domain: &str) -> String {
        match target {
            Some(target) => self.name(target, domain).await,
            None => domain.to_owned(),
        }
    }

    async fn name(&mut self, target: &MacroString, domain: &str) -> String {
        let values = self.values(target, domain).await;
        let name = target.expand_name(&values);
        name.strip_suffix('.').map_or(name.clone(), str::to_owned)
    }

    async fn values<'v>(&mut self, text: &MacroString, domain: &'v str) -> Values<'v>
    where
        'q: 'v,
    {
        let client_name = if text.asks_for_name() { self.client_name(domain).await } else { String::new() };
        Values {
            ip: self.ip,
            local: self.local,
            sender_domain: self.sender_domain,
            domain,
            helo: self.question.helo,
            receiver: self.question.receiver,
            client_name,
            now_secs: self.question.now_secs,
        }
    }

    /// §7.3, `p`: the domain itself when it is among the client's names, else one below it, else any.
    async fn client_name(&mut self, domain: &str) -> String {
        let domain = domain.to_ascii_lowercase();
        let names = self.client_names().await;
        let best =
            names.iter().find(|name| **name == domain).or_else(|| names.iter().find(|name| is_below(name, &domain)));
        best.or_else(|| names.first()).cloned().unwrap_or_else(|| "unknown".to_owned())
    }

    /// §5.5: the names of the client that lead back to it. What can't be asked is no name.
    async fn client_names(&mut self) -> &[String] {
        if self.client_names.is_none() {
            let mut validated = Vec::new();
            for name in self.names.names_of(self.ip).await.unwrap_or_default().into_iter().take(HOSTS_MAX) {
                if self.names.addresses(&name, self.ip).await.is_ok_and(|found| found.contains(&self.ip)) {
                    validated.push(name);
                }
            }
            self.client_names = Some(validated);
        }
        self.client_names.as_deref().unwrap_or_default()
    }

    /// §6.2.
    async fn explanation(&mut self, target: &MacroString, domain: &str) -> Option<String> {
        let name = self.name(target, domain).await;
        let texts = self.names.texts(&name).await.ok()?;
        let [text] = texts.as_slice() else { return None };
        let text = MacroString::read(std::str::from_utf8(text).ok()?, Place::Explanation)?;
        let values = self.values(&text, domain).await;
        let expanded = text.expand(&values);
        let plain = expanded.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        (plain && expanded.len() <= EXPLANATION_OCTETS_MAX).then_some(expanded)
    }
}

/// A name is another, or below it.
fn is_below(name: &str, domain: &str) -> bool {
    name == domain || name.strip_suffix(domain).is_some_and(|above| above.ends_with('.'))
}
