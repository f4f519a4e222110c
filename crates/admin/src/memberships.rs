//! What becomes of memberships in lists when an account gives up an address, or goes: they end. Whoever gets the address later has
//! joined nothing, and reads no archive as a member.

use mail::{AccountId, Address};
use routing::Directory;
use storage::{StorageError, Transaction};

use crate::limits::WARNED_ADDRESSES_MAX;

/// Of the addresses that an account gives up, those that nothing else has: mail for an alias or a group goes on, and so does what it is
/// a member of.
pub(crate) fn given_up(directory: &Directory, addresses: impl Iterator<Item = Address>) -> Vec<Address> {
    addresses.filter(|address| directory.alias(address).is_none() && directory.group(address).is_none()).collect()
}

/// The lists that may have one of these among their members; none when there is no address.
pub(crate) fn lists(directory: &Directory, leaving: &[Address]) -> Vec<(AccountId, Address)> {
    if leaving.is_empty() {
        return Vec::new();
    }
    directory.lists().map(|list| (list.id, list.address.clone())).collect()
}

/// Ends the memberships; the lists in which there was one.
///
/// # Errors
/// The store's.
pub(crate) fn end(
    tx: &mut Transaction<'_>,
    lists: &[(AccountId, Address)],
    leaving: &[Address],
) -> Result<Vec<Address>, StorageError> {
    let mut left = Vec::new();
    for (part, list) in lists {
        let mut was = false;
        for address in leaving {
            was |= tx.remove_member(*part, address)?;
        }
        if was {
            left.push(list.clone());
        }
    }
    Ok(left)
}

/// In words, behind what was done: empty when there was none.
pub(crate) fn told(left: &[Address]) -> String {
    ended(left).map_or_else(String::new, |text| format!("; {text}"))
}

/// In words; `None` when there was none.
pub(crate) fn ended(left: &[Address]) -> Option<String> {
    if left.is_empty() {
        return None;
    }
    let some: Vec<String> = left.iter().take(WARNED_ADDRESSES_MAX).map(ToString::to_string).collect();
    let more = match left.len().saturating_sub(some.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("no longer a member of {}{more}", some.join(", ")))
}
