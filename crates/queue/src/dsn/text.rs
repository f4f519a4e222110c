//! The part that people read, in English or in French, or in both where their language is not known: what happened, for whom, what the other side said, what to do.

use super::local;
use super::status::shortened;
use super::{CANCELLED, DsnFacts, Language, Returned, calendar};
use crate::attempt::{ReportKind, ReportedRecipient};

/// A text in both languages.
#[derive(Clone, Copy)]
pub(super) struct Both {
    pub(super) english: &'static str,
    pub(super) french: &'static str,
}

/// The words of one language.
struct Words {
    language: fn(Both) -> &'static str,
    server: &'static str,
    reason: &'static str,
    said: &'static str,
    local: &'static str,
    /// What this server itself has said, in the language.
    ours: fn(&str) -> String,
    remedy: &'static str,
    until: &'static str,
    /// In the zone that stands behind it.
    moment: &'static str,
}

const ENGLISH: Words = Words {
    language: |both| both.english,
    server: "This is the mail server",
    reason: "Why:",
    said: "said:",
    local: "Details:",
    ours: local::english,
    remedy: "What you can do:",
    until: "This server keeps trying until",
    moment: "%-d %B %Y, %H:%M",
};

const FRENCH: Words = Words {
    language: |both| both.french,
    server: "Ici le serveur de courrier",
    reason: "Raison :",
    said: "a répondu :",
    local: "Détails :",
    ours: local::french,
    remedy: "Que faire :",
    until: "Les essais continuent jusqu'au",
    moment: "%d/%m/%Y à %H:%M",
};

/// The whole text, with CRLF line ends.
pub(super) fn paragraphs(facts: &DsnFacts<'_>) -> String {
    let text = match facts.language {
        Language::English => in_language(facts, &ENGLISH),
        Language::French => in_language(facts, &FRENCH),
        Language::Both => {
            let (english, french) = (in_language(facts, &ENGLISH), in_language(facts, &FRENCH));
            format!("{english}\n----------------------------------------------------------------\n\n{french}")
        }
    };
    text.replace('\n', "\r\n")
}

/// The name of the sender.
pub(super) const SENDER: Both = Both { english: "Mail delivery", french: "Remise du courrier" };

pub(super) const fn subject(kind: ReportKind) -> Both {
    match kind {
        ReportKind::Failed => Both { english: "Mail not delivered", french: "Message non remis" },
        ReportKind::Delayed => Both { english: "Mail delayed, still trying", french: "Message en attente" },
        ReportKind::Relayed | ReportKind::Unwatched | ReportKind::Traced => {
            Both { english: "Mail handed on", french: "Message transmis" }
        }
        ReportKind::Delivered => Both { english: "Mail delivered", french: "Message remis" },
        ReportKind::Expanded => Both { english: "Mail passed on", french: "Message transmis aux destinataires" },
    }
}

fn in_language(facts: &DsnFacts<'_>, words: &Words) -> String {
    let say = words.language;
    let mut out = format!("{} {}.\n\n{}\n", words.server, facts.reporting_mta, say(opening(facts.report.kind)));
    for recipient in &facts.report.recipients {
        out.push_str(&about(recipient, facts.report.kind, words));
    }
    if facts.report.kind == ReportKind::Delayed {
        out.push_str(&format!("\n{} {}.\n", words.until, calendar(facts.retry_until, &facts.zone, words.moment)));
    }
    out.push('\n');
    out.push_str(say(match facts.returned {
        Returned::Message(_) => MESSAGE_ATTACHED,
        Returned::Header(_) => HEADER_ATTACHED,
    }));
    out
}

