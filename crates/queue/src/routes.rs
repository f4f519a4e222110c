//! Which way an entry leaves: MX hosts, or a host that the configuration names; each choice with its reason.
//!
//! From the strongest to the weakest: the route that an administrator sent the entry on (`relais queue reroute --route`); a
//! fall-back, once the entry has failed so often; the first route whose conditions hold; the host of the destination
//! (`[[queue.destination]]`); the smart host; the MX hosts (RFC 5321 §5.1).

use std::collections::BTreeMap;

use mail::{Domain, ReversePath};
use storage::rows::QueueRow;

/// A host that the configuration gives a name, and whose mail goes there. How to talk to it is known to who does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedRoute {
    /// Its name: what `explain`, the trace and `reroute` call it.
    pub name: String,
    /// The host and its port, for people.
    pub host: String,
    /// Reverse-paths whose mail goes there; the null one is a reverse-path, too.
    pub senders: Vec<ReversePath>,
    /// Domains of reverse-paths whose mail goes there.
    pub sender_domains: Vec<Domain>,
    /// Domains of recipients whose mail goes there.
    pub recipient_domains: Vec<Domain>,
    /// Only entries that have failed so often go there; 0: at once.
    pub after_failures: u32,
}

/// All ways that a configuration names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Those with names, in the order of the file.
    pub named: Vec<NamedRoute>,
    /// Hosts of single destinations, for people.
    pub destinations: BTreeMap<Domain, String>,
    /// The host that takes everything else, for people.
    pub smart_host: Option<String>,
}

/// A way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A route, by its name.
    Named(String),
    /// The host that the configuration has for the destination.
    Destination,
    /// The smart host.
    SmartHost,
    /// The hosts that DNS names.
    Mx,
}

/// A way out and why it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The way.
    pub way: Way,
    /// What tells it apart from others: entries with the same key share connections, failures and pace.
    pub key: String,
    /// In words, for `explain` and the trace.
    pub why: String,
}

impl NamedRoute {
    /// Whether there are conditions. Without any, entries come here only when an administrator sends them.
    fn is_conditional(&self) -> bool {
        !(self.senders.is_empty() && self.sender_domains.is_empty() && self.recipient_domains.is_empty())
    }

    /// Why an entry from a sender to a destination goes here; `None`: it does not. `sender` is `None` when the sender does not matter.
    fn reason(&self, sender: Option<&ReversePath>, destination: &Domain) -> Option<String> {
        let mut reasons = Vec::new();
        if !(self.senders.is_empty() && self.sender_domains.is_empty()) {
            let sender = sender?;
            let domain = sender.address().map(|address| address.domain());
            if self.senders.iter().any(|known| same_sender(known, sender)) {
                reasons.push(format!("mail from {sender} goes there"));
            } else {
                let domain = domain.filter(|domain| self.sender_domains.contains(domain))?;
                reasons.push(format!("mail from senders at {domain} goes there"));
            }
        }
        if !self.recipient_domains.is_empty() {
            if !self.recipient_domains.contains(destination) {
                return None;
            }
            reasons.push(format!("mail for {destination} goes there"));
        }
        Some(reasons.join(", and "))
    }
}

