//! Microsoft's Autodiscover: plain old XML (MS-OXDSCLI §2.2.3 and §2.2.4), and the JSON that says where that is answered.

use std::fmt::Write;

use mail::{Address, Timestamp};
use routing::Directory;
use serde_json::json;

use super::{Served, escape, preferred};
use crate::response::Endpoint;
use crate::settings::ConnectionSettings;

/// Where [`answer`] is answered, under the address of the web pages.
pub const PATH: &str = "/autodiscover/autodiscover.xml";

/// The answer to a request of plain old XML; always a document, since errors are told in it too.
#[must_use]
pub fn answer(settings: &ConnectionSettings, directory: &Directory, request: &[u8], now: Timestamp) -> String {
    match outcome(settings, directory, request) {
        Ok(document) => document,
        Err(flaw) => flaw.document(now),
    }
}

/// Why nothing is told (MS-OXDSCLI §2.2.4.1.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    NoSuchAddress,
    InvalidRequest,
    OtherSchema,
}

impl Flaw {
    fn document(self, now: Timestamp) -> String {
        let (code, message) = match self {
            Self::NoSuchAddress => (500, "The email address can't be found."),
            Self::InvalidRequest => (600, "Invalid Request"),
            Self::OtherSchema => (601, "The provider is not available"),
        };
        let second = now.as_secs().rem_euclid(86_400);
        let (hours, minutes, seconds) = (second / 3_600, second / 60 % 60, second % 60);
        format!(
            "{HEAD}  <Response>\n    <Error Time=\"{hours:02}:{minutes:02}:{seconds:02}.0000000\" Id=\"0\">\n      \
             <ErrorCode>{code}</ErrorCode>\n      <Message>{message}</Message>\n      <DebugData/>\n    </Error>\n  \
             </Response>\n</Autodiscover>\n"
        )
    }
}

fn outcome(settings: &ConnectionSettings, directory: &Directory, request: &[u8]) -> Result<String, Flaw> {
    let request = str::from_utf8(request).map_err(|_| Flaw::InvalidRequest)?;
    let address = element(request, "EMailAddress").ok_or(Flaw::InvalidRequest)?;
    if element(request, "AcceptableResponseSchema").is_some_and(|schema| schema != SCHEMA) {
        return Err(Flaw::OtherSchema);
    }
    let address = Address::parse(&address).map_err(|_| Flaw::InvalidRequest)?;
    let served = Served::find(directory, address.domain()).ok_or(Flaw::NoSuchAddress)?;
    let login = served.login(&address).ok_or(Flaw::InvalidRequest)?;
    let (incoming, outgoing) = preferred(settings).ok_or(Flaw::NoSuchAddress)?;
    let mut out = format!(
        "{HEAD}  <Response xmlns=\"{SCHEMA}\">\n    <Account>\n      <AccountType>email</AccountType>\n      \
         <Action>settings</Action>\n"
    );
    protocol(&mut out, "IMAP", &incoming, &login);
    protocol(&mut out, "SMTP", &outgoing, &login);
    out.push_str("    </Account>\n  </Response>\n</Autodiscover>\n");
    Ok(out)
}

fn protocol(out: &mut String, kind: &str, endpoint: &Endpoint, login: &Address) {
    // MS-OXDSCLI §2.2.4.1.1.2.6: SSL is TLS from the start, TLS is STARTTLS; it comes before the older element SSL.
    let encryption = if endpoint.tls == "implicit" { "SSL" } else { "TLS" };
    let more =
        if kind == "SMTP" { "        <UsePOPAuth>on</UsePOPAuth>\n        <SMTPLast>off</SMTPLast>\n" } else { "" };
    let (host, login) = (escape(&endpoint.host), escape(&login.to_string()));
    // Writing to a String can't fail.
    write!(
        out,
        "      <Protocol>\n        <Type>{kind}</Type>\n        <Server>{host}</Server>\n        <Port>{}</Port>\n        \
         <DomainRequired>off</DomainRequired>\n        <LoginName>{login}</LoginName>\n        <SPA>off</SPA>\n        \
         <SSL>on</SSL>\n        <Encryption>{encryption}</Encryption>\n        <AuthRequired>on</AuthRequired>\n{more}      \
         </Protocol>\n",
        endpoint.port
    )
    .ok();
}

/// The answer to version 2 (JSON): the status of HTTP, and the document. `domain` is what the address is in, when one is given.
#[must_use]
pub fn json(settings: &ConnectionSettings, protocol: &str, served: Option<&Served>) -> (u16, String) {
    let error =
        |status, code: &str, message: &str| (status, json!({"ErrorCode": code, "ErrorMessage": message}).to_string());
    if !protocol.eq_ignore_ascii_case("AutodiscoverV1") {
        return error(400, "InvalidProtocol", "The only protocol that this server has is 'AutodiscoverV1'.");
    }
    match served {
        None => error(404, "UserNotFound", "The domain is not one of this server."),
        Some(_) if settings.web.is_empty() => {
            error(404, "ProtocolNotSupported", "This server is not told where its web pages are reached.")
        }
        Some(_) => {
            let url = format!("{}{PATH}", settings.web);
            (200, json!({"Protocol": "AutodiscoverV1", "Url": url}).to_string())
        }
    }
}

