//! What addresses demand of senders, as a request changes it.

use mail::{Address, Domain, Timestamp};
use routing::objects::{AddressRules, SenderPattern};
use routing::{Directory, has_expired};
use serde::{Deserialize, Serialize};

use crate::error::AdminError;
use crate::request::Edit;

/// Changes of an address's conditions; an absent field is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// Last moment at which it takes mail, civil time in the domain's zone.
    pub expires: Edit<String>,
    /// Only senders of the organisation ([`routing::organisation`]), logged in.
    pub internal_only: Option<bool>,
    /// Octets of a message at the most.
    pub message_octets_max: Edit<u64>,
    /// Who may write to it; empty: everyone.
    pub senders: Option<Vec<SenderPattern>>,
    /// Who gets the message as well when everyone is away.
    pub when_away: Edit<Address>,
    /// Whether the deputies whom they name get it as well when everyone is away.
    pub deputies_when_away: Option<bool>,
}

impl Terms {
    /// Refuses an expiry that is over already, at an address of a domain: a slip of the pen would refuse all mail from now on.
    pub(crate) fn must_be_to_come(
        &self,
        directory: &Directory,
        domain: &Domain,
        now: Timestamp,
    ) -> Result<(), AdminError> {
        let Edit::Set(expires) = &self.expires else { return Ok(()) };
        let rules = AddressRules { expires: Some(expires.clone()), ..AddressRules::default() };
        if !has_expired(directory, &rules, domain, now) {
            return Ok(());
        }
        let error = AdminError::invalid(format!("{expires} is over: the address would take no mail at all"));
        Err(error.hint("give a date to come, or --disable to take no mail from now on"))
    }

    /// Applies everything but what happens when everyone is away; gives the fall-back.
    pub(crate) fn apply(self, rules: &mut AddressRules) -> Edit<Address> {
        self.expires.apply(&mut rules.expires);
        rules.internal_only = self.internal_only.unwrap_or(rules.internal_only);
        self.message_octets_max.apply(&mut rules.message_octets_max);
        rules.senders = self.senders.unwrap_or_else(|| std::mem::take(&mut rules.senders));
        self.when_away
    }
}
