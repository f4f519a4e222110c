//! What is known of a client or a domain in words, for who asks: the same look-ups and the same decisions as at RCPT.

use std::net::IpAddr;

use mail::{Address, Domain};
use reputation::doubts::{Doubt, Known, Reason, ReverseName, SpfSaid, sum};
use reputation::lists::{ListUse, Reading, Subject};
use reputation::origin::Origin;
use reputation::standing::Rating;
use serde::{Deserialize, Serialize};
use spam::Points;
use storage::{StorageError, Store};

use super::ask::Finding;
use super::door::rating_at_the_door;
use super::told::{Introduction, Judged};
use super::{Clients, is_near};

/// What is known of a client or a domain now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// What was found, each in a sentence.
    pub facts: Vec<String>,
    /// Why it is doubted.
    pub doubts: Vec<Doubt>,
    /// What the doubts weigh together.
    pub points: Points,
    /// Why it is not doubted.
    pub vouched: Option<String>,
    /// What would happen to mail now; of a domain alone that can't be said.
    pub follows: Vec<String>,
}

/// A list, and whether it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListState {
    /// Its zone.
    pub zone: Domain,
    /// What it has.
    pub subject: Subject,
    /// What follows from being on it.
    pub used: ListUse,
    /// Why it is not used, when it is not.
    pub trouble: Option<String>,
}

impl Clients {
    /// What is known of a client, and what would happen to mail from it now.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn explain(
        &self,
        store: &Store,
        ip: IpAddr,
        helo: Option<&str>,
        reverse_path: Option<&Address>,
    ) -> Result<ClientFacts, StorageError> {
        let introduction = self.introduction(ip, helo, reverse_path).await;
        let settings = self.settings();
        let rating = rating_at_the_door(store, &introduction, settings).await?;
        let judged = introduction.judged(&store.directory(), rating, settings.standing);
        // Who was not named can't be doubted for it.
        let named = |doubt: &&Doubt| match doubt.reason {
            Reason::HeloMissing => helo.is_some(),
            // Without a sender SPF is asked about the name in EHLO.
            Reason::SpfFail | Reason::SpfSoftFail | Reason::SpfNeutral | Reason::SpfNone => {
                reverse_path.is_some() || helo.is_some()
            }
            Reason::NeverSeen => reverse_path.is_some(),
            Reason::NoReverseName
            | Reason::UnconfirmedName
            | Reason::DialIn
            | Reason::HeloNoName
            | Reason::HeloLiteral
            | Reason::HeloOtherLiteral
            | Reason::HeloUnresolved
            | Reason::HeloOurDomain
            | Reason::Listed => true,
        };
        let judged = Judged { doubts: judged.doubts.iter().filter(named).cloned().collect(), ..judged };
        let points = sum(&judged.doubts);
        let mut facts = Vec::new();
        if is_near(ip) {
            facts.push("it is this machine: nothing is asked about it".to_owned());
        } else {
            facts.push(reverse_in_words(&introduction.address.reverse));
            facts.extend(helo_in_words(helo, introduction.said.helo_resolves));
            facts.extend(reverse_path.map(|path| {
                let narrow = introduction.pool().is_some();
                spf_in_words(introduction.said.spf, narrow, path.domain())
            }));
        }
        let findings = introduction.address.findings.iter().chain(&introduction.said.findings);
        facts.extend(findings.filter_map(|finding| self.finding_in_words(finding)));
        let mut follows = Vec::new();
        if let Some(why) = introduction.certainly_refused() {
            follows.push(format!("mail is refused, except for postmaster and abuse: {why}"));
        } else {
            follows.push(self.at_the_door(store, &introduction, points, judged.vouched.is_some(), rating).await?);
            let sender = introduction.sender();
            let added = judged.added(reverse_path.map(|_| (&sender, rating.points())));
            let added = added.iter().fold(Points(0), |sum, one| sum.plus(one.points));
            if added > Points(0) {
                follows.push(format!("the content filter adds {added} points"));
            }
        }
        Ok(ClientFacts { facts, doubts: judged.doubts, points, vouched: judged.vouched, follows })
    }

    /// What lists say of a domain.
    pub async fn explain_domain(&self, domain: &Domain) -> ClientFacts {
        let findings = self.0.of_domain(domain).await;
        let facts = findings.iter().filter_map(|finding| self.finding_in_words(finding)).collect();
        ClientFacts { facts, ..ClientFacts::default() }
    }

    /// The lists, and whether each is used.
    #[must_use]
    pub fn lists(&self) -> Vec<ListState> {
        let notes = self.0.troubles();
        let lists = self.settings().lists.iter().zip(notes);
        let state = |(list, trouble): (&reputation::List, Option<String>)| ListState {
            zone: list.zone.clone(),
            subject: list.subject,
            used: list.used,
            trouble,
        };
        lists.map(state).collect()
    }

    async fn at_the_door(
        &self,
        store: &Store,
        introduction: &Introduction,
        points: Points,
        vouched: bool,
        rating: Rating,
    ) -> Result<String, StorageError> {
        let Some(greylisting) = self.settings().greylist else {
            return Ok("mail is taken: nobody is asked to come again here".to_owned());
        };
        let threshold = greylisting.threshold;
        if vouched {
            return Ok("mail is taken".to_owned());
        }
        if points < threshold {
            return Ok(format!(
                "mail is taken: {points} points of doubt, and clients are asked to come again from {threshold} on"
            ));
        }
        if matches!(rating, Rating::New | Rating::Mixed) && introduction.spf_passes() {
            return Ok("mail is taken: SPF passes for a domain that has written before".to_owned());
        }
        let pool = self.pool_of(introduction).await.and_then(Origin::pool);
        for origin in std::iter::once(Origin::Network(introduction.network())).chain(pool) {
            if let Some(pass) = store.grey_pass(&origin).await? {
                return Ok(format!("mail is taken: {} has come again, as {}", pass.origin, pass.sender));
            }
        }
        let minutes = greylisting.times.wait.as_secs().div_ceil(60);
        Ok(format!(
            "mail is asked to come again after {minutes} min, unless the recipient has written to the sender: {points} points of doubt, from \
             {threshold} on"
        ))
    }

    fn finding_in_words(&self, finding: &Finding) -> Option<String> {
        let list = self.settings().lists.get(finding.list)?;
        let (about, zone) = (&finding.about, &list.zone);
        let words = if finding.text.is_empty() { String::new() } else { format!(": {}", finding.text) };
        Some(match finding.said {
            None => format!("{zone} does not answer about {about}"),
            Some(Reading::Absent) => format!("{about} is not on {zone}"),
            Some(Reading::Listed { answer, points }) => match list.used {
                ListUse::Block => format!("{about} is on {zone} ({answer}), which refuses{words}"),
                ListUse::Points => format!("{about} is on {zone} ({answer}), which weighs {points}{words}"),
                ListUse::Allow => format!("{about} is on {zone} ({answer}), which vouches{words}"),
            },
            Some(Reading::Refuses(answer)) => format!("{zone} refuses to answer about {about} ({answer})"),
            Some(Reading::Strange(answer)) => format!("{zone} answers about {about} what no list answers ({answer})"),
        })
    }
}

