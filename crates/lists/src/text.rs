//! What lists and groups write to people, in French and English. Words only: who gets a letter is decided elsewhere.
//!
//! Every letter says which list it is about, why the reader gets it, and what to do, or that nothing is to be done.

use mail::Address;

/// The language of a letter, and of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The default.
    English,
    /// `fr`.
    French,
}

impl Language {
    pub(crate) fn of(name: &str) -> Self {
        if name.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("fr")) { Self::French } else { Self::English }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }
}

/// The beginning of a message, as moderators are shown it.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    pub author: String,
    pub subject: &'a str,
    pub octets: u64,
    pub excerpt: &'a str,
    pub because: Because,
}

/// Why a message waits, or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    Moderated,
    NonMember,
    TooLarge,
    TooManyWait,
}

/// What a letter says.
#[derive(Clone, Debug)]
pub(crate) enum Words<'a> {
    /// Confirm that you want to join. The link is there when a web address is configured.
    ConfirmJoin {
        link: Option<&'a str>,
    },
    /// Confirm that you want to leave.
    ConfirmLeave {
        link: Option<&'a str>,
    },
    /// To the old address: did you ask to be moved?
    ConfirmMoveAsked {
        to: &'a Address,
        link: Option<&'a str>,
    },
    /// To the new address: confirm that it is yours.
    ConfirmMove {
        from: &'a Address,
        link: Option<&'a str>,
    },
    /// To the old address, once it is done.
    Moved {
        to: &'a Address,
    },
    Welcome {
        manage: Option<&'a str>,
    },
    Goodbye,
    AlreadyMember {
        manage: Option<&'a str>,
    },
    NotMember,
    Closed,
    WaitsForApproval,
    JoinRejected {
        reason: &'a str,
    },
    Help {
        member: bool,
        manage: Option<&'a str>,
    },
    /// To a moderator: a message waits.
    Moderate {
        shown: Shown<'a>,
        link: Option<&'a str>,
        days: u32,
    },
    /// To a moderator: somebody wants to join.
    Approve {
        who: &'a Address,
        link: Option<&'a str>,
    },
    /// To a moderator: somebody was faster.
    Decided {
        by: &'a str,
        approved: bool,
    },
    /// To a moderator whose answer was not understood, or whose message is gone.
    NotUnderstood,
    Void,
    Refused {
        subject: &'a str,
        because: Because,
    },
    Rejected {
        subject: &'a str,
        reason: &'a str,
    },
    Waiting {
        subject: &'a str,
    },
    Expired {
        subject: &'a str,
        days: u32,
    },
    /// To an owner: a member was suspended.
    SuspendedOwner {
        member: &'a Address,
    },
    /// To that member.
    Suspended {
        back: Option<&'a str>,
    },
}

/// Subject and text of a letter.
pub(crate) fn write(language: Language, list: &str, address: &Address, words: &Words<'_>) -> (String, String) {
    let (subject, body) = match language {
        Language::English => english(list, address, words),
        Language::French => french(list, address, words),
    };
    (subject, format!("{}\n\n-- \n{list}\n{address}\n", body.trim_end()))
}

fn request(address: &Address) -> String {
    format!("{}-request@{}", address.local(), address.domain())
}

