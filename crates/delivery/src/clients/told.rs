//! What is known of a client as one value, and what a trace, a header field and the content filter have of it.

use std::sync::Arc;

use mail::{Address, Domain, Timestamp};
use reputation::doubts::{Doubt, Reason, Seen, SpfSaid, doubts, own_name, sum};
use reputation::lists::{ListUse, Reading};
use reputation::network::Network;
use reputation::standing::{Rating, Sender};
use routing::Directory;
use sender_auth::verify::{Authentication, Dnswl, Outcome};
use spam::{Added, AddedFrom, Points};
use storage::trace::Step;
use storage::{StorageError, Store};

use super::ask::{Finding, Names, OfAddress, OfNames};
use super::{ClientSettings, is_near};

/// What is known of a client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Introduction {
    pub(super) names: Names,
    pub(super) address: Arc<OfAddress>,
    pub(super) said: Arc<OfNames>,
    /// Of lists that know the client, in words.
    allowed: Vec<String>,
    /// Of lists that block it: the reply's words.
    blocked: Vec<String>,
    /// Of lists that give points.
    listed: Vec<Doubt>,
    dnswl: Vec<Dnswl>,
    /// It uses a name of this server.
    own_name: Option<String>,
    doubted: bool,
}

/// What is known of a client and of its former mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// Why it is doubted; nothing when somebody vouches for it.
    pub(crate) doubts: Vec<Doubt>,
    /// Why it is not.
    pub(crate) vouched: Option<String>,
}

impl Introduction {
    /// A program on this machine, of which nothing is asked.
    pub(super) fn of_neighbour(names: Names) -> Self {
        Self::new(names, Arc::default(), Arc::default(), &ClientSettings::default())
    }

    pub(super) fn new(names: Names, address: Arc<OfAddress>, said: Arc<OfNames>, settings: &ClientSettings) -> Self {
        let mut told = Self {
            own_name: own_name(names.helo.as_deref(), names.ip, &settings.own),
            names,
            address,
            said,
            allowed: Vec::new(),
            blocked: Vec::new(),
            listed: Vec::new(),
            dnswl: Vec::new(),
            doubted: settings.doubts,
        };
        let (address, said) = (told.address.clone(), told.said.clone());
        let proven = told.proven().map(|domain| domain.to_string());
        for finding in address.findings.iter().chain(&said.findings) {
            // What a client says of itself, a list can vouch for only when SPF says that it is so.
            let forged = finding.about != told.names.ip.to_string() && Some(&finding.about) != proven.as_ref();
            let vouches = settings.lists.get(finding.list).is_some_and(|list| list.used == ListUse::Allow);
            if !(vouches && forged) {
                told.add(finding, settings);
            }
        }
        told
    }

    /// The domain for which SPF passes (RFC 7208 §2.4: of the null reverse-path that of the name in EHLO).
    fn proven(&self) -> Option<Domain> {
        let claimed = self.names.reverse_path.as_ref().map(Address::domain).cloned();
        let helo = || self.names.helo.as_deref().and_then(|helo| Domain::parse(helo).ok());
        claimed.or_else(helo).filter(|_| self.spf_passes())
    }

    fn add(&mut self, finding: &Finding, settings: &ClientSettings) {
        let Some(list) = settings.lists.get(finding.list) else { return };
        let listed = match finding.said {
            Some(Reading::Listed { answer, points }) => Some((answer, points)),
            Some(Reading::Absent | Reading::Refuses(_) | Reading::Strange(_)) | None => None,
        };
        if list.used == ListUse::Allow {
            self.dnswl.push(Dnswl {
                outcome: match finding.said {
                    Some(Reading::Listed { .. }) => Outcome::Pass,
                    Some(Reading::Absent) => Outcome::None,
                    Some(Reading::Refuses(_) | Reading::Strange(_)) | None => Outcome::TemporaryError,
                },
                zone: list.zone.to_string(),
                answer: listed.map(|(answer, _)| answer),
                text: finding.text.clone(),
            });
        }
        let Some((_, points)) = listed else { return };
        let (about, zone) = (&finding.about, &list.zone);
        match list.used {
            ListUse::Allow => self.allowed.push(format!("{zone} knows {about}")),
            ListUse::Block if finding.text.is_empty() => self.blocked.push(format!("{about} is on the list {zone}")),
            ListUse::Block => self.blocked.push(format!("{about} is on the list {zone}: {}", finding.text)),
            ListUse::Points => {
                let text = format!("{about} is on the list {zone}");
                self.listed.push(Doubt { reason: Reason::Listed, points, text });
            }
        }
    }

    /// Why it is refused for certain, as the client reads it; `None`: it is not. Who is known to an allow list is on no block list.
    #[must_use]
    pub fn certainly_refused(&self) -> Option<String> {
        if let Some(name) = &self.own_name {
            return Some(format!("you call yourself {name}, which is this server"));
        }
        self.blocked.first().filter(|_| self.allowed.is_empty()).cloned()
    }

    /// What allow lists say, for `Authentication-Results` (RFC 8904).
    pub(crate) fn dnswl(&self) -> Vec<Dnswl> {
        self.dnswl.clone()
    }

    /// Whether SPF passes.
    pub(crate) fn spf_passes(&self) -> bool {
        self.said.spf == SpfSaid::Pass
    }

