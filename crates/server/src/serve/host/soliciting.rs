//! The header field `Solicitation`: classes of solicitation that a message says of itself to be of (RFC 3865 §2).

use mail::{EnhancedCode, Reply};
use message::raw_fields;

/// As MAIL answers to SOLICIT.
pub(super) const UNWANTED: Reply =
    Reply::fixed(550, EnhancedCode(5, 7, 1), "Solicitations of this class are not wanted here");

/// Whether a header names one of the classes that are not wanted.
pub(super) fn is_unwanted(header: &[u8], unwanted: &[String]) -> bool {
    if unwanted.is_empty() {
        return false;
    }
    let is = |name: &[u8]| name.trim_ascii_end().eq_ignore_ascii_case(b"Solicitation");
    let named = |keyword: &[u8]| unwanted.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(keyword.trim_ascii()));
    let mut fields = raw_fields(header).filter(|field| field.name.is_some_and(is));
    fields.any(|field| field.value().split(|octet| *octet == b',').any(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3865_a_class_in_the_header_is_found_in_any_case_and_on_any_line() {
        let unwanted = ["net.example:ADV".to_owned(), "org.example:ADV:ADLT".to_owned()];
        for (header, wanted) in [
            ("Subject: x\r\nSolicitation: net.example:ADV\r\n", true),
            ("solicitation : com.example:NEWS,\r\n\tORG.example:adv:adlt , x\r\n", true),
            ("Solicitation: com.example:NEWS\r\nSolicitation: net.example:ADV\r\n", true),
            ("Solicitation: net.example:ADVICE\r\n", false),
            ("Solicitation: org.example:ADV\r\n", false),
            ("Solicitation:\r\nSubject: net.example:ADV\r\n", false),
            ("X-Solicitation: net.example:ADV\r\n", false),
            ("", false),
        ] {
            assert_eq!(is_unwanted(header.as_bytes(), &unwanted), wanted, "{header:?}");
            assert!(!is_unwanted(header.as_bytes(), &[]), "without classes all is taken");
        }
    }
}
