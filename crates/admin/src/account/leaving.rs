//! Off-boarding: a person leaves, and everything that follows from it, in one transaction.
//!
//! Nobody logs in any more and open sessions end; the successor reads the mailbox as a shared one, takes the person's
//! place in aliases, and may get copies; groups and shares forget the person; senders may be answered. What was before is
//! kept in the account, so that it can be undone.

use delivery::{MailboxLetter, Prepared};
use mail::{Address, Domain};
use routing::objects::{
    AccountKind, AccountObject, AliasObject, BeforeLeaving, LeftAlias, LeftGroup, LeftShare, Member, Object, ObjectKey,
    OffBoarding, ResponderKind, ResponderObject, Role, SharedMailbox, Target,
};
use routing::responders::{Window, check_responder, zone_named};
use routing::{Directory, check_alias};
use storage::objects::PutMode;
use storage::{Store, Transaction};

use crate::asked::Asked;
use crate::error::{AdminError, ErrorKind};
use crate::letters;
use crate::limits::LEAVING_OBJECTS_MAX;
use crate::may::reach;
use crate::request::Leaving;
use crate::response::{OffBoardingReport, Response};
use crate::settings::Settings;

use super::find;
use super::remove::group_without;

/// Everything that leaving changes.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) account: AccountObject,
    pub(super) responder: Option<ResponderObject>,
    pub(super) puts: Vec<(Object, PutMode)>,
    pub(super) removes: Vec<ObjectKey>,
    pub(super) report: OffBoardingReport,
}

/// Carries it out.
pub(super) async fn leave(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    request: Leaving,
) -> Result<Response, AdminError> {
    let _edit = asked.hold().await?;
    let plan = {
        let directory = store.directory();
        let account = find(&directory, &request.address)?;
        match &account.off_boarding {
            Some(gone) => change_dates(store, &account, gone, &request)?,
            None => plan(store, &directory, &account, &request, reach(&directory, asked.actor).as_deref())?,
        }
    };
    let letter = letter_to_successor(store, settings, &plan.account).await?;
    let report = plan.report.clone();
    let objects = store.objects();
    store
        .transact(move |tx: &mut Transaction<'_>| {
            let mut account = plan.account.clone();
            if let Some(responder) = &plan.responder {
                let stored = objects.put(tx, Object::Responder(responder.clone()), PutMode::Add)?;
                if let (Object::Responder(stored), Some(gone)) = (stored, &mut account.off_boarding) {
                    gone.responder = Some(stored.id);
                }
            }
            for (object, mode) in &plan.puts {
                objects.put(tx, object.clone(), *mode)?;
            }
            plan.removes.iter().try_for_each(|key| objects.remove(tx, key))?;
            objects.put(tx, Object::Account(account), PutMode::Replace)?;
            letter.as_ref().map_or(Ok(()), |(letter, successor)| letter.deposit(tx, *successor))
        })
        .await?;
    tracing::info!(account = %report.account, done = report.done.join("; "), "off-boarded");
    Ok(Response::OffBoarded(report))
}

/// A letter in the successor's mailbox.
async fn letter_to_successor(
    store: &Store,
    settings: &Settings,
    account: &AccountObject,
) -> Result<Option<(MailboxLetter, mail::AccountId)>, AdminError> {
    let Some(gone) = account.off_boarding.as_deref() else { return Ok(None) };
    let successor = gone.successor.as_ref().and_then(|address| store.directory().account(address).cloned());
    let Some(successor) = successor else { return Ok(None) };
    let letter = letters::handed_over(account, gone, &successor);
    let letter = settings.letters(store).letter_for_mailbox(&letter).await.map_err(letters::refused)?;
    Ok(Some((letter, successor.id)))
}

/// Letters to administrators, all of them people of this server.
pub(super) async fn letter_to(
    store: &Store,
    settings: &Settings,
    letter: &delivery::Letter,
) -> Result<Prepared, AdminError> {
    settings.letters(store).prepare_letter(letter).await.map_err(letters::refused)
}