fn english(list: &str, address: &Address, words: &Words<'_>) -> (String, String) {
    let or_link = |link: &Option<&str>| {
        link.map(|link| format!("\n\nOr open this page and press the button there:\n{link}")).unwrap_or_default()
    };
    let manage = |link: &Option<&str>| match link {
        Some(link) => format!(
            "On this page you can change your address, choose whether your own messages come back to you, or leave. \
             It is for you alone, so please do not pass it on:\n{link}"
        ),
        None => format!(
            "To leave, or to change your address, write to {} with the word \"help\" as the subject.",
            request(address)
        ),
    };
    match words {
        Words::ConfirmJoin { link } => (
            format!("Please confirm: join {list}"),
            format!(
                "Somebody, probably you, asked that this address become a member of the mailing list {list} \
                 <{address}>.\n\nTo confirm, answer this letter; the answer may be empty.{}\n\nIf you did not ask for \
                 this, do nothing: you will not become a member.",
                or_link(link)
            ),
        ),
        Words::ConfirmLeave { link } => (
            format!("Please confirm: leave {list}"),
            format!(
                "Somebody, probably you, asked that this address leave the mailing list {list} <{address}>.\n\nTo \
                 confirm, answer this letter; the answer may be empty.{}\n\nIf you did not ask for this, do nothing: \
                 you stay a member.",
                or_link(link)
            ),
        ),
        Words::ConfirmMoveAsked { to, link } => (
            format!("Please confirm: your new address for {list}"),
            format!(
                "A message in your name asked that {list} <{address}> write to you at {to} from now on.\n\nIf that was \
                 you, answer this letter; the answer may be empty. Then the new address has to confirm as well.{}\n\n\
                 If it was not you, do nothing: nothing changes.",
                or_link(link)
            ),
        ),
        Words::ConfirmMove { from, link } => (
            format!("Please confirm: this address for {list}"),
            format!(
                "The member {from} of the mailing list {list} <{address}> wants to get its messages at this address from \
                 now on.\n\nTo confirm, answer this letter; the answer may be empty.{}\n\nIf you know nothing of this, \
                 do nothing: nothing changes.",
                or_link(link)
            ),
        ),
        Words::Moved { to } => (
            format!("Your address for {list} has changed"),
            format!(
                "The mailing list {list} <{address}> writes to you at {to} from now on, and no longer here.\n\nIf you \
                 did not ask for this, please write to {}-owner@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::Welcome { manage: link } => (
            format!("Welcome to {list}"),
            format!(
                "You are a member of the mailing list {list} now. To write to all members, write to {address}.\n\n{}",
                manage(link)
            ),
        ),
        Words::Goodbye => (
            format!("You have left {list}"),
            format!(
                "You are no longer a member of the mailing list {list} <{address}>. Messages that are already on their \
                 way may still arrive.\n\nTo come back, write to {}-join@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::AlreadyMember { manage: link } => (
            format!("You are a member of {list} already"),
            format!(
                "Somebody, probably you, asked that this address become a member of the mailing list {list} \
                 <{address}>. It is one already; nothing has changed.\n\n{}",
                manage(link)
            ),
        ),
        Words::NotMember => (
            format!("You are not a member of {list}"),
            format!(
                "A message in your name was about your membership of the mailing list {list} <{address}>. This address \
                 is not a member, so nothing was done. If you are a member with another address, please write from that \
                 one."
            ),
        ),
        Words::Closed => (
            format!("{list}: members are invited"),
            format!(
                "You asked to join the mailing list {list} <{address}>. Its owners choose the members. Please write to \
                 {}-owner@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::WaitsForApproval => (
            format!("Your request to join {list}"),
            format!(
                "Your address is confirmed. A moderator of the mailing list {list} <{address}> decides now whether you \
                 become a member; you will hear of it."
            ),
        ),
        Words::JoinRejected { reason } => (
            format!("Your request to join {list}"),
            format!(
                "The moderators of the mailing list {list} <{address}> have not agreed to your membership.{}",
                because_en(reason)
            ),
        ),
        Words::Help { member, manage: link } => (
            format!("Help for {list}"),
            format!(
                "This is the mailing list {list}. A message to {address} goes to all members.\n\nWrite to {0} with one \
                 of these words as the subject:\n\n  subscribe           to become a member\n  unsubscribe         to \
                 leave\n  move NEW@ADDRESS    to get messages at another address\n  help                to get this \
                 letter\n\nPeople read {1}-owner@{2}.{3}",
                request(address),
                address.local(),
                address.domain(),
                if *member { format!("\n\n{}", manage(link)) } else { String::new() }
            ),
        ),
        Words::Moderate { shown, link, days } => (
            format!("{list}: a message waits for you"),
            format!(
                "A message to {list} <{address}> waits for a moderator{}\n\nFrom: {}\nSubject: {}\nSize: {}\n\n{}\n\nTo \
                 decide, answer this letter with one word in the first line:\n\n  approve\n  reject REASON (the author \
                 is told the reason; it may be left out)\n{}\nThe first decision counts. Without one, the message is \
                 refused after {days} days.",
                match shown.because {
                    Because::NonMember => ": its author is not a member.",
                    Because::Moderated | Because::TooLarge | Because::TooManyWait => ".",
                },
                shown.author,
                shown.subject,
                size(shown.octets),
                quoted(shown.excerpt),
                link.map(|link| format!("\nOr open this page:\n{link}\n")).unwrap_or_default(),
            ),
        ),
        Words::Approve { who, link } => (
            format!("{list}: {who} wants to join"),
            format!(
                "{who} wants to become a member of {list} <{address}>. The address is confirmed.\n\nTo decide, answer \
                 this letter with one word in the first line:\n\n  approve\n  reject REASON (the reason may be left \
                 out)\n{}\nThe first decision counts.",
                link.map(|link| format!("\nOr open this page:\n{link}\n")).unwrap_or_default(),
            ),
        ),
        Words::Decided { by, approved } => (
            format!("{list}: decided already"),
            format!(
                "Thank you, but {by} was faster: the message was {}.",
                if *approved { "approved" } else { "rejected" }
            ),
        ),
        Words::NotUnderstood => (
            format!("{list}: your answer was not understood"),
            "Your answer has to begin with one of the words approve or reject, in a line of its own or followed by the \
             reason. Nothing was decided; please answer again."
                .to_owned(),
        ),
        Words::Void => (
            format!("{list}: nothing to confirm"),
            "There is nothing (any more) that your answer could confirm or decide: it was done already, or too much \
             time has passed. If need be, please ask again."
                .to_owned(),
        ),
        Words::Refused { subject, because } => (
            format!("{list}: your message was refused"),
            format!(
                "Your message \"{subject}\" to {list} <{address}> was not sent on: {}.",
                match because {
                    Because::TooLarge => "it is too large for this list",
                    Because::TooManyWait => "too many messages wait for its moderators; please try again later",
                    Because::NonMember | Because::Moderated =>
                        "only members may write to it, and your address is not a member's",
                }
            ),
        ),
        Words::Rejected { subject, reason } => (
            format!("{list}: your message was rejected"),
            format!(
                "A moderator has not let your message \"{subject}\" to {list} <{address}> through.{}",
                because_en(reason)
            ),
        ),
        Words::Waiting { subject } => (
            format!("{list}: your message waits for a moderator"),
            format!("Your message \"{subject}\" to {list} <{address}> was received. A moderator decides on it."),
        ),
        Words::Expired { subject, days } => (
            format!("{list}: your message was not sent on"),
            format!(
                "No moderator has decided on your message \"{subject}\" to {list} <{address}> within {days} days, so it \
                 was not sent on. If it still matters, please send it again."
            ),
        ),
        Words::SuspendedOwner { member } => (
            format!("{list}: {member} was suspended"),
            format!(
                "Mail to the member {member} of {list} <{address}> came back again and again. No more messages are sent \
                 there; the member was written to once more. When the address works again, an owner can set the member \
                 active."
            ),
        ),
        Words::Suspended { back } => (
            format!("{list} can't reach you"),
            format!(
                "Messages of the mailing list {list} <{address}> to you came back again and again, so no more are sent. \
                 If you can read this, your address works again.\n\n{}",
                match back {
                    Some(link) => format!("To get messages again, open this page:\n{link}"),
                    None => format!(
                        "To get messages again, write to {}-join@{}.",
                        address.local(),
                        address.domain()
                    ),
                }
            ),
        ),
    }
}

fn french(list: &str, address: &Address, words: &Words<'_>) -> (String, String) {
    let or_link = |link: &Option<&str>| {
        link.map(|link| format!("\n\nOu bien ouvrez cette page et appuyez sur le bouton :\n{link}")).unwrap_or_default()
    };
    let manage = |link: &Option<&str>| match link {
        Some(link) => format!(
            "Sur cette page, vous pouvez changer d'adresse, choisir si vos propres messages vous reviennent, ou quitter \
             la liste. Elle n'est que pour vous ; merci de ne pas la transmettre :\n{link}"
        ),
        None => format!(
            "Pour quitter la liste ou changer d'adresse, écrivez à {} avec le mot « aide » pour objet.",
            request(address)
        ),
    };
    match words {
        Words::ConfirmJoin { link } => (
            format!("À confirmer : inscription à {list}"),
            format!(
                "Quelqu'un, sans doute vous, a demandé l'inscription de cette adresse à la liste de diffusion {list} \
                 <{address}>.\n\nPour confirmer, répondez à cette lettre ; la réponse peut être vide.{}\n\nSi vous n'avez \
                 rien demandé, ne faites rien : vous ne serez pas inscrit.",
                or_link(link)
            ),
        ),
        Words::ConfirmLeave { link } => (
            format!("À confirmer : quitter {list}"),
            format!(
                "Quelqu'un, sans doute vous, a demandé que cette adresse quitte la liste de diffusion {list} \
                 <{address}>.\n\nPour confirmer, répondez à cette lettre ; la réponse peut être vide.{}\n\nSi vous n'avez \
                 rien demandé, ne faites rien : vous restez membre.",
                or_link(link)
            ),
        ),
        Words::ConfirmMoveAsked { to, link } => (
            format!("À confirmer : votre nouvelle adresse pour {list}"),
            format!(
                "Un message en votre nom a demandé que {list} <{address}> vous écrive désormais à {to}.\n\nSi c'était \
                 vous, répondez à cette lettre ; la réponse peut être vide. La nouvelle adresse devra ensuite confirmer \
                 elle aussi.{}\n\nSi ce n'était pas vous, ne faites rien : rien ne change.",
                or_link(link)
            ),
        ),
        Words::ConfirmMove { from, link } => (
            format!("À confirmer : cette adresse pour {list}"),
            format!(
                "Le membre {from} de la liste de diffusion {list} <{address}> souhaite recevoir désormais ses messages à \
                 cette adresse.\n\nPour confirmer, répondez à cette lettre ; la réponse peut être vide.{}\n\nSi vous n'en \
                 savez rien, ne faites rien : rien ne change.",
                or_link(link)
            ),
        ),
        Words::Moved { to } => (
            format!("Votre adresse pour {list} a changé"),
            format!(
                "La liste de diffusion {list} <{address}> vous écrit désormais à {to}, et plus ici.\n\nSi vous ne l'avez \
                 pas demandé, écrivez à {}-owner@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::Welcome { manage: link } => (
            format!("Bienvenue sur {list}"),
            format!(
                "Vous êtes maintenant membre de la liste de diffusion {list}. Pour écrire à tous les membres, écrivez à \
                 {address}.\n\n{}",
                manage(link)
            ),
        ),
        Words::Goodbye => (
            format!("Vous avez quitté {list}"),
            format!(
                "Vous n'êtes plus membre de la liste de diffusion {list} <{address}>. Des messages déjà en route peuvent \
                 encore arriver.\n\nPour revenir, écrivez à {}-join@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::AlreadyMember { manage: link } => (
            format!("Vous êtes déjà membre de {list}"),
            format!(
                "Quelqu'un, sans doute vous, a demandé l'inscription de cette adresse à la liste de diffusion {list} \
                 <{address}>. Elle l'est déjà ; rien n'a changé.\n\n{}",
                manage(link)
            ),
        ),
        Words::NotMember => (
            format!("Vous n'êtes pas membre de {list}"),
            format!(
                "Un message en votre nom concernait votre inscription à la liste de diffusion {list} <{address}>. Cette \
                 adresse n'est pas inscrite : rien n'a été fait. Si vous êtes membre sous une autre adresse, écrivez \
                 depuis celle-ci."
            ),
        ),
        Words::Closed => (
            format!("{list} : inscription sur invitation"),
            format!(
                "Vous avez demandé à rejoindre la liste de diffusion {list} <{address}>. Ses responsables choisissent les \
                 membres. Écrivez à {}-owner@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::WaitsForApproval => (
            format!("Votre demande d'inscription à {list}"),
            format!(
                "Votre adresse est confirmée. Un modérateur de la liste de diffusion {list} <{address}> décide maintenant \
                 de votre inscription ; vous en serez informé."
            ),
        ),
        Words::JoinRejected { reason } => (
            format!("Votre demande d'inscription à {list}"),
            format!(
                "Les modérateurs de la liste de diffusion {list} <{address}> n'ont pas accepté votre inscription.{}",
                because_fr(reason)
            ),
        ),
        Words::Help { member, manage: link } => (
            format!("Aide pour {list}"),
            format!(
                "Voici la liste de diffusion {list}. Un message à {address} va à tous les membres.\n\nÉcrivez à {0} avec \
                 l'un de ces mots pour objet :\n\n  inscription           pour devenir membre\n  désinscription        \
                 pour quitter la liste\n  adresse NOUVELLE@ADRESSE   pour recevoir les messages ailleurs\n  aide       \
                 \u{20}          pour recevoir cette lettre\n\nDes personnes lisent {1}-owner@{2}.{3}",
                request(address),
                address.local(),
                address.domain(),
                if *member { format!("\n\n{}", manage(link)) } else { String::new() }
            ),
        ),
        Words::Moderate { shown, link, days } => (
            format!("{list} : un message vous attend"),
            format!(
                "Un message à {list} <{address}> attend un modérateur{}\n\nDe : {}\nObjet : {}\nTaille : {}\n\n{}\n\nPour \
                 décider, répondez à cette lettre avec un mot sur la première ligne :\n\n  accepter\n  refuser RAISON (la \
                 raison est dite à l'auteur ; elle peut manquer)\n{}\nLa première décision compte. Sans décision, le \
                 message est refusé après {days} jours.",
                match shown.because {
                    Because::NonMember => " : son auteur n'est pas membre.",
                    Because::Moderated | Because::TooLarge | Because::TooManyWait => ".",
                },
                shown.author,
                shown.subject,
                size(shown.octets),
                quoted(shown.excerpt),
                link.map(|link| format!("\nOu bien ouvrez cette page :\n{link}\n")).unwrap_or_default(),
            ),
        ),
        Words::Approve { who, link } => (
            format!("{list} : {who} demande à s'inscrire"),
            format!(
                "{who} demande à devenir membre de {list} <{address}>. L'adresse est confirmée.\n\nPour décider, répondez \
                 à cette lettre avec un mot sur la première ligne :\n\n  accepter\n  refuser RAISON (la raison peut \
                 manquer)\n{}\nLa première décision compte.",
                link.map(|link| format!("\nOu bien ouvrez cette page :\n{link}\n")).unwrap_or_default(),
            ),
        ),
        Words::Decided { by, approved } => (
            format!("{list} : déjà décidé"),
            format!(
                "Merci, mais {by} a été plus rapide : le message a été {}.",
                if *approved { "accepté" } else { "refusé" }
            ),
        ),
        Words::NotUnderstood => (
            format!("{list} : votre réponse n'a pas été comprise"),
            "Votre réponse doit commencer par l'un des mots accepter ou refuser, seul sur sa ligne ou suivi de la raison. \
             Rien n'a été décidé ; merci de répondre à nouveau."
                .to_owned(),
        ),
        Words::Void => (
            format!("{list} : rien à confirmer"),
            "Il n'y a rien, ou plus rien, que votre réponse puisse confirmer ou décider : c'est déjà fait, ou trop de \
             temps a passé. Au besoin, refaites la demande."
                .to_owned(),
        ),
        Words::Refused { subject, because } => (
            format!("{list} : votre message a été refusé"),
            format!(
                "Votre message « {subject} » à {list} <{address}> n'a pas été transmis : {}.",
                match because {
                    Because::TooLarge => "il est trop volumineux pour cette liste",
                    Because::TooManyWait => "trop de messages attendent déjà ses modérateurs ; réessayez plus tard",
                    Because::NonMember | Because::Moderated =>
                        "seuls les membres peuvent y écrire, et votre adresse n'est pas celle d'un membre",
                }
            ),
        ),
        Words::Rejected { subject, reason } => (
            format!("{list} : votre message a été refusé"),
            format!(
                "Un modérateur n'a pas laissé passer votre message « {subject} » à {list} <{address}>.{}",
                because_fr(reason)
            ),
        ),
        Words::Waiting { subject } => (
            format!("{list} : votre message attend un modérateur"),
            format!("Votre message « {subject} » à {list} <{address}> est bien arrivé. Un modérateur décide de la suite."),
        ),
        Words::Expired { subject, days } => (
            format!("{list} : votre message n'a pas été transmis"),
            format!(
                "Aucun modérateur n'a décidé de votre message « {subject} » à {list} <{address}> en {days} jours ; il n'a \
                 donc pas été transmis. S'il importe encore, merci de l'envoyer à nouveau."
            ),
        ),
        Words::SuspendedOwner { member } => (
            format!("{list} : {member} est suspendu"),
            format!(
                "Les messages au membre {member} de {list} <{address}> sont revenus à plusieurs reprises. Plus rien ne lui \
                 est envoyé ; une dernière lettre lui a été écrite. Quand l'adresse fonctionnera de nouveau, un \
                 responsable pourra rendre le membre actif."
            ),
        ),
        Words::Suspended { back } => (
            format!("{list} n'arrive pas à vous joindre"),
            format!(
                "Les messages de la liste de diffusion {list} <{address}> pour vous sont revenus à plusieurs reprises ; \
                 plus rien ne vous est envoyé. Si vous lisez ceci, votre adresse fonctionne de nouveau.\n\n{}",
                match back {
                    Some(link) => format!("Pour recevoir à nouveau les messages, ouvrez cette page :\n{link}"),
                    None => format!(
                        "Pour recevoir à nouveau les messages, écrivez à {}-join@{}.",
                        address.local(),
                        address.domain()
                    ),
                }
            ),
        ),
    }
}

fn because_en(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!("\n\nThe reason given:\n\n{}", quoted(reason)) }
}

fn because_fr(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!("\n\nLa raison donnée :\n\n{}", quoted(reason)) }
}

/// Each line behind a mark, so that what others wrote can't be taken for ours.
fn quoted(text: &str) -> String {
    text.trim().lines().map(|line| format!("> {}\n", line.trim_end())).collect::<String>().trim_end().to_owned()
}

fn size(octets: u64) -> String {
    match octets {
        0..10_000 => format!("{octets} B"),
        10_000..10_000_000 => format!("{} kB", octets / 1000),
        _ => format!("{} MB", octets / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_says_what_it_is_about_in_both_languages() {
        let address = Address::parse("garden@a.example").unwrap();
        let other = Address::parse("bob@b.example").unwrap();
        let shown = Shown {
            author: "Bob <bob@b.example>".to_owned(),
            subject: "Tea",
            octets: 12_345,
            excerpt: "one\ntwo",
            because: Because::NonMember,
        };
        let link = Some("https://x/lists/t");
        for words in [
            Words::ConfirmJoin { link },
            Words::ConfirmLeave { link },
            Words::ConfirmMoveAsked { to: &other, link },
            Words::ConfirmMove { from: &other, link },
            Words::Moderate { shown, link, days: 7 },
            Words::Approve { who: &other, link },
            Words::Suspended { back: link },
            Words::Welcome { manage: link },
        ] {
            for language in [Language::English, Language::French] {
                let (subject, text) = write(language, "Garden", &address, &words);
                assert!(subject.contains("Garden") && text.contains("garden@a.example"), "{text}");
                assert!(text.contains("https://x/lists/t"), "{text}");
            }
        }
        let (_, text) = write(
            Language::French,
            "Garden",
            &address,
            &Words::Rejected { subject: "Tea", reason: "hors sujet\nFrom: x" },
        );
        assert!(text.contains("> hors sujet\n> From: x"), "{text}");
    }
}
