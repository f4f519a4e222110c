use routing::objects::{AccountObject, AliasObject, DomainObject, Object, Target};

use super::*;

fn directory() -> Directory {
    let mut directory = Directory::default();
    directory.put(Object::Domain(DomainObject::new(mail::Domain::parse("a.example").unwrap())));
    for (id, address) in [(1, "alice@a.example"), (2, "bob@a.example")] {
        directory.put(Object::Account(AccountObject {
            id: AccountId(id),
            ..AccountObject::new(Address::parse(address).unwrap())
        }));
    }
    directory.put(Object::Alias(AliasObject::new(
        Address::parse("info@a.example").unwrap(),
        vec![Target::Address(Address::parse("alice@a.example").unwrap())],
    )));
    directory
}

fn said(header: &str) -> String {
    match check_identity(&directory(), AccountId(1), format!("{header}\r\n").as_bytes()) {
        Ok(()) => "taken".to_owned(),
        Err(reply) => reply.to_string(),
    }
}

#[test]
fn r06_the_sender_of_a_submitted_message_is_ones_own() {
    for own in [
        "From: alice@a.example",
        "From: \"Alice, at home\" <ALICE+x@a.example>\r\nSubject: x",
        "Subject: x\r\nfrom: Info <info@a.example>",
        "From: alice@a.example, info@a.example\r\nSender: alice@a.example",
        "Subject: no From at all",
    ] {
        assert_eq!(said(own), "taken", "{own}");
    }
    for (foreign, reason) in [
        ("From: bob@a.example", "550 5.7.1 You may not send as bob@a.example: it is the address of another account"),
        ("From: alice@a.example\r\nFrom: bob@a.example", "550 5.7.1 You may not send as bob@a.example"),
        ("From: alice@a.example, Bob <bob@a.example>", "550 5.7.1 You may not send as bob@a.example"),
        ("From: alice@a.example\r\nSender: bob@a.example", "550 5.7.1 You may not send as bob@a.example"),
        ("From:\r\n =?utf-8?q?x?=\r\n <ceo@elsewhere.example>", "550 5.7.1 You may not send as ceo@elsewhere.example"),
        ("From: alice", "550 5.6.0 From has an address that can't be read"),
    ] {
        assert!(said(foreign).starts_with(reason), "{foreign}: {}", said(foreign));
    }
}
