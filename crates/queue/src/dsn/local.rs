//! What this server itself says of a delivery, for the part of a DSN that people read.
//!
//! Rows keep it in English, as replies are, or in both languages, `English / Français`. The usual sentences are told in French here; of the
//! rest, as of what other servers say, the words stay as they are.

/// The English half.
pub(super) fn english(text: &str) -> String {
    halves(text).map_or(text, |(english, _)| english).to_owned()
}

/// The French half, or the sentence in French.
pub(super) fn french(text: &str) -> String {
    if let Some((_, french)) = halves(text) {
        return french.to_owned();
    }
    let found = SENTENCES.iter().find_map(|(english, french)| filled(text, english, french));
    found.unwrap_or_else(|| text.to_owned())
}

/// A text in both languages; one that only has a stroke in it, as a URL has, is none.
fn halves(text: &str) -> Option<(&str, &str)> {
    let (english, french) = text.split_once(" / ")?;
    (!french.contains(" / ") && !french.is_ascii()).then_some((english, french))
}

/// The French sentence, with what stands at the stars of the English one; `None` when the text is another.
fn filled(text: &str, english: &str, french: &str) -> Option<String> {
    let mut rest = text;
    let mut found = Vec::new();
    let mut parts = english.split('*');
    rest = rest.strip_prefix(parts.next()?)?;
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let end = if part.is_empty() && parts.peek().is_none() { rest.len() } else { rest.find(part)? };
        found.push(rest.get(..end)?);
        rest = rest.get(end..)?.strip_prefix(part)?;
    }
    if !rest.is_empty() {
        return None;
    }
    let mut found = found.into_iter();
    let mut parts = french.split('*');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        out.push_str(found.next()?);
        out.push_str(part);
    }
    Some(out)
}

/// What `smtp-out` and others write into rows; a star is a name or a number.
const SENTENCES: &[(&str, &str)] = &[
    ("the domain * does not exist", "le domaine * n'existe pas"),
    ("* takes no mail (null MX)", "* ne reçoit pas de courrier (null MX)"),
    ("no server that takes mail for * has an address", "aucun serveur qui reçoit le courrier de * n'a d'adresse"),
    ("mail for * leads back to this server", "le courrier de * est ramené à ce serveur"),
    ("DNS gave no MX records for *: *", "le DNS n'a pas donné d'enregistrement MX de * : *"),
    ("DNS gave no address for *: *", "le DNS n'a pas donné d'adresse de * : *"),
    ("no address to connect to", "aucune adresse à laquelle se connecter"),
    ("this server can't read the message at present", "ce serveur ne peut pas lire le message en ce moment"),
    (
        "the next server does not offer SMTPUTF8, which this message needs",
        "le serveur suivant n'offre pas SMTPUTF8, dont ce message a besoin",
    ),
    ("the message has * octets, the next server takes *", "le message a * octets, le serveur suivant en accepte *"),
    (
        "the next server does not offer DELIVERBY, so it can't be asked to return the message in time",
        "le serveur suivant n'offre pas DELIVERBY : on ne peut pas lui demander de renvoyer le message à temps",
    ),
    (
        "The time within which the sender wanted the message delivered has passed",
        "Le délai dans lequel l'expéditeur voulait la remise est passé",
    ),
    (
        "the message asks for REQUIRETLS, and neither DNSSEC nor MTA-STS vouches for the next server",
        "le message exige une transmission protégée (REQUIRETLS), et ni DNSSEC ni MTA-STS ne garantit le serveur suivant",
    ),
    (
        "the message asks for REQUIRETLS, which * does not offer",
        "le message exige une transmission protégée (REQUIRETLS), que * n'offre pas",
    ),
    (
        "the message asks for REQUIRETLS: *: TLS is required, and the host does not offer STARTTLS",
        "le message exige une transmission protégée (REQUIRETLS) ; or * n'offre pas TLS",
    ),
    (
        "the message asks for REQUIRETLS: *: *",
        "le message exige une transmission protégée (REQUIRETLS), et * ne l'assure pas : *",
    ),
    ("This server has lost the message", "Ce serveur a perdu le message"),
    ("No such mailbox here", "Il n'y a pas de boîte de ce nom ici"),
    ("Mailbox full, try again later", "La boîte est pleine ; réessayez plus tard"),
    ("The message is too large for this address", "Le message est trop volumineux pour cette adresse"),
    ("This address has expired and takes no more mail", "Cette adresse a expiré et ne reçoit plus de courrier"),
    ("This domain takes no mail at present", "Ce domaine ne reçoit pas de courrier en ce moment"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_sentences_are_told_in_french_and_each_language_has_its_half() {
        let both = "An administrator has cancelled it / Un administrateur l'a annulé";
        for (text, in_english, in_french) in [
            ("the domain gone.example does not exist", "", "le domaine gone.example n'existe pas"),
            (
                "DNS gave no MX records for far.example: timed out: 5 s",
                "",
                "le DNS n'a pas donné d'enregistrement MX de far.example : timed out: 5 s",
            ),
            (
                "the message has 12 octets, the next server takes 9",
                "",
                "le message a 12 octets, le serveur suivant en accepte 9",
            ),
            (both, "An administrator has cancelled it", "Un administrateur l'a annulé"),
            (
                "the message asks for REQUIRETLS, which mx.far.example does not offer",
                "",
                "le message exige une transmission protégée (REQUIRETLS), que mx.far.example n'offre pas",
            ),
            (
                "the message asks for REQUIRETLS: mx.far.example: TLS handshake: timed out",
                "",
                "le message exige une transmission protégée (REQUIRETLS), et mx.far.example ne l'assure pas : TLS handshake: timed out",
            ),
            ("something else / with a stroke", "", "something else / with a stroke"),
            ("mx.far.example: connection refused", "", "mx.far.example: connection refused"),
        ] {
            assert_eq!(french(text), in_french);
            assert_eq!(english(text), if in_english.is_empty() { text } else { in_english });
        }
    }

    #[test]
    fn as_many_stars_on_both_sides() {
        for (english, french) in SENTENCES {
            assert_eq!(english.matches('*').count(), french.matches('*').count(), "{english}");
        }
    }
}