fn opening(kind: ReportKind) -> Both {
    match kind {
        ReportKind::Failed => Both {
            english: "Your message could not be delivered to the recipients below.\n\
                      Nothing more will be tried for them.",
            french: "Votre message n'a pas pu être remis aux destinataires ci-dessous.\n\
                     Il n'y aura pas d'autre essai pour eux.",
        },
        ReportKind::Delayed => Both {
            english: "Your message has not reached the recipients below yet.\n\
                      This is only a warning: you need not send it again.",
            french: "Votre message n'est pas encore parvenu aux destinataires ci-dessous.\n\
                     Ceci n'est qu'un avertissement : inutile de le renvoyer.",
        },
        ReportKind::Relayed => Both {
            english: "You asked to hear of the delivery of your message. It was handed on for the\n\
                      recipients below to a server that sends no such notices, so this is the last\n\
                      that you will hear, unless it fails there.",
            french: "Vous avez demandé à être informé de la remise de votre message. Pour les\n\
                     destinataires ci-dessous, il a été transmis à un serveur qui n'envoie pas de\n\
                     tels avis : vous n'en recevrez pas d'autre, sauf en cas d'échec.",
        },
        ReportKind::Unwatched => Both {
            english: "You asked to hear if your message is not delivered in time. It was handed on for\n\
                      the recipients below to a server that does not watch that time, so you will not\n\
                      hear of a delay there in the way that you asked for.",
            french: "Vous avez demandé à être prévenu si votre message n'est pas remis à temps. Pour les\n\
                     destinataires ci-dessous, il a été transmis à un serveur qui ne surveille pas ce\n\
                     délai : un retard là-bas ne vous sera pas signalé comme vous l'avez demandé.",
        },
        ReportKind::Traced => Both {
            english: "You asked to hear of the way of your message. It was handed on for the\n\
                      recipients below to the next server.",
            french: "Vous avez demandé à suivre le chemin de votre message. Pour les destinataires\n\
                     ci-dessous, il a été transmis au serveur suivant.",
        },
        ReportKind::Expanded => Both {
            english: "You asked to hear of the delivery of your message. The addresses below stand for\n\
                      several others, and it was passed on to all of them. You will hear of one that\n\
                      it does not reach, and nothing of the others.",
            french: "Vous avez demandé à être informé de la remise de votre message. Les adresses\n\
                     ci-dessous en désignent plusieurs autres, auxquelles il a été transmis. Vous serez\n\
                     prévenu si l'une d'elles n'est pas atteinte, et de rien d'autre.",
        },
        ReportKind::Delivered => Both {
            english: "You asked to hear of the delivery of your message. It has arrived at the\n\
                      addresses below. Whether it was read, this does not say.",
            french: "Vous avez demandé à être informé de la remise de votre message. Il est arrivé\n\
                     aux adresses ci-dessous. Ceci ne dit pas s'il a été lu.",
        },
    }
}

const MESSAGE_ATTACHED: Both = Both {
    english: "A report for programs and your message are attached.\n",
    french: "Un rapport technique et votre message sont joints.\n",
};

const HEADER_ATTACHED: Both = Both {
    english: "A report for programs and the header of your message are attached.\n",
    french: "Un rapport technique et l'en-tête de votre message sont joints.\n",
};

/// The lines about one recipient.
fn about(recipient: &ReportedRecipient, kind: ReportKind, words: &Words) -> String {
    let say = words.language;
    let mut out = format!("\n  {}\n", recipient.address);
    if matches!(kind, ReportKind::Failed | ReportKind::Delayed) {
        let advice = advice(recipient, kind);
        out.push_str(&wrapped(&format!("{} {} ({})", words.reason, say(advice.reason), recipient.status)));
        out.push_str(&said(recipient, words));
        if kind == ReportKind::Failed {
            out.push_str(&wrapped(&format!("{} {}", words.remedy, say(advice.remedy))));
        }
        return out;
    }
    out.push_str(&said(recipient, words));
    out
}

fn said(recipient: &ReportedRecipient, words: &Words) -> String {
    match (&recipient.host, &recipient.reply) {
        (Some(host), Some(reply)) => wrapped(&format!("{host} {} {}", words.said, shortened(reply))),
        (None, Some(reply)) => {
            let text = reply.text.replace('\n', " ");
            wrapped(&format!("{} {}", words.local, (words.ours)(&text)))
        }
        (_, None) => String::new(),
    }
}

/// Indented by four, broken at spaces.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column == 0 {
            out.push_str("    ");
            column = 4;
        } else if column + 1 + width > 76 {
            out.push_str("\n      ");
            column = 6;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}

/// What a status means, and what its reader can do about it.
struct Advice {
    reason: Both,
    remedy: Both,
}

