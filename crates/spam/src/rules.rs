//! Rules: what is odd about a message whatever was learnt. Each gives points and a reason; none is enough alone.

use crate::content::{Content, Facts};
use crate::links::organisation;
use crate::points::Points;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The text by which filters are tried out.
    Test,
    /// A link shows one host and leads to another.
    LyingLink,
    /// A link has a host before its `@`.
    DisguisedLink,
    /// A link leads to a number.
    AddressLink,
    /// A name in From is an address of another domain.
    LyingName,
    /// A program is attached.
    Program,
    /// Letters of scripts that look alike in one word.
    MixedScripts,
    /// Characters that nobody sees within words.
    Invisible,
    /// A picture instead of a text.
    PictureOnly,
    /// The subject shouts.
    Shouting,
    /// RFC 5322 §3.6 wants a Date.
    NoDate,
    /// RFC 5322 §3.6.4 wants a Message-ID.
    NoMessageId,
}

/// A rule that a message meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub rule: Rule,
    /// What it means, in words, with what was found.
    pub reason: String,
}

impl Rule {
    /// What it is worth.
    #[must_use]
    pub const fn points(self) -> Points {
        Points(match self {
            Self::Test => 1_000,
            Self::DisguisedLink | Self::Program => 20,
            Self::AddressLink | Self::LyingName | Self::MixedScripts => 15,
            Self::LyingLink | Self::Invisible | Self::PictureOnly | Self::Shouting => 10,
            Self::NoDate | Self::NoMessageId => 5,
        })
    }
}

/// The rules that a message meets.
pub(crate) fn hits(content: &Content) -> Vec<Hit> {
    let facts = &content.facts;
    let mut hits = Vec::new();
    let mut add = |rule, reason: Option<String>| hits.extend(reason.map(|reason| Hit { rule, reason }));
    let said = |is: bool, reason: &str| is.then(|| reason.to_owned());
    add(Rule::Test, said(facts.gtube, "it has the text by which spam filters are tried out"));
    let lie = |(shown, real): &(String, String)| format!("a link shows {shown} and leads to {real}");
    add(Rule::LyingLink, facts.lie.as_ref().map(lie));
    let disguised = facts.links.iter().find(|link| link.disguised);
    add(Rule::DisguisedLink, disguised.map(|link| format!("a link to {} pretends to lead elsewhere", link.host)));
    let address = facts.links.iter().find(|link| link.is_address());
    add(Rule::AddressLink, address.map(|link| format!("a link leads to {}, which is no name", link.host)));
    add(Rule::LyingName, lying_name(facts));
    add(Rule::Program, said(facts.files.iter().any(|name| is_program(name)), "a program is attached"));
    add(Rule::MixedScripts, said(facts.odd.mixed > 0, "words are written with letters of two scripts"));
    add(Rule::Invisible, said(facts.odd.invisible >= INVISIBLE_MIN, "words are cut by characters that nobody sees"));
    let picture = facts.images > 0 && facts.odd.words < FEW_WORDS && !facts.links.is_empty();
    add(Rule::PictureOnly, said(picture, "it has a picture and a link instead of a text"));
    add(Rule::Shouting, said(is_shouting(&facts.subject), "the subject is written in capitals"));
    add(Rule::NoDate, said(!facts.has_date, "it has no date"));
    add(Rule::NoMessageId, said(!facts.has_message_id, "it has no Message-ID"));
    hits
}

fn lying_name(facts: &Facts) -> Option<String> {
    facts.from.iter().find_map(|person| {
        let (_, claimed) = person.name.rsplit_once('@')?;
        let end = |c: char| !c.is_alphanumeric() && c != '.' && c != '-';
        let claimed = claimed.split(end).next().unwrap_or_default().trim_matches('.').to_lowercase();
        let differs = claimed.contains('.') && organisation(&claimed) != organisation(&person.domain);
        differs.then(|| {
            format!("the name of the sender is an address of {claimed}, and the mail is from {}", person.domain)
        })
    })
}

