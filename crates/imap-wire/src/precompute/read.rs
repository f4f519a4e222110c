//! Reading a field of an ENVELOPE back, for SEARCH.
//!
//! Only what this crate writes is read: strings are quoted or literals, `NIL` is in capitals, one space is between values.

use std::borrow::Cow;

use crate::command::EnvelopeField;

/// What an ENVELOPE says of one of its fields; text as it was sent (RFC 2047 undecoded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldTexts<'a> {
    /// The text of the field; `None` when the message has no such field.
    Text(Option<Cow<'a, [u8]>>),
    /// The addresses of the field; none also when the message has no such field.
    Addresses(Vec<AddressTexts<'a>>),
}

/// One address, or the name of a group (RFC 3501 §7.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressTexts<'a> {
    /// The display name.
    pub name: Option<Cow<'a, [u8]>>,
    /// The source route.
    pub route: Option<Cow<'a, [u8]>>,
    /// The local part, or the name of a group.
    pub mailbox: Option<Cow<'a, [u8]>>,
    /// The domain; a group has none.
    pub host: Option<Cow<'a, [u8]>>,
}

/// A field of an ENVELOPE as [`forms`](super::forms) writes it; `None` when it is not one.
pub fn envelope_field(envelope: &[u8], field: EnvelopeField) -> Option<FieldTexts<'_>> {
    let mut reader = Reader(envelope);
    reader.octet(b'(')?;
    // RFC 3501 §9: date, subject, from, sender, reply-to, to, cc, bcc …
    let place = match field {
        EnvelopeField::Subject => 1,
        EnvelopeField::From => 2,
        EnvelopeField::To => 5,
        EnvelopeField::Cc => 6,
        EnvelopeField::Bcc => 7,
    };
    for before in 0..place {
        if before < 2 {
            reader.string()?;
        } else {
            reader.addresses()?;
        }
        reader.octet(b' ')?;
    }
    match field {
        EnvelopeField::Subject => reader.string().map(FieldTexts::Text),
        EnvelopeField::From | EnvelopeField::To | EnvelopeField::Cc | EnvelopeField::Bcc => {
            reader.addresses().map(FieldTexts::Addresses)
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self, wanted: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[wanted])?;
        Some(())
    }

    fn is_nil(&mut self) -> bool {
        let rest = self.0.strip_prefix(b"NIL");
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// `nstring`.
    #[expect(clippy::option_option, reason = "no string at all, or NIL")]
    fn string(&mut self) -> Option<Option<Cow<'a, [u8]>>> {
        if self.is_nil() {
            return Some(None);
        }
        let (first, rest) = self.0.split_first()?;
        match first {
            b'"' => {
                let end = quoted_end(rest)?;
                let (text, behind) = rest.split_at_checked(end)?;
                self.0 = behind.get(1..)?;
                Some(Some(if text.contains(&b'\\') { Cow::Owned(unescaped(text)) } else { Cow::Borrowed(text) }))
            }
            b'{' => {
                let end = memchr::memchr(b'}', rest)?;
                let octets: usize = str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
                let (text, behind) = rest.get(end..)?.strip_prefix(b"}\r\n")?.split_at_checked(octets)?;
                self.0 = behind;
                Some(Some(Cow::Borrowed(text)))
            }
            _ => None,
        }
    }

    fn addresses(&mut self) -> Option<Vec<AddressTexts<'a>>> {
        let mut addresses = Vec::new();
        if self.is_nil() {
            return Some(addresses);
        }
        self.octet(b'(')?;
        while self.octet(b')').is_none() {
            self.octet(b'(')?;
            let name = self.string()?;
            self.octet(b' ')?;
            let route = self.string()?;
            self.octet(b' ')?;
            let mailbox = self.string()?;
            self.octet(b' ')?;
            let host = self.string()?;
            self.octet(b')')?;
            addresses.push(AddressTexts { name, route, mailbox, host });
        }
        Some(addresses)
    }
}

