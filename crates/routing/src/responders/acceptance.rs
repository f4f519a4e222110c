//! What responders change when a message is accepted: what is not kept (A9), what is copied (A10), who is told (A6).

use std::collections::{BTreeMap, BTreeSet};

use mail::{AccountId, Address, Timestamp};

use crate::directory::Directory;
use crate::limits::{ANSWERS_PER_MESSAGE_MAX, ANSWERS_PER_PERSON_MAX};
use crate::objects::{Audience, ResponderKind, ResponderObject};
use crate::resolution::Resolution;
use crate::responders::copies::{copies, keeps};
use crate::responders::{active, owner_id, rivals, zone_of};

/// The responders' share of a delivery plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptancePlan {
    /// Mailboxes of the resolution that do not keep the message: a responder at their address is active and keeps
    /// nothing (A9).
    pub drop_mailboxes: BTreeSet<AccountId>,
    /// Mailboxes of ours that get a copy for a responder (A10), whatever `drop_mailboxes` says.
    pub local_copies: BTreeSet<AccountId>,
    /// Addresses elsewhere that get a copy for a responder (A10), without those of the resolution.
    pub remote_copies: Vec<Address>,
    /// One for each responder that may have to answer.
    pub events: Vec<ResponderEvent>,
    /// Nobody keeps or gets the message, neither mailbox nor redirect nor copy: the sender is told so, beside the answer (A6).
    pub failure_notice: bool,
}

/// A responder that is to look at the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponderEvent {
    /// Its number.
    pub responder: u64,
    /// Where it stands.
    pub address: Address,
    /// The address written to, that led there.
    pub recipient: Address,
    /// The account with the responder's address.
    pub account: Option<AccountId>,
    /// It stands for a person who is away, not for a robot.
    pub out_of_office: bool,
    /// This one also sends the failure notice: at most one event of a plan does.
    pub failure_notice: bool,
    /// Another absence of the same person answers everyone in its place.
    pub replaced: bool,
    /// As many others as may answer one message come before it: it only tells the trace so.
    pub beyond: bool,
}

/// Marks those of one message's responders that may not answer it any more: there are [`ANSWERS_PER_PERSON_MAX`] of the
/// same person before them, or [`ANSWERS_PER_MESSAGE_MAX`] of anyone.
pub fn bound_answers(events: &mut [ResponderEvent]) {
    let mut of_person: BTreeMap<(Option<AccountId>, Option<Address>), usize> = BTreeMap::new();
    let mut of_all = 0usize;
    for event in events.iter_mut().filter(|event| !event.replaced) {
        // Where there is no account, the address stands for whoever is behind it.
        let person = (event.account, event.account.is_none().then(|| event.address.clone()));
        let before = of_person.entry(person).or_default();
        event.beyond = *before >= ANSWERS_PER_PERSON_MAX || of_all >= ANSWERS_PER_MESSAGE_MAX;
        if !event.beyond {
            *before = before.saturating_add(1);
            of_all = of_all.saturating_add(1);
        }
    }
}

/// What the responders of a resolution change for a message received now.
#[must_use]
pub fn at_acceptance(directory: &Directory, resolution: &Resolution, now: Timestamp) -> AcceptancePlan {
    let mut plan = AcceptancePlan::default();
    for (responder, recipient) in found(directory, resolution) {
        if !active(responder, now, &zone_of(directory, responder)) {
            continue;
        }
        let account = owner_id(directory, responder);
        if rivals(directory, responder, recipient, now).contains(&Audience::Everyone) {
            // Another absence of the same person has its place: this one neither answers nor deletes nor copies.
            plan.events.push(ResponderEvent { replaced: true, ..event(responder, recipient, account) });
            continue;
        }
        let copies = copies(directory, responder, now);
        if !keeps(responder, &copies) {
            // Only the mailbox at the responder's own address: what an alias hands on belongs to others.
            plan.drop_mailboxes.extend(account);
        }
        for copy in copies {
            plan.local_copies.extend(copy.mailboxes.iter().map(|(account, _)| *account));
            for remote in copy.remotes {
                if !resolution.remotes.contains(&remote) && !plan.remote_copies.contains(&remote) {
                    plan.remote_copies.push(remote);
                }
            }
        }
        plan.events.push(event(responder, recipient, account));
    }
    let copied = !plan.local_copies.is_empty() || !plan.remote_copies.is_empty();
    if resolution.responder_only() && !copied {
        plan.failure_notice = true;
        if plan.events.is_empty() {
            // Its window ended since RCPT: no answer, but nothing accepted may vanish, so somebody must say so.
            let first = found(directory, resolution).next();
            plan.events.extend(first.map(|(responder, to)| event(responder, to, owner_id(directory, responder))));
        }
        if let Some(first) = plan.events.first_mut() {
            first.failure_notice = true;
        }
    }
    plan
}

