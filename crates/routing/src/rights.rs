//! Rights to a mailbox, in the letters of RFC 4314 §2.1, with the obsolete `c` and `d` of RFC 2086 (§2.1.1)
//! and `n` of RFC 5257 §3.4.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rights(u16);

/// Why a text is no set of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RightsFlaw {
    /// RFC 4314 §2: uppercase rights are not allowed.
    #[error("rights are lowercase letters, {0} is not")]
    Uppercase(char),
    /// No such right.
    #[error("there is no right {0:?}; the rights are lrswipkxtean")]
    Unknown(char),
}

impl Rights {
    /// No right.
    pub const NONE: Self = Self(0);
    /// `l`: the mailbox is seen in lists.
    pub const LOOKUP: Self = Self(1);
    /// `r`: it can be opened.
    pub const READ: Self = Self(1 << 1);
    /// `s`: `\Seen` can be changed.
    pub const SEEN: Self = Self(1 << 2);
    /// `w`: other flags can be changed.
    pub const WRITE: Self = Self(1 << 3);
    /// `i`: messages can be put in.
    pub const INSERT: Self = Self(1 << 4);
    /// `p`: its address can be sent as.
    pub const POST: Self = Self(1 << 5);
    /// `k`: mailboxes can be made below it.
    pub const CREATE: Self = Self(1 << 6);
    /// `x`: it can be deleted and renamed.
    pub const DELETE_MAILBOX: Self = Self(1 << 7);
    /// `t`: `\Deleted` can be changed.
    pub const DELETE: Self = Self(1 << 8);
    /// `e`: messages can be expunged.
    pub const EXPUNGE: Self = Self(1 << 9);
    /// `a`: rights can be given and taken.
    pub const ADMINISTER: Self = Self(1 << 10);
    /// `n`: annotations of messages that all see can be written (RFC 5257 §3.4). None are kept here; the right is.
    pub const ANNOTATE: Self = Self(1 << 11);
    /// All of them: what the owner of a mailbox has.
    pub const ALL: Self = Self((1 << 12) - 1);

    /// Each right with its letter, in the order in which they are written.
    pub const LETTERS: [(Self, char); 12] = [
        (Self::LOOKUP, 'l'),
        (Self::READ, 'r'),
        (Self::SEEN, 's'),
        (Self::WRITE, 'w'),
        (Self::INSERT, 'i'),
        (Self::POST, 'p'),
        (Self::CREATE, 'k'),
        (Self::DELETE_MAILBOX, 'x'),
        (Self::DELETE, 't'),
        (Self::EXPUNGE, 'e'),
        (Self::ADMINISTER, 'a'),
        (Self::ANNOTATE, 'n'),
    ];

    /// RFC 4314 §2.1.1: the members of the virtual right `c`, as those count them for whom DELETE was under `c`.
    const OLD_CREATE: Self = Self::CREATE.with(Self::DELETE_MAILBOX);
    /// RFC 4314 §2.1.1: the members of the virtual right `d`.
    const OLD_DELETE: Self = Self::DELETE.with(Self::EXPUNGE);

    /// Reads letters; `c` and `d` stand for their members.
    ///
    /// # Errors
    /// When there is anything else.
    pub fn parse(text: &str) -> Result<Self, RightsFlaw> {
        text.chars().try_fold(Self::NONE, |rights, letter| {
            let more = match letter {
                'c' => Self::OLD_CREATE,
                'd' => Self::OLD_DELETE,
                _ => match Self::LETTERS.iter().find(|(_, known)| *known == letter) {
                    Some((right, _)) => *right,
                    None if letter.is_ascii_uppercase() => return Err(RightsFlaw::Uppercase(letter)),
                    None => return Err(RightsFlaw::Unknown(letter)),
                },
            };
            Ok(rights.with(more))
        })
    }

