//! The Sender Rewriting Scheme: the reverse-path of a message that is forwarded to another server becomes an address of this one, so
//! that SPF (RFC 7208 §2.4) judges who really sends, and a bounce finds its way back to the first sender.
//!
//! There is no RFC; the forms are those of the paper "SRS: Sender Rewriting Scheme" (M. Mengwong, S. Varshavchik, 2003) and of
//! libsrs2, with `=` as the separator:
//!
//! - `SRS0=hash=day=domain=local@forwarder` for any address,
//! - `SRS1=hash=first==rest@forwarder` for one that somebody else has rewritten already: bounces go to the first forwarder, not
//!   through all of them,
//! - `SRS0=token@forwarder` for an address that would not fit into 64 octets (RFC 5321 §4.5.3.1.1): the store knows it by its token.
//!
//! The hash is the first 40 bits of an HMAC-SHA256, in base32; like everything else here it is compared without regard to case, since
//! not every server keeps it. The day counts modulo 1024.

use std::fmt::Write as _;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use mail::{Address, Domain};

/// Days for which a rewritten address takes bounces: longer than any queue keeps a message.
pub const VALID_DAYS: u32 = 21;

/// Days for which one key signs; it is good for checking until the last address under it is too old.
pub const KEY_DAYS: u32 = 30;

/// Octets of the token of an address that the store keeps.
pub const TOKEN_OCTETS: usize = 10;

/// Which key signs on a day, counted from 1970.
#[must_use]
pub const fn key_period(day: u32) -> u32 {
    day / KEY_DAYS
}

/// Names an address that the store keeps.
pub type Token = [u8; TOKEN_OCTETS];

/// A reverse-path for a forwarded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// It.
    pub address: Address,
    /// Its token, when the original is too long to be written in it: whoever uses the address stores both.
    pub stored: Option<Token>,
}

/// The reverse-path under which a message of `original` is forwarded by a domain of ours. `None` when not even a token has room, which
/// no domain's length leads to.
#[must_use]
pub fn rewrite(original: &Address, forwarder: &Domain, key: &[u8; 32], day: u32) -> Option<Rewritten> {
    let local = match (Srs::of(original), rest_of_srs0(original)) {
        (Some(Srs::Chained { first, rest, .. }), _) => chained(&first, &rest, key),
        // Others write the hash and the day as they like.
        (_, Some(rest)) => chained(original.domain().as_str(), rest, key),
        (Some(Srs::Signed { .. } | Srs::Stored(_)) | None, None) => {
            let (day, domain, local) = (day_text(day), original.domain().as_str(), original.local().as_str());
            let hash = hash(key, &["SRS0", &day, domain, local]);
            format!("SRS0={hash}={day}={domain}={local}")
        }
    };
    if let Ok(address) = Address::new(&local, forwarder.clone()) {
        return Some(Rewritten { address, stored: None });
    }
    let tag = mac(key, &["token", original.domain().as_str(), original.local().as_str()]);
    let token: Token = *tag.as_ref().first_chunk()?;
    let address = Address::new(&format!("SRS0={}", base32(&token)), forwarder.clone()).ok()?;
    Some(Rewritten { address, stored: Some(token) })
}

/// What stands behind `SRS0`, the separator included.
fn rest_of_srs0(address: &Address) -> Option<&str> {
    let (tag, rest) = address.local().as_str().split_at_checked(4)?;
    (tag.eq_ignore_ascii_case("SRS0") && rest.starts_with(['=', '+', '-'])).then_some(rest)
}

fn chained(first: &str, rest: &str, key: &[u8; 32]) -> String {
    format!("SRS1={}={first}={rest}", hash(key, &["SRS1", first, rest]))
}

/// A rewritten address, taken apart; nothing is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Srs {
    /// `SRS0=hash=day=domain=local`.
    Signed {
        /// The hash.
        hash: String,
        /// Day, modulo 1024.
        day: u32,
        /// The domain of the original.
        domain: String,
        /// Its local part.
        local: String,
    },
    /// `SRS1=hash=first==hash=day=domain=local`.
    Chained {
        /// The hash.
        hash: String,
        /// The domain of the first forwarder.
        first: String,
        /// What stood behind `SRS0` in its address, the separator included.
        rest: String,
    },
    /// `SRS0=token`.
    Stored(Token),
}

/// What the check of an address finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is ours, and leads there.
    Original(Address),
    /// It was ours and is too old.
    Expired,
    /// Its hash is not ours.
    Foreign,
}