fn reverse_in_words(reverse: &ReverseName) -> String {
    match reverse {
        ReverseName::Unknown => {
            "the name of its address is not known: the DNS did not answer, or nobody asks".to_owned()
        }
        ReverseName::Missing => "its address has no name".to_owned(),
        ReverseName::Unconfirmed(name) => format!("its address has the name {name}, which does not lead back"),
        ReverseName::Confirmed(name) => format!("its address has the name {name}, which leads back"),
    }
}

fn helo_in_words(helo: Option<&str>, resolves: Known) -> Option<String> {
    let helo = helo?;
    match resolves {
        Known::Unknown => None,
        Known::Yes => Some(format!("{helo} has an address")),
        Known::No => Some(format!("{helo} has no address")),
    }
}

fn spf_in_words(spf: SpfSaid, narrow: bool, domain: &Domain) -> String {
    let said = match spf {
        SpfSaid::Unknown => "is not known: the DNS did not answer, what is published is wrong, or nobody asks",
        SpfSaid::Pass if narrow => "passes",
        SpfSaid::Pass => "passes, as it may for anybody: the greylist does not go by it",
        SpfSaid::Fail => "fails",
        SpfSaid::SoftFail => "fails softly",
        SpfSaid::Neutral => "says nothing",
        SpfSaid::None => "is not published",
    };
    format!("SPF of {domain} {said}")
}
