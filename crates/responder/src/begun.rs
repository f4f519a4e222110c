//! The letter that tells an owner that their absence is active, with the link that switches it off (V4).
//!
//! Whoever reads the letter has the link. So there is none in that of a shared mailbox, which people read who may change
//! nothing there; those who administer it get a letter of their own.

use delivery::Letter;
use mail::AccountId;
use mail::french::de;
use routing::Directory;
use routing::objects::{AccountKind, AccountObject, ResponderObject};
use routing::responders::{Window, cut, one_line};
use routing::sharing::administrators;

use crate::limits::ADMINISTRATORS_TOLD_MAX;

/// A letter to each who is told of an absence, with their account: its owner; of a shared mailbox, everybody who reads it, and
/// by themselves those who administer it. `link` makes somebody's link, when the pages are reached from outside; `command` is how
/// a command begins.
pub(crate) fn letters(
    directory: &Directory,
    responder: &ResponderObject,
    owner: &AccountObject,
    link: impl Fn(AccountId) -> Option<String>,
    command: &str,
) -> Vec<(AccountId, Letter)> {
    let others = administrators(directory, owner).filter(|one| one.id != owner.id).take(ADMINISTRATORS_TOLD_MAX);
    let readers = std::iter::once(owner).chain(others.map(AsRef::as_ref));
    readers.filter_map(|reader| Some((reader.id, letter(responder, owner, reader, &link, command)?))).collect()
}

/// The letter to one reader, in their language.
fn letter(
    responder: &ResponderObject,
    owner: &AccountObject,
    reader: &AccountObject,
    link: &impl Fn(AccountId) -> Option<String>,
    relais: &str,
) -> Option<Letter> {
    let window = Window::parse(responder.starts.as_deref(), responder.ends.as_deref()).ok()?;
    let subject = [&responder.subject, &responder.subject_prefix].into_iter().find(|text| !text.trim().is_empty());
    let named = cut(one_line(subject.map_or("", String::as_str)), 100);
    let french = reader.language == "fr";
    let end = window.ends.map(|end| end.in_words(if french { "fr" } else { "en" }));
    let (at, id) = (&responder.address, responder.id);
    let command = format!("{relais} --as {} responder set {id} --disable", owner.address);
    let shared = owner.kind == AccountKind::Shared;
    let own = reader.id == owner.id;
    let link = link(reader.id).filter(|_| !(shared && own));
    let link = link.as_deref();
    let (subject, text) = if french {
        let until = end.map_or_else(|| "jusqu'à ce qu'il soit désactivé".to_owned(), |end| format!("jusqu'au {end}"));
        let dropped = if responder.keep { "" } else { "Les messages reçus entre-temps sont supprimés.\n" };
        let off = match link {
            Some(link) => format!(
                "Pour le désactiver, ouvrez cette page et appuyez sur son bouton :\n{link}\n\nCe lien ne vaut que \
                 pour cette absence, et prend fin avec elle.\n"
            ),
            None if shared => format!(
                "Pour le désactiver, demandez-le à qui administre votre messagerie (`{relais} responder set {id} --disable`).\n"
            ),
            None => format!(
                "Pour le désactiver, lancez `{command}` sur le serveur, ou demandez-le à qui administre votre messagerie.\n"
            ),
        };
        let (title, whose) = match own {
            true => ("Votre message d'absence est actif".to_owned(), "votre"),
            false => (format!("Le message d'absence {} est actif", de(&at.to_string())), "le"),
        };
        (
            title,
            format!(
                "Bonjour,\n\n{whose} message d'absence « {named} » pour {at} répond désormais, {until}.\n{dropped}\n{off}"
            ),
        )
    } else {
        let until = end.map_or_else(|| "until it is switched off".to_owned(), |end| format!("until {end}"));
        let dropped = if responder.keep { "" } else { "Messages received meanwhile are deleted.\n" };
        let off = match link {
            Some(link) => format!(
                "To switch it off, open this page and press its button:\n{link}\n\nThe link is good for this absence \
                 only, and ends with it.\n"
            ),
            None if shared => format!(
                "To switch it off, ask whoever administers your mail (`{relais} responder set {id} --disable`).\n"
            ),
            None => format!("To switch it off, run `{command}` on the server, or ask whoever administers your mail.\n"),
        };
        let (title, whose) = match own {
            true => ("Your out-of-office message is active".to_owned(), "your"),
            false => (format!("The out-of-office message of {at} is active"), "the"),
        };
        (
            title,
            format!(
                "Hello,\n\n{whose} out-of-office message \"{named}\" for {at} answers from now on, {until}.\n{dropped}\n{off}"
            ),
        )
    };
    Letter::from_postmaster(reader, subject, text)
}
