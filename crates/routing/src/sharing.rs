//! Who may do what in whose mailbox: `rights_of` (R7, RFC 4314).
//!
//! The owner of an account may do everything in its mailboxes. Everyone else has what the mailbox's [`Acl`] gives to
//! them or, when it does not name them, what their membership gives (a shared account has members); then what the ACL
//! gives to `anyone` of the owner's organisation, and without whatever it takes from them or from `anyone` (negative rights, RFC 4314 §2).
//! The archive of a mailing list has no list of its own: `archive_access` decides.

use std::fmt;
use std::sync::Arc;

use mail::{AccountId, Address};
use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::objects::{AccountKind, AccountObject, ArchiveReaders, ListObject, SeenState};
use crate::organisation::{belongs, colleagues};
use crate::rights::{Rights, RightsChange};

/// To whom a line of an ACL applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identifier {
    /// One account.
    Account(AccountId),
    /// Everyone of the owner's organisation ([`crate::organisation`]).
    Anyone,
}

/// One line of an ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEntry {
    /// To whom it applies.
    pub identifier: Identifier,
    /// Whether the rights are taken away (`-identifier`).
    pub negative: bool,
    /// Which. An empty set for an account says that membership gives it nothing here.
    pub rights: Rights,
}

/// What one mailbox says of its own about sharing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Acl {
    /// At most one line for each identifier and sign, in the order in which they came.
    pub entries: Vec<AclEntry>,
    /// Whose `\Seen` it is; `None`: as the account says.
    pub seen: Option<SeenState>,
}

/// What somebody may do, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The rights.
    pub rights: Rights,
    /// Where they come from.
    pub reason: AccessReason,
}

/// Where rights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessReason {
    /// It is their own mailbox.
    Owner,
    /// The mailbox's ACL names them.
    Entry,
    /// They are a member of the shared account.
    Membership,
    /// The mailbox's ACL gives it to everyone.
    Anyone,
    /// They own or moderate the mailing list whose archive it is.
    RunsList,
    /// They are a member of the mailing list whose archive it is.
    ListMember,
    /// The mailing list lets everyone of its organisation read its archive.
    ListOrganisation,
    /// Nothing gives them any right.
    Nothing,
    /// What they would have, negative rights take away.
    Denied,
}

impl Acl {
    /// Whether it says nothing, so that no row is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.seen.is_none()
    }

    /// The rights of a line.
    #[must_use]
    pub fn entry(&self, identifier: Identifier, negative: bool) -> Option<Rights> {
        let same = |entry: &&AclEntry| entry.identifier == identifier && entry.negative == negative;
        self.entries.iter().find(same).map(|entry| entry.rights)
    }

    /// Writes a line, in its place or at the end.
    pub fn set(&mut self, identifier: Identifier, negative: bool, rights: Rights) {
        let same = |entry: &&mut AclEntry| entry.identifier == identifier && entry.negative == negative;
        match self.entries.iter_mut().find(same) {
            Some(entry) => entry.rights = rights,
            None => self.entries.push(AclEntry { identifier, negative, rights }),
        }
    }

    /// Takes a line away.
    pub fn remove(&mut self, identifier: Identifier, negative: bool) {
        self.entries.retain(|entry| entry.identifier != identifier || entry.negative != negative);
    }

    /// SETACL (RFC 4314 §3.1). `default` is what the identifier has without a line. A line that says no more than
    /// nothing goes, unless membership would give something in its stead.
    pub fn change(&mut self, identifier: Identifier, negative: bool, change: RightsChange, default: Rights) {
        let before = self.entry(identifier, negative).unwrap_or(if negative { Rights::NONE } else { default });
        let after = change.apply(before);
        if after.is_empty() && (negative || default.is_empty()) {
            self.remove(identifier, negative);
        } else {
            self.set(identifier, negative, after);
        }
    }
}

/// What somebody may do in a mailbox of an account. Nothing in the archive of a list: see [`archive_access`].
#[must_use]
pub fn rights_of(directory: &Directory, owner: AccountId, acl: &Acl, who: AccountId) -> Access {
    if owner == who {
        return Access { rights: Rights::ALL, reason: AccessReason::Owner };
    }
    match (directory.account_by_id(owner), directory.account_by_id(who)) {
        (Some(owner), Some(who)) => weigh(owner, acl, who),
        (None, _) | (_, None) => Access { rights: Rights::NONE, reason: AccessReason::Nothing },
    }
}

