//! Domains in words.

use admin::DomainView;
use routing::objects::SubaddressFolders;

use super::{addresses, field, moment, on_off};

pub(super) fn domain(one: &DomainView) -> String {
    let mut out = String::new();
    let nobody = || "unknown addresses are refused".to_owned();
    field(&mut out, "domain", &one.domain.name);
    field(&mut out, "state", on_off(one.domain.enabled));
    field(&mut out, "accounts", one.accounts);
    field(&mut out, "aliases", one.aliases);
    field(&mut out, "catch-all", one.domain.catch_all.as_ref().map_or_else(nobody, ToString::to_string));
    let administrator = || "an administrator".to_owned();
    let postmaster = one.domain.postmaster.as_ref().map_or_else(administrator, ToString::to_string);
    match &one.postmaster_object {
        None => field(&mut out, "postmaster", postmaster),
        Some(object) => field(&mut out, "postmaster", format_args!("the {object}, which goes before {postmaster}")),
    }
    field(&mut out, "subaddresses by", &one.domain.subaddress_separators);
    field(
        &mut out,
        "DKIM records",
        format_args!("`relais domain dkim show {}` shows what to publish", one.domain.name),
    );
    field(
        &mut out,
        "subaddress folders",
        match one.domain.subaddress_folders {
            SubaddressFolders::Off => "off",
            SubaddressFolders::Existing => "existing ones",
            SubaddressFolders::Create => "made when missing",
        },
    );
    if let Some(target) = &one.domain.alias_of {
        field(&mut out, "stands for", target);
    }
    field(&mut out, "groups", one.groups);
    field(&mut out, "lists", one.lists);
    field(&mut out, "patterns", one.domain.patterns.len());
    field(&mut out, "own aliases made by", addresses::policy(&one.domain.alias_policy));
    field(&mut out, "time zone", &one.domain.time_zone);
    field(&mut out, "language", &one.domain.language);
    field(&mut out, "made", moment(one.domain.created_at));
    out
}
