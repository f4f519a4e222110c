//! The pages behind links in letters: small, without account, cookie or script.
//!
//! GET shows what a link would do and has a button; only POST does it, since scanners of mail follow links. A POST to a
//! link for leaving needs no form at all: that is the one click of RFC 8058 §3.2. The token of a link is all that
//! counts; pages tell browsers not to pass it on or keep it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bus::TakeError;
use mail::{AccountId, Address, Uid};
use routing::objects::Joining;
use storage::rows::{MemberState, RequestKind};

use crate::Lists;
use crate::limits::{FORM_OCTETS_MAX, REASON_CHARS, WAITING_SHOWN};
use crate::members::{Asker, Confirmed, Order};
use crate::moderate::{Decision, Moderated};
use crate::page::{Field, Page, STYLE, form, preferred};
use crate::place::Place;
use crate::text::Language;
use crate::token::{Link, Purpose};

/// The pages, to be mounted at the root of a listener.
pub fn router(lists: Lists) -> Router {
    Router::new()
        .route("/lists/style.css", get(style))
        .route("/lists/join/{address}", get(join_page).post(join))
        .route("/lists/{token}", get(show).post(act))
        .fallback(|headers: HeaderMap| async move { void(language(&headers)) })
        .layer(DefaultBodyLimit::max(FORM_OCTETS_MAX))
        .with_state(lists)
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// A page with its status. No browser passes its address on or keeps it.
pub struct Answer(pub StatusCode, pub Page);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.0, self.1.html()).into_response();
        for (name, value) in HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

fn language(headers: &HeaderMap) -> Language {
    preferred(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default())
}

/// The English or the French words.
#[must_use]
pub fn say<'a>(language: Language, english: &'a str, french: &'a str) -> &'a str {
    match language {
        Language::English => english,
        Language::French => french,
    }
}

fn ok(page: Page) -> Answer {
    Answer(StatusCode::OK, page)
}

fn void(language: Language) -> Answer {
    let title = say(language, "This link does nothing", "Ce lien ne fait rien");
    let text = say(
        language,
        "It is not complete, it has expired, or what it was for has been done. If need be, please ask for a new one.",
        "Il est incomplet, il a expiré, ou ce qu'il permettait a déjà été fait. Au besoin, demandez-en un nouveau.",
    );
    Answer(StatusCode::NOT_FOUND, Page::new(language, title).text(text))
}

fn failed(language: Language, error: &dyn std::fmt::Display) -> Answer {
    tracing::warn!(%error, "a page of the lists failed");
    let title = say(language, "Not now", "Pas maintenant");
    let text = say(
        language,
        "This could not be done at the moment. Nothing is lost; please try again in a few minutes.",
        "Cela n'a pas pu être fait pour le moment. Rien n'est perdu ; réessayez dans quelques minutes.",
    );
    Answer(StatusCode::SERVICE_UNAVAILABLE, Page::new(language, title).text(text))
}

async fn show(State(lists): State<Lists>, Path(token): Path<String>, headers: HeaderMap) -> Answer {
    let language = language(&headers);
    let Some((link, place)) = lists.opened(&token) else { return void(language) };
    match lists.question(&link, &place, language).await {
        Ok(Some(page)) => ok(page),
        Ok(None) => void(language),
        Err(error) => failed(language, &error),
    }
}

async fn act(State(lists): State<Lists>, Path(token): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let language = language(&headers);
    let Some((link, place)) = lists.opened(&token) else { return void(language) };
    let fields = form(&body);
    match lists.perform(&link, &place, language, &fields).await {
        Ok(Some(page)) => ok(page),
        Ok(None) => void(language),
        Err(error) => failed(language, &error),
    }
}

async fn join_page(State(lists): State<Lists>, Path(address): Path<String>, headers: HeaderMap) -> Answer {
    let language = language(&headers);
    let Some(place) = lists.joinable(&address) else { return void(language) };
    let title = title(language, "Join %", "S'inscrire à %", &place);
    let text = say(
        language,
        "You will get a letter with which to confirm that the address is yours.",
        "Vous recevrez un message pour confirmer que l'adresse est la vôtre.",
    );
    ok(Page::new(language, &title).text(text).form(&[
        Field::Address { name: "address", label: say(language, "Your address", "Votre adresse") },
        Field::Button { name: "action", value: "join", label: say(language, "Join", "S'inscrire") },
    ]))
}

