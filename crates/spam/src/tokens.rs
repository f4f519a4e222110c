//! Tokens: what is counted.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::limits::TOKENS_MAX;

/// A token as the counts know it: a hash of what it is and of its text. The words of people are in no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u64);

/// Something that a message has, and others may have too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What is counted.
    pub id: TokenId,
    /// For people: `casino`, `subject: free pills`, `link: shop.example`.
    pub text: String,
}

/// Where a token is found. The names are part of what is hashed and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The texts.
    Body,
    /// `Subject`.
    Subject,
    /// `From` and `Reply-To`.
    From,
    /// Hosts that links lead to.
    Link,
    /// How the message was made: `User-Agent`, types of parts.
    Made,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Body => "",
            Self::Subject => "subject: ",
            Self::From => "from: ",
            Self::Link => "link: ",
            Self::Made => "made: ",
        }
    }
}

/// The tokens of one message, each once.
#[derive(Default)]
pub(crate) struct Tokens {
    seen: HashSet<u64, BuildHasherDefault<AsItIs>>,
    all: Vec<Token>,
}

impl Tokens {
    pub(crate) fn add(&mut self, place: Place, text: &str) {
        self.add_parts(place, text, "");
    }

    /// A pair of words.
    pub(crate) fn add_pair(&mut self, place: Place, first: &str, second: &str) {
        self.add_parts(place, first, second);
    }

    fn add_parts(&mut self, place: Place, first: &str, second: &str) {
        if self.all.len() >= TOKENS_MAX {
            return;
        }
        let mut hash = Hash::default();
        hash.write(place.name());
        hash.write(first);
        let gap = if second.is_empty() { "" } else { " " };
        hash.write(gap);
        hash.write(second);
        let id = hash.finish();
        if self.seen.insert(id) {
            self.all.push(Token { id: TokenId(id), text: [place.name(), first, gap, second].concat() });
        }
    }

    pub(crate) fn finish(self) -> Vec<Token> {
        self.all
    }
}

/// What is hashed already is not hashed again.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// FNV-1a, and the last step of MurmurHash3 so that all bits count. It is the store's format: the same on every machine, for ever.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hash {
    fn write(&mut self, text: &str) {
        for octet in text.bytes() {
            self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    const fn finish(self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        hash ^ (hash >> 33)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_never_change() {
        let mut tokens = Tokens::default();
        tokens.add(Place::Body, "casino");
        tokens.add(Place::Subject, "casino");
        tokens.add_pair(Place::Body, "free", "pills");
        tokens.add(Place::Body, "casino");
        let all = tokens.finish();
        let told: Vec<(&str, u64)> = all.iter().map(|token| (token.text.as_str(), token.id.0)).collect();
        let expected = [
            ("casino", 0x9B8F_84C1_57CC_71FE),
            ("subject: casino", 0x7AC8_3868_BA7C_9DC1),
            ("free pills", 0x42C1_6D74_97EB_C544),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut tokens = Tokens::default();
        (0..2 * TOKENS_MAX).for_each(|n| tokens.add(Place::Body, &n.to_string()));
        assert_eq!(tokens.finish().len(), TOKENS_MAX);
    }
}
