//! What lists and groups write to people, in French and English. Words only: who gets a letter is decided elsewhere.
//!
//! Every letter says which list it is about, why the reader gets it, and what to do, or that nothing is to be done.

mod english;
mod french;

use mail::Address;

use crate::budget::LetterKind;

/// The language of a letter, and of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The default.
    English,
    /// `fr`.
    French,
}

impl Language {
    pub(crate) fn of(name: &str) -> Self {
        if name.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("fr")) { Self::French } else { Self::English }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }
}

/// The beginning of a message, as moderators are shown it.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    pub author: String,
    pub subject: &'a str,
    pub octets: u64,
    pub excerpt: &'a str,
    pub because: Because,
}

/// Why a message waits, or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    Moderated,
    NonMember,
    TooLarge,
    HeaderTooLong,
    TooManyWait,
    TooMuchWaits,
}

/// What else a letter to a moderator tells of messages that wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest<'a> {
    /// Others that wait; 0: not told.
    pub others: usize,
    /// No further letter comes today.
    pub last_today: bool,
    /// The page with all of them.
    pub all: Option<&'a str>,
    /// The reader's account here, under which they decide on the command line.
    pub reader: Option<&'a Address>,
}

/// What a letter says.
#[derive(Clone, Debug)]
pub(crate) enum Words<'a> {
    /// Confirm that you want to join. The link is there when a web address is configured.
    ConfirmJoin {
        link: Option<&'a str>,
    },
    /// Confirm that you want to leave.
    ConfirmLeave {
        link: Option<&'a str>,
    },
    /// To the old address: did you ask to be moved?
    ConfirmMoveAsked {
        to: &'a Address,
        link: Option<&'a str>,
    },
    /// To the new address: confirm that it is yours.
    ConfirmMove {
        from: &'a Address,
        link: Option<&'a str>,
    },
    /// To the old address, once it is done.
    Moved {
        to: &'a Address,
    },
    /// `added`: somebody who runs the list made them a member, and they did not ask.
    Welcome {
        manage: Option<&'a str>,
        added: bool,
    },
    Goodbye,
    AlreadyMember {
        manage: Option<&'a str>,
    },
    NotMember,
    Closed,
    WaitsForApproval,
    JoinRejected {
        reason: &'a str,
    },
    Help {
        member: bool,
        manage: Option<&'a str>,
    },
    /// To a moderator: a message waits.
    Moderate {
        shown: Shown<'a>,
        link: Option<&'a str>,
        days: u32,
        rest: Rest<'a>,
    },
    /// To a moderator: somebody wants to join.
    Approve {
        who: &'a Address,
        link: Option<&'a str>,
    },
    /// To a moderator: somebody was faster.
    Decided {
        by: &'a str,
        approved: bool,
    },
    /// To a moderator whose answer was not understood, or whose message is gone.
    NotUnderstood,
    Void,
    Refused {
        subject: &'a str,
        because: Because,
    },
    Rejected {
        subject: &'a str,
        reason: &'a str,
    },
    Waiting {
        subject: &'a str,
    },
    /// To an author: what was let through can't be delivered now; it is kept.
    Undelivered {
        subject: &'a str,
    },
    Expired {
        subject: &'a str,
        days: u32,
    },
    /// To an owner: a member was suspended.
    SuspendedOwner {
        member: &'a Address,
    },
    /// To that member.
    Suspended {
        back: Option<&'a str>,
    },
    /// To an owner: letters of a kind are used up for today. `who` is empty when it is the whole list's.
    Spent {
        kind: LetterKind,
        who: &'a str,
        max: u32,
        /// The owner's account here.
        reader: Option<&'a Address>,
    },
}

/// Subject and text of a letter, in which commands begin with `relais` ([`delivery::Delivery::command`]).
pub(crate) fn write(
    language: Language,
    list: &str,
    address: &Address,
    words: &Words<'_>,
    relais: &str,
) -> (String, String) {
    let (subject, body) = match language {
        Language::English => english::english(list, address, words, relais),
        Language::French => french::french(list, address, words, relais),
    };
    (subject, format!("{}\n\n-- \n{list}\n{address}\n", body.trim_end()))
}

/// The command line as the reader of a letter types it: under their own name, or as an administrator.
fn command(relais: &str, reader: Option<&Address>) -> String {
    reader.map_or_else(|| relais.to_owned(), |reader| format!("{relais} --as {reader}"))
}

