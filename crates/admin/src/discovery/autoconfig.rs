//! Thunderbird's format (`config-v1.1.xml`), which many other programs read as well.

use std::fmt::Write;

use super::{Served, escape};
use crate::settings::ConnectionSettings;

/// The document for a domain. `None`: this server is not one where mail is both read and sent.
#[must_use]
pub fn document(settings: &ConnectionSettings, served: &Served) -> Option<String> {
    super::preferred(settings)?;
    let domain = escape(served.domain.as_str());
    // The program puts the whole address, or what stands before the @, in here.
    let login = if served.domain == served.login_domain {
        "%EMAILADDRESS%".to_owned()
    } else {
        format!("%EMAILLOCALPART%@{}", escape(served.login_domain.as_str()))
    };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n");
    // Writing to a String can't fail.
    writeln!(out, "  <emailProvider id=\"{domain}\">").ok();
    writeln!(out, "    <domain>{domain}</domain>").ok();
    writeln!(out, "    <displayName>{domain}</displayName>").ok();
    writeln!(out, "    <displayShortName>{domain}</displayShortName>").ok();
    for (element, endpoints) in [("incomingServer", settings.incoming()), ("outgoingServer", settings.outgoing())] {
        for endpoint in endpoints {
            let socket = if endpoint.tls == "implicit" { "SSL" } else { "STARTTLS" };
            writeln!(out, "    <{element} type=\"{}\">", escape(&endpoint.protocol)).ok();
            writeln!(out, "      <hostname>{}</hostname>", escape(&endpoint.host)).ok();
            writeln!(out, "      <port>{}</port>", endpoint.port).ok();
            writeln!(out, "      <socketType>{socket}</socketType>").ok();
            writeln!(out, "      <username>{login}</username>").ok();
            // The password itself, under TLS.
            writeln!(out, "      <authentication>password-cleartext</authentication>").ok();
            writeln!(out, "    </{element}>").ok();
        }
    }
    out.push_str("  </emailProvider>\n");
    if !settings.webmail.is_empty() {
        writeln!(out, "  <webMail>\n    <loginPage url=\"{}\"/>\n  </webMail>", escape(&settings.webmail)).ok();
    }
    out.push_str("</clientConfig>\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{domain, served, settings};
    use super::*;

    #[test]
    fn m05_thunderbird_is_told_every_service_and_the_whole_address_as_login() {
        let own = Served { domain: domain("example.org"), login_domain: domain("example.org") };
        let text = document(&settings(), &own).unwrap();
        let of = |element: &str| {
            let open = format!("<{element}>");
            text.split(open.as_str()).skip(1).map(|rest| rest.split('<').next().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(of("port"), ["993", "143", "465", "587"]);
        assert_eq!(of("socketType"), ["SSL", "STARTTLS", "SSL", "STARTTLS"]);
        assert_eq!(of("hostname"), ["mail.example.org"; 4]);
        assert_eq!(of("username"), ["%EMAILADDRESS%"; 4]);
        assert!(text.contains("<incomingServer type=\"imap\">") && text.contains("<outgoingServer type=\"smtp\">"));
        assert!(!text.contains("webMail"));
    }

    #[test]
    fn m05_the_login_of_a_domain_that_stands_for_another_is_in_that() {
        let text = document(&settings(), &served()).unwrap();
        assert!(text.contains("<domain>example.net</domain>"), "{text}");
        assert!(text.contains("<username>%EMAILLOCALPART%@example.org</username>"), "{text}");
    }

    #[test]
    fn m05_a_server_without_imap_or_submission_tells_nothing() {
        let deaf = ConnectionSettings { imap: None, imaps: None, ..settings() };
        assert_eq!(document(&deaf, &served()), None);
        let odd = ConnectionSettings { webmail: "https://w.example/?a=1&b=<2>".to_owned(), ..settings() };
        assert!(document(&odd, &served()).unwrap().contains("url=\"https://w.example/?a=1&amp;b=&lt;2&gt;\""));
    }
}
