//! Off-boarding: the ways on which mail goes past the mailbox, out to the person or in from elsewhere. They end, and are
//! remembered for an undoing: redirects beside each of its addresses, responders there that copy what is received, and
//! external accounts. The person's absences end with them.

use mail::Address;
use routing::objects::{AliasObject, Object, ObjectKey, ResponderKind, Target};
use routing::{Directory, check_alias};
use storage::objects::PutMode;

use crate::error::AdminError;
use crate::request::Leaving;

use super::leaving::{Leaver, redirects};

impl Leaver<'_> {
    /// The redirects beside the mailbox: those of the person end, the successor's may begin. At each of its addresses, as far
    /// as whoever asks administers it.
    pub(super) fn own_aliases(&mut self, directory: &Directory, request: &Leaving) -> Result<(), AdminError> {
        for address in self.account.addresses() {
            let there = directory.alias(&address).map(|alias| (**alias).clone());
            if self.reaches(address.domain()) {
                self.own_alias(directory, request, &address, there)?;
            } else if there.is_some() {
                let text = format!("the redirects at {address} go on: that domain has other administrators");
                self.report.left.push(text);
            }
        }
        Ok(())
    }

    fn own_alias(
        &mut self,
        directory: &Directory,
        request: &Leaving,
        address: &Address,
        there: Option<AliasObject>,
    ) -> Result<(), AdminError> {
        let primary = address.same_mailbox(&self.account.address);
        let (replaced, created_at) = (there.is_some(), there.as_ref().map(|there| there.created_at));
        if let Some(alias) = there {
            self.done(format!("the redirects at {address} end"));
            if primary {
                self.before.own_alias = Some(alias);
            } else {
                self.before.further_aliases.push(alias);
            }
        }
        let Some(successor) = self.successor.filter(|_| redirects(request)) else {
            if replaced {
                self.removes.push(ObjectKey::Alias(address.canonical()));
            }
            return Ok(());
        };
        let targets = [address, &successor.address].map(|to| Target::Address(to.clone())).to_vec();
        let mode = if replaced { PutMode::Replace } else { PutMode::Add };
        let alias = AliasObject {
            note: format!("until the successor needs no copies any more: {}", successor.address),
            created_at: created_at.unwrap_or(self.account.created_at),
            ..AliasObject::new(address.clone(), targets)
        };
        check_alias(directory, &alias).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        let until = request.redirect_until.as_deref().map(|date| format!(" until {date}"));
        let (until, at) = (until.unwrap_or_default(), if primary { String::new() } else { format!(" at {address}") });
        self.done(format!("{} gets a copy of what comes in{at}{until}", successor.address));
        if !primary {
            self.redirected_at.push(address.clone());
        }
        self.puts.push((Object::Alias(alias), mode));
        Ok(())
    }

    /// Responders at its addresses: the person's absences end, and what copies what is received is switched off; the other robots
    /// go on and are told.
    pub(super) fn responders(&mut self, directory: &Directory) {
        for address in self.account.addresses() {
            for one in directory.responders_at(&address).filter(|responder| responder.enabled) {
                let (id, at) = (one.id, &one.address);
                let copied: Vec<String> = one.copies_of_received().map(ToString::to_string).collect();
                if !self.reaches(at.domain()) {
                    let text = format!("responder {id} at {at} goes on: that domain has other administrators");
                    self.report.left.push(text);
                } else if copied.is_empty() && one.kind == ResponderKind::Autoresponder {
                    let text = format!("responder {id} at {at} goes on: `relais responder remove {id}`");
                    self.report.left.push(text);
                } else {
                    let why = match one.kind {
                        ResponderKind::OutOfOffice => "it said that the person is out of office".to_owned(),
                        ResponderKind::Autoresponder => format!("it copied what came in to {}", copied.join(" and ")),
                    };
                    self.report.done.push(format!("responder {id} at {at} is off: {why}"));
                    self.before.responders.push(id);
                    let mut off = (**one).clone();
                    off.enabled = false;
                    self.puts.push((Object::Responder(off), PutMode::Replace));
                }
            }
        }
    }

    /// What the person has elsewhere does not come into the successor's hands, and its password is used no more.
    pub(super) fn externals(&mut self, directory: &Directory) {
        for external in directory.externals_of(&self.account.address).filter(|external| external.enabled) {
            let (id, login, host) = (external.id, &external.login, &external.host);
            self.report.done.push(format!("external account {id} ({login} at {host}) is off"));
            self.before.externals.push(id);
            let mut off = (**external).clone();
            off.enabled = false;
            self.puts.push((Object::External(off), PutMode::Replace));
        }
    }
}
