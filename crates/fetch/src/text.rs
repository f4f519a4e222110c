//! The letter to the owner of an external account that has failed for a day, in the owner's language.

use delivery::Letter;
use routing::objects::{AccountObject, ExternalAccountObject};

pub(crate) fn failing(owner: &AccountObject, external: &ExternalAccountObject, error: &str) -> Option<Letter> {
    let french = owner.language == "fr";
    let (host, login) = (&external.host, &external.login);
    let name = if external.name.is_empty() { host.as_str() } else { &external.name };
    let (subject, text) = if french {
        (
            format!("Votre courrier {} n'arrive plus", mail::french::de(name)),
            format!(
                "Bonjour,\n\nDepuis plus d'une journée, ce serveur n'arrive pas à relever le courrier de votre compte externe\n\
                 « {name} » ({login} sur {host}).\n\nLa dernière erreur :\n\n    {error}\n\nCe qui a déjà été relevé est toujours là. Le \
                 serveur continue d'essayer,\nmoins souvent. Si vous avez changé de mot de passe là-bas, il faut le changer\nici aussi ; si vous \
                 n'avez plus besoin de ce compte externe, désactivez-le.\n"
            ),
        )
    } else {
        (
            format!("Your mail from {name} no longer arrives"),
            format!(
                "Hello,\n\nFor more than a day, this server has not been able to fetch the mail of your external account\n\
                 \"{name}\" ({login} at {host}).\n\nThe last error:\n\n    {error}\n\nWhat was fetched before is still there. The server goes \
                 on trying,\nless often. If you have changed the password there, change it here too;\nif you no longer need this external \
                 account, switch it off.\n"
            ),
        )
    };
    Letter::from_postmaster(owner, subject, text)
}
