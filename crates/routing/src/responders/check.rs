//! `check_responder`: what is refused when a responder is saved. An unfinished one may be saved; it does not act.

use crate::directory::Directory;
use crate::limits::{RESPONDER_BODY_OCTETS_MAX, RESPONDER_SUBJECT_OCTETS_MAX, RESPONDERS_PER_ADDRESS_MAX};
use crate::objects::{Audience, ResponderObject, Wording};
use crate::responders::copies::leads;
use crate::responders::hours::{HoursFlaw, WeeklyHours};
use crate::responders::owner;
use crate::responders::placeholders::{Form, Placeholder, PlaceholderFlaw, placeholders};
use crate::responders::window::{Window, WindowFlaw, is_zone};

/// Why a responder can't be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponderFlaw {
    /// The responder's domain is not one of this server.
    #[error("{0} is not a domain of this server: add the domain first")]
    NotLocal(mail::Domain),
    /// Start or end.
    #[error(transparent)]
    Window(#[from] WindowFlaw),
    /// A line break or another control character in subject or prefix.
    #[error("subject and prefix must be one line without control characters")]
    SubjectControls,
    /// Subject or prefix too long.
    #[error("subject and prefix have {RESPONDER_SUBJECT_OCTETS_MAX} octets each at the most")]
    SubjectTooLong,
    /// Text or HTML too long.
    #[error("the message has {RESPONDER_BODY_OCTETS_MAX} octets at the most")]
    MessageTooLong,
    /// Weekly hours.
    #[error(transparent)]
    Hours(#[from] HoursFlaw),
    /// No such time zone.
    #[error("\"{0}\" is no time zone: write one as Europe/Paris")]
    NoZone(String),
    /// Neither French nor English.
    #[error("the language \"{0}\" is not known: fr or en")]
    NoLanguage(String),
    /// A placeholder.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderFlaw),
    /// A placeholder for what the responder does not have.
    #[error("the words use {{{0}}}, but the responder has no {1}")]
    NothingToFill(&'static str, &'static str),
    /// A copy to nobody.
    #[error("copies for the deputy need a deputy")]
    NoDeputy,
    /// Contacts of an address without account.
    #[error("{0} is no account and has no contacts, so nobody would be answered")]
    NobodysContacts(mail::Address),
    /// Received messages copied to where each of them would be decided on anew.
    #[error(
        "{0} is or leads to a list, or a group whose moderators are asked: copies of received messages can't go there"
    )]
    CopyToHeld(mail::Address),
    /// Too many at one address.
    #[error("there are {RESPONDERS_PER_ADDRESS_MAX} responders at {0}, and more can't be")]
    TooMany(mail::Address),
    /// Answers or received messages copied to the responder's own address.
    #[error("the copy address {0} is the responder's own address")]
    CopyToItself(mail::Address),
}

/// Whether a responder may be saved as it is.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_responder(directory: &Directory, responder: &ResponderObject) -> Result<(), ResponderFlaw> {
    if directory.domain(responder.address.domain()).is_none() {
        return Err(ResponderFlaw::NotLocal(responder.address.domain().clone()));
    }
    Window::parse(responder.starts.as_deref(), responder.ends.as_deref())?;
    if let Some(hours) = &responder.hours {
        WeeklyHours::parse(&hours.week)?;
    }
    if let Some(zone) = responder.time_zone.as_ref().filter(|zone| !is_zone(zone)) {
        return Err(ResponderFlaw::NoZone(zone.clone()));
    }
    if let Some(language) = responder.language.as_ref().filter(|known| !["fr", "en"].contains(&known.as_str())) {
        return Err(ResponderFlaw::NoLanguage(language.clone()));
    }
    check_wording(responder, &responder.wording(false))?;
    check_wording(responder, responder.inside.as_ref().unwrap_or(&Wording::default()))?;
    if responder.copy_to_deputy && responder.deputy.is_none() {
        return Err(ResponderFlaw::NoDeputy);
    }
    if responder.audience == Audience::Contacts && owner(directory, responder).is_none() {
        return Err(ResponderFlaw::NobodysContacts(responder.address.clone()));
    }
    let others = directory.responders_at(&responder.address).filter(|other| other.id != responder.id);
    if others.count() >= RESPONDERS_PER_ADDRESS_MAX {
        return Err(ResponderFlaw::TooMany(responder.address.clone()));
    }
    // Nothing has expired, as for other objects that are saved.
    let held = |copy: &&mail::Address| {
        leads(directory, copy, mail::Timestamp(i64::MIN)).is_none_or(|leads| !leads.held.is_empty())
    };
    if let Some(copy) = responder.copies_of_received().find(held) {
        return Err(ResponderFlaw::CopyToHeld(copy.clone()));
    }
    let copies = [&responder.copy_answers_to, &responder.copy_received_to, &responder.deputy];
    let mut copies = copies.into_iter().flatten();
    match copies.find(|copy| copy.same_mailbox(&responder.address)) {
        Some(copy) => Err(ResponderFlaw::CopyToItself(copy.clone())),
        None => Ok(()),
    }
}