/// RFC 3463 §3 in plain words; the rarer codes by their subject. What another server said and what this one decided alone are apart: the
/// same code can mean the one or the other.
fn advice(recipient: &ReportedRecipient, kind: ReportKind) -> Advice {
    let status = recipient.status;
    let (said, by_host) = (recipient.reply.as_ref(), recipient.host.is_some());
    // Nothing is refused for good as long as it is tried.
    let later = kind == ReportKind::Delayed;
    let (reason, remedy) = match (status.1, status.2) {
        _ if !by_host && said == Some(&CANCELLED) => (STOPPED, ASK_POSTMASTER),
        (7, 5) if later && !by_host => (UNPROTECTED_NOW, TRY_LATER),
        (1 | 6 | 7, _) | (4, 7) if later && by_host => (TEMPORARY, TRY_LATER),
        (7, _) if later => (NOT_NOW, TRY_LATER),
        (7, 10 | 30) if !by_host && said.is_some_and(|reply| reply.text.contains("REQUIRETLS")) => {
            (UNPROTECTED, SEND_UNPROTECTED)
        }
        (1, 1) => (NO_SUCH_MAILBOX, CHECK_ADDRESS),
        (1, 2) => (NO_SUCH_DOMAIN, CHECK_DOMAIN),
        (1, 10) => (NO_MAIL_DOMAIN, OTHER_ADDRESS),
        (1, 6) => (MOVED, OTHER_ADDRESS),
        (1, 7 | 8) => (BAD_SENDER, ASK_POSTMASTER),
        (1, _) => (BAD_ADDRESS, CHECK_ADDRESS),
        (2, 1) => (MAILBOX_DISABLED, OTHER_ADDRESS),
        (2, 2) => (MAILBOX_FULL, MAILBOX_FULL_REMEDY),
        (2, 3) | (3, 4) => (TOO_LARGE, SEND_LESS),
        (4, 6) => (LOOP, ASK_POSTMASTER),
        (4, 7) => (EXPIRED, TRY_LATER),
        (4, _) => (UNREACHABLE, TRY_LATER),
        (6, 7) => (NO_UTF8, OTHER_ADDRESS),
        (6, _) => (BAD_CONTENT, ASK_POSTMASTER),
        (7, _) if by_host => (REFUSED, REFUSED_REMEDY),
        (7, _) => (REFUSED_HERE, ASK_POSTMASTER),
        _ if status.0 == 4 && by_host => (TEMPORARY, TRY_LATER),
        _ if status.0 == 4 => (NOT_NOW, TRY_LATER),
        _ if by_host => (OTHER, ASK_POSTMASTER),
        _ => (FAILED, ASK_POSTMASTER),
    };
    Advice { reason, remedy }
}

const NO_SUCH_MAILBOX: Both = Both {
    english: "there is no mailbox of that name there",
    french: "il n'y a pas de boîte de ce nom à cet endroit",
};
const NO_SUCH_DOMAIN: Both = Both {
    english: "the domain behind the @ does not exist or takes no mail",
    french: "le domaine après le @ n'existe pas ou ne reçoit pas de courrier",
};
const NO_MAIL_DOMAIN: Both = Both {
    english: "that domain has declared that it takes no mail",
    french: "ce domaine a déclaré ne pas recevoir de courrier",
};
const MOVED: Both = Both {
    english: "the mailbox has moved and left no new address",
    french: "la boîte a déménagé sans laisser d'adresse",
};
const BAD_SENDER: Both = Both {
    english: "your own address was not accepted there",
    french: "votre propre adresse n'y a pas été acceptée",
};
const BAD_ADDRESS: Both =
    Both { english: "the address was not accepted there", french: "l'adresse n'y a pas été acceptée" };
