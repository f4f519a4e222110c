//! rspamd's answer: what it has, and what follows.

#![expect(clippy::wildcard_enum_match_arm, reason = "what has another form says nothing, whatever it is")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Greylist;
use crate::facts::{Letter, Session};
use crate::header::Header;
use crate::limits::{CHANGES_MAX, NOTES_MAX, REPLY_CHARS_MAX, SCORE_SHOWN_MAX, SYMBOLS_SHOWN_MAX};
use crate::opinion::{Opinion, Wish};
use crate::text;

/// What is read of the answer. Everything may be missing but the action.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Answer {
    action: String,
    #[serde(default)]
    score: f64,
    /// From which score on each action is taken.
    #[serde(default)]
    thresholds: BTreeMap<String, Value>,
    #[serde(default)]
    symbols: BTreeMap<String, Symbol>,
    #[serde(default)]
    messages: Value,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default, rename = "dkim-signature")]
    signatures: Value,
    #[serde(default)]
    milter: Milter,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Symbol {
    #[serde(default)]
    score: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Milter {
    /// By name: a text, an object with a value and a place, or a list of such.
    #[serde(default)]
    add_headers: BTreeMap<String, Value>,
    /// By name: which of them, or a list of such.
    #[serde(default)]
    remove_headers: BTreeMap<String, Value>,
    /// `discard` or `quarantine`, in place of a refusal.
    #[serde(default)]
    reject: Option<String>,
}

/// An answer that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its answer can't be read: {0}")]
pub struct AnswerFlaw(String);

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// One that is no JSON, or without an action.
    pub fn read(octets: &[u8]) -> Result<Self, AnswerFlaw> {
        serde_json::from_slice(octets).map_err(|error| AnswerFlaw(text::reason(&error.to_string())))
    }

    /// `9.1 of 6.0: BAYES_SPAM, MISSING_DATE`: the score, from which on a message is spam, where the answer says that, and the symbols that say
    /// most.
    #[must_use]
    pub fn summary(&self) -> String {
        let threshold = ["add header", "rewrite subject"];
        let threshold = threshold.iter().find_map(|name| self.thresholds.get(*name)?.as_f64());
        let mut symbols: Vec<(&str, f64)> =
            self.symbols.iter().map(|(name, symbol)| (name.as_str(), symbol.score)).collect();
        symbols.retain(|(_, score)| *score > 0.0);
        symbols.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let names: Vec<&str> = symbols.into_iter().take(SYMBOLS_SHOWN_MAX).map(|(name, _)| name).collect();
        let colon = if names.is_empty() { "" } else { ": " };
        let of = threshold.map_or_else(
            || "points".to_owned(),
            |threshold| format!("of {:.1}", threshold.clamp(-SCORE_SHOWN_MAX, SCORE_SHOWN_MAX)),
        );
        let score = self.score.clamp(-SCORE_SHOWN_MAX, SCORE_SHOWN_MAX);
        text::reason(&format!("{score:.1} {of}{colon}{}", names.join(", ")))
    }

    /// What follows, with the changes made that it wants.
    pub(crate) fn opinion(&self, greylist: Greylist, session: &Session, letter: &mut Letter<'_>) -> Opinion {
        let summary = self.summary();
        let action = self.action.replace('_', " ").to_ascii_lowercase();
        let shown = text::reason(&action);
        let mut opinion = Opinion::taken(format!("{shown} ({summary})"));
        let utf8 = letter.envelope.smtputf8;
        let said = self.messages.get("smtp_message").and_then(Value::as_str);
        let said = said.map(|said| text::line(said.as_bytes(), utf8, REPLY_CHARS_MAX)).filter(|said| !said.is_empty());
        match (action.as_str(), self.milter.reject.as_deref()) {
            ("no action" | "accept", _) => {}
            ("greylist", _) if greylist == Greylist::Take => {}
            ("greylist" | "soft reject", _) => {
                let said = said.unwrap_or_else(|| "Try again later".to_owned());
                opinion.wish = Wish::Refuse(text::refusal(true, &said));
            }
            ("add header" | "rewrite subject", _) => opinion.spam = Some(summary),
            ("quarantine", _) | ("reject", Some("quarantine")) => opinion.aside = Some(summary),
            ("discard", _) | ("reject", Some("discard")) => opinion.wish = Wish::Discard(summary),
            ("reject", _) => {
                let said = said.unwrap_or_else(|| "Refused as spam".to_owned());
                opinion.wish = Wish::Refuse(text::refusal(false, &said));
            }
            _ => opinion.notes.push(format!("its action \"{shown}\" means nothing here")),
        }
        if opinion.wish == Wish::Take {
            opinion.notes.extend(self.change(session.is_submission(), &mut letter.header));
        }
        opinion
    }

    /// Changes a header as rspamd wants it; what could not be changed, in words. A signature is taken for what is submitted alone: it signs
    /// what it takes for ours, and what strangers hand over is not.
    pub fn change(&self, submitted: bool, header: &mut Header) -> Vec<String> {
        let mut notes = Vec::new();
        let mut done = |change: Result<(), crate::header::FieldFlaw>| {
            if let Err(flaw) = change
                && notes.len() < NOTES_MAX
            {
                notes.push(format!("a change was left out: {flaw}"));
            }
        };
        for (name, which) in &self.milter.remove_headers {
            for which in each(which) {
                done(header.remove(name.as_bytes(), which.as_i64().unwrap_or(0)));
            }
        }
        for (name, value) in &self.milter.add_headers {
            for value in each(value) {
                let (text, place) = match value {
                    Value::String(text) => (text.as_str(), None),
                    other => (
                        other.get("value").and_then(Value::as_str).unwrap_or_default(),
                        other.get("order").and_then(Value::as_u64).and_then(|place| u32::try_from(place).ok()),
                    ),
                };
                done(match place {
                    Some(place) => header.insert(place, name.as_bytes(), text.as_bytes(), false),
                    None => header.add(name.as_bytes(), text.as_bytes(), false),
                });
            }
        }
        if let Some(subject) = &self.subject {
            done(header.change(1, b"Subject", subject.as_bytes(), false));
        }
        for signature in each(&self.signatures).filter(|_| submitted) {
            let value = signature.as_str().unwrap_or_default();
            let value = value.strip_prefix("DKIM-Signature:").unwrap_or(value);
            if !value.is_empty() {
                done(header.insert(0, b"DKIM-Signature", value.as_bytes(), false));
            }
        }
        notes
    }
}

