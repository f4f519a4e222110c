//! The languages of what is said to people (RFC 5255 §3): `i-default`, English and French.
//!
//! Texts are written in English where they are said; French is looked up here, so that what nobody has translated is said in
//! English rather than not at all. A test holds the table against the sources: no refusal is without its French.

use std::borrow::Cow;

/// A language that a client can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// RFC 2277 §4.5: what is said as long as nobody has chosen; English in ASCII.
    #[default]
    Unspecified,
    English,
    French,
}

impl Language {
    /// All of them, in the order in which LANGUAGE lists them.
    pub(crate) const ALL: [Self; 3] = [Self::English, Self::French, Self::Unspecified];

    /// The tag (RFC 5646).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Unspecified => "i-default",
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The first language that one of some ranges leads to, by lookup (RFC 4647 §3.4): `fr-CA` leads to `fr`. `default` stands
    /// for `preferred`, which is what the administrator wants for this person, and so does `*`.
    pub(crate) fn choose(ranges: &[String], preferred: Self) -> Option<Self> {
        ranges.iter().find_map(|range| Self::lookup(range, preferred))
    }

    fn lookup(range: &str, preferred: Self) -> Option<Self> {
        let mut range = range;
        if range.eq_ignore_ascii_case("default") || range == "*" {
            return Some(preferred);
        }
        loop {
            if let Some(known) = Self::ALL.into_iter().find(|known| known.tag().eq_ignore_ascii_case(range)) {
                return Some(known);
            }
            (range, _) = range.rsplit_once('-')?;
        }
    }

    /// The language of an account, as its object has it.
    pub(crate) fn of_account(language: &str) -> Self {
        if language.eq_ignore_ascii_case("fr") { Self::French } else { Self::English }
    }

    /// Whether texts may have more than ASCII: a client that has chosen a language reads UTF-8 (RFC 5255 §3.2).
    pub(crate) const fn is_chosen(self) -> bool {
        !matches!(self, Self::Unspecified)
    }

    /// A text in this language.
    pub(crate) fn say(self, english: &str) -> Cow<'_, str> {
        match self {
            Self::Unspecified | Self::English => Cow::Borrowed(english),
            Self::French => french(english).unwrap_or(Cow::Borrowed(english)),
        }
    }
}

/// The French of an English text.
fn french(english: &str) -> Option<Cow<'static, str>> {
    if let Some((_, french)) = FRENCH.iter().find(|(known, _)| *known == english) {
        return Some(Cow::Borrowed(french));
    }
    // With something in between that is a word of its own, or a number.
    FRENCH_AROUND.iter().find_map(|((before, behind), (french_before, french_behind))| {
        let between = english.strip_prefix(before)?.strip_suffix(behind)?;
        let known = FRENCH_WORDS.iter().find(|(known, _)| *known == between).map(|(_, french)| *french);
        let number = between.bytes().all(|b| b.is_ascii_digit()).then_some(between);
        Some(Cow::Owned(format!("{french_before}{}{french_behind}", known.or(number)?)))
    })
}

/// What comes before and behind something.
type Around = (&'static str, &'static str);

/// What comes before and behind a word or a number, in English and in French.
const FRENCH_AROUND: &[(Around, Around)] = &[
    (("Too many ", ""), ("Trop de ", "")),
    (("The mailbox name is not allowed: ", ""), ("Ce nom de dossier n'est pas admis : ", "")),
    (("A message may have ", " octets at the most"), ("Un message peut avoir au plus ", " octets")),
    (("There are only ", " messages"), ("Il n'y a que ", " messages")),
    (("One APPEND brings ", " messages at the most"), ("Un APPEND apporte au plus ", " messages")),
    (("One command brings ", " octets at the most"), ("Une commande apporte au plus ", " octets")),
    (("One FETCH has ", " messages at the most"), ("Un FETCH porte au plus sur ", " messages")),
    (
        ("So many messages are not put in order: ", " at the most"),
        ("Autant de messages ne sont pas triés : au plus ", ""),
    ),
];

