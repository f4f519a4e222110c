//! Short spellings of objects for the tests of this crate.

use mail::{AccountId, Address, Domain};

use crate::directory::Directory;
use crate::objects::{AccountObject, AliasObject, DomainObject, Object, ResponderKind, ResponderObject, Target};

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn domain(name: &str) -> DomainObject {
    DomainObject::new(Domain::parse(name).unwrap())
}

pub(crate) fn account_object(id: u64, text: &str) -> AccountObject {
    AccountObject { id: AccountId(id), ..AccountObject::new(address(text)) }
}

pub(crate) fn account(id: u64, text: &str) -> Object {
    Object::Account(account_object(id, text))
}

pub(crate) fn alias(text: &str, targets: &[&str]) -> Object {
    let targets = targets.iter().map(|target| Target::try_from((*target).to_owned()).unwrap()).collect();
    Object::Alias(AliasObject::new(address(text), targets))
}

pub(crate) fn responder_object(id: u64, text: &str) -> ResponderObject {
    let mut object = ResponderObject::new(address(text), ResponderKind::Autoresponder);
    (object.id, object.subject, object.text) = (id, "Away".to_owned(), Some("I am away".to_owned()));
    object
}

pub(crate) fn directory(domains: &[&str], objects: Vec<Object>) -> Directory {
    let mut directory = Directory::default();
    domains.iter().for_each(|name| directory.put(Object::Domain(domain(name))));
    objects.into_iter().for_each(|object| directory.put(object));
    directory
}