fn is_program(name: &str) -> bool {
    let ending = name.trim().rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| PROGRAMS.contains(&ending))
}

fn is_shouting(subject: &str) -> bool {
    let upper = subject.chars().filter(|c| c.is_uppercase()).count();
    let lower = subject.chars().filter(|c| c.is_lowercase()).count();
    let words = subject.split_whitespace().count();
    words >= 3 && upper >= 12 && lower.saturating_mul(10) <= upper
}

/// Endings of files that run when they are opened.
const PROGRAMS: [&str; 16] =
    ["bat", "cmd", "com", "cpl", "exe", "hta", "jar", "js", "jse", "lnk", "msi", "pif", "scr", "vbe", "vbs", "wsf"];

const INVISIBLE_MIN: usize = 3;
const FEW_WORDS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(header: &str, body: &str) -> Vec<Rule> {
        let message = format!("Date: x\r\nMessage-ID: <a@b.example>\r\n{header}\r\n{body}\r\n");
        hits(&Content::read(message.as_bytes())).into_iter().map(|hit| hit.rule).collect()
    }

    #[test]
    fn each_rule_has_its_message() {
        let html = "Content-Type: text/html; charset=utf-8\r\n";
        for (header, body, expected) in [
            ("Subject: Lunch on Friday?\r\n", "See you there, http://cafe.example/", &[][..]),
            (html, "<a href='http://evil.example/'>http://bank.example</a>", &[Rule::LyingLink]),
            ("", "http://www.bank.example@evil.example/", &[Rule::DisguisedLink]),
            ("", "http://192.0.2.1/", &[Rule::AddressLink]),
            ("From: \"service@bank.example\" <x@evil.example>\r\n", "", &[Rule::LyingName]),
            ("From: \"service@bank.example\" <x@mail.bank.example>\r\n", "", &[]),
            ("From: \"Zoe @ work\" <x@evil.example>\r\n", "", &[]),
            ("Content-Type: application/octet-stream; name=\"a.pdf.exe\"\r\n", "x", &[Rule::Program]),
            ("Content-Type: application/pdf; name=\"exe.pdf\"\r\n", "x", &[]),
            (html, "p\u{430}ypal", &[Rule::MixedScripts]),
            (html, "v\u{200b}i\u{200b}a\u{200b}gra", &[Rule::Invisible]),
            ("Subject: CLAIM YOUR MONEY NOW\r\n", "", &[Rule::Shouting]),
            ("Subject: NATO AND EU\r\n", "", &[]),
            ("Subject: \u{7121}\u{6599} \u{7121}\u{6599} \u{7121}\u{6599}\r\n", "", &[]),
        ] {
            assert_eq!(rules(header, body), expected, "{header}{body}");
        }
        let picture = "Content-Type: multipart/related; boundary=b\r\n";
        let parts = "--b\r\nContent-Type: text/html\r\n\r\n<a href='http://x.example/'><img></a>\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--";
        assert_eq!(rules(picture, parts), [Rule::PictureOnly]);
        let bare: Vec<Rule> = hits(&Content::read(b"Subject: x\r\n\r\n")).into_iter().map(|hit| hit.rule).collect();
        assert_eq!(bare, [Rule::NoDate, Rule::NoMessageId]);
    }

    #[test]
    fn no_rule_but_the_test_is_enough_alone() {
        let all = [
            Rule::LyingLink,
            Rule::DisguisedLink,
            Rule::AddressLink,
            Rule::LyingName,
            Rule::Program,
            Rule::MixedScripts,
            Rule::Invisible,
            Rule::PictureOnly,
            Rule::Shouting,
            Rule::NoDate,
            Rule::NoMessageId,
        ];
        assert!(all.iter().all(|rule| rule.points() <= Points::THRESHOLD_MIN));
    }
}
