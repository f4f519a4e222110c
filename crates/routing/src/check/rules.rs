//! What an address demands of senders.

use super::ObjectFlaw;
use crate::limits::SENDERS_MAX;
use crate::objects::{AddressRules, Posting};
use crate::responders::Moment;

/// Whether conditions can be saved.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_rules(rules: &AddressRules) -> Result<(), ObjectFlaw> {
    if let Some(expires) = &rules.expires {
        Moment::parse(expires).map_err(ObjectFlaw::Expiry)?;
    }
    if rules.message_octets_max == Some(0) {
        return Err(ObjectFlaw::NoSize);
    }
    if rules.senders.len() > SENDERS_MAX {
        return Err(ObjectFlaw::TooManySenders(rules.senders.len()));
    }
    Ok(())
}

/// Whether it can be saved who may write to a group or list.
pub(super) fn check_posting(posting: &Posting) -> Result<(), ObjectFlaw> {
    match posting {
        Posting::Named(named) if named.len() > SENDERS_MAX => Err(ObjectFlaw::TooManySenders(named.len())),
        Posting::Anyone | Posting::Organisation | Posting::Members | Posting::Named(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_date_and_a_size_is_some() {
        let expires = |text: &str| AddressRules { expires: Some(text.to_owned()), ..AddressRules::default() };
        assert_eq!(check_rules(&AddressRules::default()), Ok(()));
        assert_eq!(check_rules(&expires("2026-12-31")), Ok(()));
        assert_eq!(check_rules(&expires("2026-12-31T18:00")), Ok(()));
        assert!(check_rules(&expires("31/12/2026")).unwrap_err().to_string().contains("2026-07-01"));
        let none = AddressRules { message_octets_max: Some(0), ..AddressRules::default() };
        assert_eq!(check_rules(&none), Err(ObjectFlaw::NoSize));
    }
}
