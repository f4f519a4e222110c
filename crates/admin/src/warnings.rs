//! What is saved all the same, and what whoever saves it should know.

use mail::Address;
use routing::Directory;
use routing::objects::{AccountObject, AliasObject, GroupObject, Target};
use routing::organisation::belongs;
use routing::sharing::runs;

use crate::limits::WARNED_ADDRESSES_MAX;

/// Addresses elsewhere with characters beyond ASCII before the `@`: their servers must take them (SMTPUTF8, RFC 6531 §3.6), which
/// many do not.
pub(crate) fn beyond_ascii<'a>(directory: &Directory, addresses: impl IntoIterator<Item = &'a Address>) -> Vec<String> {
    let elsewhere = |address: &&Address| address.needs_smtputf8() && directory.domain(address.domain()).is_none();
    let mut found = addresses.into_iter().filter(elsewhere);
    let told: Vec<String> = found.by_ref().take(WARNED_ADDRESSES_MAX).map(ToString::to_string).collect();
    if told.is_empty() {
        return Vec::new();
    }
    let more = match found.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    vec![format!(
        "{}{more}: beyond ASCII before the @, so that the mail server there has to take SMTPUTF8; mail comes back where it does not",
        told.join(", ")
    )]
}

/// An alias of all users that anybody in the world may write to.
pub(crate) fn everybody_by_anybody(alias: &AliasObject) -> Option<String> {
    let open = !alias.rules.internal_only && alias.rules.senders.is_empty();
    let everybody = alias.targets.contains(&Target::AllUsers);
    (open && everybody && alias.enabled).then(|| {
        format!(
            "anybody in the world can write to everybody by it; `relais alias set {} --internal-only` keeps it to people of the \
             organisation who have logged in",
            alias.address
        )
    })
}

/// A group that is there before its members are, or after them.
pub(crate) fn without_members(group: &GroupObject) -> Option<String> {
    let becomes = match (group.members.is_empty(), group.moderated) {
        (false, _) => return None,
        (true, false) => "mail to it is refused until there are some",
        (true, true) => "what its moderators let through reaches nobody until there are some",
    };
    let GroupObject { address, .. } = group;
    Some(format!(
        "it has no members: {becomes}; `relais group set {address} --add-member PERSON@{}` adds one",
        address.domain()
    ))
}

/// What becomes of messages that wait when they would not have to wait any more.
pub(crate) fn still_waiting(address: &Address, messages: usize, days: u32) -> Option<String> {
    let (some, are) = match messages {
        0 => return None,
        1 => ("1 message waits".to_owned(), "it is not let through by itself, and is"),
        more => (format!("{more} messages wait"), "they are not let through by themselves, and are"),
    };
    Some(format!(
        "{some} still: {are} refused {days} days after coming; `relais list waiting {address}` shows what waits, `relais list \
         approve` and `reject` decide"
    ))
}

/// What an account keeps of an organisation that it is taken out of: the aliases that it made for itself there, whose mail still comes,
/// and the lists that it runs.
pub(crate) fn what_is_left(directory: &Directory, before: &AccountObject, after: &AccountObject) -> Vec<String> {
    let left = |address: &Address| belongs(before, address.domain()) && !belongs(after, address.domain());
    let made = directory.aliases().filter(|alias| alias.made_by == Some(after.id) && left(&alias.address));
    let mut made: Vec<&Address> = made.map(|alias| &alias.address).collect();
    made.sort_unstable();
    let run = directory.lists().filter(|list| left(&list.address) && runs(directory, list, after));
    let run: Vec<&Address> = run.map(|list| &list.address).collect();
    let some = |all: &[&Address]| {
        let told: Vec<String> = all.iter().take(WARNED_ADDRESSES_MAX).map(ToString::to_string).collect();
        let more = all.len().saturating_sub(told.len());
        if more == 0 { told.join(", ") } else { format!("{} and {more} more", told.join(", ")) }
    };
    let aliases = (!made.is_empty()).then(|| {
        format!(
            "{}: made by this account, which writes under no alias of that organisation any more; mail for it still comes, until \
             `relais alias remove`",
            some(&made)
        )
    });
    let lists = (!run.is_empty()).then(|| {
        format!(
            "{}: the account still owns or moderates it, and reads its archive; `relais list set` changes that",
            some(&run)
        )
    });
    aliases.into_iter().chain(lists).collect()
}
