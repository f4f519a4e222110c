//! ENVELOPE: RFC 3501 §7.4.2, from raw header values.

use crate::{
    address::{Address, parse_list},
    facts::HeaderFacts,
    field::Field,
    limits::ADDRESSES_MAX,
};

/// The envelope of a message or of a nested message, text as sent (RFC 2047 undecoded).
///
/// A field that is absent is `None` or an empty list (`NIL` in IMAP); one that is present but empty is `Some("")`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// `Date`, as sent.
    pub date: Option<Vec<u8>>,
    /// `Subject`, as sent.
    pub subject: Option<Vec<u8>>,
    /// `From`.
    pub from: Vec<Address>,
    /// `Sender`; `From` when absent or empty.
    pub sender: Vec<Address>,
    /// `Reply-To`; `From` when absent or empty.
    pub reply_to: Vec<Address>,
    /// `To`.
    pub to: Vec<Address>,
    /// `Cc`.
    pub cc: Vec<Address>,
    /// `Bcc`.
    pub bcc: Vec<Address>,
    /// `In-Reply-To`, as sent.
    pub in_reply_to: Option<Vec<u8>>,
    /// `Message-ID`, as sent.
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Reads the envelope from a header's values; `addresses_left` is lowered by the number of addresses kept.
    pub(crate) fn from_facts(facts: &HeaderFacts, addresses_left: &mut usize) -> Self {
        let text = |field| facts.value(field).map(<[u8]>::to_vec);
        let mut list = |field| {
            let Some(kept) = facts.kept(field) else { return Vec::new() };
            let addresses = parse_list(&kept.value, kept.cut, ADDRESSES_MAX.min(*addresses_left));
            *addresses_left = addresses_left.saturating_sub(addresses.len());
            addresses
        };
        let from = list(Field::From);
        let mut sender = list(Field::Sender);
        let mut reply_to = list(Field::ReplyTo);
        // RFC 3501 §9: the server sets them to From when the header lacks them or they are empty.
        if sender.is_empty() {
            sender.clone_from(&from);
        }
        if reply_to.is_empty() {
            reply_to.clone_from(&from);
        }
        Self {
            from,
            sender,
            reply_to,
            to: list(Field::To),
            cc: list(Field::Cc),
            bcc: list(Field::Bcc),
            date: text(Field::Date),
            subject: text(Field::Subject),
            in_reply_to: text(Field::InReplyTo),
            message_id: text(Field::MessageId),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Address, Scanner};

    fn envelope(header: &str) -> super::Envelope {
        Scanner::scan(format!("{header}\r\n\r\n").as_bytes()).envelope().unwrap().clone()
    }

    fn mailbox(local: &str) -> Vec<Address> {
        vec![Address { mailbox: Some(local.into()), host: Some(b"x".to_vec()), ..Address::default() }]
    }

    /// RFC 3501 §9: "The server sets the corresponding member of the envelope to be the same as the from member."
    #[test]
    fn sender_and_reply_to_default_to_from() {
        let found = envelope("From: a@x\r\nSender:\r\nReply-To: ,\r\nTo: b@x");
        assert_eq!((found.from, found.sender, found.reply_to), (mailbox("a"), mailbox("a"), mailbox("a")));
        let found = envelope("From: a@x\r\nSender: s@x\r\nReply-To: r@x");
        assert_eq!((found.from, found.sender, found.reply_to), (mailbox("a"), mailbox("s"), mailbox("r")));
        assert!(envelope("Sender: s@x").from.is_empty());
    }

    /// RFC 3501 §7.4.2: absent is NIL, present but empty is the empty string.
    #[test]
    fn absent_and_empty_differ() {
        let found = envelope("Subject:\r\nIn-Reply-To: <1@x>\r\n <2@x>\r\nMessage-ID :  <3@x> ");
        assert_eq!((found.date, found.subject.as_deref()), (None, Some(&b""[..])));
        assert_eq!(found.in_reply_to.as_deref(), Some(&b"<1@x> <2@x>"[..]));
        assert_eq!(found.message_id.as_deref(), Some(&b"<3@x>"[..]));
    }

    #[test]
    fn the_first_of_repeated_fields_counts() {
        let found = envelope("From: a@x\r\nFrom: b@x\r\nSubject: one\r\nSubject: two");
        assert_eq!((found.from, found.subject.as_deref()), (mailbox("a"), Some(&b"one"[..])));
    }
}