/// A value, or the values of a list.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (one, list) = match value {
        Value::Null => (None, None),
        Value::Array(list) => (None, Some(list)),
        other => (Some(other), None),
    };
    one.into_iter().chain(list.into_iter().flatten()).take(CHANGES_MAX)
}

#[cfg(test)]
mod tests {
    use mail::{Envelope, ReversePath};
    use proptest::prelude::*;

    use super::*;
    use crate::spool::MemorySpool;

    /// What an answer leads to, and the header that it leaves.
    fn follows(json: &str, greylist: Greylist, login: Option<&str>) -> (Opinion, String) {
        let session = Session {
            hostname: "mx.example.org".parse().unwrap(),
            client: "192.0.2.1:4242".parse().unwrap(),
            local: "192.0.2.9:25".parse().unwrap(),
            helo: None,
            tls: None,
            login: login.map(str::to_owned),
            id: "7f".to_owned(),
        };
        let mut spool = MemorySpool::default();
        let header = Header::read(b"X-Spam: old\r\nSubject: Hello\r\n\r\n");
        let mut letter = Letter::new(header, &mut spool, Envelope::new(ReversePath::Null), 0);
        let opinion = Answer::read(json.as_bytes()).unwrap().opinion(greylist, &session, &mut letter);
        letter.header.settle();
        (opinion, String::from_utf8(letter.header.octets()).unwrap())
    }

    fn wish(action: &str, more: &str) -> (Wish, Option<String>, Option<String>) {
        let json = format!(
            "{{\"action\":\"{action}\",\"score\":9.12,\"required_score\":15,\"thresholds\":{{\"add header\":6.0,\"reject\":15}},\
             \"symbols\":{{\"MISSING_DATE\":{{\"score\":1.0}},\"BAYES_SPAM\":{{\"score\":5.1,\"options\":[\"99%\"]}},\"R_SPF_ALLOW\":{{\"score\":-0.2}}}}{more}}}"
        );
        let (opinion, _) = follows(&json, Greylist::Take, None);
        (opinion.wish, opinion.spam, opinion.aside)
    }