async fn join(State(lists): State<Lists>, Path(address): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let language = language(&headers);
    let Some(place @ Place::List(_)) = lists.joinable(&address) else { return void(language) };
    let fields = form(&body);
    let title = title(language, "Join %", "S'inscrire à %", &place);
    let Some(who) = address_in(&fields) else {
        return Answer(StatusCode::BAD_REQUEST, no_address(language, &title));
    };
    match lists.ask_to_join(&place, &who, language).await {
        // The same words whoever it is: the page tells nobody who is a member.
        Ok(()) => ok(Page::new(language, &title).text(say(
            language,
            "Thank you. A letter is on its way to this address; please answer it, or open the link in it.",
            "Merci. Un message est en route vers cette adresse ; répondez-y, ou ouvrez le lien qu'il contient.",
        ))),
        Err(error) => failed(language, &error),
    }
}

fn no_address(language: Language, title: &str) -> Page {
    Page::new(language, title).text(say(
        language,
        "That is not an address. Please go back and try again.",
        "Ce n'est pas une adresse. Revenez en arrière et réessayez.",
    ))
}

fn address_in(fields: &[(String, String)]) -> Option<Address> {
    Address::parse(value(fields, "address")?.trim()).ok()
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn title(language: Language, english: &str, french: &str, place: &Place) -> String {
    say(language, english, french).replace('%', &place.name())
}

impl Lists {
    fn opened(&self, token: &str) -> Option<(Link, Place)> {
        let link = self.tokens.read_link(token, self.store.now())?;
        let place = Place::of(&self.store.directory(), link.part)?;
        // Who moderates no more decides no more.
        let decides = matches!(link.purpose, Purpose::Moderate | Purpose::Approve);
        let named = place.deciders().iter().any(|decider| decider.same_mailbox(&link.address));
        (named || !decides).then_some((link, place))
    }

    fn joinable(&self, address: &str) -> Option<Place> {
        let address = Address::parse(address).ok()?;
        let list = self.store.directory().list(&address).cloned()?;
        (list.enabled && list.settings.joining != Joining::Closed).then_some(Place::List(list))
    }

    async fn ask_to_join(&self, place: &Place, who: &Address, language: Language) -> Result<(), TakeError> {
        let Place::List(list) = place else { return Ok(()) };
        // The page says the same whoever it is, so what there is to say is in a letter.
        let asker = Asker {
            address: who,
            name: "",
            language: Some(language.name()),
            trusted: false,
            verified: false,
            answerable: true,
        };
        let acts = self.order(place, list, asker, Order::Join).await?;
        self.apply(list.id, acts).await?;
        Ok(())
    }

    /// What a link would do.
    async fn question(&self, link: &Link, place: &Place, language: Language) -> Result<Option<Page>, TakeError> {
        let part = place.part();
        let who = &link.address;
        let button = |value: &'static str, english, french| Field::Button {
            name: "action",
            value,
            label: say(language, english, french),
        };
        Ok(match link.purpose {
            Purpose::Leave => {
                let title = title(language, "Leave %?", "Quitter % ?", place);
                Some(Page::new(language, &title).text(&who.to_string()).form(&[button("leave", "Leave", "Quitter")]))
            }
            Purpose::Confirm => {
                let Some(request) = self.store.list_request(part, link.number).await? else { return Ok(None) };
                let (title, about) = match &request.kind {
                    RequestKind::Join => {
                        (title(language, "Join %?", "S'inscrire à % ?", place), request.address.to_string())
                    }
                    RequestKind::Leave => {
                        (title(language, "Leave %?", "Quitter % ?", place), request.address.to_string())
                    }
                    RequestKind::MoveAsked { to } | RequestKind::Move { to } => (
                        title(language, "Another address for %?", "Une autre adresse pour % ?", place),
                        format!("{} → {to}", request.address),
                    ),
                    RequestKind::Approval => return Ok(None),
                };
                Some(Page::new(language, &title).text(&about).form(&[button("confirm", "Confirm", "Confirmer")]))
            }
            Purpose::Moderate if link.number == 0 => Some(self.all_waiting(link, place, language).await?),
            Purpose::Moderate => {
                let Some(row) = self.store.waiting(part, Uid(link.number)).await? else { return Ok(None) };
                if let Some(made) = row.decision {
                    return Ok(Some(decided_page(language, place, &made.by, made.approved)));
                }
                let author = row.author.map_or_else(|| row.reverse_path.to_string(), |author| author.to_string());
                let title = title(language, "A message to % waits", "Un message à % attend", place);
                Some(
                    Page::new(language, &title)
                        .text(&format!("{} {author}", say(language, "From:", "De :")))
                        .quote(&row.subject)
                        .form(&decision_fields(language)),
                )
            }
            Purpose::Approve => {
                let Some(request) = self.store.list_request(part, link.number).await? else { return Ok(None) };
                let title = title(language, "Somebody wants to join %", "Une demande d'inscription à %", place);
                Some(Page::new(language, &title).text(&request.address.to_string()).form(&decision_fields(language)))
            }
            Purpose::Manage => {
                let Some(member) = self.store.member(part, who).await? else { return Ok(None) };
                let title = title(language, "Your membership of %", "Votre inscription à %", place);
                let mut page = Page::new(language, &title).text(&member.address.to_string());
                if member.state == MemberState::Suspended {
                    page = page
                        .text(say(
                            language,
                            "Messages to you came back, so no more are sent.",
                            "Les messages pour vous sont revenus ; plus rien ne vous est envoyé.",
                        ))
                        .form(&[button("back", "Send me messages again", "Recevoir à nouveau les messages")]);
                }
                if member.state == MemberState::Pending {
                    let text = say(
                        language,
                        "A moderator has yet to decide on your request.",
                        "Un modérateur n'a pas encore décidé de votre demande.",
                    );
                    let leave = button("leave", "Withdraw my request", "Retirer ma demande");
                    return Ok(Some(page.text(text).form(&[leave])));
                }
                let own = match member.own_posts {
                    true => {
                        button("own-off", "Do not send me my own messages", "Ne pas m'envoyer mes propres messages")
                    }
                    false => button("own-on", "Send me my own messages too", "M'envoyer aussi mes propres messages"),
                };
                let new = Field::Address { name: "address", label: say(language, "New address", "Nouvelle adresse") };
                Some(
                    page.form(&[new, button("move", "Change my address", "Changer d'adresse")])
                        .form(&[own])
                        .form(&[button("leave", "Leave the list", "Quitter la liste")]),
                )
            }
        })
    }

    /// Does what a link is for.
    async fn perform(
        &self,
        link: &Link,
        place: &Place,
        language: Language,
        fields: &[(String, String)],
    ) -> Result<Option<Page>, TakeError> {
        match link.purpose {
            Purpose::Leave => self.leave_by_link(link, place, language).await.map(Some),
            Purpose::Confirm => {
                let (confirmed, acts) = self.confirm(place, link.number).await?;
                if confirmed == Confirmed::Void || !self.apply(place.part(), acts).await? {
                    return Ok(None);
                }
                Ok(Some(confirmed_page(language, place, &confirmed)))
            }
            Purpose::Moderate if link.number == 0 => self.question(link, place, language).await,
            Purpose::Moderate => {
                let Some(decided) = decision_in(fields) else { return self.question(link, place, language).await };
                let by = link.address.to_string();
                Ok(match self.moderate(place, Uid(link.number), by.clone(), decided).await? {
                    Moderated::Done { approved } => Some(decided_page(language, place, &by, approved)),
                    Moderated::Already { by, approved } => Some(decided_page(language, place, &by, approved)),
                    Moderated::Gone => None,
                })
            }
            Purpose::Approve => {
                let Some(decided) = decision_in(fields) else { return self.question(link, place, language).await };
                let acts = self.approve(place, link.number, decided.approved, &decided.reason).await?;
                let Some(acts) = acts else { return Ok(None) };
                if !self.apply(place.part(), acts).await? {
                    return Ok(None);
                }
                Ok(Some(decided_page(language, place, &link.address.to_string(), decided.approved)))
            }
            Purpose::Manage => self.manage(link, place, language, fields).await,
        }
    }

    /// Every message that waits, each with the link to decide on it.
    async fn all_waiting(&self, link: &Link, place: &Place, language: Language) -> Result<Page, TakeError> {
        let room = self.waiting_room(place.part()).await?;
        let title = title(language, "Messages to % that wait", "Messages à % en attente", place);
        let number =
            say(language, "Messages that wait: %", "Messages en attente : %").replace('%', &room.messages.to_string());
        let mut page = Page::new(language, &title).text(&number);
        let (mut after, mut shown) = (Uid(0), 0_usize);
        loop {
            let rows = self.store.waiting_after(place.part(), after, WAITING_SHOWN).await?;
            let Some((last, _)) = rows.last() else { return Ok(page) };
            after = *last;
            for (uid, row) in rows.into_iter().filter(|(_, row)| row.decision.is_none()) {
                if shown >= WAITING_SHOWN {
                    return Ok(page);
                }
                shown = shown.saturating_add(1);
                let author = row.author.map_or_else(|| row.reverse_path.to_string(), |author| author.to_string());
                let one = Link { number: uid.0, ..link.clone() };
                page = page.entry(&self.tokens.in_link(&one), &row.subject, &author);
            }
        }
    }

    async fn is_pending(&self, part: AccountId, who: &Address) -> Result<bool, TakeError> {
        Ok(self.store.member(part, who).await?.is_some_and(|member| member.state == MemberState::Pending))
    }

    async fn leave_by_link(&self, link: &Link, place: &Place, language: Language) -> Result<Page, TakeError> {
        let acts = self.left(place, place.part(), &link.address).await?;
        // Twice is as good as once: mail programs repeat what was not answered in time.
        self.apply(place.part(), acts).await?;
        Ok(confirmed_page(language, place, &Confirmed::Left))
    }

    async fn manage(
        &self,
        link: &Link,
        place: &Place,
        language: Language,
        fields: &[(String, String)],
    ) -> Result<Option<Page>, TakeError> {
        let (part, who) = (place.part(), &link.address);
        let Place::List(list) = place else { return Ok(None) };
        let done = match value(fields, "action") {
            Some("leave") => return self.leave_by_link(link, place, language).await.map(Some),
            Some("move") if self.is_pending(part, who).await? => false,
            Some("move") => {
                let title = title(language, "Another address for %", "Une autre adresse pour %", place);
                let Some(to) = address_in(fields) else { return Ok(Some(no_address(language, &title))) };
                // The link came to the member's own address, so only the new one has to confirm.
                let asker =
                    Asker { address: who, name: "", language: None, trusted: true, verified: false, answerable: true };
                let acts = self.order(place, list, asker, Order::Move(to.clone())).await?;
                if !self.apply(part, acts).await? {
                    return Ok(Some(Page::new(language, &title).text(say(
                        language,
                        "No more letters can be sent to this address today. Please try again tomorrow.",
                        "Plus aucun message ne peut partir vers cette adresse aujourd'hui. Réessayez demain.",
                    ))));
                }
                return Ok(Some(confirmed_page(language, place, &Confirmed::NewAddressAsked(to))));
            }
            Some("back") => self.apply(part, Self::come_back(part, who)).await?,
            Some("own-on") => self.apply(part, Self::own_posts(part, who, true)).await?,
            Some("own-off") => self.apply(part, Self::own_posts(part, who, false)).await?,
            _ => false,
        };
        tracing::debug!(list = %place.address(), done, "membership changed by a link");
        self.question(link, place, language).await
    }
}

