//! The words of an answer: which ones, with placeholders filled and the signature below. Pure, so that a preview shows
//! what would leave.

use mail::{Address, Timestamp};

use crate::directory::Directory;
use crate::objects::{AccountObject, Identity, ResponderObject};
use crate::responders::placeholders::{Form, Placeholder, escape_html, fill};
use crate::responders::subject::{answer_subject, one_line};
use crate::responders::window::{TimeZone, Window, date_in_words, instant};
use crate::responders::{owner, zone_of};

/// The message that is answered.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The address that was written to: From of the answer.
    pub recipient: &'a Address,
    /// Who is answered.
    pub sender: &'a Address,
    /// The sender's name, from the message; may be empty.
    pub sender_name: &'a str,
    /// The decoded subject of the message; may be empty.
    pub subject: &'a str,
    /// The sender is of the organisation.
    pub inside: bool,
    /// When it is answered.
    pub now: Timestamp,
}

/// The words of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// The sender name; may be empty.
    pub from_name: String,
    /// One line.
    pub subject: String,
    /// Plain text, as the responder has it; `None`: to be made from the HTML.
    pub text: Option<String>,
    /// HTML.
    pub html: Option<String>,
}

/// Composes an answer.
#[must_use]
pub fn compose(directory: &Directory, responder: &ResponderObject, occasion: &Occasion<'_>) -> Composed {
    let account = owner(directory, responder);
    let identity = account.and_then(|account| identity(account, occasion.recipient));
    let (name, zone) = (from_name(account, occasion.recipient), zone_of(directory, responder));
    let value = |placeholder| value(placeholder, responder, occasion, account, &name, &zone);
    let words = responder.wording(occasion.inside);
    let filled = |text: &str| fill(text, Form::Plain, &value);
    let given = |body: Option<String>| body.filter(|body| !body.trim().is_empty());
    let mut text = given(words.text).map(|text| filled(&text));
    let mut html = given(words.html).map(|html| fill(&html, Form::Html, &value));
    if let Some(identity) = identity.filter(|_| responder.signature) {
        text = text.map(|text| signed_text(&text, identity));
        html = html.map(|html| signed_html(&html, identity));
    }
    let subject = answer_subject(&filled(&words.subject), &filled(&words.subject_prefix), occasion.subject);
    Composed { subject, text, html, from_name: name }
}

fn value(
    placeholder: Placeholder,
    responder: &ResponderObject,
    occasion: &Occasion<'_>,
    account: Option<&AccountObject>,
    name: &str,
    zone: &TimeZone,
) -> String {
    let of_owner = || account.map(|account| account.language.as_str());
    let language = responder.language.as_deref().or_else(of_owner).unwrap_or("en");
    let window = Window::parse(responder.starts.as_deref(), responder.ends.as_deref()).unwrap_or_default();
    let or_address = |name: &str, address: &Address| {
        let name = one_line(name);
        if name.is_empty() { address.to_string() } else { name }
    };
    match placeholder {
        Placeholder::Subject => occasion.subject.to_owned(),
        Placeholder::Sender => occasion.sender.to_string(),
        Placeholder::SenderName => or_address(occasion.sender_name, occasion.sender),
        Placeholder::Recipient => occasion.recipient.to_string(),
        Placeholder::Name => or_address(name, occasion.recipient),
        Placeholder::From => window.starts.map(|start| start.in_words(language)).unwrap_or_default(),
        Placeholder::Until => window.ends.map(|end| end.in_words(language)).unwrap_or_default(),
        Placeholder::Date => date_in_words(zone.to_datetime(instant(occasion.now)).date(), language),
        Placeholder::Deputy => responder.deputy.as_ref().map(Address::to_string).unwrap_or_default(),
        Placeholder::Domain => responder.address.domain().to_string(),
    }
}

/// The identity under which an account writes from an address: that of the address, else that of its primary one.
fn identity<'a>(account: &'a AccountObject, address: &Address) -> Option<&'a Identity> {
    let of = |wanted: &Address| account.identities.iter().find(|identity| identity.address.same_mailbox(wanted));
    of(address).or_else(|| of(&account.address))
}

/// The sender name: the identity's of the address that was written to, else the account's.
fn from_name(account: Option<&AccountObject>, recipient: &Address) -> String {
    let Some(account) = account else { return String::new() };
    let own = account.identities.iter().find(|identity| identity.address.same_mailbox(recipient));
    let name = own.map(|identity| one_line(&identity.display_name)).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| one_line(&account.display_name))
}

/// RFC 3676 §4.3: a line of two dashes and a space stands before a signature.
fn signed_text(text: &str, identity: &Identity) -> String {
    let signature = identity.signature_text.trim();
    if signature.is_empty() { text.to_owned() } else { format!("{}\n\n-- \n{signature}\n", text.trim_end()) }
}

