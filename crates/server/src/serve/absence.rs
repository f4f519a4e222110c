//! The page that switches an absence off, behind the link in the letter that says that it is active (V4).
//!
//! GET shows what it is about and has a button; only POST does it, since scanners of mail follow links. It is done as any
//! other change of a responder is, by a request to [`admin`].

use admin::{Actor, Request, ResponderContent, ResponderRequest};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use lists::links::{Answer, say};
use lists::page::{Field, Language, Page, preferred};
use responder::{Opened, SwitchOffLinks};
use routing::objects::ResponderObject;
use storage::Store;

/// What the pages work on.
#[derive(Clone)]
pub(super) struct Absences {
    pub(super) store: Store,
    pub(super) settings: admin::Settings,
    pub(super) links: SwitchOffLinks,
}

/// The pages, to be mounted at the root of a listener.
pub(super) fn router(absences: Absences) -> Router {
    Router::new()
        .route(&format!("{}{{token}}", SwitchOffLinks::PATH), get(show).post(switch_off))
        .layer(DefaultBodyLimit::max(FORM_OCTETS_MAX))
        .with_state(absences)
}

async fn show(State(absences): State<Absences>, Path(token): Path<String>, headers: HeaderMap) -> Answer {
    let language = language(&headers);
    match absences.links.opened(&absences.store, &token).await {
        Ok(Opened::Active(responder)) => question(&responder, language),
        Ok(Opened::Over) => over(language),
        Ok(Opened::Void) => void(language),
        Err(error) => not_now(language, &error),
    }
}

async fn switch_off(State(absences): State<Absences>, Path(token): Path<String>, headers: HeaderMap) -> Answer {
    let language = language(&headers);
    let responder = match absences.links.opened(&absences.store, &token).await {
        Ok(Opened::Active(responder)) => responder,
        // Twice is as good as once.
        Ok(Opened::Over) => return over(language),
        Ok(Opened::Void) => return void(language),
        Err(error) => return not_now(language, &error),
    };
    let content = Box::new(ResponderContent { enabled: Some(false), ..ResponderContent::default() });
    let request = Request::Responder(ResponderRequest::Set { id: responder.id, address: None, content });
    match admin::execute(&absences.store, &absences.settings, &Actor::System, request).await {
        Ok(_) => {
            tracing::info!(responder = responder.id, address = %responder.address, "switched off by the link in its letter");
            let title = say(language, "It is switched off", "Il est désactivé");
            let text = say(
                language,
                "The out-of-office message of % answers no more.",
                "Le message d'absence de % ne répond plus.",
            );
            ok(Page::new(language, title).text(&mail::french::named(text, &responder.address.to_string())))
        }
        Err(error) => not_now(language, &error),
    }
}

fn question(responder: &ResponderObject, language: Language) -> Answer {
    let title = say(language, "Switch the out-of-office message off?", "Désactiver le message d'absence ?");
    let subject = [&responder.subject, &responder.subject_prefix].into_iter().find(|text| !text.trim().is_empty());
    let button =
        Field::Button { name: "action", value: "off", label: say(language, "Switch it off", "Le désactiver") };
    let page = Page::new(language, title).text(&responder.address.to_string());
    ok(page.quote(subject.map_or("", String::as_str)).form(&[button]))
}

fn over(language: Language) -> Answer {
    let title = say(language, "It is not active any more", "Il n'est plus actif");
    let text = say(
        language,
        "This out-of-office message has ended or was switched off: there is nothing to do.",
        "Ce message d'absence est terminé ou a été désactivé : il n'y a rien à faire.",
    );
    ok(Page::new(language, title).text(text))
}

fn void(language: Language) -> Answer {
    let title = say(language, "This link does nothing", "Ce lien ne fait rien");
    let text = say(
        language,
        "It is not complete. Please open it as it stands in the letter.",
        "Il est incomplet. Ouvrez-le tel qu'il figure dans le message.",
    );
    Answer(StatusCode::NOT_FOUND, Page::new(language, title).text(text))
}

fn not_now(language: Language, error: &dyn std::fmt::Display) -> Answer {
    tracing::warn!(%error, "an absence could not be switched off by its link");
    let title = say(language, "Not now", "Pas maintenant");
    let text = say(
        language,
        "This could not be done at the moment. Please try again in a few minutes.",
        "Cela n'a pas pu être fait pour le moment. Réessayez dans quelques minutes.",
    );
    Answer(StatusCode::SERVICE_UNAVAILABLE, Page::new(language, title).text(text))
}

fn ok(page: Page) -> Answer {
    Answer(StatusCode::OK, page)
}

fn language(headers: &HeaderMap) -> Language {
    preferred(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default())
}

/// The form has one button; what it sends does not matter.
const FORM_OCTETS_MAX: usize = 1_024;
