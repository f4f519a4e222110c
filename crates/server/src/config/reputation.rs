//! `[reputation]` and `[greylist]`: what is known of clients that hand mail over, and who is asked to come again.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery::Greylisting;
use mail::Domain;
use reputation::limits::LISTS_MAX;
use reputation::{AnswerTable, GreylistSettings, List, ListUse, Subject};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spam::Points;

use super::values::at_least;

/// What is known of clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reputation {
    /// Whether names and addresses of clients are looked at.
    pub(crate) checks: bool,
    /// Whether it is remembered what became of a sender's mail.
    pub(crate) standing: bool,
    /// Whether who uses this server's own name is refused.
    pub(crate) refuse_own_name: bool,
    /// Lists in the DNS.
    #[serde(deserialize_with = "lists")]
    pub(crate) list: Vec<ListEntry>,
}

impl Default for Reputation {
    fn default() -> Self {
        Self { checks: true, standing: true, refuse_own_name: true, list: Vec::new() }
    }
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct ListEntry {
    zone: Domain,
    of: Subject,
    #[serde(rename = "use")]
    used: ListUse,
    answers: BTreeMap<String, Weight>,
    points: Weight,
}

/// One list, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    zone: Domain,
    #[serde(default)]
    of: Subject,
    #[serde(rename = "use")]
    used: ListUse,
    #[serde(default)]
    answers: BTreeMap<String, Weight>,
    #[serde(default)]
    points: Option<Weight>,
}

impl TryFrom<Written> for ListEntry {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { zone, of, used, answers, points } = written;
        if zone.as_literal().is_some() || !zone.as_str().contains('.') {
            return Err(format!("\"{zone}\" is no zone of a list; write its name, as \"list.example.org\""));
        }
        if points.is_some() && !answers.is_empty() {
            return Err("`points` is what every answer weighs; with `answers` each has its own".to_owned());
        }
        if used == ListUse::Points && points.is_none() && answers.is_empty() {
            return Err("say what it weighs: `points`, or `answers` with points for each".to_owned());
        }
        let entry = Self { zone, of, used, answers, points: points.unwrap_or(Weight(Points(10))) };
        entry.table().map(|_| entry).map_err(|flaw| flaw.to_string())
    }
}

impl ListEntry {
    fn table(&self) -> Result<AnswerTable, reputation::AnswerTableFlaw> {
        if self.answers.is_empty() {
            return Ok(AnswerTable::every(self.points.0));
        }
        AnswerTable::of(&self.answers.iter().map(|(answer, Weight(points))| (answer.clone(), *points)).collect())
    }
}

impl Reputation {
    /// The lists. Each was looked at when the file was read.
    pub(crate) fn lists(&self) -> Vec<List> {
        let list = |entry: &ListEntry| {
            let answers = entry.table().ok()?;
            Some(List { zone: entry.zone.clone(), subject: entry.of, used: entry.used, answers })
        };
        self.list.iter().filter_map(list).collect()
    }
}

fn lists<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ListEntry>, D::Error> {
    let lists = Vec::<ListEntry>::deserialize(deserializer)?;
    if lists.len() > LISTS_MAX {
        return Err(serde::de::Error::custom(format!("{} lists are too many; {LISTS_MAX} at the most", lists.len())));
    }
    Ok(lists)
}

/// Points from 0.1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight(pub(crate) Points);

impl Serialize for Weight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0.0) / 10.0)
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let tenths = (1..=1_000_i32).find(|tenths| (f64::from(*tenths) / 10.0 - number).abs() < 0.001);
        let wrong = || {
            serde::de::Error::custom(format!("{number} are no points; they go from 0.1 to 100, with one decimal place"))
        };
        tenths.map(|tenths| Self(Points(tenths))).ok_or_else(wrong)
    }
}

/// Who is asked to come again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Greylist {
    pub(crate) enabled: bool,
    /// From how many points of doubt on.
    pub(crate) threshold: Weight,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) wait_secs: u64,
    #[serde(deserialize_with = "at_least::<_, _, 3_600>")]
    pub(crate) window_secs: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) remember_days: u64,
}

impl Default for Greylist {
    fn default() -> Self {
        Self { enabled: true, threshold: Weight(Points(25)), wait_secs: 300, window_secs: 172_800, remember_days: 35 }
    }
}

impl Greylist {
    /// How it is done; `None`: not at all.
    pub(crate) fn settings(&self) -> Option<Greylisting> {
        let window = Duration::from_secs(self.window_secs);
        let times = GreylistSettings {
            // Who must wait longer than they are remembered would wait for ever.
            wait: Duration::from_secs(self.wait_secs).min(window / 2),
            window,
            remember: Duration::from_secs(self.remember_days.saturating_mul(86_400)),
        };
        self.enabled.then_some(Greylisting { threshold: self.threshold.0, times })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;

    fn said(text: &str) -> String {
        match parse(text, Path::new("relais.toml")) {
            Ok(config) => format!("{} lists", config.reputation.lists().len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lists_are_read_and_what_is_wrong_is_told() {
        let list = |more: &str| said(&format!("[[reputation.list]]\nzone = \"list.example.org\"\n{more}\n"));
        assert_eq!(list("use = \"block\""), "1 lists");
        assert_eq!(list("use = \"points\"\nanswers = { \"127.0.0.2\" = 4, \"127.0.0.4-7\" = 1.5 }"), "1 lists");
        assert_eq!(list("use = \"allow\"\nof = \"domains\"\npoints = 1"), "1 lists");
        for (more, told) in [
            ("use = \"points\"", "say what it weighs"),
            ("use = \"refuse\"", "unknown value `refuse`"),
            ("use = \"points\"\npoints = 0", "0 are no points"),
            ("use = \"points\"\nanswers = { \"10.0.0.1\" = 4 }", "\"10.0.0.1\" is no answer of a list"),
            ("use = \"points\"\npoints = 1\nanswers = { \"127.0.0.2\" = 4 }", "each has its own"),
            ("use = \"block\"\nwhat = 1", "what"),
        ] {
            assert!(list(more).contains(told), "{more}: {}", list(more));
        }
        assert!(
            said("[[reputation.list]]\nuse = \"block\"\nzone = \"[192.0.2.1]\"\n").contains("is no zone of a list")
        );
        let many = "[[reputation.list]]\nzone = \"list.example.org\"\nuse = \"block\"\n".repeat(21);
        assert!(said(&many).contains("21 lists are too many"), "{}", said(&many));
    }
}