fn found<'a>(
    directory: &'a Directory,
    resolution: &'a Resolution,
) -> impl Iterator<Item = (&'a ResponderObject, &'a Address)> {
    let named = resolution.responders.iter();
    named.filter_map(|(id, to)| directory.responder(*id).map(|responder| (responder.as_ref(), to)))
}

fn event(responder: &ResponderObject, recipient: &Address, account: Option<AccountId>) -> ResponderEvent {
    ResponderEvent {
        responder: responder.id,
        address: responder.address.clone(),
        recipient: recipient.clone(),
        account,
        out_of_office: responder.kind == ResponderKind::OutOfOffice,
        failure_notice: false,
        replaced: false,
        beyond: false,
    }
}

#[cfg(test)]
mod tests {
    use mail::ForwardPath;

    use super::*;
    use crate::asking::Asking;
    use crate::objects::{GroupObject, ListObject, Object};
    use crate::resolve::resolve;
    use crate::testing::{account, address, alias, directory, responder_object};
    use crate::verdict::{RefuseReason, Verdict};

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn plan(objects: Vec<Object>, to: &str) -> AcceptancePlan {
        let directory = directory(&["a.example"], objects);
        at_acceptance(&directory, &resolve(&directory, &ForwardPath::Address(address(to)), &Asking::anyone(NOW)), NOW)
    }

    fn responder(edit: impl FnOnce(&mut ResponderObject)) -> ResponderObject {
        let mut object = responder_object(1, "alice@a.example");
        edit(&mut object);
        object
    }

    fn ids(accounts: &BTreeSet<AccountId>) -> Vec<u64> {
        accounts.iter().map(|id| id.0).collect()
    }

    #[test]
    fn a09_what_is_not_kept_is_dropped_only_while_active() {
        let with = |object| vec![account(1, "alice@a.example"), Object::Responder(object)];
        let not_kept = plan(with(responder(|r| r.keep = false)), "alice@a.example");
        assert_eq!(ids(&not_kept.drop_mailboxes), [1]);
        assert!(!not_kept.failure_notice);
        assert_eq!(not_kept.events.len(), 1);
        for inactive in [
            responder(|r| (r.keep, r.enabled) = (false, false)),
            responder(|r| (r.keep, r.ends) = (false, Some("2020-01-01".to_owned()))),
            responder(|r| (r.keep, r.text) = (false, Some(" ".to_owned()))),
            responder(|r| r.keep = true),
        ] {
            assert!(plan(with(inactive), "alice@a.example").drop_mailboxes.is_empty());
        }
    }

    #[test]
    fn a09_an_absence_that_another_one_replaces_deletes_nothing() {
        let absence = |id: u64, edit: fn(&mut ResponderObject)| {
            let mut object = responder_object(id, "alice@a.example");
            object.kind = ResponderKind::OutOfOffice;
            edit(&mut object);
            Object::Responder(object)
        };
        let objects = |specific: fn(&mut ResponderObject)| {
            vec![account(1, "alice@a.example"), absence(1, |r| r.keep = false), absence(2, specific)]
        };
        let drops = |objects| ids(&plan(objects, "alice@a.example").drop_mailboxes);
        assert_eq!(drops(objects(|r| r.ends = Some("2030-01-01".to_owned()))), [0; 0]);
        assert_eq!(drops(objects(|r| r.ends = Some("2020-01-01".to_owned()))), [1]);
        let inside = |r: &mut ResponderObject| (r.ends, r.audience) = (Some("2030-01-01".to_owned()), Audience::Inside);
        assert_eq!(drops(objects(inside)), [1], "it does not speak to everyone");
    }

    #[test]
    fn of_many_responders_the_first_may_answer_a_message() {
        let event = |n: u64, replaced| {
            let object = responder_object(n, "alice@a.example");
            ResponderEvent { replaced, ..event(&object, &address("alice@a.example"), None) }
        };
        let mut events: Vec<ResponderEvent> = (1..=9).map(|n| event(n, n == 2)).collect();
        bound_answers(&mut events);
        let beyond: Vec<u64> = events.iter().filter(|event| event.beyond).map(|event| event.responder).collect();
        assert_eq!(beyond, [7, 8, 9], "number 2 answers nobody, and takes nobody's place");
        // Ten people who are away all say so; a hundred don't.
        let away = |n: u64| ResponderEvent { account: Some(AccountId(n)), ..event(n, false) };
        let mut events: Vec<ResponderEvent> = (1..=100).map(away).collect();
        bound_answers(&mut events);
        assert_eq!(events.iter().filter(|event| !event.beyond).count(), ANSWERS_PER_MESSAGE_MAX);
        assert!(events.iter().take(ANSWERS_PER_MESSAGE_MAX).all(|event| !event.beyond));
    }

