//! Groups and lists.

use mail::{Address, ForwardPath};

use super::address::{check_free, list_addresses};
use super::rules::check_posting;
use super::{ObjectFlaw, check_rules, judge, looking_ahead};
use crate::directory::Directory;
use crate::limits::{GROUP_MEMBERS_MAX, SENDERS_MAX};
use crate::objects::{GroupObject, ListObject, ObjectKey};
use crate::resolution::Reason;
use crate::resolve::{Instead, Walk, resolve};
use crate::verdict::Verdict;

/// Whether a group may be saved as it is.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_group(directory: &Directory, group: &GroupObject) -> Result<(), ObjectFlaw> {
    check_free(directory, &ObjectKey::Group(group.address.canonical()), &group.address)?;
    check_rules(&group.rules)?;
    check_posting(&group.posting)?;
    if group.members.len() > GROUP_MEMBERS_MAX {
        return Err(ObjectFlaw::TooManyMembers(group.members.len()));
    }
    if let Some(unknown) = group.members.iter().find(|member| directory.account_at(member).is_none()) {
        return Err(ObjectFlaw::UnknownMember(unknown.clone()));
    }
    if group.moderated && group.moderators.is_empty() {
        return Err(ObjectFlaw::NoModerator);
    }
    check_persons(directory, &group.moderators)?;
    let enabled = GroupObject { enabled: true, ..group.clone() };
    let asking = looking_ahead();
    let mut walk = Walk::looking_ahead(directory, &asking, Instead::Group(&enabled));
    let tree = walk.follow_group(&enabled, Reason::Asked);
    judge(&walk, &tree)
}

/// Whether a mailing list may be saved as it is.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_list(directory: &Directory, list: &ListObject) -> Result<(), ObjectFlaw> {
    let key = ObjectKey::List(list.address.canonical());
    check_free(directory, &key, &list.address)?;
    for address in list_addresses(&list.address) {
        check_free(directory, &key, &address)?;
    }
    check_rules(&list.rules)?;
    check_posting(&list.posting)?;
    if list.owners.is_empty() {
        return Err(ObjectFlaw::NoOwner);
    }
    check_persons(directory, &list.owners)?;
    check_persons(directory, &list.moderators)
}

/// Whether those who are to decide can be written to; elsewhere nobody knows. A list is no such person: what is written to
/// its addresses would go round between lists, or be dropped as written by a machine.
fn check_persons(directory: &Directory, persons: &[Address]) -> Result<(), ObjectFlaw> {
    if persons.len() > SENDERS_MAX {
        return Err(ObjectFlaw::TooManySenders(persons.len()));
    }
    let asking = looking_ahead();
    for person in persons {
        let found = resolve(directory, &ForwardPath::Address(person.clone()), &asking);
        if matches!(found.verdict, Verdict::Refuse(_)) && found.responders.is_empty() {
            return Err(ObjectFlaw::UnknownPerson(person.clone()));
        }
        if !found.held.is_empty() {
            return Err(ObjectFlaw::ListAsPerson(person.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mail::AccountId;

    use super::*;
    use crate::objects::Object;
    use crate::testing::{account, address, alias, directory};

    #[test]
    fn no_list_owns_or_moderates() {
        let list = |text: &str, owner: &str| ListObject {
            id: AccountId(9),
            owners: vec![address(owner)],
            ..ListObject::new(address(text))
        };
        let objects = vec![
            account(1, "alice@a.example"),
            Object::List(list("garden@a.example", "alice@a.example")),
            alias("info@a.example", &["alice@a.example", "garden-owner@a.example"]),
            alias("us@a.example", &["alice@a.example", "bob@far.example"]),
        ];
        let directory = directory(&["a.example"], objects);
        for owner in ["garden@a.example", "garden-owner@a.example", "Garden-confirm+x@a.example", "info@a.example"] {
            let flaw = Err(ObjectFlaw::ListAsPerson(address(owner)));
            assert_eq!(check_list(&directory, &list("tea@a.example", owner)), flaw, "{owner}");
            assert_eq!(check_list(&directory, &list("garden@a.example", owner)), flaw, "{owner}");
            let tea = list("tea@a.example", "alice@a.example");
            assert_eq!(
                check_list(&directory, &ListObject { moderators: vec![address(owner)], ..tea }),
                flaw,
                "{owner}"
            );
            let group = GroupObject {
                members: vec![address("alice@a.example")],
                moderated: true,
                moderators: vec![address(owner)],
                ..GroupObject::new(address("board@a.example"))
            };
            assert_eq!(check_group(&directory, &group), flaw, "{owner}");
        }
        assert_eq!(check_list(&directory, &list("tea@a.example", "us@a.example")), Ok(()));
    }

    #[test]
    fn r09_each_flaw_of_a_group_is_told() {
        let objects = vec![
            account(1, "alice@a.example"),
            account(2, "bob@a.example"),
            alias("bob@a.example", &["team@a.example"]),
            alias("info@a.example", &["alice@a.example"]),
        ];
        let directory = directory(&["a.example"], objects);
        let group = |members: &[&str]| GroupObject {
            members: members.iter().map(|text| address(text)).collect(),
            ..GroupObject::new(address("team@a.example"))
        };
        assert_eq!(check_group(&directory, &group(&["alice@a.example"])), Ok(()));
        assert_eq!(
            check_group(&directory, &group(&["info@a.example"])),
            Err(ObjectFlaw::UnknownMember(address("info@a.example")))
        );
        assert!(matches!(check_group(&directory, &group(&["bob@a.example"])), Err(ObjectFlaw::Cycle(_))));
        let moderated = GroupObject { moderated: true, ..group(&["alice@a.example"]) };
        assert_eq!(check_group(&directory, &moderated), Err(ObjectFlaw::NoModerator));
        let by = |text: &str| GroupObject { moderators: vec![address(text)], ..moderated.clone() };
        assert_eq!(check_group(&directory, &by("alice@a.example")), Ok(()));
        assert_eq!(check_group(&directory, &by("chair@elsewhere.example")), Ok(()));
        assert_eq!(
            check_group(&directory, &by("nobody@a.example")),
            Err(ObjectFlaw::UnknownPerson(address("nobody@a.example")))
        );
        let away = GroupObject { when_away: Some(address("nobody@a.example")), ..group(&["alice@a.example"]) };
        assert_eq!(check_group(&directory, &away), Err(ObjectFlaw::UnknownTarget(address("nobody@a.example"))));
    }
}