/// What somebody may do in the archive of a list (R8): read it, or nothing. `member` says whether an address of theirs is
/// among the members, whom the store knows; one of another organisation is as a member elsewhere.
#[must_use]
pub fn archive_access(directory: &Directory, list: &ListObject, who: &AccountObject, member: bool) -> Access {
    let inside = belongs(who, list.address.domain());
    let reason = match list.settings.archive_readers {
        _ if runs(directory, list, who) => AccessReason::RunsList,
        ArchiveReaders::Members if member && inside => AccessReason::ListMember,
        ArchiveReaders::Organisation if inside => AccessReason::ListOrganisation,
        ArchiveReaders::Owners | ArchiveReaders::Members | ArchiveReaders::Organisation => AccessReason::Nothing,
    };
    let reads = reason != AccessReason::Nothing;
    Access { rights: if reads { Rights::LOOKUP.with(Rights::READ) } else { Rights::NONE }, reason }
}

/// The lists whose archive somebody may read, if they are among its members: these are not in the directory.
pub fn readable_lists<'a>(
    directory: &'a Directory,
    who: &'a AccountObject,
) -> impl Iterator<Item = &'a Arc<ListObject>> + 'a {
    directory.lists().filter(move |list| archive_access(directory, list, who, true).reason != AccessReason::Nothing)
}

/// Whether membership decides about the archive of a list for somebody, so that the store has to be asked.
#[must_use]
pub fn archive_asks_for_members(list: &ListObject, who: &AccountObject) -> bool {
    list.settings.archive_readers == ArchiveReaders::Members && belongs(who, list.address.domain())
}

/// Whether somebody is an owner or a moderator of a list (R8).
#[must_use]
pub fn runs(directory: &Directory, list: &ListObject, who: &AccountObject) -> bool {
    let mut people = list.owners.iter().chain(&list.moderators);
    people.any(|person| directory.account_at(person).is_some_and(|found| found.id == who.id))
}

/// What membership of a shared account gives somebody who is not its owner; `None` for who is no member.
#[must_use]
pub fn member_rights(owner: &AccountObject, who: &Address) -> Option<Rights> {
    let shared = owner.shared.as_ref().filter(|_| owner.kind == AccountKind::Shared)?;
    let member = shared.members.iter().find(|member| member.account.same_mailbox(who))?;
    Some(Rights::parse(&member.rights).unwrap_or(Rights::NONE))
}

/// The people who administer a shared account: members with the right `a` whose account is on.
pub fn administrators<'a>(
    directory: &'a Directory,
    owner: &'a AccountObject,
) -> impl Iterator<Item = &'a Arc<AccountObject>> + 'a {
    let members = owner.shared.iter().filter(|_| owner.kind == AccountKind::Shared).flat_map(|shared| &shared.members);
    let administers = |rights: &str| Rights::parse(rights).is_ok_and(|rights| rights.has(Rights::ADMINISTER));
    let people = members.filter(move |member| administers(&member.rights));
    people.filter_map(|member| directory.account_at(&member.account)).filter(|account| account.enabled)
}

/// What a membership and an ACL amount to for somebody who is not the owner.
#[must_use]
pub fn weigh(owner: &AccountObject, acl: &Acl, who: &AccountObject) -> Access {
    let membership = member_rights(owner, &who.address);
    let named = acl.entry(Identifier::Account(who.id), false);
    // To who is of another organisation on this server it gives nothing; what it takes away, it takes from all.
    let anyone = acl.entry(Identifier::Anyone, false).filter(|_| colleagues(owner, who)).unwrap_or_default();
    let (own, reason) = match (named, membership) {
        (Some(rights), _) if !rights.is_empty() => (rights, AccessReason::Entry),
        (None, Some(rights)) if !rights.is_empty() => (rights, AccessReason::Membership),
        _ if !anyone.is_empty() => (Rights::NONE, AccessReason::Anyone),
        _ => (Rights::NONE, AccessReason::Nothing),
    };
    let given = own.with(anyone);
    let denied = |identifier| acl.entry(identifier, true).unwrap_or(Rights::NONE);
    let rights = given.without(denied(Identifier::Account(who.id))).without(denied(Identifier::Anyone));
    if rights.is_empty() && !given.is_empty() {
        return Access { rights, reason: AccessReason::Denied };
    }
    Access { rights, reason }
}