/// What can stand there.
const FRENCH_WORDS: &[(&str, &str)] = &[
    ("mailboxes", "dossiers"),
    ("subscriptions", "abonnements"),
    ("keywords", "mots-clés dans ce dossier"),
    ("lines of an access list", "lignes dans la liste d'accès"),
    ("messages in this mailbox's lifetime", "messages dans la vie de ce dossier"),
    ("messages to copy between accounts at once", "messages à copier d'un coup entre deux comptes"),
    ("messages to append at once", "messages à déposer d'un coup"),
    ("messages in one APPEND", "messages dans un seul APPEND"),
    ("annotations, or too much in them", "annotations, ou trop de contenu"),
    ("people with annotations on this mailbox", "personnes avec des annotations sur ce dossier"),
    ("octets in the annotations of the account", "octets dans les annotations du compte"),
    ("gaps between what you have read in this mailbox", "intervalles entre vos messages lus dans ce dossier"),
    (
        "people with a seen state of their own in this mailbox",
        "personnes avec leur propre état de lecture dans ce dossier",
    ),
    ("it is empty", "il est vide"),
    ("it is too long", "il est trop long"),
    ("it has a control character", "il contient un caractère de contrôle"),
    ("it has a wildcard", "il contient un caractère générique"),
    ("it has an empty level", "il a un niveau vide"),
    ("it has too many levels", "il a trop de niveaux"),
];

