//! In which language and time zone somebody reads what the server tells them of their message.

use mail::{Address, Domain};
use queue::dsn::Language;
use routing::Directory;
use routing::responders::{TimeZone, zone_named};

/// The language of a DSN: a person here reads their own; another address here the one of its domain; who is elsewhere reads that of the
/// domain of ours that is reported on. Where none of them is known, both.
#[must_use]
pub fn dsn_language<'a>(
    directory: &Directory,
    reader: &'a Address,
    reported_on: impl IntoIterator<Item = &'a Domain>,
) -> Language {
    if let Some(account) = directory.account_at(reader) {
        return Language::tagged(&account.language);
    }
    let domains = std::iter::once(reader.domain()).chain(reported_on);
    let ours = domains.filter_map(|domain| directory.domain(domain)).next();
    ours.map_or(Language::Both, |domain| Language::tagged(&domain.language))
}

/// The time zone in which somebody reads it: a person here has their own, another address here that of its domain; elsewhere it is UTC.
pub(crate) fn dsn_zone(directory: &Directory, reader: &Address) -> TimeZone {
    if let Some(account) = directory.account_at(reader) {
        return zone_named(&account.time_zone);
    }
    directory.domain(reader.domain()).map_or(TimeZone::UTC, |domain| zone_named(&domain.time_zone))
}