fn plan(
    store: &Store,
    directory: &Directory,
    account: &AccountObject,
    request: &Leaving,
    reach: Option<&[Domain]>,
) -> Result<Plan, AdminError> {
    if account.kind == AccountKind::Shared {
        let error = AdminError::invalid(format!("{} is a shared mailbox: nobody leaves it", account.address));
        return Err(error.hint("`relais account remove` deletes it"));
    }
    let successor = request.successor.as_ref().map(|address| successor(directory, account, address)).transpose()?;
    check_dates(store, account, request, successor.is_some())?;
    let mut leaver = Leaver {
        account,
        successor: successor.as_ref(),
        reach,
        before: BeforeLeaving {
            enabled: account.enabled,
            role: account.role,
            administers: account.administers.clone(),
            kind: account.kind,
            shared: account.shared.clone(),
            ..BeforeLeaving::default()
        },
        redirected_at: Vec::new(),
        puts: Vec::new(),
        removes: Vec::new(),
        report: OffBoardingReport { account: account.address.clone(), done: Vec::new(), left: Vec::new() },
    };
    leaver.done("nobody logs in to it any more, and open sessions end".to_owned());
    if account.role != Role::User {
        leaver.done("it administers nothing any more".to_owned());
    }
    leaver.own_aliases(directory, request)?;
    leaver.aliases(directory)?;
    leaver.groups(directory);
    leaver.shares(directory);
    leaver.responders(directory);
    leaver.externals(directory);
    if leaver.puts.len().saturating_add(leaver.removes.len()) > LEAVING_OBJECTS_MAX {
        let error =
            AdminError::invalid(format!("more than {LEAVING_OBJECTS_MAX} aliases, groups and others name the account"));
        return Err(error.hint("take it out of some of them first"));
    }
    let responder = leaver.responder(store, directory, request)?;
    if let Some(successor) = leaver.successor {
        leaver.report.done.push(format!("{} reads the mailbox as a shared one", successor.address));
    }
    if let Some(date) = &request.delete_after {
        leaver.done(format!("it will be deleted with its mail after {date} ({})", account.time_zone));
    }
    let gone = OffBoarding {
        at: store.now(),
        successor: successor.as_ref().map(|successor| successor.address.clone()),
        redirected: redirects(request),
        redirected_at: leaver.redirected_at,
        redirect_until: request.redirect_until.clone(),
        responder: None,
        delete_after: request.delete_after.clone(),
        warned_at: None,
        before: leaver.before,
    };
    let mut left = account.clone();
    (left.enabled, left.role, left.administers) = (false, Role::User, Vec::new());
    if let Some(successor) = &successor {
        left.kind = AccountKind::Shared;
        let member = Member { account: successor.address.clone(), rights: ALL_RIGHTS.to_owned() };
        left.shared = Some(SharedMailbox { members: vec![member], ..SharedMailbox::default() });
    }
    left.off_boarding = Some(Box::new(gone));
    Ok(Plan { account: left, responder, puts: leaver.puts, removes: leaver.removes, report: leaver.report })
}

/// Asked for a second time: only the dates change.
fn change_dates(
    store: &Store,
    account: &AccountObject,
    gone: &OffBoarding,
    request: &Leaving,
) -> Result<Plan, AdminError> {
    let only_dates = request.successor.is_none() && request.responder_text.is_none() && !request.redirect;
    if !only_dates || (request.delete_after.is_none() && request.redirect_until.is_none()) {
        let error = AdminError::new(ErrorKind::Exists, format!("the person of {} has left already", account.address));
        return Err(error.hint("give only --delete-after or --redirect-until to change a date, or --undo first"));
    }
    if request.redirect_until.is_some() && !gone.redirected {
        return Err(AdminError::invalid(format!("nothing is redirected from {} now", account.address)));
    }
    let mut gone = gone.clone();
    let mut report = OffBoardingReport { account: account.address.clone(), done: Vec::new(), left: Vec::new() };
    if let Some(date) = &request.delete_after {
        report.done.push(format!("it will be deleted with its mail after {date} ({})", account.time_zone));
        (gone.delete_after, gone.warned_at) = (Some(date.clone()), None);
    }
    if let Some(date) = &request.redirect_until {
        report.done.push(format!("copies go to the successor until {date} ({})", account.time_zone));
        gone.redirect_until = Some(date.clone());
    }
    let dates = Leaving {
        redirect_until: gone.redirect_until.clone().filter(|_| gone.redirected),
        delete_after: gone.delete_after.clone(),
        ..Leaving::new(account.address.clone())
    };
    check_dates(store, account, &dates, gone.successor.is_some())?;
    let account = AccountObject { off_boarding: Some(Box::new(gone)), ..account.clone() };
    Ok(Plan { account, responder: None, puts: Vec::new(), removes: Vec::new(), report })
}