fn same_sender(known: &ReversePath, sender: &ReversePath) -> bool {
    match (known.address(), sender.address()) {
        (Some(known), Some(sender)) => known.same_mailbox(sender),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Routes {
    /// The route of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&NamedRoute> {
        self.named.iter().find(|route| route.name == name)
    }

    /// The way of a queue entry at its next attempt.
    #[must_use]
    pub fn of(&self, row: &QueueRow) -> Choice {
        self.of_after(row, row.attempts)
    }

    /// The way of a queue entry after so many failures.
    #[must_use]
    pub fn of_after(&self, row: &QueueRow, failures: u32) -> Choice {
        if let Some(name) = &row.route
            && let Some(route) = self.named(name)
        {
            return chosen(route, "an administrator has sent it that way");
        }
        // An administrator's word on where it goes is stronger than what the sender means for that.
        let rerouted = row.recipients.iter().all(|one| *one.address.domain() != row.destination);
        let sender = (!rerouted || row.recipients.is_empty()).then_some(&row.reverse_path);
        self.choose(sender, &row.destination, failures)
    }

    /// The way of mail from a sender to a destination, after so many failures; `None` for a sender that does not matter.
    #[must_use]
    pub fn choose(&self, sender: Option<&ReversePath>, destination: &Domain, failures: u32) -> Choice {
        let fallbacks = self.named.iter().filter(|route| (1..=failures).contains(&route.after_failures));
        let mut fallback: Option<(&NamedRoute, String)> = None;
        for route in fallbacks {
            let Some(reason) = route.reason(sender, destination) else { continue };
            // The one that waits longest; of equals, the first.
            if fallback.as_ref().is_none_or(|(known, _)| route.after_failures > known.after_failures) {
                fallback = Some((route, reason));
            }
        }
        if let Some((route, reason)) = fallback {
            let failed = match route.after_failures {
                1 => "it has failed once".to_owned(),
                times => format!("it has failed {times} times"),
            };
            let and = if reason.is_empty() { failed } else { format!("{failed}, and {reason}") };
            return chosen(route, &and);
        }
        for route in self.named.iter().filter(|route| route.after_failures == 0 && route.is_conditional()) {
            if let Some(reason) = route.reason(sender, destination) {
                return chosen(route, &reason);
            }
        }
        if let Some(host) = self.destinations.get(destination) {
            let why = format!("to {host}, the host that the configuration has for {destination}");
            // Not the smart host's, even at the same host and port: that one may want a login.
            return Choice { way: Way::Destination, key: format!("destination {host}"), why };
        }
        if let Some(host) = &self.smart_host {
            return Choice { way: Way::SmartHost, key: host.clone(), why: format!("to {host}, the smart host") };
        }
        let why = if destination.as_str().starts_with('[') {
            format!("to the host at the address {destination}")
        } else {
            format!("to the hosts that DNS names for {destination}")
        };
        Choice { way: Way::Mx, key: destination.to_string(), why }
    }

    /// What the trace says of the way that an entry takes now, when that is another than before, or its first is not the usual one.
    #[must_use]
    pub fn news(&self, row: &QueueRow) -> Option<String> {
        let now = self.of(row);
        let before = row.attempts.checked_sub(1).map(|failures| self.of_after(row, failures));
        match before {
            Some(before) if before.key == now.key => None,
            None if !matches!(now.way, Way::Named(_)) => None,
            Some(_) | None => Some(format!("leaves {}", now.why)),
        }
    }
}

fn chosen(route: &NamedRoute, why: &str) -> Choice {
    Choice {
        way: Way::Named(route.name.clone()),
        // A space is in no domain.
        key: format!("route {}", route.name),
        why: format!("by the route {} (to {}): {why}", route.name, route.host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::tests::row;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn route(name: &str) -> NamedRoute {
        NamedRoute { name: name.into(), host: format!("{name}.example:25"), ..NamedRoute::default() }
    }

    fn routes() -> Routes {
        Routes {
            named: vec![
                NamedRoute { senders: vec![ReversePath::parse("<boss@a.example>").unwrap()], ..route("boss") },
                NamedRoute {
                    sender_domains: vec![domain("news.example")],
                    recipient_domains: vec![domain("big.example")],
                    ..route("bulk")
                },
                NamedRoute { sender_domains: vec![domain("news.example")], ..route("news") },
                NamedRoute { recipient_domains: vec![domain("partner.example")], ..route("partner") },
                NamedRoute { senders: vec![ReversePath::Null], ..route("reports") },
                NamedRoute { after_failures: 2, ..route("second") },
                NamedRoute { after_failures: 5, sender_domains: vec![domain("a.example")], ..route("fifth") },
                route("by-hand"),
            ],
            destinations: [(domain("given.example"), "192.0.2.7:25".to_owned())].into(),
            smart_host: None,
        }
    }

    fn way(from: &str, to: &str, failures: u32) -> String {
        let from = ReversePath::parse(from).unwrap();
        match routes().choose(Some(&from), &domain(to), failures).way {
            Way::Named(name) => name,
            other @ (Way::Destination | Way::SmartHost | Way::Mx) => format!("{other:?}"),
        }
    }

    #[test]
    fn conditions_choose_in_the_order_of_the_file() {
        for (from, to, failures, expected) in [
            ("<boss@a.example>", "b.example", 0, "boss"),
            ("<BOSS@a.example>", "b.example", 0, "boss"),
            ("<me@a.example>", "b.example", 0, "Mx"),
            ("<x@news.example>", "big.example", 0, "bulk"),
            ("<x@news.example>", "b.example", 0, "news"),
            ("<x@news.example>", "partner.example", 0, "news"),
            ("<me@a.example>", "big.example", 0, "Mx"),
            ("<me@a.example>", "partner.example", 0, "partner"),
            ("<>", "b.example", 0, "reports"),
            ("<me@a.example>", "given.example", 0, "Destination"),
            ("<me@a.example>", "given.example", 1, "Destination"),
            ("<me@a.example>", "given.example", 2, "second"),
            ("<x@news.example>", "b.example", 4, "second"),
            ("<x@news.example>", "b.example", 9, "second"),
            ("<me@a.example>", "b.example", 5, "fifth"),
        ] {
            assert_eq!(way(from, to, failures), expected, "{from} {to} {failures}");
        }
        let given = routes().choose(None, &domain("given.example"), 0);
        assert_eq!(given.key, "destination 192.0.2.7:25");
        let smart = Routes { smart_host: Some("192.0.2.7:25".into()), ..routes() };
        assert_ne!(smart.choose(None, &domain("b.example"), 0).key, given.key, "another login, another session");
        let smart = Routes { smart_host: Some("smart.example:587".into()), ..Routes::default() };
        let choice = smart.choose(None, &domain("b.example"), 0);
        assert_eq!((choice.way, choice.why.as_str()), (Way::SmartHost, "to smart.example:587, the smart host"));
    }

    #[test]
    fn an_address_is_no_name_that_dns_knows() {
        let why = |to| Routes::default().choose(None, &domain(to), 0).why;
        assert_eq!(why("b.example"), "to the hosts that DNS names for b.example");
        assert_eq!(why("[192.0.2.7]"), "to the host at the address [192.0.2.7]");
    }

    #[test]
    fn an_administrator_decides_over_all_rules() {
        let routes = routes();
        let mut entry = row(&["x@b.example"]);
        entry.destination = domain("b.example");
        entry.reverse_path = ReversePath::parse("<x@news.example>").unwrap();
        entry.route = Some("by-hand".into());
        assert_eq!(routes.of(&entry).way, Way::Named("by-hand".into()));
        entry.route = Some("gone".into());
        assert_eq!(routes.of(&entry).way, Way::Named("news".into()), "a route that is no more leads nowhere");
        entry.route = None;
        entry.destination = domain("elsewhere.example");
        assert_eq!(routes.of(&entry).way, Way::Mx, "sent to another domain's hosts: the sender's route does not count");
        entry.destination = domain("partner.example");
        assert_eq!(routes.of(&entry).way, Way::Named("partner".into()));
    }

    #[test]
    fn the_trace_hears_of_a_way_once() {
        let routes = routes();
        let mut entry = row(&["x@b.example"]);
        entry.reverse_path = ReversePath::parse("<x@c.example>").unwrap();
        entry.destination = domain("b.example");
        let mut news = |attempts| {
            entry.attempts = attempts;
            routes.news(&entry)
        };
        assert_eq!((news(0), news(1), news(3)), (None, None, None));
        assert_eq!(news(2).unwrap(), "leaves by the route second (to second.example:25): it has failed 2 times");
        entry.attempts = 0;
        entry.reverse_path = ReversePath::Null;
        assert!(
            routes
                .news(&entry)
                .unwrap()
                .contains("by the route reports (to reports.example:25): mail from <> goes there")
        );
    }
}
