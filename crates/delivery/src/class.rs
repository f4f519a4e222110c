//! What kind of mail a message is, by its header: its class has a retry schedule of its own.

use message::raw_fields;
use storage::rows::MailClass;

/// The class that a header shows. The null reverse-path, which makes a report, is no matter of the header.
///
/// A list shows itself by `List-Id` (RFC 2919) or `List-Post` (RFC 2369), or by the old `Precedence: list` or `bulk`; a program
/// by `Auto-Submitted` (RFC 3834 §5). A list that distributes what a program wrote is a list.
pub(crate) fn class_of(header: &[u8]) -> MailClass {
    let mut class = MailClass::Person;
    for field in raw_fields(header) {
        let name = field.name.map(<[u8]>::to_ascii_lowercase);
        // Up to a parameter or a comment.
        let word = || {
            let value = String::from_utf8_lossy(field.value()).trim().to_ascii_lowercase();
            value.split([';', ' ', '\t', '(', '\r', '\n']).next().unwrap_or_default().to_owned()
        };
        match name.as_deref() {
            Some(b"list-id" | b"list-post") => return MailClass::List,
            Some(b"precedence") if ["list", "bulk"].contains(&word().as_str()) => return MailClass::List,
            Some(b"auto-submitted") if word() != "no" => class = MailClass::Automatic,
            _ => {}
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_show_classes() {
        for (header, class) in [
            ("From: a@b.example\r\nSubject: List-Id\r\n", MailClass::Person),
            ("Auto-Submitted: no\r\n", MailClass::Person),
            ("auto-submitted: No (by hand)\r\n", MailClass::Person),
            ("Auto-Submitted: auto-replied; owner=x\r\n", MailClass::Automatic),
            ("Auto-Submitted:\r\n auto-generated\r\n", MailClass::Automatic),
            ("Precedence: Bulk\r\n", MailClass::List),
            ("Precedence: first-class\r\n", MailClass::Person),
            ("Auto-Submitted: auto-generated\r\nLIST-ID: <l.example>\r\n", MailClass::List),
            ("", MailClass::Person),
        ] {
            assert_eq!(class_of(header.as_bytes()), class, "{header}");
        }
    }
}