pub(super) fn redirects(request: &Leaving) -> bool {
    request.redirect || request.redirect_until.is_some()
}

fn successor(directory: &Directory, account: &AccountObject, address: &Address) -> Result<AccountObject, AdminError> {
    let successor = find(directory, address)?;
    if successor.id == account.id {
        return Err(AdminError::invalid("nobody succeeds to themselves"));
    }
    if successor.kind != AccountKind::Person || !successor.enabled {
        let error = AdminError::invalid(format!("{address} can't take over: nobody can log in to it"));
        return Err(error.hint("name the account of a person who is here"));
    }
    Ok(successor)
}

fn check_dates(store: &Store, account: &AccountObject, request: &Leaving, successor: bool) -> Result<(), AdminError> {
    if redirects(request) && !successor {
        let error = AdminError::invalid("a redirect needs somebody to redirect to");
        return Err(error.hint("give --successor"));
    }
    let zone = zone_named(&account.time_zone);
    for (date, what) in [(&request.redirect_until, "the redirect"), (&request.delete_after, "the account")] {
        let Some(date) = date else { continue };
        let window = Window::parse(None, Some(date)).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        if window.over(store.now(), &zone) {
            let error = AdminError::invalid(format!("{date} is over: {what} would end before it begins"));
            return Err(error.hint("give a date to come, as 2027-01-31"));
        }
    }
    if let (Some(redirect), Some(delete)) = (&request.redirect_until, &request.delete_after) {
        Window::parse(Some(redirect), Some(delete)).map_err(|_| {
            AdminError::invalid(format!("the account would be gone ({delete}) before the redirect ends ({redirect})"))
        })?;
    }
    Ok(())
}

/// The plan in the making.
pub(super) struct Leaver<'a> {
    pub(super) account: &'a AccountObject,
    pub(super) successor: Option<&'a AccountObject>,
    /// The domains whose objects may be changed; `None`: all.
    reach: Option<&'a [Domain]>,
    pub(super) before: BeforeLeaving,
    /// Further addresses of which the successor gets copies.
    pub(super) redirected_at: Vec<Address>,
    pub(super) puts: Vec<(Object, PutMode)>,
    pub(super) removes: Vec<ObjectKey>,
    pub(super) report: OffBoardingReport,
}