    #[test]
    fn each_action_has_its_effect() {
        let reason = || Some("9.1 of 6.0: BAYES_SPAM, MISSING_DATE".to_owned());
        let refused = |temporary, text: &str| Wish::Refuse(text::refusal(temporary, text));
        let message = ",\"messages\":{\"smtp_message\":\"Go\\r\\n250 away\"}";
        for (action, more, expected) in [
            ("no action", "", (Wish::Take, None, None)),
            ("greylist", "", (Wish::Take, None, None)),
            ("add header", "", (Wish::Take, reason(), None)),
            ("rewrite_subject", "", (Wish::Take, reason(), None)),
            ("quarantine", "", (Wish::Take, None, reason())),
            ("discard", "", (Wish::Discard(reason().unwrap()), None, None)),
            ("soft reject", "", (refused(true, "Try again later"), None, None)),
            ("soft reject", message, (refused(true, "Go 250 away"), None, None)),
            ("reject", "", (refused(false, "Refused as spam"), None, None)),
            ("reject", message, (refused(false, "Go 250 away"), None, None)),
            ("reject", ",\"milter\":{\"reject\":\"quarantine\"}", (Wish::Take, None, reason())),
            ("reject", ",\"milter\":{\"reject\":\"discard\"}", (Wish::Discard(reason().unwrap()), None, None)),
            ("my own action", "", (Wish::Take, None, None)),
        ] {
            assert_eq!(wish(action, more), expected, "{action} {more}");
        }
        let (opinion, _) = follows("{\"action\":\"greylist\"}", Greylist::Defer, None);
        assert_eq!(opinion.wish, refused(true, "Try again later"));
        assert_eq!(refused(true, "x").clone(), Wish::Refuse(text::refusal(true, "x")));
        let (opinion, _) =
            follows("{\"action\":\"no action\",\"score\":-1.25,\"required_score\":15}", Greylist::Take, None);
        assert_eq!(opinion.told, "no action (-1.2 points)");
        let (opinion, _) = follows("{\"action\":\"my\\r\\naction\"}", Greylist::Take, None);
        assert_eq!(opinion.notes, ["its action \"my action\" means nothing here"]);
    }

    #[test]
    fn fields_are_changed() {
        let json = r#"{"action":"rewrite subject","subject":"*** Hello","dkim-signature":"v=1; a=x;\r\n\tb=y",
            "milter":{"remove_headers":{"X-Spam":0,"X-None":[1,-1]},
            "add_headers":{"X-A":"one","X-B":{"value":"two","order":0},"X-C":[{"value":"three\nX-Evil: 1"},"four"],"bad name":"x"}}}"#;
        let (opinion, header) = follows(json, Greylist::Take, None);
        assert_eq!(
            header,
            "X-B: two\r\nSubject: *** Hello\r\nX-A: one\r\nX-C: three\r\n\tX-Evil: 1\r\nX-C: four\r\n\r\n"
        );
        assert_eq!(opinion.notes, ["a change was left out: the name of a field is none"]);
        let (_, header) = follows(json, Greylist::Take, Some("alice@example.org"));
        assert!(header.starts_with("DKIM-Signature: v=1; a=x;\r\n\tb=y\r\nX-B: two"), "{header}");
        // Of what is refused, nothing is changed.
        let (_, header) = follows(&json.replace("rewrite subject", "reject"), Greylist::Take, None);
        assert!(header.starts_with("X-Spam: old\r\n"), "{header}");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for octets in
            ["", "{}", "[]", "null", "{\"action\":1}", "{\"action\":\"reject\"", "{\"action\":\"x\",\"score\":\"y\"}"]
        {
            assert!(Answer::read(octets.as_bytes()).is_err(), "{octets}");
        }
        let deep = format!("{{\"action\":\"x\",\"messages\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Answer::read(deep.as_bytes()).is_err());
        assert!(Answer::read(&[0xff; 100]).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_leaves_a_header(name in "[ -~\r\n]{0,8}", value in "[ -~\r\n]{0,20}", place in any::<i64>()) {
            let json = serde_json::json!({"action": "add header", "subject": value, "milter": {
                "add_headers": {(name.clone()): {"value": value, "order": place}},
                "remove_headers": {(name): place},
            }});
            let (_, header) = follows(&json.to_string(), Greylist::Take, None);
            prop_assert!(header.ends_with("\r\n\r\n"));
            prop_assert_eq!(header.matches("\r\n\r\n").count(), 1);
        }
    }
}