/// Whom a text names: an account by any of its addresses or `anyone`; `true` when a `-` in front says "not".
#[must_use]
pub fn identifier(directory: &Directory, text: &str) -> Option<(Identifier, bool)> {
    let (negative, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
    if name == "anyone" {
        return Some((Identifier::Anyone, negative));
    }
    let account = directory.account_at(&Address::parse(name).ok()?)?;
    (account.kind == AccountKind::Person).then_some((Identifier::Account(account.id), negative))
}

/// Whether who shares a mailbox of an account may name an identifier: `anyone`, and the people of its organisation. Rights
/// across organisations are the server administrator's to give.
#[must_use]
pub fn may_be_named(directory: &Directory, owner: AccountId, identifier: Identifier) -> bool {
    let Identifier::Account(who) = identifier else { return true };
    let both = directory.account_by_id(owner).zip(directory.account_by_id(who));
    both.is_some_and(|(owner, who)| colleagues(owner, who))
}

/// What an identifier has in a mailbox of an account that has no line for it.
#[must_use]
pub fn default_rights(directory: &Directory, owner: AccountId, identifier: Identifier) -> Rights {
    let Identifier::Account(who) = identifier else { return Rights::NONE };
    let (owner, who) = (directory.account_by_id(owner), directory.account_by_id(who));
    owner.zip(who).and_then(|(owner, who)| member_rights(owner, &who.address)).unwrap_or_default()
}

/// One line of a list as it works, with names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclLine {
    /// The primary address of an account, or `anyone`; with `-` in front it takes away.
    pub identifier: String,
    /// Which rights.
    pub rights: Rights,
    /// Where they come from: the owner's own, a membership, or a line.
    pub reason: AccessReason,
}

/// A list as it works: the owner, members that no line names, then the lines. Lines without rights are not told: they
/// are there so that membership gives nothing.
#[must_use]
pub fn effective_lines(directory: &Directory, owner: AccountId, acl: &Acl) -> Vec<AclLine> {
    let mut lines = Vec::new();
    let mut tell = |identifier: String, rights, reason| lines.push(AclLine { identifier, rights, reason });
    if let Some(owner) = directory.account_by_id(owner) {
        if owner.kind == AccountKind::Person {
            tell(owner.address.to_string(), Rights::ALL, AccessReason::Owner);
        }
        for member in owner.shared.iter().flat_map(|shared| &shared.members) {
            let Some(account) = directory.account(&member.account) else { continue };
            if acl.entry(Identifier::Account(account.id), false).is_none() {
                let rights = member_rights(owner, &account.address).unwrap_or_default();
                tell(account.address.to_string(), rights, AccessReason::Membership);
            }
        }
    }
    for entry in acl.entries.iter().filter(|entry| !entry.rights.is_empty()) {
        let (name, reason) = match entry.identifier {
            Identifier::Anyone => ("anyone".to_owned(), AccessReason::Anyone),
            Identifier::Account(id) => match directory.account_by_id(id) {
                Some(account) => (account.address.to_string(), AccessReason::Entry),
                None => continue,
            },
        };
        let sign = if entry.negative { "-" } else { "" };
        tell(format!("{sign}{name}"), entry.rights, reason);
    }
    lines
}

/// Whose `\Seen` somebody sees in a mailbox: an owner always the mailbox's own.
#[must_use]
pub fn seen_of(directory: &Directory, owner: AccountId, acl: &Acl, who: AccountId) -> SeenState {
    if owner == who {
        return SeenState::Shared;
    }
    let of_account = || directory.account_by_id(owner)?.shared.as_ref().map(|shared| shared.seen);
    acl.seen.or_else(of_account).unwrap_or_default()
}