const MAILBOX_DISABLED: Both = Both {
    english: "the mailbox takes no messages at present",
    french: "la boîte ne reçoit pas de messages en ce moment",
};
const MAILBOX_FULL: Both = Both { english: "the mailbox is full", french: "la boîte est pleine" };
const TOO_LARGE: Both = Both {
    english: "the message is larger than the recipient's server takes",
    french: "le message dépasse la taille admise par le serveur du destinataire",
};
const LOOP: Both = Both {
    english: "the message would go round in circles: that domain's mail is led back to this server",
    french: "le message tournerait en rond : le courrier de ce domaine est ramené à ce serveur",
};
const EXPIRED: Both = Both {
    english: "no attempt succeeded, and the message has now waited too long",
    french: "aucun essai n'a abouti, et le message a attendu trop longtemps",
};
const UNREACHABLE: Both = Both {
    english: "the server of that domain could not be reached",
    french: "le serveur de ce domaine n'a pas pu être joint",
};
const NO_UTF8: Both = Both {
    english: "the recipient's server does not take addresses or headers with accents or other non-English letters",
    french: "le serveur du destinataire n'accepte pas les adresses ou en-têtes avec des accents ou d'autres alphabets",
};
const BAD_CONTENT: Both = Both {
    english: "the recipient's server does not take this form of content",
    french: "le serveur du destinataire n'accepte pas cette forme de contenu",
};
const REFUSED_HERE: Both = Both {
    english: "the rules of this server refuse the message",
    french: "les règles de ce serveur refusent le message",
};
const REFUSED: Both = Both {
    english: "the rules of the recipient's server refuse the message",
    french: "les règles du serveur du destinataire refusent le message",
};
const UNPROTECTED: Both = Both {
    english: "the message could not be sent as well protected as you asked for",
    french: "le message n'a pas pu être transmis avec la protection que vous avez demandée",
};
const UNPROTECTED_NOW: Both = Both {
    english: "the message can't be sent as well protected as it has to be at present",
    french: "le message ne peut pas être transmis en ce moment avec la protection exigée",
};
const TEMPORARY: Both = Both {
    english: "the recipient's server can't take the message at present",
    french: "le serveur du destinataire ne peut pas prendre le message en ce moment",
};
const NOT_NOW: Both = Both {
    english: "the message can't be delivered at present",
    french: "le message ne peut pas être remis en ce moment",
};
const OTHER: Both = Both {
    english: "the recipient's server refused the message",
    french: "le serveur du destinataire a refusé le message",
};
const STOPPED: Both = Both {
    english: "the administrator of this server has stopped it",
    french: "l'administrateur de ce serveur l'a arrêté",
};
const FAILED: Both =
    Both { english: "the message could not be delivered", french: "le message n'a pas pu être remis" };

const CHECK_ADDRESS: Both = Both {
    english: "check the address for typing errors, or ask the person for the right one.",
    french: "vérifiez l'orthographe de l'adresse, ou demandez la bonne à la personne.",
};
const CHECK_DOMAIN: Both = Both {
    english: "check what stands behind the @ for typing errors.",
    french: "vérifiez l'orthographe de ce qui suit le @.",
};
const OTHER_ADDRESS: Both =
    Both { english: "use another address of that person.", french: "utilisez une autre adresse de cette personne." };
const MAILBOX_FULL_REMEDY: Both = Both {
    english: "tell the person by other means, and send the message again later.",
    french: "prévenez la personne autrement, et renvoyez le message plus tard.",
};
const SEND_LESS: Both = Both {
    english: "send it in smaller pieces, or share large files by a link.",
    french: "envoyez-le en plusieurs parties, ou partagez les gros fichiers par un lien.",
};
const TRY_LATER: Both = Both {
    english: "send it again later; if that fails as well, ask the person for another address.",
    french: "renvoyez-le plus tard ; si cela échoue encore, demandez une autre adresse à la personne.",
};
const REFUSED_REMEDY: Both = Both {
    english: "read what that server said; it often tells what it objects to. Your postmaster can help.",
    french: "lisez la réponse de ce serveur, elle dit souvent ce qui lui déplaît. Votre administrateur peut aider.",
};
const SEND_UNPROTECTED: Both = Both {
    english: "if it may travel with less protection, send it again without asking for that (REQUIRETLS); or use another way.",
    french: "si une protection moindre suffit, renvoyez-le sans la demander (REQUIRETLS) ; sinon, utilisez un autre moyen.",
};
const ASK_POSTMASTER: Both = Both {
    english: "send this report to your postmaster, by answering it.",
    french: "transmettez ce rapport à votre administrateur, en y répondant.",
};
