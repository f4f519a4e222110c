//! What still names an address that has just been removed, for the person who removed it.

use mail::{Address, Domain};
use routing::Directory;
use routing::objects::Target;

/// How many are named.
const NAMED_MAX: usize = 10;

/// What leads to an address that is not there any more, as the end of a sentence; empty when nothing does, or while something
/// else has the address. Who edits one domain is not told the addresses of others, only how many they are.
pub(crate) fn still_naming(directory: &Directory, gone: &Address) -> String {
    let taken = directory.account_at(gone).is_some()
        || directory.alias(gone).is_some()
        || directory.group(gone).is_some()
        || directory.list(gone).is_some();
    if taken {
        return String::new();
    }
    sentence(naming(directory, |address| address.same_mailbox(gone)), |domain| domain == gone.domain())
}

/// The same for all addresses of a domain: what names them would send mail out to that domain from now on.
pub(crate) fn still_naming_domain(directory: &Directory, gone: &Domain) -> String {
    if directory.domain(gone).is_some() {
        return String::new();
    }
    sentence(naming(directory, |address| address.domain() == gone), |_| true)
}

/// What names such addresses, each with its domain.
fn naming(directory: &Directory, is: impl Fn(&Address) -> bool) -> Vec<(String, Domain)> {
    let named = |address: &Option<Address>| address.as_ref().is_some_and(&is);
    let mut found = Vec::new();
    for alias in directory.aliases() {
        let leads = alias.targets.iter().any(|target| matches!(target, Target::Address(target) if is(target)));
        if leads || named(&alias.when_away) {
            found.push((format!("the alias {}", alias.address), alias.address.domain().clone()));
        }
    }
    for group in directory.groups().filter(|group| named(&group.when_away)) {
        found.push((format!("the group {}", group.address), group.address.domain().clone()));
    }
    for domain in directory.domains().filter(|domain| named(&domain.catch_all) || named(&domain.postmaster)) {
        found.push((format!("the domain {}", domain.name), domain.name.clone()));
    }
    for one in directory.responders() {
        if named(&one.deputy) || named(&one.copy_answers_to) || named(&one.copy_received_to) {
            found.push((format!("responder {} at {}", one.id, one.address), one.address.domain().clone()));
        }
    }
    found.sort();
    found
}

fn sentence(found: Vec<(String, Domain)>, told: impl Fn(&Domain) -> bool) -> String {
    if found.is_empty() {
        return String::new();
    }
    let count = found.len();
    let mut names: Vec<String> =
        found.into_iter().filter(|(_, domain)| told(domain)).map(|(name, _)| name).take(NAMED_MAX).collect();
    match count - names.len() {
        0 => {}
        more if names.is_empty() => names.push(format!("{more} in other domains")),
        more => names.push(format!("{more} more")),
    }
    format!("; still named by {}", names.join(", "))
}
