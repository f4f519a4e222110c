//! Pattern aliases of a domain: an ordered list, tried one after the other.

use mail::{Address, Domain, ForwardPath, ReversePath};
use routing::objects::{DomainObject, Object, PatternAlias, Target};
use routing::{Asking, check_domain, check_pattern, matching_pattern, resolve};
use storage::Store;
use storage::objects::PutMode;

use crate::domain::find;
use crate::error::AdminError;
use crate::limits::NOTE_OCTETS_MAX;
use crate::request::PatternRequest;
use crate::response::{PatternTest, Response};

pub(crate) async fn execute(store: &Store, name: &Domain, request: PatternRequest) -> Result<Response, AdminError> {
    let mut domain = find(&store.directory(), name)?;
    match request {
        PatternRequest::List => return Ok(Response::Patterns(domain.patterns)),
        PatternRequest::Test { address, pattern, targets } => return test(store, domain, address, pattern, targets),
        PatternRequest::Add { pattern, targets, note, place } => {
            let alias = PatternAlias { note: note.unwrap_or_default(), ..PatternAlias::new(pattern, targets) };
            check_pattern(&alias).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
            let at = place.map_or(domain.patterns.len(), |place| place.saturating_sub(1)).min(domain.patterns.len());
            domain.patterns.insert(at, alias);
        }
        PatternRequest::Move { number, place } => {
            let alias = taken(&mut domain, number)?;
            let at = place.saturating_sub(1).min(domain.patterns.len());
            domain.patterns.insert(at, alias);
        }
        PatternRequest::Set { number, enabled, note } => {
            let mut alias = taken(&mut domain, number)?;
            alias.enabled = enabled.unwrap_or(alias.enabled);
            alias.note = note.unwrap_or(alias.note);
            domain.patterns.insert(number.saturating_sub(1), alias);
        }
        PatternRequest::Remove { number } => {
            taken(&mut domain, number)?;
        }
    }
    if domain.patterns.iter().any(|alias| alias.note.len() > NOTE_OCTETS_MAX) {
        return Err(AdminError::invalid(format!("the note is longer than {NOTE_OCTETS_MAX} octets")));
    }
    check_domain(&store.directory(), &domain).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    let patterns = domain.patterns.clone();
    store.put_object(Object::Domain(domain), PutMode::Replace).await?;
    Ok(Response::Patterns(patterns))
}

/// Takes the pattern of a number out of the list.
fn taken(domain: &mut DomainObject, number: usize) -> Result<PatternAlias, AdminError> {
    match number.checked_sub(1).filter(|at| *at < domain.patterns.len()) {
        Some(at) => Ok(domain.patterns.remove(at)),
        None => {
            let error = AdminError::new(
                crate::ErrorKind::NotFound,
                format!("{} has {} patterns, and no number {number}", domain.name, domain.patterns.len()),
            );
            Err(error.hint(format!("`relais domain pattern list {}` shows them", domain.name)))
        }
    }
}

fn test(
    store: &Store,
    mut domain: DomainObject,
    address: Address,
    pattern: Option<String>,
    targets: Vec<String>,
) -> Result<Response, AdminError> {
    if address.domain() != &domain.name {
        return Err(AdminError::invalid(format!("{address} is no address of {}", domain.name)));
    }
    if let Some(pattern) = pattern {
        let alias = PatternAlias::new(pattern, targets);
        check_pattern(&alias).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        domain.patterns = vec![alias];
    }
    let found = matching_pattern(&domain, &address);
    let asking = Asking { reverse_path: ReversePath::Null, account: None, now: store.now(), octets: None, own: false };
    let explanation = resolve(&store.directory(), &ForwardPath::Address(address.clone()), &asking).to_string();
    let text = |target: Result<Target, String>| match target {
        Ok(Target::AllUsers) => ":all:".to_owned(),
        Ok(target) => String::from(target),
        Err(why) => format!("no target: {why}"),
    };
    Ok(Response::PatternTest(Box::new(match found {
        Some(found) => PatternTest {
            address,
            number: Some(found.number),
            pattern: Some(found.pattern),
            targets: found.targets.into_iter().map(text).collect(),
            explanation,
        },
        None => PatternTest { address, number: None, pattern: None, targets: Vec::new(), explanation },
    })))
}
