//! Names under which one person sees another's mailboxes (RFC 2342): `Shared/info@example.org/Sent` for a shared account,
//! `Other Users/alice@example.org/Sent` for a person's. The INBOX of an account is the name of the account itself.
//!
//! The archive of a mailing list is `Shared/garden@example.org/Archive`: the one mailbox of a list that people see.
//!
//! A name belongs to another account only when its second level is an address, so that somebody's own mailboxes
//! `Shared` and `Shared/Plans` stay what they are.

use mail::{AccountId, Address};

use crate::directory::Directory;
use crate::objects::{AccountKind, AccountObject};

/// Where other people's mailboxes are.
pub const OTHER_USERS: &str = "Other Users";

/// Where shared mailboxes are.
pub const SHARED: &str = "Shared";

/// The mailbox of a list in which its posts are kept.
pub const LIST_ARCHIVE: &str = "Archive";

/// What a mailbox name leads to, for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One of their own.
    Own,
    /// Another account's.
    Foreign {
        /// Whose.
        owner: AccountId,
        /// The name as its owner has it.
        name: String,
    },
    /// It has the form of another account's, and there is none.
    Nowhere,
}

/// Finds the place of a name.
#[must_use]
pub fn locate(directory: &Directory, who: AccountId, name: &str) -> Place {
    let Some((space, label, rest)) = split(name) else { return Place::Own };
    let address = address_of(label);
    let list = address.as_ref().and_then(|address| directory.list(address)).filter(|_| space == SHARED);
    if let Some(list) = list.filter(|_| rest == Some(LIST_ARCHIVE)) {
        return Place::Foreign { owner: list.id, name: LIST_ARCHIVE.to_owned() };
    }
    match address.and_then(|address| directory.account(&address)) {
        Some(account) if space_of(account.kind) == space && account.id != who => {
            let name = match rest {
                None => "INBOX".to_owned(),
                Some(rest) => rest.to_owned(),
            };
            Place::Foreign { owner: account.id, name }
        }
        _ => Place::Nowhere,
    }
}

/// Whether a name has the form of another account's mailbox.
#[must_use]
pub fn is_foreign(name: &str) -> bool {
    split(name).is_some()
}

/// Whether a name lies where others' mailboxes are, whatever its second level is: nobody makes a mailbox of their own there.
/// `Shared` itself does not, and may be somebody's own.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.split_once('/').is_some_and(|(space, _)| space == SHARED || space == OTHER_USERS)
}

/// The name under which others see a mailbox of an account.
#[must_use]
pub fn shown_name(owner: &AccountObject, mailbox: &str) -> String {
    let root = root_of(owner);
    if mailbox == "INBOX" { root } else { format!("{root}/{mailbox}") }
}

/// The name under which others see a mailbox of an account or a list; `None` when neither is there any more, or nobody sees it.
#[must_use]
pub fn shown_name_of(directory: &Directory, owner: AccountId, mailbox: &str) -> Option<String> {
    match (directory.account_by_id(owner), directory.list_by_id(owner)) {
        (Some(account), _) => Some(shown_name(account, mailbox)),
        (None, Some(list)) if mailbox == LIST_ARCHIVE => Some(format!("{SHARED}/{}/{mailbox}", label(&list.address))),
        (None, _) => None,
    }
}

/// The name of an account among those of others: that of its INBOX.
#[must_use]
pub fn root_of(owner: &AccountObject) -> String {
    format!("{}/{}", space_of(owner.kind), label(&owner.address))
}

const fn space_of(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Person => OTHER_USERS,
        AccountKind::Shared => SHARED,
    }
}

/// Namespace, label and what is behind it, of a name that has the form of another account's.
fn split(name: &str) -> Option<(&str, &str, Option<&str>)> {
    let (space, rest) = name.split_once('/')?;
    if space != SHARED && space != OTHER_USERS {
        return None;
    }
    let (label, rest) = match rest.split_once('/') {
        Some((label, rest)) => (label, Some(rest)),
        None => (rest, None),
    };
    label.contains('@').then_some((space, label, rest))
}

