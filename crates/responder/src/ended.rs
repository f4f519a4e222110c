//! The letter that tells an owner that a responder has ended by itself.

use delivery::Letter;
use routing::objects::{AccountObject, ResponderKind, ResponderObject};
use routing::responders::{Window, cut, one_line};
use storage::responder_states::ResponderState;

/// The letter, in the owner's language.
pub(crate) fn letter(responder: &ResponderObject, owner: &AccountObject, state: &ResponderState) -> Option<Letter> {
    let window = Window::parse(responder.starts.as_deref(), responder.ends.as_deref()).ok()?;
    let subject = [&responder.subject, &responder.subject_prefix].into_iter().find(|text| !text.trim().is_empty());
    let named = cut(one_line(subject.map_or("", String::as_str)), 100);
    let french = owner.language == "fr";
    let end = window.ends?.in_words(if french { "fr" } else { "en" });
    let (at, id, count) = (&responder.address, responder.id, state.answered);
    let away = responder.kind == ResponderKind::OutOfOffice;
    let (subject, text) = if french {
        let what = if away { "message d'absence" } else { "répondeur" };
        let answers = match count {
            0 => "Il n'a répondu à aucun message.".to_owned(),
            1 => "Il a répondu à un message.".to_owned(),
            _ => format!("Il a répondu à {count} messages."),
        };
        let kept = if responder.keep { "" } else { "Les messages reçus sont de nouveau conservés.\n" };
        (
            format!("Votre {what} est terminé"),
            format!(
                "Bonjour,\n\nvotre {what} « {named} » pour {at} est arrivé à son terme ({end}) et ne répond plus.\n\
                 {answers}\n{kept}\nPour qu'il réponde de nouveau, donnez-lui une autre date de fin (répondeur n° {id}).\n"
            ),
        )
    } else {
        let what = if away { "out-of-office message" } else { "autoresponder" };
        let answers = match count {
            0 => "It answered no message.".to_owned(),
            1 => "It answered one message.".to_owned(),
            _ => format!("It answered {count} messages."),
        };
        let kept = if responder.keep { "" } else { "Received messages are kept again.\n" };
        (
            format!("Your {what} has ended"),
            format!(
                "Hello,\n\nyour {what} \"{named}\" for {at} has come to its end ({end}) and answers no more.\n\
                 {answers}\n{kept}\nTo make it answer again, give it another end (responder {id}).\n"
            ),
        )
    };
    Letter::from_postmaster(owner, subject, text)
}