/// Whole texts.
const FRENCH: &[(&str, &str)] = &[
    ("There are no messages", "Il n'y a aucun message"),
    ("There is only one message", "Il n'y a qu'un message"),
    ("A mailbox has one special use here", "Un dossier a ici un seul rôle particulier"),
    ("A mailbox of that name exists already", "Un dossier de ce nom existe déjà"),
    (
        "A mailbox stays with its account: make one there and move the messages",
        "Un dossier reste avec son compte : créez-en un là-bas et déplacez-y les messages",
    ),
    ("A mailbox can't be moved below itself", "Un dossier ne peut pas être déplacé sous lui-même"),
    ("a mailbox can't be moved below itself", "Un dossier ne peut pas être déplacé sous lui-même"),
    ("A message can't hold a NUL", "Un message ne peut pas contenir d'octet nul"),
    ("A text is not in the charset that it claims to be in", "Un texte n'est pas dans le jeu de caractères annoncé"),
    ("A value is too long", "Une valeur est trop longue"),
    ("All is on disk", "Tout est sur le disque"),
    ("Another mailbox has that special use", "Un autre dossier a ce rôle particulier"),
    ("another mailbox has that special use", "Un autre dossier a ce rôle particulier"),
    ("Appended", "Déposé"),
    ("Autologout: you were silent for too long", "Déconnexion automatique : vous êtes resté silencieux trop longtemps"),
    ("Begin the TLS handshake", "Commencez la négociation TLS"),
    ("Bye", "Au revoir"),
    ("Cancelled", "Annulé"),
    ("Closed", "Fermé"),
    ("Copied", "Copié"),
    ("Created", "Créé"),
    ("DEFLATE is active", "DEFLATE est actif"),
    ("DEFLATE is active already", "DEFLATE est déjà actif"),
    ("Deleted", "Supprimé"),
    ("Done", "Fait"),
    ("Enabled", "Activé"),
    ("Examined", "Ouvert en lecture seule"),
    ("Fetched", "Lu"),
    ("First unseen", "Premier message non lu"),
    ("Flags that last", "Marques durables"),
    ("Highest", "La plus haute"),
    ("INBOX can't be deleted", "INBOX ne peut pas être supprimée"),
    ("Its name may change", "Son nom peut changer"),
    ("Idle no more", "Fin de l'attente"),
    ("Listed", "Énuméré"),
    ("Log in first", "Identifiez-vous d'abord"),
    ("Already logged in", "Vous êtes déjà identifié"),
    ("Select a mailbox first", "Ouvrez d'abord un dossier"),
    ("Logging out", "Déconnexion"),
    (
        "Logins can't be checked now; try again later",
        "Les identifiants ne peuvent pas être vérifiés en ce moment ; réessayez plus tard",
    ),
    ("Moved", "Déplacé"),
    ("Nothing to copy", "Rien à copier"),
    ("Nothing to copy or move", "Rien à copier ni à déplacer"),
    ("Nothing to move", "Rien à déplacer"),
    ("Other Users/", "Autres utilisateurs/"),
    ("Shared/", "Partagés/"),
    ("Only a name, with mailboxes below it", "Ce n'est qu'un nom, avec des dossiers en dessous"),
    ("Only parts that are binary can hold a NUL", "Seules les parties binaires peuvent contenir un octet nul"),
    ("ENABLE UTF8=ACCEPT first", "Donnez d'abord ENABLE UTF8=ACCEPT"),
    ("There is no such filter", "Ce filtre n'existe pas"),
    ("There is no such comparator", "Ce comparateur n'existe pas"),
    ("The URL names nothing that can be had here", "L'URL ne désigne rien que l'on puisse obtenir ici"),
    ("Of one of these events nothing can be told", "De l'un de ces événements rien ne peut être signalé"),
    ("Those are more mailboxes than can be watched", "Cela fait plus de dossiers qu'on ne peut en surveiller"),
    ("That URL can't be authorised by you", "Vous ne pouvez pas autoriser cette URL"),
    ("INTERNAL is the only mechanism", "INTERNAL est le seul mécanisme"),
    (
        "There is no such account in this organisation; write its whole address, or anyone",
        "Ce compte n'existe pas dans cette organisation ; écrivez son adresse entière, ou anyone",
    ),
    ("Only the messages with the highest UIDs", "Seulement les messages aux UID les plus élevés"),
    ("Only administrators annotate the server for all", "Seuls les administrateurs annotent le serveur pour tous"),
    ("Pleased to meet you", "Enchanté"),
    ("Previous mailbox closed", "Dossier précédent fermé"),
    ("Quotas are for administrators to set", "Les quotas sont fixés par les administrateurs"),
    ("Renamed", "Renommé"),
    ("Searched", "Recherche terminée"),
    ("Selected", "Ouvert"),
    ("Set", "Enregistré"),
    ("Some messages are no longer there", "Certains messages n'existent plus"),
    ("Some messages were changed by others", "Certains messages ont été modifiés par d'autres"),
    ("Some parts have an encoding that I do not know", "Certaines parties ont un codage que je ne connais pas"),
    ("Status told", "État communiqué"),
    ("Still here", "Toujours là"),
    ("Stored", "Marques enregistrées"),
    (
        "Stored data is damaged; the administrator's log tells more",
        "Des données enregistrées sont endommagées ; le journal de l'administrateur en dit plus",
    ),
    ("Subscribed", "Abonné"),
    ("TLS is not available", "TLS n'est pas disponible"),
    ("TLS is on already", "TLS est déjà actif"),
    ("That entry tells, and can't be set", "Cette entrée informe et ne peut pas être modifiée"),
    ("That is the list", "Voici la liste"),
    ("That is the quota", "Voici le quota"),
    ("That is the quota root", "Voici la racine du quota"),
    ("That is what I can do", "Voici ce que je sais faire"),
    ("That language is not spoken here", "Cette langue n'est pas parlée ici"),
    ("That mechanism is not offered", "Ce mécanisme n'est pas proposé"),
    ("That name is for others' mailboxes", "Ce nom est réservé aux dossiers des autres"),
    (
        "The INBOX of an account can't be renamed by others",
        "L'INBOX d'un compte ne peut pas être renommée par d'autres",
    ),
    ("The account's quota is used up", "Le quota du compte est épuisé"),
    (
        "The archive of a list is annotated by each for themselves: /private/",
        "Chacun n'annote les archives d'une liste que pour soi : /private/",
    ),
    ("The connection is out of step", "La connexion est désynchronisée"),
    ("The identifier is gone", "L'identifiant est retiré"),
    ("The mailbox is open read-only", "Le dossier est ouvert en lecture seule"),
    ("The message did not come", "Le message n'est pas arrivé"),
    ("The message is empty", "Le message est vide"),
    ("The message is no longer there", "Le message n'existe plus"),
    ("The next UID", "Le prochain UID"),
    ("The owner has all rights, and keeps them", "Le propriétaire a tous les droits et les garde"),
    ("The quota is set", "Le quota est fixé"),
    ("The rights are set", "Les droits sont fixés"),
    ("The selected mailbox was deleted", "Le dossier ouvert a été supprimé"),
    ("The server is shutting down", "Le serveur s'arrête"),
    ("The server's disk is full; try again later", "Le disque du serveur est plein ; réessayez plus tard"),
    ("The store does not answer; try again later", "Le stockage ne répond pas ; réessayez plus tard"),
    (
        "There is no such account; write its whole address, or anyone",
        "Ce compte n'existe pas ; écrivez son adresse entière, ou anyone",
    ),
    ("There is no such comparator", "Ce mode de comparaison n'existe pas"),
    ("There is no such filter", "Ce filtre n'existe pas"),
    ("There is no such mailbox", "Ce dossier n'existe pas"),
    ("There is no such quota root", "Cette racine de quota n'existe pas"),
    ("There is no such special use", "Ce rôle particulier n'existe pas"),
    ("Those are the annotations", "Voici les annotations"),
    ("Those are the languages", "Voici les langues"),
    ("Those are your rights", "Voici vos droits"),
    ("Those can be given", "Voici ceux qui peuvent être donnés"),
    ("Too many commands that make no sense", "Trop de commandes incompréhensibles"),
    ("Too many connections", "Trop de connexions"),
    ("Too many connections of this account", "Trop de connexions de ce compte"),
    ("Too many texts are looked for by FUZZY at once", "Trop de textes cherchés par FUZZY à la fois"),
    ("Too many messages to copy; try fewer", "Trop de messages à copier ; essayez-en moins"),
    (
        "Too many patterns or wildcards, or one too long",
        "Trop de motifs ou de caractères génériques, ou un motif trop long",
    ),
    ("UIDs are valid", "Les UID sont valides"),
    ("URLs are authorised", "Les URL sont autorisées"),
    ("Unselected", "Fermé"),
    ("Unsubscribed", "Désabonné"),
    ("Use TLS first: a password would travel in clear", "Activez d'abord TLS : un mot de passe voyagerait en clair"),
    ("Welcome", "Bienvenue"),
    ("What a mailbox is for is its owner's to say", "Le rôle d'un dossier est choisi par son propriétaire"),
    ("Wrong name or password", "Nom ou mot de passe incorrect"),
    ("You are sending more than I am willing to drop", "Vous envoyez plus que je ne veux ignorer"),
    ("You can only log in as yourself", "Vous ne pouvez vous identifier que comme vous-même"),
    ("You have no right to do that in this mailbox", "Vous n'avez pas le droit de faire cela dans ce dossier"),
    ("You may no longer read the selected mailbox", "Vous ne pouvez plus lire le dossier ouvert"),
    ("You will be told", "Vous serez prévenu"),
    ("You will be told nothing", "Rien ne vous sera signalé"),
    ("Your access has changed: log in again", "Votre accès a changé : identifiez-vous de nouveau"),
    ("Yours, other users', shared ones", "Les vôtres, ceux des autres, les partagés"),
    ("You speak English now", "Nous parlons français"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn ranges_lead_to_languages() {
        let choose = |ranges: &[&str]| {
            let ranges: Vec<String> = ranges.iter().map(|range| (*range).to_owned()).collect();
            Language::choose(&ranges, Language::French).map(Language::tag)
        };
        for (ranges, language) in [
            (&["fr"][..], Some("fr")),
            (&["FR-ca"], Some("fr")),
            (&["de", "en-GB-oed"], Some("en")),
            (&["de", "it"], None),
            (&["i-default"], Some("i-default")),
            (&["default"], Some("fr")),
            (&["*"], Some("fr")),
            (&["mul", "default"], Some("fr")),
            (&["france"], None),
            (&[""], None),
        ] {
            assert_eq!(choose(ranges), language, "{ranges:?}");
        }
    }

    #[test]
    fn french_is_looked_up_and_what_is_missing_stays_english() {
        let say = |text| Language::French.say(text).into_owned();
        assert_eq!(say("There is no such mailbox"), "Ce dossier n'existe pas");
        assert_eq!(say("A message may have 77 octets at the most"), "Un message peut avoir au plus 77 octets");
        assert_eq!(say("Too many mailboxes"), "Trop de dossiers");
        assert_eq!(say("Too many flying saucers"), "Too many flying saucers");
        assert_eq!(Language::English.say("Welcome"), "Welcome");
        assert!(FRENCH.iter().chain(FRENCH_WORDS).all(|(_, french)| !french.contains(['\r', '\n'])));
    }

    /// Every text of a refusal in these sources, as far as it stands there whole.
    fn refusals(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                refusals(&path, found);
            } else {
                let source = std::fs::read_to_string(&path).unwrap();
                let source = source.split("#[cfg(test)]").next().unwrap();
                for at in source.match_indices("Answer::no(").map(|(at, _)| at) {
                    let call = source[at..].split(";\n").next().unwrap();
                    let text = call.split('"').nth(1).filter(|text| text.starts_with(char::is_uppercase));
                    found.extend(text.filter(|text| !text.contains('{')).map(str::to_owned));
                }
            }
        }
    }

    #[test]
    fn no_refusal_is_without_its_french() {
        let mut found = Vec::new();
        refusals(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 20, "the sources are read: {found:?}");
        let missing: Vec<&String> = found.iter().filter(|text| french(text).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
