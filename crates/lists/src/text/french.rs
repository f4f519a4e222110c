//! The words of letters in French.

use mail::Address;
use mail::french::{de, que};

use super::{Because, Rest, Words, command, quoted, request, size};
use crate::budget::LetterKind;

pub(super) fn french(list: &str, address: &Address, words: &Words<'_>, relais: &str) -> (String, String) {
    let (of, that) = (de(list), que(list));
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
                 <{address}>.\n\nPour confirmer, répondez à ce message ; la réponse peut être vide.{}\n\nSi vous n'avez \
                 rien demandé, ne faites rien : vous ne serez pas inscrit.",
                or_link(link)
            ),
        ),
        Words::ConfirmLeave { link } => (
            format!("À confirmer : quitter {list}"),
            format!(
                "Quelqu'un, sans doute vous, a demandé que cette adresse quitte la liste de diffusion {list} \
                 <{address}>.\n\nPour confirmer, répondez à ce message ; la réponse peut être vide.{}\n\nSi vous n'avez \
                 rien demandé, ne faites rien : vous restez membre.",
                or_link(link)
            ),
        ),
        Words::ConfirmMoveAsked { to, link } => (
            format!("À confirmer : votre nouvelle adresse pour {list}"),
            format!(
                "Un message en votre nom a demandé {that} <{address}> vous écrive désormais à {to}.\n\nSi c'était \
                 vous, répondez à ce message ; la réponse peut être vide. La nouvelle adresse devra ensuite confirmer \
                 elle aussi.{}\n\nSi ce n'était pas vous, ne faites rien : rien ne change.",
                or_link(link)
            ),
        ),
        Words::ConfirmMove { from, link } => (
            format!("À confirmer : cette adresse pour {list}"),
            format!(
                "Le membre {from} de la liste de diffusion {list} <{address}> souhaite recevoir désormais ses messages à \
                 cette adresse.\n\nPour confirmer, répondez à ce message ; la réponse peut être vide.{}\n\nSi vous n'en \
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
        Words::Welcome { manage: link, added: true } => (
            format!("Vous avez été ajouté à {list}"),
            format!(
                "Une personne responsable de la liste de diffusion {list} <{address}> y a inscrit cette adresse : vous recevez \
                 ce qui y est écrit, et pouvez écrire à tous les membres à {address}.\n\nPour la quitter, écrivez à {}-leave@{} ; \
                 il suffit d'une confirmation.\n\n{}",
                address.local(),
                address.domain(),
                manage(link)
            ),
        ),
        Words::Welcome { manage: link, added: false } => (
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
            format!("Vous êtes déjà membre {of}"),
            format!(
                "Quelqu'un, sans doute vous, a demandé l'inscription de cette adresse à la liste de diffusion {list} \
                 <{address}>. Elle l'est déjà ; rien n'a changé.\n\n{}",
                manage(link)
            ),
        ),
        Words::NotMember => (
            format!("Vous n'êtes pas membre {of}"),
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
                 \u{20}          pour recevoir ce message\n\nDes personnes lisent {1}-owner@{2}.{3}",
                request(address),
                address.local(),
                address.domain(),
                if *member { format!("\n\n{}", manage(link)) } else { String::new() }
            ),
        ),
        Words::Moderate { shown, link, days, rest } => (
            format!("{list} : un message vous attend"),
            format!(
                "Un message à {list} <{address}> attend un modérateur{}\n\nDe : {}\nObjet : {}\nTaille : {}\n\n{}\n\nPour \
                 décider, répondez à ce message avec un mot sur la première ligne :\n\n  accepter\n  refuser RAISON (la \
                 raison est dite à l'auteur ; elle peut manquer)\n{}\nLa première décision compte. Sans décision, le \
                 message est refusé après {days} jours.{}",
                match shown.because {
                    Because::NonMember => " : son auteur n'est pas membre.",
                    Because::Moderated
                    | Because::TooLarge
                    | Because::HeaderTooLong
                    | Because::TooManyWait
                    | Because::TooMuchWaits => ".",
                },
                shown.author,
                shown.subject,
                size(shown.octets, &["octets", "ko", "Mo"]),
                quoted(shown.excerpt),
                link.map(|link| format!("\nOu bien ouvrez cette page :\n{link}\n")).unwrap_or_default(),
                rest_fr(rest, address, relais),
            ),
        ),
        Words::Approve { who, link } => (
            format!("{list} : {who} demande à s'inscrire"),
            format!(
                "{who} demande à devenir membre {of} <{address}>. L'adresse est confirmée.\n\nPour décider, répondez \
                 à ce message avec un mot sur la première ligne :\n\n  accepter\n  refuser RAISON (la raison peut \
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
                    Because::HeaderTooLong => "son en-tête est trop long",
                    Because::TooManyWait => "trop de messages attendent déjà ses modérateurs ; réessayez plus tard",
                    Because::TooMuchWaits =>
                        "les messages qui attendent ses modérateurs ne laissent pas de place pour un message de cette \
                         taille ; réessayez plus tard",
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
        Words::Undelivered { subject } => (
            format!("{list} : votre message est retenu"),
            format!(
                "Votre message « {subject} » à {list} <{address}> n'a atteint personne : pour le moment, aucune boîte ne le \
                 reçoit. Il est conservé, et les administrateurs du serveur pourront le transmettre. S'il est urgent, merci \
                 d'écrire à quelqu'un d'autre."
            ),
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
                "Les messages au membre {member} {of} <{address}> sont revenus à plusieurs reprises. Plus rien ne lui \
                 est envoyé ; un dernier message lui a été écrit. Quand l'adresse fonctionnera de nouveau, un \
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
        Words::Spent { kind, who, max, reader } => (
            format!("{list} : plus de messages de la liste aujourd'hui"),
            format!(
                "{}\n\nCette limite par jour empêche {that} <{address}> serve à remplir les boîtes d'autrui. Il en partira \
                 de nouveau demain. Si cela se répète, quelqu'un écrit peut-être des ordres au nom des autres ; `{relais} \
                 trace --recipient` avec les adresses de la liste les montre.",
                spent_fr(*kind, who, (*max, relais), address, *reader)
            ),
        ),
    }
}

fn rest_fr(rest: &Rest<'_>, address: &Address, relais: &str) -> String {
    let mut out = String::new();
    if rest.others > 0 {
        out.push_str(&format!("\n\nAutres messages en attente : {}.", rest.others));
    }
    if rest.last_today {
        out.push_str(
            "\n\nCeci est le dernier avis de la journée sur des messages en attente. Ceux qui viendront encore \
             attendront sans avis ; le premier avis d'un autre jour dira combien il y en a.",
        );
    }
    if !out.is_empty() {
        out.push_str(&match rest.all {
            Some(link) => format!(" Tous sont sur cette page :\n{link}"),
            None => match rest.reader {
                Some(_) => format!(
                    " Vous les voyez tous avec `{} list waiting {address}` sur le serveur.",
                    command(relais, rest.reader)
                ),
                None => format!(" Un administrateur les voit tous avec `{relais} list waiting {address}`."),
            },
        });
    }
    out
}

fn spent_fr(
    kind: LetterKind,
    who: &str,
    (max, relais): (u32, &str),
    address: &Address,
    reader: Option<&Address>,
) -> String {
    match kind {
        LetterKind::ConfirmLeave => format!(
            "{who} a reçu aujourd'hui {max} messages pour confirmer son départ de la liste ; d'autres demandes de départ restent \
             sans réponse aujourd'hui. Il suffit de répondre à l'un de ces messages. Si {who} vous le demande, `{} list member \
             remove {address} {who}` le fait.",
            command(relais, reader)
        ),
        LetterKind::Confirm => format!(
            "{who} a reçu aujourd'hui {max} messages pour confirmer une inscription ou un changement d'adresse ; d'autres \
             demandes pour cette adresse restent sans réponse aujourd'hui. Les départs ne sont pas concernés."
        ),
        LetterKind::AllConfirmations => format!(
            "{max} messages pour confirmer une inscription ou un changement d'adresse sont partis aujourd'hui ; d'autres \
             demandes restent sans réponse aujourd'hui. Les départs ne sont pas concernés."
        ),
        LetterKind::AllAdded => format!(
            "{max} personnes inscrites par des propriétaires en ont été averties par courriel aujourd'hui ; qui est inscrit plus tard \
             aujourd'hui est membre et ne reçoit pas d'avis. Prévenez-les vous-même."
        ),
        LetterKind::AllToWriters
        | LetterKind::Note
        | LetterKind::Refused
        | LetterKind::Waiting
        | LetterKind::Moderate
        | LetterKind::Added
        | LetterKind::Spent => format!(
            "{max} messages à des personnes qui ont écrit (aide, refus et semblables) sont partis aujourd'hui ; d'autres ne \
             partiront plus aujourd'hui. Les messages et les ordres sont traités comme toujours."
        ),
    }
}

fn because_fr(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!("\n\nLa raison donnée :\n\n{}", quoted(reason)) }
}