/// Where a quoted string ends.
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut from = 0_usize;
    loop {
        let at = from.checked_add(memchr::memchr2(b'"', b'\\', text.get(from..)?)?)?;
        match text.get(at)? {
            b'"' => return Some(at),
            _ => from = at.checked_add(2)?,
        }
    }
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        octets.extend(if *octet == b'\\' { rest.next() } else { Some(octet) });
    }
    octets
}

#[cfg(test)]
mod tests {
    use message::{Envelope, Scanner};
    use proptest::prelude::*;

    use super::super::forms;
    use super::*;

    fn text(bytes: &Option<Vec<u8>>) -> Option<Cow<'_, [u8]>> {
        // A NUL can't be sent: it goes out as a space.
        bytes
            .as_ref()
            .map(|bytes| bytes.iter().map(|octet| if *octet == 0 { b' ' } else { *octet }).collect::<Vec<_>>().into())
    }

    fn addresses(addresses: &[message::Address]) -> FieldTexts<'_> {
        let mut read = Vec::new();
        for message::Address { name, route, mailbox, host } in addresses {
            read.push(AddressTexts { name: text(name), route: text(route), mailbox: text(mailbox), host: text(host) });
        }
        FieldTexts::Addresses(read)
    }

    fn check(message: &[u8]) {
        let structure = Scanner::scan(message);
        let written = forms(&structure).envelope;
        let default = Envelope::default();
        let envelope = structure.envelope().unwrap_or(&default);
        for (field, expected) in [
            (EnvelopeField::Subject, FieldTexts::Text(text(&envelope.subject))),
            (EnvelopeField::From, addresses(&envelope.from)),
            (EnvelopeField::To, addresses(&envelope.to)),
            (EnvelopeField::Cc, addresses(&envelope.cc)),
            (EnvelopeField::Bcc, addresses(&envelope.bcc)),
        ] {
            assert_eq!(envelope_field(&written, field), Some(expected), "{field:?} of {}", written.escape_ascii());
        }
    }

    #[test]
    fn fields_are_read_back() {
        check(b"\r\n");
        check(
            "Date: (\"\\)\r\nSubject: a \"quoted\" \\ text\r\nFrom: \"O\\\"Brien {3}\" <@r:o@x>, Amis: a@x, Zo\u{eb} <z@x>;\r\nTo: b@x (NIL)\r\nCc: NIL <c@x>\r\nBcc:\r\n\r\n"
                .as_bytes(),
        );
        check("Subject: \u{e9}{2}\r\n )\r\nCc: \u{e9}@x, ()\r\n\r\n".as_bytes());
    }

    #[test]
    fn what_is_no_envelope_is_not_read() {
        let whole = b"(NIL NIL ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL NIL NIL)";
        let told = whole.len() - b" NIL NIL)".len();
        for cut in 0..whole.len() {
            let read = whole.get(..cut).and_then(|cut| envelope_field(cut, EnvelopeField::Bcc));
            assert_eq!(read.is_some(), cut >= told, "{cut}: {read:?}");
        }
        for broken in ["", "(", "NIL", "(\"", "(\"a\\", "({9}\r\nab", "({x}\r\n", "({99999999999999999999}\r\n", "(x "]
        {
            assert_eq!(envelope_field(broken.as_bytes(), EnvelopeField::Subject), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(
            values in proptest::collection::vec("[a-c\u{e9}\"\\\\(){}<>@,:; \t\u{0}\u{7f}]{0,30}", 5),
        ) {
            let names = ["Subject", "From", "To", "Cc", "Bcc"];
            let header: String = names.iter().zip(&values).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            check(format!("{header}\r\n").as_bytes());
        }

        #[test]
        fn garbage_is_no_panic(octets in proptest::collection::vec(proptest::sample::select(b"()\"\\{}1 9\r\nNILa".to_vec()), 0..60)) {
            for field in [EnvelopeField::Subject, EnvelopeField::From, EnvelopeField::Bcc] {
                let _read = envelope_field(&octets, field);
            }
        }
    }
}