fn request(address: &Address) -> String {
    format!("{}-request@{}", address.local(), address.domain())
}

/// Each line behind a mark, so that what others wrote can't be taken for ours.
fn quoted(text: &str) -> String {
    text.trim().lines().map(|line| format!("> {}\n", line.trim_end())).collect::<String>().trim_end().to_owned()
}

/// A size, with the language's words for octets, thousands and millions of them.
fn size(octets: u64, [ones, thousands, millions]: &[&str; 3]) -> String {
    match octets {
        0..10_000 => format!("{octets} {ones}"),
        10_000..10_000_000 => format!("{} {thousands}", octets / 1000),
        _ => format!("{} {millions}", octets / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAIS: &str = "relais --config /x.toml";

    #[test]
    fn every_letter_says_what_it_is_about_in_both_languages() {
        let address = Address::parse("garden@a.example").unwrap();
        let other = Address::parse("bob@b.example").unwrap();
        let shown = Shown {
            author: "Bob <bob@b.example>".to_owned(),
            subject: "Tea",
            octets: 12_345,
            excerpt: "one\ntwo",
            because: Because::NonMember,
        };
        let link = Some("https://x/lists/t");
        for words in [
            Words::ConfirmJoin { link },
            Words::ConfirmLeave { link },
            Words::ConfirmMoveAsked { to: &other, link },
            Words::ConfirmMove { from: &other, link },
            Words::Moderate {
                shown: shown.clone(),
                link,
                days: 7,
                rest: Rest { others: 3, last_today: true, all: link, reader: None },
            },
            Words::Approve { who: &other, link },
            Words::Suspended { back: link },
            Words::Welcome { manage: link, added: false },
            Words::Welcome { manage: link, added: true },
        ] {
            for language in [Language::English, Language::French] {
                let (subject, text) = write(language, "Garden", &address, &words, RELAIS);
                assert!(subject.contains("Garden") && text.contains("garden@a.example"), "{text}");
                assert!(text.contains("https://x/lists/t"), "{text}");
            }
        }
        for (list, wanted) in
            [("Amis", "Vous n'êtes pas membre d'Amis"), ("Garden", "Vous n'êtes pas membre de Garden")]
        {
            assert_eq!(write(Language::French, list, &address, &Words::NotMember, RELAIS).0, wanted);
        }
        for (reader, language, wanted) in [
            (
                Some(&other),
                Language::English,
                "You see all of them with `relais --config /x.toml --as bob@b.example list waiting garden@a.example`",
            ),
            (
                None,
                Language::English,
                "An administrator sees all of them with `relais --config /x.toml list waiting garden@a.example`",
            ),
            (
                Some(&other),
                Language::French,
                "Vous les voyez tous avec `relais --config /x.toml --as bob@b.example list waiting garden@a.example`",
            ),
            (
                None,
                Language::French,
                "Un administrateur les voit tous avec `relais --config /x.toml list waiting garden@a.example`",
            ),
        ] {
            let rest = Rest { others: 3, last_today: false, all: None, reader };
            let words = Words::Moderate { shown: shown.clone(), link: None, days: 7, rest };
            assert!(write(language, "Garden", &address, &words, RELAIS).1.contains(wanted), "{wanted}");
            let words = Words::Spent { kind: LetterKind::ConfirmLeave, who: "zoe@c.example", max: 3, reader };
            let removes = format!("{} list member remove garden@a.example zoe@c.example", command(RELAIS, reader));
            assert!(write(language, "Garden", &address, &words, RELAIS).1.contains(&removes), "{removes}");
        }
        for (language, wanted) in [
            (Language::English, "To leave, write to garden-leave@a.example"),
            (Language::French, "Pour la quitter, écrivez à garden-leave@a.example"),
        ] {
            let (_, text) = write(language, "Garden", &address, &Words::Welcome { manage: None, added: true }, RELAIS);
            assert!(text.contains(wanted), "{text}");
        }
        let (_, text) = write(
            Language::French,
            "Garden",
            &address,
            &Words::Rejected { subject: "Tea", reason: "hors sujet\nFrom: x" },
            RELAIS,
        );
        assert!(text.contains("> hors sujet\n> From: x"), "{text}");
    }
}
