//! The password was changed: when, by whom and from where (M4).

use std::net::IpAddr;

use delivery::Letter;
use mail::{Address, Timestamp};
use routing::objects::AccountObject;

use super::{greeting, language, letter, moment};

/// Who changed a password, and from which address when it came over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The person.
    Oneself(Option<IpAddr>),
    /// An administrator, by name when it was not the machine's own command line.
    Administrator(Option<Address>, Option<IpAddr>),
}

impl By {
    fn in_words(&self, french: bool) -> String {
        let from = |remote: &Option<IpAddr>| match (remote, french) {
            (Some(remote), true) => format!("depuis l'adresse {remote}"),
            (Some(remote), false) => format!("from the address {remote}"),
            (None, true) => "en ligne de commande sur le serveur".to_owned(),
            (None, false) => "on the server's command line".to_owned(),
        };
        match (self, french) {
            (Self::Oneself(remote), true) => format!("sous votre identifiant, {}", from(remote)),
            (Self::Oneself(remote), false) => format!("under your login, {}", from(remote)),
            (Self::Administrator(Some(by), remote), true) => format!("par l'administrateur {by}, {}", from(remote)),
            (Self::Administrator(Some(by), remote), false) => format!("by the administrator {by}, {}", from(remote)),
            (Self::Administrator(None, remote), true) => format!("par un administrateur, {}", from(remote)),
            (Self::Administrator(None, remote), false) => format!("by an administrator, {}", from(remote)),
        }
    }
}

/// The letter for the mailbox; the copy for the recovery address differs in its recipient only.
pub(crate) fn password_changed(account: &AccountObject, by: &By, now: Timestamp) -> Letter {
    let language = language(&account.language);
    let french = language == "fr";
    let (address, when, by) = (&account.address, moment(now, account), by.in_words(french));
    let of = mail::french::de(&address.to_string());
    let body = if french {
        format!(
            "le mot de passe {of} a été changé.\n\n  Quand   {when}\n  Comment {by}\n\nLes logiciels de courrier \
             demanderont le nouveau mot de passe. Ce message ne le contient pas.\n\nSi ce n'était ni vous ni quelqu'un \
             que vous en avez chargé, prévenez tout de suite votre administrateur, de vive voix ou par téléphone.\n"
        )
    } else {
        format!(
            "the password of {address} was changed.\n\n  When  {when}\n  How   {by}\n\nMail programs will ask for the \
             new password. This letter does not contain it.\n\nIf it was neither you nor somebody whom you asked, tell \
             your administrator at once, in person or by telephone.\n"
        )
    };
    let subject = if french {
        format!("Le mot de passe {of} a été changé")
    } else {
        format!("The password of {address} was changed")
    };
    letter(account, address, language, subject, greeting(language, &account.display_name) + &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m04_the_notice_says_when_by_whom_and_from_where() {
        let address = |text: &str| Address::parse(text).unwrap();
        let mut account =
            AccountObject { time_zone: "Europe/Paris".into(), ..AccountObject::new(address("alice@example.org")) };
        let remote: IpAddr = "192.0.2.7".parse().unwrap();
        let now = Timestamp(1_782_921_900_000);
        let table = [
            ("en", By::Oneself(Some(remote)), "under your login, from the address 192.0.2.7"),
            ("fr", By::Oneself(Some(remote)), "sous votre identifiant, depuis l'adresse 192.0.2.7"),
            ("en", By::Administrator(None, None), "by an administrator, on the server's command line"),
            (
                "fr",
                By::Administrator(Some(address("root@example.org")), Some(remote)),
                "par l'administrateur root@example.org, depuis l'adresse 192.0.2.7",
            ),
        ];
        for (language, by, expected) in table {
            account.language = language.into();
            let letter = password_changed(&account, &by, now);
            assert!(letter.text.contains(expected), "{}", letter.text);
            assert!(letter.text.contains("2026-07-01 18:05 (Europe/Paris)"), "{}", letter.text);
            assert_eq!(letter.language, language);
        }
    }
}
