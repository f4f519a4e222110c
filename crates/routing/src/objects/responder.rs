//! Responders: answers that an address gives by itself.

use mail::{Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::yes;

/// Which rules a responder follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponderKind {
    /// A robot at an address: answers whatever comes (A1).
    Autoresponder,
    /// A person is away: also demands to be addressed by name (V5).
    OutOfOffice,
}

/// To whom a responder speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Whoever writes.
    #[default]
    Everyone,
    /// The contacts of its owner (V3), and the people of the organisation.
    Contacts,
    /// The people of the organisation who have logged in here to send the message ([`crate::organisation`]).
    Inside,
}

/// When in the week a responder acts, beside its window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Hours of each week, as `mon-fri 09:00-12:00,13:00-17:30; sat 10:00-12:00`, in the responder's time zone.
    pub week: String,
    /// Whether it acts in these hours, or in all others ("the office is closed").
    #[serde(default)]
    pub when: HoursWhen,
}

/// See [`Hours::when`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoursWhen {
    /// It acts outside the hours.
    #[default]
    Outside,
    /// It acts inside the hours.
    Inside,
}

/// The words of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wording {
    /// Subject of the answer; empty: the original subject behind the prefix.
    pub subject: String,
    /// Put before the original subject.
    pub subject_prefix: String,
    /// Plain text.
    pub text: Option<String>,
    /// HTML.
    pub html: Option<String>,
}

/// A responder: an answer that an address gives by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderObject {
    /// Its number, 1 and up, never used again.
    pub id: u64,
    /// The address that answers: a mailbox, an alias, or neither (A6, A7).
    pub address: Address,
    /// Which rules it follows.
    pub kind: ResponderKind,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Subject of the answer; empty: the original subject behind the prefix (A2).
    #[serde(default)]
    pub subject: String,
    /// Put before the original subject, as `Re:` or `Away:`.
    #[serde(default)]
    pub subject_prefix: String,
    /// Plain text of the answer.
    #[serde(default)]
    pub text: Option<String>,
    /// HTML of the answer; a text alternative is made from it when `text` is absent (A3).
    #[serde(default)]
    pub html: Option<String>,
    /// First moment, civil time in the owner's zone (`2026-07-01T00:00`); `None`: from always (A8).
    #[serde(default)]
    pub starts: Option<String>,
    /// Last moment, inclusive, like `starts`; `None`: until switched off.
    #[serde(default)]
    pub ends: Option<String>,
    /// Minimum seconds between two answers to one sender (A5); 86,400 is the suggested value.
    #[serde(default = "one_day")]
    pub frequency_secs: u64,
    /// Whether received messages stay (A9); `false` drops them while the responder is active.
    #[serde(default = "yes")]
    pub keep: bool,
    /// Every answer that leaves is copied to it (A4).
    #[serde(default)]
    pub copy_answers_to: Option<Address>,
    /// Received messages are copied to it (A10).
    #[serde(default)]
    pub copy_received_to: Option<Address>,
    /// Whether answers are filed in the owner's Sent mailbox (A14).
    #[serde(default = "yes")]
    pub file_in_sent: bool,
    /// When in the week it acts; `None`: always.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// To whom it speaks; silent towards all others.
    #[serde(default)]
    pub audience: Audience,
    /// Other words for the people of the organisation; what is empty in them is as for everyone.
    #[serde(default)]
    pub inside: Option<Wording>,
    /// Who stands in meanwhile: `{deputy}` in the text.
    #[serde(default)]
    pub deputy: Option<Address>,
    /// Whether received messages are copied to the deputy.
    #[serde(default)]
    pub copy_to_deputy: bool,
    /// Whether the signature of the address that was written to stands below the text (V2, M7).
    #[serde(default = "yes")]
    pub signature: bool,
    /// IANA name of the zone in which window and hours are read; `None`: the owner's, else UTC.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `fr` or `en`, for the dates in the text; `None`: the owner's, else `en`.
    #[serde(default)]
    pub language: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl ResponderObject {
    /// A responder at an address, with every field at its default: enabled, without subject or message (so it does not
    /// act yet), once a day, keeping what comes. The store gives the number.
    #[must_use]
    pub fn new(address: Address, kind: ResponderKind) -> Self {
        Self {
            id: 0,
            address,
            kind,
            enabled: true,
            subject: String::new(),
            subject_prefix: String::new(),
            text: None,
            html: None,
            starts: None,
            ends: None,
            frequency_secs: one_day(),
            keep: true,
            copy_answers_to: None,
            copy_received_to: None,
            file_in_sent: true,
            hours: None,
            audience: Audience::Everyone,
            inside: None,
            deputy: None,
            copy_to_deputy: false,
            signature: true,
            time_zone: None,
            language: None,
            created_at: Timestamp(0),
        }
    }

    /// How often it answers one sender, for people.
    #[must_use]
    pub fn often(&self) -> String {
        match self.frequency_secs {
            0 => format!("each time, {} times a day at the most", crate::limits::ANSWERS_PER_DAY_MAX),
            secs if secs > 86_400 && secs % 86_400 == 0 => format!("at most once in {}d", secs / 86_400),
            secs if secs % 3_600 == 0 => format!("at most once in {}h", secs / 3_600),
            secs if secs % 60 == 0 => format!("at most once in {}m", secs / 60),
            secs => format!("at most once in {secs}s"),
        }
    }

    /// The words for a sender inside the organisation, or outside.
    #[must_use]
    pub fn wording(&self, inside: bool) -> Wording {
        let mut words = Wording {
            subject: self.subject.clone(),
            subject_prefix: self.subject_prefix.clone(),
            text: self.text.clone(),
            html: self.html.clone(),
        };
        let blank = |text: &str| text.trim().is_empty();
        if let Some(other) = self.inside.as_ref().filter(|_| inside) {
            if !blank(&other.subject) || !blank(&other.subject_prefix) {
                (words.subject, words.subject_prefix) = (other.subject.clone(), other.subject_prefix.clone());
            }
            if ![&other.text, &other.html].into_iter().flatten().all(|body| blank(body)) {
                (words.text, words.html) = (other.text.clone(), other.html.clone());
            }
        }
        words
    }

    /// Who gets copies of what is received: the copy address (A10), and the deputy when that is wished.
    pub fn copies_of_received(&self) -> impl Iterator<Item = &Address> {
        self.copy_received_to.iter().chain(self.deputy.iter().filter(|_| self.copy_to_deputy))
    }
}

fn one_day() -> u64 {
    86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a05_how_often_is_told_in_units_of_people() {
        let mut one = ResponderObject::new("info@example.org".parse().unwrap(), ResponderKind::Autoresponder);
        for (secs, told) in [
            (0, "each time, 20 times a day at the most"),
            (86_400, "at most once in 24h"),
            (604_800, "at most once in 7d"),
            (5_400, "at most once in 90m"),
            (61, "at most once in 61s"),
        ] {
            one.frequency_secs = secs;
            assert_eq!(one.often(), told);
        }
    }
}