impl Leaver<'_> {
    pub(super) fn done(&mut self, text: String) {
        self.report.done.push(text);
    }

    fn is(&self, address: &Address) -> bool {
        self.account.addresses().any(|own| own.same_mailbox(address))
    }

    pub(super) fn reaches(&self, domain: &Domain) -> bool {
        self.reach.is_none_or(|reach| reach.contains(domain))
    }

    fn left_to_others(&mut self, address: &Address) {
        let text = format!("{address} still names it: that domain has other administrators");
        self.report.left.push(text);
    }

    /// Aliases that name the person name the successor instead; without one, they lead to the others.
    fn aliases(&mut self, directory: &Directory) -> Result<(), AdminError> {
        let account = self.account;
        let is = |to: &Address| account.addresses().any(|own| own.same_mailbox(to));
        let names = |target: &Target| matches!(target, Target::Address(to) if is(to));
        let falls_back = |alias: &AliasObject| alias.when_away.as_ref().is_some_and(is);
        let mut aliases: Vec<AliasObject> = directory
            .aliases()
            .filter(|alias| !is(&alias.address))
            .filter(|alias| alias.targets.iter().any(names) || falls_back(alias))
            .map(|alias| (**alias).clone())
            .collect();
        aliases.sort_by(|a, b| a.address.cmp(&b.address));
        for mut alias in aliases {
            let address = alias.address.clone();
            if !self.reaches(address.domain()) {
                self.left_to_others(&address);
                continue;
            }
            let target = alias.targets.iter().any(names);
            let fallback = falls_back(&alias);
            let others = alias.targets.iter().any(|target| !names(target));
            let mut successor_added = false;
            match self.successor {
                None if target && !others => {
                    let text = format!("{address} leads to it and to nobody else: its mail stays in the mailbox");
                    self.report.left.push(text);
                    continue;
                }
                None => self.report.done.push(format!("it is out of the alias {address}")),
                Some(successor) => {
                    let to =
                        |target: &Target| matches!(target, Target::Address(to) if to.same_mailbox(&successor.address));
                    if target && !alias.targets.iter().any(to) {
                        alias.targets.push(Target::Address(successor.address.clone()));
                        successor_added = true;
                    }
                    let text = format!("{} is in its place in the alias {address}", successor.address);
                    self.report.done.push(text);
                }
            }
            alias.targets.retain(|target| !names(target));
            if fallback {
                alias.when_away = self.successor.map(|successor| successor.address.clone());
            }
            check_alias(directory, &alias)
                .map_err(|flaw| AdminError::invalid(format!("the alias {address} could not lead on: {flaw}")))?;
            self.before.aliases.push(LeftAlias { address, target, successor_added, fallback });
            self.puts.push((Object::Alias(alias), PutMode::Replace));
        }
        Ok(())
    }

    fn groups(&mut self, directory: &Directory) {
        let account = self.account;
        let is = |to: &Address| account.addresses().any(|own| own.same_mailbox(to));
        for group in directory.groups() {
            let mut without = group_without(group, &is);
            if without == **group {
                continue;
            }
            if !self.reaches(group.address.domain()) {
                self.left_to_others(&group.address);
                continue;
            }
            let left = LeftGroup {
                address: group.address.clone(),
                member: without.members.len() < group.members.len(),
                moderator: without.moderators.len() < group.moderators.len(),
                fallback: without.when_away != group.when_away,
                disabled: without.enabled != group.enabled,
            };
            if left.fallback {
                without.when_away = self.successor.map(|successor| successor.address.clone());
            }
            self.done(format!("it is out of the group {}", group.address));
            if left.disabled {
                let text = format!("the group {} is off: it is moderated, and has no other moderator", group.address);
                self.report.left.push(text);
            }
            self.before.groups.push(left);
            self.puts.push((Object::Group(without), PutMode::Replace));
        }
        for list in directory.lists() {
            if list.owners.iter().chain(&list.moderators).any(|person| self.is(person)) {
                let text = format!("it still runs the mailing list {}: name somebody else there", list.address);
                self.report.left.push(text);
            }
        }
    }

    fn shares(&mut self, directory: &Directory) {
        for other in directory.accounts().filter(|other| other.id != self.account.id) {
            let Some(shared) = &other.shared else { continue };
            let Some(member) = shared.members.iter().find(|member| self.is(&member.account)).cloned() else { continue };
            if !self.reaches(other.address.domain()) {
                self.left_to_others(&other.address);
                continue;
            }
            let mut without = (**other).clone();
            if let Some(shared) = &mut without.shared {
                shared.members.retain(|member| !self.is(&member.account));
            }
            self.done(format!("it no longer reads the shared mailbox {}", other.address));
            self.before.shares.push(LeftShare { address: other.address.clone(), member });
            self.puts.push((Object::Account(without), PutMode::Replace));
        }
    }

    fn responder(
        &mut self,
        store: &Store,
        directory: &Directory,
        request: &Leaving,
    ) -> Result<Option<ResponderObject>, AdminError> {
        let Some(text) = &request.responder_text else {
            if request.responder_subject.is_some() {
                return Err(AdminError::invalid("a subject for the answer was given, but no text"));
            }
            return Ok(None);
        };
        let french = self.account.language == "fr";
        let (name, address) = (&self.account.display_name, &self.account.address);
        let person = if name.is_empty() { address.to_string() } else { name.clone() };
        let default = if french {
            format!("{person} n'est plus à cette adresse")
        } else {
            format!("{person} is no longer at this address")
        };
        let responder = ResponderObject {
            subject: request.responder_subject.clone().unwrap_or(default),
            text: Some(text.clone()),
            created_at: store.now(),
            ..ResponderObject::new(address.clone(), ResponderKind::Autoresponder)
        };
        check_responder(directory, &responder).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        if text.trim().is_empty() {
            return Err(AdminError::invalid("the text of the answer is empty"));
        }
        self.done(format!("senders are answered: \"{}\"", responder.subject));
        Ok(Some(responder))
    }
}

/// RFC 4314 §2.1: everything.
const ALL_RIGHTS: &str = "lrswipkxtean";