impl Srs {
    /// Reads the local part of an address; `None` when it is no rewritten one.
    #[must_use]
    pub fn of(address: &Address) -> Option<Self> {
        let text = address.local().as_str();
        let (tag, rest) = text.split_at_checked(4)?;
        let body = rest.strip_prefix(['=', '+', '-'])?;
        if tag.eq_ignore_ascii_case("SRS1") {
            let (hash, behind) = body.split_once('=')?;
            let (first, rest) = behind.split_once('=')?;
            let chained = Self::Chained { hash: hash.to_owned(), first: first.to_owned(), rest: rest.to_owned() };
            return (!first.is_empty() && rest.starts_with(['=', '+', '-'])).then_some(chained);
        }
        if !tag.eq_ignore_ascii_case("SRS0") {
            return None;
        }
        let mut parts = body.splitn(4, '=');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(token), None, None, None) => from_base32(token).map(Self::Stored),
            (Some(hash), Some(day), Some(domain), Some(local)) => Some(Self::Signed {
                hash: hash.to_owned(),
                day: day_of(day)?,
                domain: domain.to_owned(),
                local: local.to_owned(),
            }),
            _ => None,
        }
    }

    /// The key period of which the key is needed on `today`, first of all; there is another one before it for [`Srs::Chained`] and
    /// [`Srs::Stored`], whose day is unknown.
    #[must_use]
    pub fn periods(&self, today: u32) -> Vec<u32> {
        let now = key_period(today);
        match self {
            Self::Signed { day, .. } => vec![key_period(today.saturating_sub(age(*day, today)))],
            Self::Chained { .. } | Self::Stored(_) => {
                // A key's last addresses live on into the next period.
                let before = key_period(today.saturating_sub(VALID_DAYS));
                if before == now { vec![now] } else { vec![now, before] }
            }
        }
    }

    /// Checks a hash under one key. [`Srs::Stored`] has none: it is known or not.
    #[must_use]
    pub fn check(&self, key: &[u8; 32], today: u32) -> Checked {
        let (said, expected, original) = match self {
            Self::Signed { hash: said, day, domain, local, .. } => {
                (said, hash(key, &["SRS0", &day_text(*day), domain, local]), join(local, domain))
            }
            Self::Chained { hash: said, first, rest } => {
                (said, hash(key, &["SRS1", first, rest]), join(&format!("SRS0{rest}"), first))
            }
            Self::Stored(_) => return Checked::Foreign,
        };
        if verify_slices_are_equal(said.to_ascii_uppercase().as_bytes(), expected.as_bytes()).is_err() {
            return Checked::Foreign;
        }
        match self {
            Self::Signed { day, .. } if age(*day, today) > VALID_DAYS => Checked::Expired,
            Self::Signed { .. } | Self::Chained { .. } | Self::Stored(_) => {
                original.map_or(Checked::Foreign, Checked::Original)
            }
        }
    }
}

fn join(local: &str, domain: &str) -> Option<Address> {
    Address::new(local, Domain::parse(domain).ok()?).ok()
}

/// How many days ago the nearest day was that is written so.
fn age(day: u32, today: u32) -> u32 {
    today.wrapping_sub(day) % DAYS
}

const DAYS: u32 = 1024;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn letter(number: u32) -> char {
    ALPHABET.get((number % 32) as usize).copied().map_or('A', char::from)
}

fn value(letter: char) -> Option<u32> {
    let letter = u8::try_from(letter).ok()?.to_ascii_uppercase();
    ALPHABET.iter().position(|known| *known == letter).and_then(|at| u32::try_from(at).ok())
}

fn day_text(day: u32) -> String {
    [letter(day % DAYS / 32), letter(day)].iter().collect()
}

fn day_of(text: &str) -> Option<u32> {
    let mut letters = text.chars();
    let (high, low) = (letters.next().and_then(value)?, letters.next().and_then(value)?);
    letters.next().is_none().then_some(high * 32 + low)
}

/// Base32 of whole groups of five octets.
fn base32(octets: &[u8]) -> String {
    let mut text = String::new();
    for five in octets.chunks(5) {
        let bits = five.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
        for place in (0..8_u32).rev() {
            let five_bits = u32::try_from(bits >> (place * 5) & 31).unwrap_or(0);
            let _written = text.write_char(letter(five_bits));
        }
    }
    text
}

fn from_base32(text: &str) -> Option<Token> {
    let letters: Vec<u32> = text.chars().map(value).collect::<Option<_>>()?;
    if letters.len() != TOKEN_OCTETS / 5 * 8 {
        return None;
    }
    let mut token = [0; TOKEN_OCTETS];
    for (five, group) in token.chunks_mut(5).zip(letters.chunks(8)) {
        let bits = group.iter().fold(0_u64, |bits, letter| bits << 5 | u64::from(*letter));
        five.copy_from_slice(bits.to_be_bytes().last_chunk::<5>()?);
    }
    Some(token)
}

fn mac(key: &[u8; 32], parts: &[&str]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part.to_ascii_lowercase().as_bytes());
        context.update(&[0]);
    }
    context.sign()
}