    /// Reads letters, or a word for what people usually are.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse_or_role(text: &str) -> Result<Self, RightsFlaw> {
        match Self::ROLES.iter().find(|(name, _)| *name == text) {
            Some((_, letters)) => Self::parse(letters),
            None => Self::parse(text),
        }
    }

    /// What people usually are, with the rights of each.
    pub const ROLES: [(&'static str, &'static str); 4] =
        [("reader", "lrs"), ("writer", "lrswite"), ("poster", "lrswipte"), ("administrator", "lrswipkxtean")];

    /// As MYRIGHTS and ACL responses write it: with `c` and `d` wherever one of their members is (RFC 4314 §2.1.1).
    #[must_use]
    pub fn with_obsolete(self) -> String {
        let mut text = self.to_string();
        text.extend(self.any_of(Self::OLD_CREATE).then_some('c'));
        text.extend(self.any_of(Self::OLD_DELETE).then_some('d'));
        text
    }

    /// Whether all of `other` are in it.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether one of `other` is in it.
    #[must_use]
    pub const fn any_of(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        Self::LETTERS.iter().filter(|(right, _)| self.has(*right)).try_for_each(|(_, letter)| f.write_char(*letter))
    }
}

impl TryFrom<String> for Rights {
    type Error = RightsFlaw;

    fn try_from(text: String) -> Result<Self, RightsFlaw> {
        Self::parse(&text)
    }
}

impl From<Rights> for String {
    fn from(rights: Rights) -> Self {
        rights.to_string()
    }
}

/// What SETACL does to an identifier's rights (RFC 4314 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsChange {
    /// These instead.
    Set(Rights),
    /// `+`: these as well.
    Add(Rights),
    /// `-`: no longer these.
    Remove(Rights),
}

impl RightsChange {
    /// Reads `lrs`, `+lrs` or `-lrs`.
    ///
    /// # Errors
    /// When the letters are no rights.
    pub fn parse(text: &str) -> Result<Self, RightsFlaw> {
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(more), _) => Rights::parse(more).map(Self::Add),
            (_, Some(less)) => Rights::parse(less).map(Self::Remove),
            (None, None) => Rights::parse(text).map(Self::Set),
        }
    }

    /// The rights afterwards.
    #[must_use]
    pub const fn apply(self, before: Rights) -> Rights {
        match self {
            Self::Set(rights) => rights,
            Self::Add(more) => before.with(more),
            Self::Remove(less) => before.without(less),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_4314() {
        // §2.1.1: what is given, what is stored, what is told.
        for (given, stored, told) in [
            ("lrswida", "lrswitea", "lrswitead"),
            ("lrswikda", "lrswiktea", "lrswikteacd"),
            ("lrswicda", "lrswikxtea", "lrswikxteacd"),
            ("", "", ""),
            ("x", "x", "xc"),
            ("e", "e", "ed"),
            ("dte", "te", "ted"),
        ] {
            let rights = Rights::parse(given).unwrap();
            assert_eq!((rights.to_string(), rights.with_obsolete()), (stored.to_owned(), told.to_owned()), "{given}");
        }
        // §3.1: `+cda` on top of `lrswi`.
        let chris = Rights::parse("lrswi").unwrap();
        let chris = RightsChange::parse("+cda").unwrap().apply(chris);
        assert_eq!(chris.with_obsolete(), "lrswikxteacd");
        assert_eq!(Rights::parse("lrQswicda"), Err(RightsFlaw::Uppercase('Q')));
        assert_eq!(Rights::parse("lrqswicda"), Err(RightsFlaw::Unknown('q')));
        assert!(RightsChange::parse("--l").is_err() && Rights::parse("l r").is_err() && Rights::parse("l1").is_err());
    }

    #[test]
    fn a_role_is_a_word_for_letters() {
        for (word, letters) in Rights::ROLES {
            assert_eq!(Rights::parse_or_role(word).unwrap().to_string(), letters);
        }
        assert_eq!(Rights::parse_or_role("lr").unwrap().to_string(), "lr");
        assert!(Rights::parse_or_role("Reader").is_err() && Rights::parse_or_role("owner").is_err());
    }

    #[test]
    fn changes_replace_add_and_remove() {
        let before = Rights::parse("lrs").unwrap();
        for (change, after) in [("w", "w"), ("+w", "lrsw"), ("-s", "lr"), ("-x", "lrs"), ("", ""), ("+", "lrs")] {
            assert_eq!(RightsChange::parse(change).unwrap().apply(before).to_string(), after, "{change}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(letters in "[lrswipkxteancd]{0,20}") {
            let rights = Rights::parse(&letters).unwrap();
            prop_assert_eq!(Rights::parse(&rights.to_string()), Ok(rights));
            // Old clients write back what they were told: it must not be less.
            prop_assert!(Rights::parse(&rights.with_obsolete()).unwrap().has(rights));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            Rights::parse(&text).ok();
            RightsChange::parse(&text).ok();
        }
    }
}
