//! What the server writes to people about their accounts, in French or English by the account's language.
//!
//! **Invariant:** no letter has a password in it.

mod leaving;
mod password;
mod welcome;

use delivery::{Letter, Refused};
use mail::{Address, Timestamp};
use routing::objects::AccountObject;
use routing::responders::zone_named;

use crate::error::{AdminError, ErrorKind};

pub(crate) use leaving::{deletion_ahead, handed_over};
pub(crate) use password::{By, password_changed};
pub(crate) use welcome::{connection, welcome};

/// `fr` or else `en`.
pub(crate) fn language(text: &str) -> &'static str {
    if text == "fr" { "fr" } else { "en" }
}

/// A letter that could not be made.
pub(crate) fn refused(refused: Refused) -> AdminError {
    AdminError::new(ErrorKind::Unavailable, format!("the letter to the person can't be stored now: {refused}"))
}

/// A name in French with `de`, which is short before a vowel.
fn of(name: &str) -> String {
    let vowel = name.chars().next().is_some_and(|c| "aeiouàâéèêëîïôù".contains(c.to_ascii_lowercase()));
    format!("{}{name}", if vowel { "d'" } else { "de " })
}

/// A letter from the postmaster of an account's domain, in a language.
fn letter(account: &AccountObject, to: &Address, language: &'static str, subject: String, text: String) -> Letter {
    let domain = account.address.domain();
    Letter {
        from: Address::new("postmaster", domain.clone()).unwrap_or_else(|_| account.address.clone()),
        from_name: if language == "fr" {
            format!("Courrier {}", of(domain.as_str()))
        } else {
            format!("Mail of {domain}")
        },
        to: to.clone(),
        reply_to: None,
        subject,
        text,
        language,
        about: None,
    }
}

/// `Hello Alice Martin,`
fn greeting(language: &str, name: &str) -> String {
    let hello = if language == "fr" { "Bonjour" } else { "Hello" };
    match name.trim() {
        "" => format!("{hello},\n\n"),
        name => format!("{hello} {name},\n\n"),
    }
}

/// A moment in an account's zone, which is named: `2026-07-01 18:05 (Europe/Paris)`.
fn moment(at: Timestamp, account: &AccountObject) -> String {
    let zone = zone_named(&account.time_zone);
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => format!("{} ({})", at.to_zoned(zone).strftime("%Y-%m-%d %H:%M"), account.time_zone),
        Err(_) => account.time_zone.clone(),
    }
}