fn hash(key: &[u8; 32], parts: &[&str]) -> String {
    base32(mac(key, parts).as_ref().get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const DAY: u32 = 20_000;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn ours() -> Domain {
        Domain::parse("us.example").unwrap()
    }

    fn rewritten(original: &str) -> Address {
        let made = rewrite(&address(original), &ours(), &KEY, DAY).unwrap();
        assert_eq!(made.stored, None, "{original}");
        made.address
    }

    fn check(rewritten: &Address, today: u32) -> Checked {
        Srs::of(rewritten).unwrap().check(&KEY, today)
    }

    #[test]
    fn there_and_back() {
        let there = rewritten("Zoe.B+x=y@far.example");
        let text = there.to_string();
        assert!(text.starts_with("SRS0=") && text.ends_with("=far.example=Zoe.B+x=y@us.example"), "{text}");
        assert_eq!(check(&there, DAY), Checked::Original(address("Zoe.B+x=y@far.example")));
        assert_eq!(check(&there, DAY + VALID_DAYS), Checked::Original(address("Zoe.B+x=y@far.example")));
        assert_eq!(check(&there, DAY + VALID_DAYS + 1), Checked::Expired);
        // One that was made tomorrow was not made here.
        assert_eq!(check(&there, DAY - 1), Checked::Expired);
        // Some servers lower the case of everything.
        let lowered = address(&text.to_lowercase());
        assert_eq!(check(&lowered, DAY), Checked::Original(address("zoe.b+x=y@far.example")));
    }

    #[test]
    fn what_we_did_not_sign_leads_nowhere() {
        let there = rewritten("zoe@far.example").to_string();
        for changed in [
            there.replace("=zoe@", "=max@"),
            there.replace("far.example", "for.example"),
            there.replacen("SRS0=", "SRS0=A", 1),
            "SRS0=AAAAAAAA=AA=far.example=zoe@us.example".to_owned(),
        ] {
            assert_eq!(check(&address(&changed), DAY), Checked::Foreign, "{changed}");
        }
        assert_eq!(Srs::of(&address(&there)).unwrap().check(&[8; 32], DAY), Checked::Foreign);
        for other in
            ["zoe@us.example", "SRS0@us.example", "SRS0=@us.example", "SRS0=a=b@us.example", "SRS1=a=b=c@us.example"]
        {
            assert_eq!(Srs::of(&address(other)), None, "{other}");
        }
    }

    #[test]
    fn what_was_rewritten_before_goes_back_to_the_first_forwarder() {
        let first = "SRS0+opaque=9x=a.example=z@b.example";
        let ours_now = rewritten(first);
        assert!(ours_now.to_string().starts_with("SRS1="), "{ours_now}");
        assert_eq!(check(&ours_now, DAY), Checked::Original(address(first)));
        // The third in the row still sends bounces to the first.
        let third = rewrite(&ours_now, &Domain::parse("c.example").unwrap(), &[9; 32], DAY).unwrap().address;
        let srs = Srs::of(&third).unwrap();
        assert_eq!(srs.check(&[9; 32], DAY), Checked::Original(address(first)));
    }

    #[test]
    fn a_long_address_is_known_by_a_token() {
        let long = address("bounces+2837465-9a1f-alice=example.org@em1234.mailer.far.example");
        let made = rewrite(&long, &ours(), &KEY, DAY).unwrap();
        let token = made.stored.unwrap();
        assert_eq!(Srs::of(&made.address), Some(Srs::Stored(token)));
        assert_eq!(Srs::of(&address(&made.address.to_string().to_lowercase())), Some(Srs::Stored(token)));
        assert!(made.address.local().as_str().len() <= 64);
    }

    #[test]
    fn the_key_of_the_day_it_was_made() {
        let last = KEY_DAYS * 700 - 1;
        let there = rewrite(&address("zoe@far.example"), &ours(), &KEY, last).unwrap().address;
        assert_eq!(Srs::of(&there).unwrap().periods(last + 5), [key_period(last)]);
        assert_eq!(Srs::Stored([0; 10]).periods(last + 5), [700, 699]);
        assert_eq!(Srs::Stored([0; 10]).periods(last + 1 + VALID_DAYS), [700]);
    }

    proptest! {
        #[test]
        fn every_address_comes_back(local in "[ -~]{1,64}", domain in "[a-z]{1,20}\\.example", day in 0_u32..60_000) {
            let original = Address::new(&local, Domain::parse(&domain).unwrap()).unwrap();
            let made = rewrite(&original, &ours(), &KEY, day).unwrap();
            // It survives the wire.
            let read = address(&made.address.to_string());
            let srs = Srs::of(&read).unwrap();
            match made.stored {
                Some(token) => prop_assert_eq!(srs, Srs::Stored(token)),
                None => prop_assert_eq!(srs.check(&KEY, day), Checked::Original(original)),
            }
        }

        #[test]
        fn no_input_panics(local in ".{1,64}", today: u32) {
            if let Ok(address) = Address::new(&local, ours()) {
                let _checked = Srs::of(&address).map(|srs| (srs.periods(today), srs.check(&KEY, today)));
            }
        }
    }
}