    /// Whether SPF says that the mail is not from where it says.
    pub(crate) fn spf_fails(&self) -> bool {
        matches!(self.said.spf, SpfSaid::Fail | SpfSaid::SoftFail)
    }

    /// The domain whose server the client is, by its SPF: that of the reverse-path, of the null one that of the name in EHLO.
    pub(crate) fn pool(&self) -> Option<&Domain> {
        self.said.pool.as_ref()
    }

    /// The network of the client.
    pub(crate) fn network(&self) -> Network {
        Network::from(self.names.ip)
    }

    /// Whose standing counts before there is a message: the domain for which SPF passes, else the network in the name of the domain.
    pub(crate) fn sender(&self) -> Sender {
        let claimed = || self.names.reverse_path.as_ref().map(Address::domain).cloned();
        self.proven().map_or_else(|| Sender::Network(self.network(), claimed()), Sender::Domain)
    }

    /// What speaks against the client and for it, by the rating of its former mail.
    pub(crate) fn judged(&self, directory: &Directory, rating: Rating, standing: bool) -> Judged {
        let vouched = match (self.allowed.first(), rating) {
            (Some(allowed), _) => Some(allowed.clone()),
            (None, Rating::Good) => Some(format!("hardly any mail from {} was spam", self.sender())),
            (None, Rating::Unknown | Rating::New | Rating::Mixed | Rating::Bad(_)) => None,
        };
        if vouched.is_some() {
            return Judged { doubts: Vec::new(), vouched };
        }
        let mut all = self.listed.clone();
        if self.doubted && !is_near(self.names.ip) {
            let seen = Seen {
                ip: self.names.ip,
                reverse: &self.address.reverse,
                helo: self.names.helo.as_deref(),
                helo_resolves: self.said.helo_resolves,
                spf: self.said.spf,
                // Where nobody looks at former mail nobody is a stranger.
                rating: if standing { rating } else { Rating::New },
            };
            all.extend(doubts(&seen, |domain| directory.domain(domain).is_some()));
        }
        Judged { doubts: all, vouched: None }
    }
}

impl Judged {
    /// What the content filter adds: lists as they are, doubts up to [`DOUBTS_MAX`], a bad standing.
    pub(crate) fn added(&self, standing: Option<(&Sender, Points)>) -> Vec<Added> {
        let mut added = Vec::new();
        let mut left = DOUBTS_MAX;
        for doubt in &self.doubts {
            let from = if doubt.reason == Reason::Listed { AddedFrom::Lists } else { AddedFrom::Doubts };
            let mut points = doubt.points;
            if from == AddedFrom::Doubts {
                points = points.min(left);
                left = left.plus(Points(points.0.saturating_neg()));
            }
            if points > Points(0) {
                added.push(Added { from, points, reason: doubt.text.clone() });
            }
        }
        let bad = standing.filter(|(_, points)| *points > Points(0));
        added.extend(bad.map(|(sender, points)| Added {
            from: AddedFrom::Standing,
            points,
            reason: format!("most former mail from {sender} was spam"),
        }));
        added
    }

    /// The steps of the trace.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let text = match &self.vouched {
            Some(why) => format!("the client is not doubted: {why}"),
            None if self.doubts.is_empty() => return Vec::new(),
            None => format!("the client is doubted, {} points: {}", sum(&self.doubts), in_words(&self.doubts)),
        };
        vec![Step::Decided { text }]
    }
}

/// Doubts in a row.
pub(crate) fn in_words(doubts: &[Doubt]) -> String {
    doubts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Whose standing a message counts for: the domain that it is surely from, the one for which SPF passes; else the network of the client
/// in the name of the reverse-path's domain.
pub(crate) fn senders_of(found: &Authentication) -> Vec<Sender> {
    let mut senders = Vec::new();
    let mut add = |sender| {
        if !senders.contains(&sender) {
            senders.push(sender)
        }
    };
    if let Some(author) = found.verified_domain() {
        // The organization is where the DMARC record is (RFC 9989 §4.10.2).
        let published = found
            .dmarc
            .first()
            .filter(|dmarc| dmarc.outcome == Outcome::Pass)
            .and_then(|dmarc| dmarc.published.as_ref());
        let organization = published.and_then(|published| Domain::parse(&published.domain).ok());
        add(Sender::Domain(organization.unwrap_or(author)));
    }
    let Some(client) = &found.client else { return senders };
    if found.spf.outcome == Outcome::Pass
        && let Ok(domain) = Domain::parse(&found.spf.domain)
    {
        add(Sender::Domain(domain));
    }
    if senders.is_empty() && !is_near(client.ip) {
        let claimed = client.reverse_path.as_ref().map(Address::domain).cloned();
        senders.push(Sender::Network(Network::from(client.ip), claimed));
    }
    senders
}

/// The rating that counts for a message: of the first of its senders of which enough is known.
pub(crate) async fn rating_of(
    store: &Store,
    senders: &[Sender],
    now: Timestamp,
) -> Result<Option<(Sender, Rating)>, StorageError> {
    let mut first = None;
    for sender in senders {
        let rating = store.standing(sender).await?.rating(now);
        match rating {
            Rating::Good | Rating::Mixed | Rating::Bad(_) => return Ok(Some((sender.clone(), rating))),
            Rating::New => first = Some((sender.clone(), rating)),
            Rating::Unknown => {}
        }
    }
    Ok(first)
}

/// Points that doubts may give in the content filter together.
const DOUBTS_MAX: Points = Points(30);