impl fmt::Display for AccessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "it is their own mailbox",
            Self::Entry => "the mailbox's access list names them",
            Self::Membership => "they are a member of the shared mailbox",
            Self::Anyone => "the mailbox's access list gives it to everyone of the organisation",
            Self::RunsList => "they own or moderate the mailing list",
            Self::ListMember => "they are a member of the mailing list",
            Self::ListOrganisation => "the mailing list lets its organisation read the archive",
            Self::Nothing => "nothing gives them a right",
            Self::Denied => "the mailbox's access list takes their rights away",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objects::{Member, Object, SharedMailbox};
    use crate::testing::{account, account_object, address, directory};

    fn rights(text: &str) -> Rights {
        Rights::parse(text).unwrap()
    }

    fn place() -> Directory {
        let mut info = account_object(9, "info@a.example");
        info.kind = AccountKind::Shared;
        let member = |who: &str, rights: &str| Member { account: address(who), rights: rights.to_owned() };
        let members = vec![member("alice@a.example", "lrswite"), member("bob@a.example", "lr")];
        info.shared = Some(SharedMailbox { members, ..SharedMailbox::default() });
        let people = ["alice", "bob", "carol"].iter().zip(1..);
        let mut objects: Vec<Object> = people.map(|(name, id)| account(id, &format!("{name}@a.example"))).collect();
        objects.push(Object::Account(info));
        // Another organisation on the same server, and who belongs to both.
        objects.push(account(4, "dora@b.example"));
        let also_in = vec![mail::Domain::parse("a.example").unwrap()];
        objects.push(Object::Account(AccountObject { also_in, ..account_object(5, "erin@b.example") }));
        directory(&["a.example", "b.example"], objects)
    }

    /// `alice=lrs anyone=l -bob=r`
    fn acl(text: &str) -> Acl {
        let mut acl = Acl::default();
        for line in text.split_whitespace() {
            let (name, letters) = line.split_once('=').unwrap();
            let (name, negative) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
            let identifier = match name {
                "anyone" => Identifier::Anyone,
                "alice" => Identifier::Account(AccountId(1)),
                "bob" => Identifier::Account(AccountId(2)),
                "dora" => Identifier::Account(AccountId(4)),
                _ => Identifier::Account(AccountId(3)),
            };
            acl.set(identifier, negative, rights(letters));
        }
        acl
    }

    #[test]
    fn r07_rights_come_from_the_list_then_from_membership() {
        use AccessReason as R;
        let directory = place();
        for (owner, list, who, expected, reason) in [
            (9, "", 1, "lrswite", R::Membership),
            (9, "", 2, "lr", R::Membership),
            (9, "", 3, "", R::Nothing),
            (9, "alice=lr", 1, "lr", R::Entry),
            (9, "alice=", 1, "", R::Nothing),
            (9, "alice= anyone=l", 1, "l", R::Anyone),
            (9, "anyone=lp", 2, "lrp", R::Membership),
            (9, "anyone=lp", 3, "lp", R::Anyone),
            (9, "-alice=w", 1, "lrsite", R::Membership),
            (9, "-anyone=te -alice=w", 1, "lrsi", R::Membership),
            (9, "-bob=lr", 2, "", R::Denied),
            (9, "alice=a -bob=lr carol=lrs", 3, "lrs", R::Entry),
            (1, "", 1, "lrswipkxtean", R::Owner),
            (1, "-alice=lrswipkxtean", 1, "lrswipkxtean", R::Owner),
            (1, "bob=lr", 2, "lr", R::Entry),
            (1, "bob=lr", 3, "", R::Nothing),
            (1, "anyone=r", 77, "", R::Nothing),
            (1, "anyone=r", 3, "r", R::Anyone),
            (1, "anyone=r", 4, "", R::Nothing),
            (1, "anyone=r", 5, "r", R::Anyone),
            (9, "anyone=lr", 4, "", R::Nothing),
            (9, "anyone=lr dora=l", 4, "l", R::Entry),
            (9, "-anyone=r dora=lr", 4, "l", R::Entry),
            (77, "", 1, "", R::Nothing),
        ] {
            let access = rights_of(&directory, AccountId(owner), &acl(list), AccountId(who));
            assert_eq!((access.rights.to_string().as_str(), access.reason), (expected, reason), "{list} for {who}");
        }
    }

    #[test]
    fn r08_the_archive_is_read_by_whom_the_list_says() {
        use AccessReason as R;
        let mut directory = place();
        let mut list = ListObject::new(address("garden@a.example"));
        (list.id, list.owners, list.moderators) = (
            AccountId(8),
            vec![address("ALICE@a.example")],
            vec![address("erin@a.example"), address("zoe@far.example")],
        );
        directory.put(Object::List(list.clone()));
        let (owners, members) = (ArchiveReaders::Owners, ArchiveReaders::Members);
        for (readers, who, member, expected, reason) in [
            (owners, 1, false, "lr", R::RunsList),
            (owners, 5, true, "lr", R::RunsList),
            (owners, 2, true, "", R::Nothing),
            (members, 1, false, "lr", R::RunsList),
            (members, 2, true, "lr", R::ListMember),
            (members, 2, false, "", R::Nothing),
            // Of another organisation on this server: as a member elsewhere.
            (members, 4, true, "", R::Nothing),
            (ArchiveReaders::Organisation, 2, false, "lr", R::ListOrganisation),
            (ArchiveReaders::Organisation, 4, true, "", R::Nothing),
        ] {
            list.settings.archive_readers = readers;
            let account = directory.account_by_id(AccountId(who)).unwrap();
            let access = archive_access(&directory, &list, account, member);
            assert_eq!((access.rights.to_string().as_str(), access.reason), (expected, reason), "{readers:?} {who}");
        }
        assert_eq!(rights_of(&directory, AccountId(8), &Acl::default(), AccountId(1)).rights, Rights::NONE);
    }

    #[test]
    fn negative_rights_are_not_what_deleteacl_does() {
        // RFC 4314 §2 and §3.2, with Fred as number 3: deleting "fred" leaves "-fred".
        let mut list = acl("carol=rwipslxeta -carol=weta anyone=r");
        list.remove(Identifier::Account(AccountId(3)), false);
        assert_eq!(list, acl("-carol=weta anyone=r"));
        assert_eq!(rights_of(&place(), AccountId(1), &list, AccountId(3)).rights, rights("r"));
    }

    #[test]
    fn a_change_begins_with_what_membership_gives() {
        let change = |text| RightsChange::parse(text).unwrap();
        let alice = Identifier::Account(AccountId(1));
        let mut list = Acl::default();
        list.change(alice, false, change("+k"), rights("lr"));
        assert_eq!(list.entry(alice, false), Some(rights("lrk")));
        list.change(alice, false, change(""), rights("lr"));
        assert_eq!(list.entry(alice, false), Some(Rights::NONE), "it keeps membership from giving");
        list.change(alice, false, change(""), Rights::NONE);
        assert!(list.is_empty());
        list.change(Identifier::Anyone, true, change("+w"), rights("lr"));
        assert_eq!(list.entry(Identifier::Anyone, true), Some(rights("w")));
        list.change(Identifier::Anyone, true, change("-w"), rights("lr"));
        assert!(list.is_empty());
    }

    #[test]
    fn seen_is_the_mailboxs_word_before_the_accounts() {
        let directory = place();
        let (info, alice) = (AccountId(9), AccountId(1));
        assert_eq!(seen_of(&directory, info, &Acl::default(), alice), SeenState::Shared);
        let list = Acl { seen: Some(SeenState::PerPerson), ..Acl::default() };
        assert_eq!(seen_of(&directory, info, &list, alice), SeenState::PerPerson);
        assert_eq!(seen_of(&directory, alice, &list, alice), SeenState::Shared, "an owner sees the mailbox's own");
        assert_eq!(seen_of(&directory, alice, &list, AccountId(2)), SeenState::PerPerson);
    }

    fn lines() -> impl Strategy<Value = Vec<(u8, bool, u16)>> {
        prop::collection::vec((0u8..4, any::<bool>(), 0u16..1 << 11), 0..8)
    }

    fn of_lines(lines: &[(u8, bool, u16)]) -> Acl {
        let letters = |bits: u16| Rights::LETTERS.iter().zip(0..).filter(move |(_, n)| bits & (1 << n) != 0);
        let mut acl = Acl::default();
        for (who, negative, bits) in lines {
            let identifier = if *who == 0 { Identifier::Anyone } else { Identifier::Account(AccountId((*who).into())) };
            let given = letters(*bits).fold(Rights::NONE, |rights, ((right, _), _)| rights.with(*right));
            acl.set(identifier, *negative, given);
        }
        acl
    }

    proptest! {
        /// Nobody gets what no line and no membership gives, nobody keeps what a line takes, owners keep all, and the
        /// order of lines does not matter.
        #[test]
        fn rights_are_given_by_somebody_and_taken_for_sure(lines in lines(), who in 1u64..4) {
            let directory = place();
            let list = of_lines(&lines);
            let who = AccountId(who);
            let access = rights_of(&directory, AccountId(9), &list, who);
            let names_me = |entry: &&AclEntry| {
                entry.identifier == Identifier::Anyone || entry.identifier == Identifier::Account(who)
            };
            let sum = |negative: bool| {
                let mine = list.entries.iter().filter(names_me).filter(|entry| entry.negative == negative);
                mine.fold(Rights::NONE, |sum, entry| sum.with(entry.rights))
            };
            let owner = directory.account_by_id(AccountId(9)).unwrap();
            let member = member_rights(owner, &directory.account_by_id(who).unwrap().address).unwrap_or_default();
            prop_assert!(sum(false).with(member).has(access.rights));
            prop_assert!(!access.rights.any_of(sum(true)));
            prop_assert_eq!(rights_of(&directory, who, &list, who).rights, Rights::ALL);
            let mut turned = list.clone();
            turned.entries.reverse();
            prop_assert_eq!(rights_of(&directory, AccountId(9), &turned, who), access);
        }
    }
}