fn decision_fields(language: Language) -> [Field<'static>; 3] {
    [
        Field::Line {
            name: "reason",
            label: say(language, "Reason for the author (may be empty)", "Raison pour l'auteur (peut être vide)"),
        },
        Field::Button { name: "action", value: "approve", label: say(language, "Approve", "Accepter") },
        Field::Button { name: "action", value: "reject", label: say(language, "Reject", "Refuser") },
    ]
}

fn decision_in(fields: &[(String, String)]) -> Option<Decision> {
    let approved = match value(fields, "action")? {
        "approve" => true,
        "reject" => false,
        _ => return None,
    };
    let reason = value(fields, "reason").unwrap_or_default().trim().chars().take(REASON_CHARS).collect();
    Some(Decision { approved, reason })
}

fn decided_page(language: Language, place: &Place, by: &str, approved: bool) -> Page {
    let title = match approved {
        true => title(language, "Approved for %", "Accepté pour %", place),
        false => title(language, "Rejected for %", "Refusé pour %", place),
    };
    let text = say(language, "Decided by % .", "Décidé par % .").replace(" .", ".").replace('%', by);
    Page::new(language, &title).text(&text)
}

fn confirmed_page(language: Language, place: &Place, confirmed: &Confirmed) -> Page {
    let text = match confirmed {
        Confirmed::Joined => say(language, "You are a member of % now.", "Vous êtes maintenant membre de %."),
        Confirmed::WaitsForModerator => say(
            language,
            "Your address is confirmed. A moderator of % decides now; you will hear of it.",
            "Votre adresse est confirmée. Un modérateur de % décide maintenant ; vous en serez informé.",
        ),
        Confirmed::Left => say(language, "You are no longer a member of %.", "Vous n'êtes plus membre de %."),
        Confirmed::NewAddressAsked(_) => say(
            language,
            "A letter is on its way to the new address. Once that has confirmed, % writes there.",
            "Un message est en route vers la nouvelle adresse. Dès que celle-ci aura confirmé, % écrira là.",
        ),
        Confirmed::Moved(_) => {
            say(language, "% writes to your new address from now on.", "% écrit désormais à votre nouvelle adresse.")
        }
        Confirmed::Void => say(language, "There is nothing to confirm.", "Il n'y a rien à confirmer."),
    };
    let page = Page::new(language, say(language, "Done", "C'est fait")).text(&mail::french::named(text, &place.name()));
    match confirmed {
        Confirmed::NewAddressAsked(to) | Confirmed::Moved(to) => page.text(&to.to_string()),
        Confirmed::Joined | Confirmed::WaitsForModerator | Confirmed::Left | Confirmed::Void => page,
    }
}
