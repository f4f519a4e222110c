//! To who takes over from somebody who has left, and to administrators before an account is deleted.

use delivery::Letter;
use mail::french::de;
use routing::objects::{AccountObject, OffBoarding};

use crate::references::{Reference, where_in};

use super::{greeting, language, letter};

/// To the successor.
pub(crate) fn handed_over(account: &AccountObject, gone: &OffBoarding, successor: &AccountObject) -> Letter {
    let language = language(&successor.language);
    let french = language == "fr";
    let (address, name) = (&account.address, &account.display_name);
    let person = if name.is_empty() { address.to_string() } else { format!("{name} ({address})") };
    let mut text = greeting(language, &successor.display_name);
    let mut add = |english: String, translated: String| text.push_str(if french { &translated } else { &english });
    add(
        format!(
            "{person} has left, and you take over.\n\n- Your mail program shows the mailbox among the shared ones.\n"
        ),
        format!(
            "{person} est parti, et vous prenez la relève.\n\n- Votre logiciel de courrier montre sa boîte parmi les boîtes partagées.\n"
        ),
    );
    match (gone.redirected, &gone.redirect_until) {
        (false, _) => {}
        (true, None) => add(
            format!("- A copy of what comes in for {address} reaches you.\n"),
            format!("- Une copie de ce qui arrive pour {address} vous parvient.\n"),
        ),
        (true, Some(until)) => add(
            format!("- Until {until}, a copy of what comes in for {address} reaches you.\n"),
            format!("- Jusqu'au {until}, une copie de ce qui arrive pour {address} vous parvient.\n"),
        ),
    }
    if !gone.before.aliases.is_empty() {
        let names: Vec<String> = gone.before.aliases.iter().map(|alias| alias.address.to_string()).collect();
        let names = names.join(", ");
        add(
            format!("- You are in their place in the aliases {names}.\n"),
            format!("- Vous prenez sa place dans les alias {names}.\n"),
        );
    }
    if let Some(date) = &gone.delete_after {
        add(
            format!("- The mailbox will be deleted after {date}: keep what you need before.\n"),
            format!("- La boîte sera supprimée après le {date} : gardez avant cela ce dont vous avez besoin.\n"),
        );
    }
    let subject = if french {
        format!("La boîte {address} vous revient")
    } else {
        format!("The mailbox {address} is yours now")
    };
    letter(account, &successor.address, language, subject, text)
}

/// To an administrator, some days before; with what leads to the account and is theirs to change.
pub(crate) fn deletion_ahead(
    account: &AccountObject,
    gone: &OffBoarding,
    to: &AccountObject,
    messages: u64,
    leading: &[&Reference],
    relais: &str,
) -> Letter {
    let language = language(&to.language);
    let leading = where_in(leading, language);
    let address = &account.address;
    let date = gone.delete_after.as_deref().unwrap_or_default();
    let (zone, of) = (&account.time_zone, de(&address.to_string()));
    let (subject, mut body) = if language == "fr" {
        (
            format!("La boîte {address} sera supprimée après le {date}"),
            format!(
                "la personne {of} est partie, et la boîte sera supprimée après le {date} ({zone}), avec ses {messages} \
                 messages. C'est définitif.\n\nPour la garder plus longtemps :\n  {relais} account offboard {address} --undo\n\
                 ou, avec une autre date :\n  {relais} account offboard {address} --delete-after AAAA-MM-JJ\n"
            ),
        )
    } else {
        (
            format!("The mailbox {address} will be deleted after {date}"),
            format!(
                "the person of {address} has left, and the mailbox will be deleted after {date} ({zone}), with its {messages} \
                 messages. That is for good.\n\nTo keep it longer:\n  {relais} account offboard {address} --undo\nor, with \
                 another date:\n  {relais} account offboard {address} --delete-after YYYY-MM-DD\n"
            ),
        )
    };
    if let Some(leading) = leading {
        body.push_str(&if language == "fr" {
            format!("\nSon adresse sera alors retirée de ce qui y mène, ou ce qui ne mène nulle part ailleurs disparaîtra : {leading}.\n")
        } else {
            format!("\nIts address will then be taken out of what leads there, and what leads nowhere else goes too: {leading}.\n")
        });
    }
    letter(account, &to.address, language, subject, greeting(language, &to.display_name) + &body)
}