    #[test]
    fn a09_an_alias_responder_drops_nothing_of_others() {
        let mut at_alias = responder_object(1, "info@a.example");
        at_alias.keep = false;
        let objects = vec![
            account(1, "alice@a.example"),
            alias("info@a.example", &["alice@a.example"]),
            Object::Responder(at_alias),
        ];
        assert_eq!(plan(objects, "info@a.example").drop_mailboxes, BTreeSet::new());
    }

    #[test]
    fn a10_received_messages_are_copied_while_active() {
        let copying = |to: &str| responder(|r| r.copy_received_to = Some(address(to)));
        let with = |object| {
            vec![
                account(1, "alice@a.example"),
                account(2, "bob@a.example"),
                alias("both@a.example", &["bob@a.example", "x@r.example"]),
                Object::Responder(object),
            ]
        };
        let both = plan(with(copying("both@a.example")), "alice@a.example");
        assert_eq!(ids(&both.local_copies), [2]);
        assert_eq!(both.remote_copies, [address("x@r.example")]);
        let over = responder(|r| {
            r.copy_received_to = Some(address("x@r.example"));
            r.ends = Some("2020-01-01".to_owned());
        });
        assert_eq!(plan(with(over), "alice@a.example"), AcceptancePlan::default());
    }

    /// What could be saved may lead to where messages are decided on by now: nothing passes moderators in a stranger's name,
    /// and what nobody else gets is kept.
    #[test]
    fn a10_a_copy_that_reaches_nobody_any_more_deletes_nothing() {
        let group = |moderated| {
            let group = GroupObject { id: AccountId(9), moderated, ..GroupObject::new(address("board@a.example")) };
            Object::Group(GroupObject { members: vec![address("bob@a.example")], ..group })
        };
        let list = Object::List(ListObject { id: AccountId(8), ..ListObject::new(address("garden@a.example")) });
        let with = |to: &str, moderated| {
            let copying = responder(|r| (r.keep, r.copy_received_to) = (false, Some(address(to))));
            let objects = vec![
                account(1, "alice@a.example"),
                account(2, "bob@a.example"),
                alias("team@a.example", &["garden@a.example"]),
                alias("all@a.example", &["board@a.example"]),
                alias("wide@a.example", &["garden@a.example", "bob@a.example"]),
                group(moderated),
                list.clone(),
                Object::Responder(copying),
            ];
            let plan = plan(objects, "alice@a.example");
            (ids(&plan.drop_mailboxes), ids(&plan.local_copies))
        };
        assert_eq!(with("all@a.example", false), (vec![1], vec![2]));
        assert_eq!(with("wide@a.example", false), (vec![1], vec![2]));
        for to in ["team@a.example", "all@a.example", "board@a.example", "garden@a.example", "gone@a.example"] {
            assert_eq!(with(to, true), (vec![], vec![]), "{to}");
        }
    }

    #[test]
    fn a06_neither_mailbox_nor_redirect_answers_and_gives_notice_once() {
        let free = |id| Object::Responder(responder_object(id, "prices@a.example"));
        let found = plan(vec![free(1), free(2)], "prices@a.example");
        assert!(found.failure_notice);
        assert_eq!(found.events.iter().map(|event| event.failure_notice).collect::<Vec<_>>(), [true, false]);
        // Beside a blackhole, a mailbox or a copy address there is no failure.
        let beside = plan(vec![free(1), alias("prices@a.example", &[":blackhole:"])], "prices@a.example");
        assert!(!beside.failure_notice && beside.events.len() == 1);
        let mut copied = responder_object(1, "prices@a.example");
        copied.copy_received_to = Some(address("x@r.example"));
        assert!(!plan(vec![Object::Responder(copied)], "prices@a.example").failure_notice);
    }

    #[test]
    fn a06_outside_its_window_a_free_responder_is_not_there() {
        let mut over = responder_object(1, "prices@a.example");
        over.ends = Some("2020-01-01".to_owned());
        let directory = directory(&["a.example"], vec![Object::Responder(over)]);
        let at = |now| resolve(&directory, &ForwardPath::Address(address("prices@a.example")), &Asking::anyone(now));
        let resolution = at(NOW);
        assert_eq!(resolution.verdict, Verdict::Refuse(RefuseReason::NoSuchMailbox));
        assert_eq!(at(Timestamp(1_500_000_000_000)).verdict, Verdict::Accept);
        // Accepted just before the end, stored just after: the failure notice still leaves.
        let plan = at_acceptance(&directory, &resolution, NOW);
        assert!(plan.failure_notice && plan.events.len() == 1);
    }

    #[test]
    fn events_say_where_the_responder_stands_and_what_led_there() {
        let objects = vec![
            account(1, "alice@a.example"),
            alias("info@a.example", &["alice@a.example"]),
            Object::Responder(responder_object(1, "alice@a.example")),
        ];
        let events = plan(objects, "Info+x@a.example").events;
        assert_eq!(events[0].address, address("alice@a.example"));
        assert_eq!(events[0].recipient, address("Info+x@a.example"));
        assert_eq!(events[0].account, Some(AccountId(1)));
    }
}
