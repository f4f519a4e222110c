//! `[outside]`: filters that are not this server's, rspamd and milters, in the order in which they are asked.

use std::path::PathBuf;
use std::time::Duration;

use outside::limits::FILTERS_MAX;
use outside::milter::Place;
use serde::{Deserialize, Deserializer, Serialize};
use world::https::{Url, UrlFlaw};

use super::Config;
use super::routes::offset_in_list;
use super::values::at_least;

/// The longest name of a filter.
const NAME_CHARACTERS_MAX: usize = 64;

/// The most that all filters together may take: clients wait ten minutes (RFC 5321 §4.5.3.2.6).
const SECS_MAX: u32 = 540;

/// The filters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outside {
    /// In their order.
    pub(crate) filter: Vec<OutsideFilter>,
    /// For all of them together, and one message.
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) together_secs_max: u32,
}

impl Default for Outside {
    fn default() -> Self {
        Self { filter: Vec::new(), together_secs_max: 240 }
    }
}

/// What a filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FilterKind {
    /// Asked over HTTP.
    Rspamd,
    /// Spoken to by Sendmail's protocol.
    Milter,
}

/// Which messages a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LooksAt {
    /// What other servers hand over.
    Incoming,
    /// What people here submit.
    Submitted,
}

/// What follows when a filter does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailWay {
    /// The message goes on without it.
    #[default]
    Open,
    /// The message is refused for now.
    Closed,
}

/// What follows when it wants a message thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DiscardWay {
    /// It goes to Spam.
    #[default]
    Spam,
    /// It is thrown away.
    Discard,
}

/// What follows from rspamd's action `greylist`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GreylistWay {
    /// Nothing.
    #[default]
    Accept,
    /// The message is refused for now.
    Defer,
}

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutsideFilter {
    /// What logs, traces and reasons call it.
    pub(crate) name: String,
    pub(crate) kind: FilterKind,
    /// Of an rspamd.
    #[serde(default)]
    pub(crate) url: String,
    /// Of a milter.
    #[serde(default)]
    pub(crate) address: String,
    #[serde(default = "incoming")]
    pub(crate) applies_to: Vec<LooksAt>,
    #[serde(default)]
    pub(crate) fail: FailWay,
    #[serde(default)]
    pub(crate) discard: DiscardWay,
    #[serde(default)]
    pub(crate) greylist: GreylistWay,
    /// Empty: it demands none.
    #[serde(default)]
    pub(crate) password_file: PathBuf,
    /// Empty: the authorities that browsers trust.
    #[serde(default)]
    pub(crate) ca_file: PathBuf,
    /// Larger messages are not shown to an rspamd.
    #[serde(default = "octets_max", deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) octets_max: u64,
    /// Of a milter's packets.
    #[serde(default = "packet_octets_max", deserialize_with = "packet_octets")]
    pub(crate) packet_octets_max: u32,
    #[serde(default = "connect_secs", deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) connect_secs: u32,
    #[serde(default = "command_secs", deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) command_secs: u32,
    #[serde(default = "content_secs", deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) content_secs: u32,
    #[serde(default = "end_secs", deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) end_secs: u32,
}

fn incoming() -> Vec<LooksAt> {
    vec![LooksAt::Incoming]
}

const fn octets_max() -> u64 {
    20 * 1024 * 1024
}

const fn packet_octets_max() -> u32 {
    65_535
}

const fn connect_secs() -> u32 {
    10
}

const fn command_secs() -> u32 {
    30
}

const fn content_secs() -> u32 {
    60
}

const fn end_secs() -> u32 {
    120
}

/// One of the sizes that there are.
fn packet_octets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match at_least::<_, u32, 0>(deserializer)? {
        size @ (65_535 | 262_143 | 1_048_575) => Ok(size),
        size => {
            Err(serde::de::Error::custom(format!("{size} is no size of packets: there are 65535, 262143 and 1048575")))
        }
    }
}

impl OutsideFilter {
    /// Where an rspamd is asked: `/checkv2`, when the address names no path.
    pub(crate) fn checked_url(&self) -> Result<Url, String> {
        let url = Url::parse_even_plain(&self.url).map_err(|flaw| {
            let flaw = match flaw {
                UrlFlaw::Scheme => "it begins neither with http:// nor with https://".to_owned(),
                UrlFlaw::Malformed | UrlFlaw::UserInfo | UrlFlaw::TooLong => flaw.to_string(),
            };
            format!("\"{}\": {flaw}; write it like \"http://127.0.0.1:11333\"", self.url)
        })?;
        Ok(if url.path == "/" { Url { path: "/checkv2".to_owned(), ..url } } else { url })
    }

    /// Where a milter listens.
    pub(crate) fn place(&self) -> Result<Place, String> {
        self.address.parse().map_err(|flaw: outside::milter::PlaceFlaw| flaw.to_string())
    }

    /// How long each step may take.
    pub(crate) fn patience(&self) -> outside::milter::Patience {
        let secs = |secs: u32| Duration::from_secs(secs.into());
        outside::milter::Patience {
            connect: secs(self.connect_secs),
            command: secs(self.command_secs),
            content: secs(self.content_secs),
            end: secs(self.end_secs),
        }
    }