/// An address as one level of a name: what parts levels or is a wildcard there is written as `=` and two digits.
fn label(address: &Address) -> String {
    let mut label = String::new();
    for c in address.canonical().to_string().chars() {
        if matches!(c, '/' | '%' | '*' | '=' | '"' | '\\') || c.is_ascii_control() {
            label.push_str(&format!("={:02X}", u32::from(c)));
        } else {
            label.push(c);
        }
    }
    label
}

fn address_of(label: &str) -> Option<Address> {
    let mut text = String::new();
    let mut rest = label;
    while let Some((before, after)) = rest.split_once('=') {
        text.push_str(before);
        let digits = after.get(..2)?;
        text.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        rest = after.get(2..)?;
    }
    text.push_str(rest);
    Address::parse(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Object;
    use crate::testing::{account, account_object, address, directory};

    #[test]
    fn r07_names_lead_to_places() {
        let mut info = account_object(2, "info@a.example");
        info.kind = AccountKind::Shared;
        let directory = directory(&["a.example"], vec![account(1, "alice@a.example"), Object::Account(info)]);
        let foreign = |owner, name: &str| Place::Foreign { owner: AccountId(owner), name: name.to_owned() };
        for (who, name, place) in [
            (1, "INBOX", Place::Own),
            (1, "Shared", Place::Own),
            (1, "Shared/Plans", Place::Own),
            (1, "shared/info@a.example", Place::Own),
            (1, "Shared/info@a.example", foreign(2, "INBOX")),
            (1, "Shared/INFO@a.example", foreign(2, "INBOX")),
            (1, "Shared/info@a.example/Sent/2026", foreign(2, "Sent/2026")),
            (1, "Other Users/info@a.example", Place::Nowhere),
            (1, "Other Users/alice@a.example", Place::Nowhere),
            (3, "Other Users/alice@a.example/Sent", foreign(1, "Sent")),
            (3, "Shared/alice@a.example/Sent", Place::Nowhere),
            (3, "Shared/nobody@a.example", Place::Nowhere),
            (3, "Shared/@", Place::Nowhere),
            (3, "Shared/a=@b", Place::Nowhere),
        ] {
            assert_eq!(locate(&directory, AccountId(who), name), place, "{who} {name}");
        }
    }

    #[test]
    fn r08_of_a_list_its_archive_has_a_name_and_nothing_else() {
        let mut list = crate::objects::ListObject::new(address("garden@a.example"));
        list.id = AccountId(7);
        let directory = directory(&["a.example"], vec![account(1, "alice@a.example"), Object::List(list)]);
        let name = "Shared/garden@a.example/Archive";
        let there = Place::Foreign { owner: AccountId(7), name: "Archive".to_owned() };
        assert_eq!(locate(&directory, AccountId(1), name), there);
        assert_eq!(shown_name_of(&directory, AccountId(7), "Archive").as_deref(), Some(name));
        for hidden in
            ["Shared/garden@a.example", "Shared/garden@a.example/Waiting", "Other Users/garden@a.example/Archive"]
        {
            assert_eq!(locate(&directory, AccountId(1), hidden), Place::Nowhere, "{hidden}");
        }
        assert_eq!(shown_name_of(&directory, AccountId(7), "Waiting"), None);
        assert_eq!(shown_name_of(&directory, AccountId(9), "Archive"), None);
    }

    #[test]
    fn every_address_is_one_level_of_a_name() {
        for text in ["info@a.example", "a/b@a.example", "a=b@a.example", "100%*@a.example", "\u{e9}t\u{e9}@a.example"] {
            let label = label(&address(text));
            assert!(!label.contains(['/', '%', '*']), "{label}");
            assert_eq!(address_of(&label), Some(address(text)), "{label}");
        }
    }
}
