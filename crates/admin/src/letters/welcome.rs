//! The mailbox is ready, and this is what a mail program has to know (M2, M5).

use std::fmt::Write;

use delivery::Letter;
use routing::objects::AccountObject;

use super::{greeting, language, letter};
use crate::response::ConnectionView;
use crate::settings::ConnectionSettings;

/// The connection settings of an account, as values and in words.
pub(crate) fn connection(
    settings: &ConnectionSettings,
    account: &AccountObject,
    language: &'static str,
) -> ConnectionView {
    let mut view = ConnectionView {
        login: account.address.clone(),
        incoming: settings.incoming(),
        outgoing: settings.outgoing(),
        webmail: (!settings.webmail.is_empty()).then(|| settings.webmail.clone()),
        text: String::new(),
    };
    view.text = in_words(&view, language);
    view
}

fn in_words(view: &ConnectionView, language: &str) -> String {
    let french = language == "fr";
    let mut out = String::new();
    let (login, password, secret) = if french {
        ("Identifiant", "Mot de passe", "celui qui vous a été remis ; aucun message ne le contient")
    } else {
        ("Login", "Password", "the one that you were given; no letter contains it")
    };
    // Writing to a String can't fail.
    write!(out, "  {login:<14}{}\n  {password:<14}{secret}\n\n", view.login).ok();
    let (incoming, outgoing) = if french {
        ("Courrier entrant (IMAP)", "Courrier sortant (SMTP)")
    } else {
        ("Incoming mail (IMAP)", "Outgoing mail (SMTP)")
    };
    for (title, endpoints) in [(incoming, &view.incoming), (outgoing, &view.outgoing)] {
        let Some(first) = endpoints.first() else { continue };
        let (server, port) = if french { ("Serveur", "Port") } else { ("Server", "Port") };
        write!(out, "{title}\n  {server:<14}{}\n", first.host).ok();
        for (n, endpoint) in endpoints.iter().enumerate() {
            let label = match (n, french) {
                (0, _) => port,
                (_, true) => "ou",
                (_, false) => "or",
            };
            let tls = match (endpoint.tls == "implicit", french) {
                (true, true) => "chiffrement SSL/TLS dès la connexion",
                (true, false) => "encryption SSL/TLS from the start",
                (false, true) => "chiffrement STARTTLS",
                (false, false) => "encryption STARTTLS",
            };
            writeln!(out, "  {label:<14}{}, {tls}", endpoint.port).ok();
        }
        out.push('\n');
    }
    if let Some(webmail) = &view.webmail {
        let label = if french { "Dans un navigateur" } else { "In a browser" };
        write!(out, "{label}\n  {webmail}\n\n").ok();
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The letter to the person, in the new mailbox or outside.
pub(crate) fn welcome(settings: &ConnectionSettings, account: &AccountObject) -> Letter {
    let language = language(&account.language);
    let address = &account.address;
    let view = connection(settings, account, language);
    let further: Vec<String> = account.addresses().skip(1).map(|further| further.to_string()).collect();
    let mut text = greeting(language, &account.display_name);
    let subject = if language == "fr" {
        write!(text, "la boîte {address} est prête. Voici comment y relier un logiciel de courrier :\n\n").ok();
        format!("Votre boîte {address}")
    } else {
        write!(text, "the mailbox {address} is ready. This is how a mail program connects to it:\n\n").ok();
        format!("Your mailbox {address}")
    };
    text.push_str(&view.text);
    if !further.is_empty() {
        let label =
            if language == "fr" { "La boîte a aussi les adresses" } else { "The mailbox also has the addresses" };
        write!(text, "\n{label} {}.\n", further.join(", ")).ok();
    }
    text.push_str(if language == "fr" {
        "\nPour toute question, répondez à ce message : votre administrateur le lira.\n"
    } else {
        "\nFor any question, reply to this message: your administrator will read it.\n"
    });
    letter(account, address, language, subject, text)
}

#[cfg(test)]
mod tests {
    use mail::{Address, Domain};

    use super::*;
    use crate::response::Endpoint;

    fn account(language: &str) -> AccountObject {
        AccountObject {
            display_name: "Alice Martin".into(),
            language: language.into(),
            also_in: vec![Domain::parse("example.com").unwrap()],
            ..AccountObject::new(Address::parse("alice@example.org").unwrap())
        }
    }

    #[test]
    fn m02_the_letter_has_every_setting_in_the_language_of_the_account() {
        let settings = ConnectionSettings {
            host: "mail.example.org".into(),
            webmail: "https://mail.example.org/".into(),
            ..ConnectionSettings::default()
        };
        for (language, subject, words) in [
            ("en", "Your mailbox alice@example.org", ["Hello Alice Martin", "Incoming mail (IMAP)", "from the start"]),
            (
                "fr",
                "Votre boîte alice@example.org",
                ["Bonjour Alice Martin", "Courrier entrant (IMAP)", "dès la connexion"],
            ),
        ] {
            let letter = welcome(&settings, &account(language));
            assert_eq!((letter.subject.as_str(), letter.language), (subject, language));
            assert_eq!(letter.from.to_string(), "postmaster@example.org");
            let facts = ["alice@example.org", "alice@example.com", "mail.example.org", "993", "143", "465", "587"];
            for fact in facts.iter().chain(&words).chain(&["STARTTLS", "https://mail.example.org/"]) {
                assert!(letter.text.contains(fact), "{fact} in\n{}", letter.text);
            }
        }
    }

    #[test]
    fn m05_what_is_not_listened_to_is_not_told() {
        let settings = ConnectionSettings { imap: None, submissions: None, ..ConnectionSettings::default() };
        let view = connection(&settings, &account("en"), "en");
        let told = |endpoints: &[Endpoint]| {
            endpoints.iter().map(|at| (at.protocol.clone(), at.port, at.tls.clone())).collect::<Vec<_>>()
        };
        assert_eq!(told(&view.incoming), [("imap".to_owned(), 993, "implicit".to_owned())]);
        assert_eq!(told(&view.outgoing), [("smtp".to_owned(), 587, "starttls".to_owned())]);
        assert!(!view.text.contains("143") && !view.text.contains("465") && view.webmail.is_none(), "{}", view.text);
    }
}