    /// The key with which something is wrong, and what.
    fn flaw(&self) -> Option<(&'static str, String)> {
        let name = &self.name;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_name) {
            let message = format!(
                "\"{name}\" is no name for a filter: letters, digits, \"-\", \"_\" and \".\", {NAME_CHARACTERS_MAX} at the most"
            );
            return Some(("name", message));
        }
        if self.applies_to.is_empty() {
            return Some(("applies_to", "it looks at nothing: write \"incoming\", \"submitted\" or both".to_owned()));
        }
        let has = |file: &PathBuf| !file.as_os_str().is_empty();
        match self.kind {
            FilterKind::Rspamd if !self.address.is_empty() => {
                Some(("address", "an rspamd is asked over HTTP: write `url = \"http://127.0.0.1:11333\"`".to_owned()))
            }
            FilterKind::Rspamd => self.checked_url().err().map(|message| ("url", message)),
            FilterKind::Milter if !self.url.is_empty() => {
                Some(("url", "a milter has an address: write `address = \"127.0.0.1:8891\"`".to_owned()))
            }
            FilterKind::Milter if has(&self.password_file) => {
                Some(("password_file", "milters know no passwords; this is for an rspamd".to_owned()))
            }
            FilterKind::Milter if has(&self.ca_file) => {
                Some(("ca_file", "milters know no TLS; this is for an rspamd".to_owned()))
            }
            FilterKind::Milter => self.place().err().map(|message| ("address", message)),
        }
    }
}

/// What is wrong with the filters: where it stands in the text, and what it is.
pub(super) fn flaw(config: &Config, text: &str) -> Option<(usize, String)> {
    let section = &config.outside;
    if section.together_secs_max > SECS_MAX {
        let message = format!("clients do not wait so long; the most is {SECS_MAX}");
        return Some((super::load::offset_of(text, &["outside", "together_secs_max"]), message));
    }
    for (n, filter) in section.filter.iter().enumerate() {
        let at = |key: &str| offset_in_list(text, &["outside", "filter"], n, key);
        if n >= FILTERS_MAX {
            return Some((at("name"), format!("these are too many filters; the most is {FILTERS_MAX}")));
        }
        if section.filter.iter().take(n).any(|before| before.name == filter.name) {
            return Some((at("name"), format!("there is a filter \"{}\" already", filter.name)));
        }
        if let Some((key, message)) = filter.flaw() {
            return Some((at(key), message));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    fn said(text: &str) -> String {
        match parse(text, Path::new("relais.toml")) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn filters_are_checked_at_the_start() {
        let rspamd = "[[outside.filter]]\nname = \"rspamd\"\nkind = \"rspamd\"\n";
        let milter = "[[outside.filter]]\nname = \"dkim\"\nkind = \"milter\"\n";
        for (text, expected) in [
            (format!("{rspamd}url = \"http://127.0.0.1:11333\""), "taken"),
            (
                format!(
                    "{rspamd}url = \"https://rspamd.example.org/checkv2\"\napplies_to = [\"incoming\", \"submitted\"]"
                ),
                "taken",
            ),
            (format!("{milter}address = \"inet:8891@127.0.0.1\"\nfail = \"closed\"\ndiscard = \"discard\""), "taken"),
            (format!("{milter}address = \"/run/dkim.sock\"\npacket_octets_max = 262143"), "taken"),
            (rspamd.to_owned(), "relais.toml:1:1: \"\": it is no URL; write it like \"http://127.0.0.1:11333\""),
            (
                format!("{rspamd}url = \"ftp://x\""),
                "relais.toml:4:1: \"ftp://x\": it begins neither with http:// nor with https://; write it like \"http://127.0.0.1:11333\"",
            ),
            (
                format!("{rspamd}address = \"127.0.0.1:1\""),
                "relais.toml:4:1: an rspamd is asked over HTTP: write `url = \"http://127.0.0.1:11333\"`",
            ),
            (
                format!("{milter}address = \"nowhere\""),
                "relais.toml:4:1: \"nowhere\" is no place of a milter: write it like \"127.0.0.1:8891\" or \"/run/milter/milter.sock\"",
            ),
            (
                format!("{milter}url = \"http://127.0.0.1\""),
                "relais.toml:4:1: a milter has an address: write `address = \"127.0.0.1:8891\"`",
            ),
            (
                format!("{milter}address = \"/x\"\napplies_to = []"),
                "relais.toml:5:1: it looks at nothing: write \"incoming\", \"submitted\" or both",
            ),
            (
                format!("{milter}address = \"/x\"\n{milter}address = \"/y\""),
                "relais.toml:6:1: there is a filter \"dkim\" already",
            ),
            (
                format!("{milter}address = \"/x\"\npacket_octets_max = 7"),
                "relais.toml:5:21: 7 is no size of packets: there are 65535, 262143 and 1048575",
            ),
            (format!("{milter}fail = \"shut\""), "relais.toml:4:8: unknown value `shut`; known here: open, closed"),
            (
                "[outside]\ntogether_secs_max = 600".to_owned(),
                "relais.toml:2:1: clients do not wait so long; the most is 540",
            ),
        ] {
            assert_eq!(said(&text), expected, "{text}");
        }
    }

    #[test]
    fn an_rspamd_has_its_path() {
        let url = |url: &str| {
            let text = format!("[[outside.filter]]\nname = \"r\"\nkind = \"rspamd\"\nurl = \"{url}\"");
            let config = parse(&text, Path::new("relais.toml")).unwrap();
            config.outside.filter[0].checked_url().unwrap().to_string()
        };
        assert_eq!(url("http://127.0.0.1:11333"), "http://127.0.0.1:11333/checkv2");
        assert_eq!(url("http://127.0.0.1:11333/"), "http://127.0.0.1:11333/checkv2");
        assert_eq!(url("https://a.example/own?x=1"), "https://a.example/own?x=1");
    }
}