fn signed_html(html: &str, identity: &Identity) -> String {
    let (own, text) = (identity.signature_html.trim(), identity.signature_text.trim());
    let signature = match (own.is_empty(), text.is_empty()) {
        (true, true) => return html.to_owned(),
        (false, _) => own.to_owned(),
        (true, false) => escape_html(text).replace("\r\n", "\n").replace('\n', "<br>\n"),
    };
    let signature = format!("<p>-- <br>\n{signature}</p>\n");
    // Inside of the body, when there is one.
    let lower = html.to_ascii_lowercase();
    let end = lower.rfind("</body").or_else(|| lower.rfind("</html")).unwrap_or(html.len());
    let (body, rest) = html.split_at_checked(end).unwrap_or((html, ""));
    format!("{body}\n{signature}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Object, Wording};
    use crate::testing::{account_object, address, alias, directory, responder_object};

    fn stage() -> (Directory, ResponderObject) {
        let identity = |at: &str, name: &str, text: &str, html: &str| Identity {
            address: address(at),
            display_name: name.to_owned(),
            signature_text: text.to_owned(),
            signature_html: html.to_owned(),
        };
        let account = AccountObject {
            display_name: "Alice Martin".to_owned(),
            language: "fr".to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            identities: vec![
                identity("alice@a.example", "", "Alice\nComptes & paies", ""),
                identity("info@a.example", "Accueil", "L'accueil", "<b>L'accueil</b>"),
            ],
            ..account_object(1, "alice@a.example")
        };
        let objects = vec![Object::Account(account), alias("info@a.example", &["alice@a.example"])];
        let mut responder = responder_object(1, "alice@a.example");
        (responder.starts, responder.ends) = (Some("2026-08-01".to_owned()), Some("2026-08-15T12:00".to_owned()));
        responder.deputy = Some(address("bob@a.example"));
        (directory(&["a.example"], objects), responder)
    }

    fn composed(responder: &ResponderObject, to: &str, inside: bool) -> Composed {
        let occasion = Occasion {
            recipient: &address(to),
            sender: &address("carol@r.example"),
            sender_name: "Carol <b>",
            subject: "Prix",
            inside,
            // 2026-07-31T22:30Z: in Paris it is August.
            now: Timestamp(1_785_537_000_000),
        };
        compose(&stage().0, responder, &occasion)
    }

    #[test]
    fn v02_words_are_filled_in_the_language_of_the_account_and_signed() {
        let (_, mut responder) = stage();
        responder.subject = "Absence de {name} : {subject}".to_owned();
        responder.text =
            Some("{sender_name} ({sender}), {recipient} : du {from} au {until}, {deputy}. {date} {domain}".to_owned());
        responder.html = Some("<html><body><p>{sender_name}</p></BODY></html>".to_owned());
        let made = composed(&responder, "alice@a.example", false);
        assert_eq!(
            (made.subject.as_str(), made.from_name.as_str()),
            ("Absence de Alice Martin : Prix", "Alice Martin")
        );
        assert_eq!(
            made.text.unwrap(),
            "Carol <b> (carol@r.example), alice@a.example : du 1er août 2026 au 15 août 2026 à 12:00, bob@a.example. \
             1er août 2026 a.example\n\n-- \nAlice\nComptes & paies\n"
        );
        assert_eq!(
            made.html.unwrap(),
            "<html><body><p>Carol &lt;b&gt;</p>\n<p>-- <br>\nAlice<br>\nComptes &amp; paies</p>\n</BODY></html>"
        );
        // Under the alias that was written to: its name and its signature (M7).
        let made = composed(&responder, "info@a.example", false);
        assert_eq!(made.from_name, "Accueil");
        assert!(made.text.unwrap().ends_with("\n-- \nL'accueil\n") && made.html.unwrap().contains("<b>L'accueil</b>"));
        responder.signature = false;
        assert!(!composed(&responder, "info@a.example", false).text.unwrap().contains("-- "));
        responder.language = Some("en".to_owned());
        assert!(composed(&responder, "info@a.example", false).text.unwrap().contains("15 August 2026, 12:00"));
    }

    #[test]
    fn v02_other_words_for_the_inside() {
        let (_, mut responder) = stage();
        (responder.subject, responder.text) = ("Away".to_owned(), Some("Outside".to_owned()));
        responder.signature = false;
        let words = Wording { text: Some("Ask Bob".to_owned()), ..Wording::default() };
        responder.inside = Some(words);
        let text = |inside| {
            let made = composed(&responder, "alice@a.example", inside);
            (made.subject, made.text.unwrap())
        };
        assert_eq!(text(false), ("Away".to_owned(), "Outside".to_owned()));
        assert_eq!(text(true), ("Away".to_owned(), "Ask Bob".to_owned()));
        let words = Wording { subject_prefix: "In:".to_owned(), ..Wording::default() };
        let responder = ResponderObject { inside: Some(words), ..responder };
        let made = composed(&responder, "alice@a.example", true);
        assert_eq!((made.subject.as_str(), made.text.as_deref()), ("In: Prix", Some("Outside")));
    }
}