/// One set of words: lengths, and placeholders that are known and can be filled.
fn check_wording(responder: &ResponderObject, words: &Wording) -> Result<(), ResponderFlaw> {
    for line in [&words.subject, &words.subject_prefix] {
        if line.chars().any(char::is_control) {
            return Err(ResponderFlaw::SubjectControls);
        }
        if line.len() > RESPONDER_SUBJECT_OCTETS_MAX {
            return Err(ResponderFlaw::SubjectTooLong);
        }
    }
    if [&words.text, &words.html].into_iter().flatten().any(|body| body.len() > RESPONDER_BODY_OCTETS_MAX) {
        return Err(ResponderFlaw::MessageTooLong);
    }
    let mut used = placeholders(&words.subject, Form::Plain)?;
    used.extend(placeholders(&words.subject_prefix, Form::Plain)?);
    used.extend(placeholders(words.text.as_deref().unwrap_or_default(), Form::Plain)?);
    used.extend(placeholders(words.html.as_deref().unwrap_or_default(), Form::Html)?);
    for (placeholder, there, name, lacks) in [
        (Placeholder::From, responder.starts.is_some(), "from", "start"),
        (Placeholder::Until, responder.ends.is_some(), "until", "end"),
        (Placeholder::Deputy, responder.deputy.is_some(), "deputy", "deputy"),
    ] {
        if !there && used.contains(&placeholder) {
            return Err(ResponderFlaw::NothingToFill(name, lacks));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Object;
    use crate::testing::{address, directory, responder_object};

    #[test]
    fn each_flaw_is_told() {
        let directory = directory(&["a.example"], vec![]);
        let check = |edit: &dyn Fn(&mut ResponderObject)| {
            let mut object = responder_object(1, "alice@a.example");
            edit(&mut object);
            check_responder(&directory, &object)
        };
        assert_eq!(check(&|_| ()), Ok(()));
        assert_eq!(check(&|r| r.text = None), Ok(()));
        assert!(matches!(check(&|r| r.address = address("x@b.example")), Err(ResponderFlaw::NotLocal(_))));
        assert!(matches!(check(&|r| r.starts = Some("soon".to_owned())), Err(ResponderFlaw::Window(_))));
        assert_eq!(check(&|r| r.subject = "a\r\nBcc: x".to_owned()), Err(ResponderFlaw::SubjectControls));
        assert_eq!(check(&|r| r.subject_prefix = "x".repeat(1000)), Err(ResponderFlaw::SubjectTooLong));
        assert_eq!(check(&|r| r.html = Some("x".repeat(2_000_000))), Err(ResponderFlaw::MessageTooLong));
        assert!(matches!(check(&|r| r.text = Some("Back {untl}".to_owned())), Err(ResponderFlaw::Placeholder(_))));
        assert_eq!(check(&|r| r.text = Some("{until}".to_owned())), Err(ResponderFlaw::NothingToFill("until", "end")));
        assert_eq!(check(&|r| (r.text, r.ends) = (Some("{until}".to_owned()), Some("2026-07-01".to_owned()))), Ok(()));
        let inside = Wording { html: Some("<p>{deputy}</p>".to_owned()), ..Wording::default() };
        let flaw = check(&|r| r.inside = Some(inside.clone())).unwrap_err();
        assert_eq!(flaw.to_string(), "the words use {deputy}, but the responder has no deputy");
        assert_eq!(check(&|r| r.copy_to_deputy = true), Err(ResponderFlaw::NoDeputy));
        assert!(matches!(check(&|r| r.audience = Audience::Contacts), Err(ResponderFlaw::NobodysContacts(_))));
        assert_eq!(
            check(&|r| r.time_zone = Some("Mars/Base".to_owned())),
            Err(ResponderFlaw::NoZone("Mars/Base".to_owned()))
        );
        assert!(matches!(check(&|r| r.language = Some("de".to_owned())), Err(ResponderFlaw::NoLanguage(_))));
        let many: Vec<_> = (1..=50).map(|id| Object::Responder(responder_object(id, "alice@a.example"))).collect();
        let list = Object::List(crate::objects::ListObject::new(address("l@a.example")));
        let group = crate::objects::GroupObject {
            moderated: true,
            ..crate::objects::GroupObject::new(address("board@a.example"))
        };
        let aliases = [
            crate::testing::alias("team@a.example", &["inner@a.example"]),
            crate::testing::alias("inner@a.example", &["x@r.example", "l@a.example"]),
            crate::testing::alias("all@a.example", &["board@a.example"]),
        ];
        let objects = many.into_iter().chain([list, Object::Group(group)]).chain(aliases);
        let full = crate::testing::directory(&["a.example"], objects.collect());
        assert_eq!(check_responder(&full, &responder_object(50, "alice@a.example")), Ok(()));
        let more = ResponderObject { id: 0, ..responder_object(1, "alice@a.example") };
        assert!(matches!(check_responder(&full, &more), Err(ResponderFlaw::TooMany(_))));
        let mut copying = responder_object(50, "alice@a.example");
        for to in ["l@a.example", "board@a.example", "team@a.example", "all@a.example"] {
            copying.copy_received_to = Some(address(to));
            assert!(matches!(check_responder(&full, &copying), Err(ResponderFlaw::CopyToHeld(_))), "{to}");
        }
        let hours = crate::objects::Hours { week: "someday".to_owned(), when: Default::default() };
        assert!(matches!(check(&|r| r.hours = Some(hours.clone())), Err(ResponderFlaw::Hours(_))));
        assert!(matches!(
            check(&|r| r.copy_received_to = Some(address("Alice@a.example"))),
            Err(ResponderFlaw::CopyToItself(_))
        ));
    }
}
