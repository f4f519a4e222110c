//! Aliases and where they lead.

use mail::{AccountId, Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AddressRules, FailText, yes};

/// Where one redirect of an alias leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// An address, local or remote.
    Address(Address),
    /// `:blackhole:`: accepted and dropped (R4).
    Blackhole,
    /// `:fail: text`: refused at RCPT with the text. It stands alone.
    Fail(FailText),
    /// Every person of the alias's domain (R3); written as the empty text.
    AllUsers,
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.trim() {
            "" | ":all:" => Ok(Self::AllUsers),
            ":blackhole:" => Ok(Self::Blackhole),
            text if text.starts_with(":fail:") => {
                FailText::parse(text.strip_prefix(":fail:").unwrap_or_default()).map(Self::Fail)
            }
            // Nothing else with a colon in front is a target: it was meant to be one of those words.
            text if text.starts_with(':') && text.ends_with(':') && !text.contains('@') => {
                let words = [":blackhole:", ":fail:", ":all:"];
                let scored = words.map(|word| (strsim::jaro_winkler(text, word), word));
                let near = scored.into_iter().filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
                Err(near.map_or_else(
                    || format!("\"{text}\" is no target; such words are {}", words.join(", ")),
                    |(_, near)| format!("\"{text}\": did you mean {near}?"),
                ))
            }
            address => Address::parse(address).map(Self::Address).map_err(|flaw| format!("\"{address}\": {flaw}")),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        match target {
            Target::Address(address) => address.to_string(),
            Target::Blackhole => ":blackhole:".to_owned(),
            Target::Fail(text) => format!(":fail: {text}").trim_end().to_owned(),
            Target::AllUsers => Self::new(),
        }
    }
}

/// An address that leads to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasObject {
    /// The alias itself.
    pub address: Address,
    /// All redirects together; they add up (R3).
    pub targets: Vec<Target>,
    /// A disabled alias is unknown to senders.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// What it demands of who writes to it.
    #[serde(default)]
    pub rules: AddressRules,
    /// The account that made it for itself, within the domain's policy; `None`: an administrator.
    #[serde(default)]
    pub made_by: Option<AccountId>,
    /// Who gets the message as well when every person it leads to is away.
    #[serde(default)]
    pub when_away: Option<Address>,
    /// Whether the deputies whom they name get it as well when every person it leads to is away.
    #[serde(default)]
    pub deputies_when_away: bool,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl AliasObject {
    /// An alias in force that leads somewhere, with everything else at its default.
    #[must_use]
    pub fn new(address: Address, targets: Vec<Target>) -> Self {
        Self {
            address,
            targets,
            enabled: true,
            note: String::new(),
            rules: AddressRules::default(),
            made_by: None,
            when_away: None,
            deputies_when_away: false,
            created_at: Timestamp(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_is_told_the_right_one() {
        let said = |text: &str| Target::try_from(text.to_owned()).unwrap_err();
        assert_eq!(said(":blackole:"), "\":blackole:\": did you mean :blackhole:?");
        assert_eq!(said(":al:"), "\":al:\": did you mean :all:?");
        assert_eq!(said(":qqq:"), "\":qqq:\" is no target; such words are :blackhole:, :fail:, :all:");
        assert_eq!(said("a..b@c.example"), "\"a..b@c.example\": there are two dots in a row before the @");
    }
}
