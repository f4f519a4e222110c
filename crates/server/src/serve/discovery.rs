//! The connection settings for mail programs that look for them (M5), on the listener of the web pages. What is said, and
//! for whom, is `admin::discovery`'s affair; here are paths and parameters.
//!
//! Programs write the paths of Autodiscover in any case, so this looks at every request before the pages do.

use admin::ConnectionSettings;
use admin::discovery::{Served, autoconfig, autodiscover, profile};
use axum::Router;
use axum::body::{self, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use lists::form;
use mail::{Address, Domain};
use storage::Store;

/// Answers mail programs.
#[derive(Clone)]
pub(super) struct Discovery {
    store: Store,
    settings: ConnectionSettings,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Document {
    Autoconfig,
    Autodiscover,
    AutodiscoverJson,
    Profile,
}

impl Document {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/mail/config-v1.1.xml" | "/.well-known/autoconfig/mail/config-v1.1.xml" => Some(Self::Autoconfig),
            "/apple/mobileconfig" => Some(Self::Profile),
            other => {
                let other = other.to_ascii_lowercase();
                let below = other.strip_prefix("/autodiscover/autodiscover.")?;
                // Version 1.0 of the JSON has the address in its path.
                let json = below == "json" || below.starts_with("json/v1.0/");
                if below == "xml" { Some(Self::Autodiscover) } else { json.then_some(Self::AutodiscoverJson) }
            }
        }
    }
}

impl Discovery {
    pub(super) fn new(store: Store, settings: ConnectionSettings) -> Self {
        Self { store, settings }
    }

    /// Pages behind these documents.
    pub(super) fn in_front_of(&self, pages: Router) -> Router {
        pages.layer(middleware::from_fn_with_state(self.clone(), look))
    }

    fn served(&self, domain: &Domain) -> Option<Served> {
        Served::find(&self.store.directory(), domain)
    }

    fn autoconfig(&self, headers: &HeaderMap, fields: &[(String, String)]) -> Response {
        let address = value(fields, "emailaddress").filter(|address| !address.is_empty());
        let domain = match address {
            Some(address) => Address::parse(address).ok().map(|address| address.domain().clone()),
            None => asked_host(headers),
        };
        let document = domain.and_then(|domain| self.served(&domain));
        match document.and_then(|served| autoconfig::document(&self.settings, &served)) {
            Some(document) => answer("application/xml; charset=utf-8", document),
            None => not_found(),
        }
    }

    fn autodiscover(&self, request: &[u8]) -> Response {
        let document = autodiscover::answer(&self.settings, &self.store.directory(), request, self.store.now());
        answer("text/xml; charset=utf-8", document)
    }

    fn autodiscover_json(&self, path: &str, fields: &[(String, String)]) -> Response {
        let in_path = path.rsplit('/').next().filter(|last| last.contains('@') || last.contains('%'));
        let in_path = in_path.and_then(|last| form(last.as_bytes()).into_iter().next()).map(|(text, _)| text);
        let given = in_path.as_deref().or_else(|| value(fields, "email")).and_then(|text| Address::parse(text).ok());
        let served = given.and_then(|address| self.served(address.domain()));
        let protocol = value(fields, "protocol").unwrap_or_default();
        let (status, document) = autodiscover::json(&self.settings, protocol, served.as_ref());
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, answer("application/json; charset=utf-8", document)).into_response()
    }

    fn profile(&self, fields: &[(String, String)]) -> Response {
        let address = value(fields, "emailaddress").and_then(|text| Address::parse(text).ok());
        let document = address.and_then(|address| {
            let served = self.served(address.domain())?;
            profile::document(&self.settings, &served, &address)
        });
        let Some(document) = document else { return not_found() };
        let mut response = answer("application/x-apple-aspen-config; charset=utf-8", document);
        let attached = HeaderValue::from_static("attachment; filename=\"mail.mobileconfig\"");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, attached);
        response
    }
}

async fn look(State(discovery): State<Discovery>, request: Request, next: Next) -> Response {
    let Some(document) = Document::at(request.uri().path()) else { return next.run(request).await };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let posts = document == Document::Autodiscover && request.method() == Method::POST;
    if !reads && !posts {
        let allow = if document == Document::Autodiscover { "GET, HEAD, POST" } else { "GET, HEAD" };
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)]).into_response();
    }
    let (head, body) = request.into_parts();
    let fields = form(head.uri.query().unwrap_or_default().as_bytes());
    match document {
        Document::Autoconfig => discovery.autoconfig(&head.headers, &fields),
        Document::AutodiscoverJson => discovery.autodiscover_json(head.uri.path(), &fields),
        Document::Profile => discovery.profile(&fields),
        Document::Autodiscover => {
            // The listener has read it already.
            let body = body::to_bytes(body, REQUEST_OCTETS_MAX).await;
            discovery.autodiscover(&body.unwrap_or_else(|_| Bytes::new()))
        }
    }
}

/// The domain of the host that was asked, as programs do when they have no address: `autoconfig.example.org`, or the domain.
fn asked_host(headers: &HeaderMap) -> Option<Domain> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    let prefixes = ["autoconfig.", "autodiscover."];
    let name = prefixes.iter().find_map(|prefix| host.strip_prefix(prefix)).unwrap_or(&host);
    Domain::parse(name).ok()
}

/// A field by its name, in any case.
fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn answer(kind: &'static str, document: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    (headers, document).into_response()
}

/// The same for a domain of others, and for what is no address.
fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "there are no settings for this domain here\n").into_response()
}

/// An address and a schema, with the frame around them.
const REQUEST_OCTETS_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m05_paths_of_autodiscover_are_known_in_any_case() {
        for (path, document) in [
            ("/mail/config-v1.1.xml", Some(Document::Autoconfig)),
            ("/.well-known/autoconfig/mail/config-v1.1.xml", Some(Document::Autoconfig)),
            ("/Autodiscover/AutoDiscover.XML", Some(Document::Autodiscover)),
            ("/autodiscover/autodiscover.json", Some(Document::AutodiscoverJson)),
            ("/autodiscover/autodiscover.json/v1.0/a@b.example", Some(Document::AutodiscoverJson)),
            ("/autodiscover/autodiscover.jsonp", None),
            ("/apple/mobileconfig", Some(Document::Profile)),
            ("/lists/style.css", None),
            ("/", None),
        ] {
            assert_eq!(Document::at(path), document, "{path}");
        }
    }

    #[test]
    fn m05_the_host_that_is_asked_names_the_domain() {
        let of = |host: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            asked_host(&headers).map(|domain| domain.to_string())
        };
        assert_eq!(of("autoconfig.Example.org:8443").as_deref(), Some("example.org"));
        assert_eq!(of("example.org").as_deref(), Some("example.org"));
        assert_eq!((of("[::1]:80"), of("")), (None, None));
    }
}