/// The text of the first element of a name, whatever its prefix. A request is known by one or two elements without
/// children, so no tree is built; a document that is not well-formed just has no such element, or no address in it.
fn element(document: &str, name: &str) -> Option<String> {
    let mut rest = document;
    loop {
        rest = rest.split_once('<')?.1;
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        let (tag, behind) = rest.split_once('>')?;
        rest = behind;
        let full = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        let local = full.rsplit(':').next().unwrap_or_default();
        if local == name && !tag.ends_with('/') {
            let (text, end) = behind.split_once('<')?;
            return end.starts_with('/').then(|| unescape(text.trim()));
        }
    }
}

/// The five entities that XML has by itself; no other one, and no number, is needed in an address.
fn unescape(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
                    <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n";
/// Settings for Outlook; there is another one for telephones (ActiveSync), which this server does not speak.
const SCHEMA: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use routing::objects::{DomainObject, Object};

    use super::super::tests::{domain, served, settings};
    use super::*;

    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.put(Object::Domain(DomainObject::new(domain("example.org"))));
        directory
    }

    fn request(address: &str, schema: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<!-- <EMailAddress>no@b.example</EMailAddress> -->\n<Autodiscover xmlns=\"http://\
             schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\"><Request>\r\n\
             <AcceptableResponseSchema>{schema}</AcceptableResponseSchema><x:EMailAddress a=\"b\"> {address}\n\
             </x:EMailAddress></Request></Autodiscover>"
        )
    }

    fn asked(text: &str) -> String {
        // 2027-01-15 08:00:05
        answer(&settings(), &directory(), text.as_bytes(), Timestamp::from_secs(1_800_000_005))
    }

    #[test]
    fn m05_outlook_is_told_the_preferred_services() {
        let text = asked(&request("o'hara&amp;co@Example.org", SCHEMA));
        for wanted in [
            "<Type>IMAP</Type>\n        <Server>mail.example.org</Server>\n        <Port>993</Port>",
            "<Type>SMTP</Type>\n        <Server>mail.example.org</Server>\n        <Port>465</Port>",
            "<Encryption>SSL</Encryption>",
        ] {
            assert!(text.contains(wanted), "{text}");
        }
        assert_eq!(text.matches("<LoginName>o&apos;hara&amp;co@example.org</LoginName>").count(), 2, "{text}");
        let starttls = ConnectionSettings { imaps: None, submissions: None, ..settings() };
        let body = request("alice@example.org", SCHEMA);
        let text = answer(&starttls, &directory(), body.as_bytes(), Timestamp(0));
        assert_eq!((text.matches("<Encryption>TLS").count(), text.matches("<Port>587").count()), (2, 1), "{text}");
    }

    #[test]
    fn m05_what_outlook_asks_wrongly_is_told_with_the_code_for_it() {
        let telephone = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";
        for (body, code) in [
            (request("alice@other.example", SCHEMA), "500"),
            (request("alice@example.org", telephone), "601"),
            (request("alice", SCHEMA), "600"),
            (request("<b/>", SCHEMA), "600"),
            (String::new(), "600"),
            ("<EMailAddress>alice@example.org".to_owned(), "600"),
            ("<EMailAddress/>".to_owned(), "600"),
        ] {
            let text = asked(&body);
            assert!(text.contains(&format!("<ErrorCode>{code}</ErrorCode>")), "{body}\n{text}");
            assert!(text.contains("Time=\"08:00:05.0000000\""), "{text}");
        }
    }

    #[test]
    fn m05_version_two_says_where_the_answer_is() {
        let (status, text) = json(&settings(), "autodiscoverv1", Some(&served()));
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &told["Protocol"]), (200, &json!("AutodiscoverV1")));
        assert_eq!(told["Url"], "https://pages.example.org/mail/autodiscover/autodiscover.xml");
        assert_eq!(json(&settings(), "ActiveSync", Some(&served())).0, 400);
        assert_eq!(json(&settings(), "AutodiscoverV1", None).0, 404);
        assert_eq!(json(&ConnectionSettings::default(), "AutodiscoverV1", Some(&served())).0, 404);
    }

    proptest! {
        #[test]
        fn no_request_panics(request: Vec<u8>, text in "[<>/! a-e:-]*") {
            let told = answer(&settings(), &directory(), &request, Timestamp(0));
            prop_assert!(told.ends_with("</Autodiscover>\n"));
            element(&text, "a");
        }
    }
}
