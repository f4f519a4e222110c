//! The header of a submitted message: held until it is complete, so that its sender can be checked and what is missing
//! can be added (RFC 6409 §8.1, §8.2) before anything of it is stored.

use mail::{Address, Domain, EnhancedCode, Reply, Timestamp};
use message::{parse_addresses, raw_fields};
use routing::objects::AccountObject;

/// Octets of a header that is held.
const HEADER_OCTETS_MAX: usize = 256 * 1024;

const HEADER_TOO_LONG: Reply = Reply::fixed(550, EnhancedCode(5, 6, 0), "The header of the message is too long");

/// Octets that wait for the end of the header.
#[derive(Default)]
pub(super) struct SubmittedHeader {
    held: Vec<u8>,
    ended: bool,
}

/// A complete header, and the octets that came with its end.
pub(super) struct Held {
    octets: Vec<u8>,
    /// Where the header ends: before its blank line.
    end: usize,
}

impl Held {
    /// The fields, without the blank line.
    pub(super) fn header(&self) -> &[u8] {
        self.octets.get(..self.end).unwrap_or_default()
    }

    /// What came behind the fields.
    pub(super) fn behind(&self) -> &[u8] {
        self.octets.get(self.end..).unwrap_or_default()
    }
}

impl SubmittedHeader {
    /// Takes octets; gives what was held back when they complete the header.
    pub(super) fn take(&mut self, octets: &[u8]) -> Result<Option<Held>, Reply> {
        if self.ended {
            return Ok(None);
        }
        // The blank line may have begun in the octets before.
        let from = self.held.len().saturating_sub(3);
        self.held.extend_from_slice(octets);
        let tail = self.held.get(from..).unwrap_or_default();
        if self.held.starts_with(b"\r\n") {
            return Ok(self.finish(0));
        }
        if let Some(at) = tail.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(self.finish(from.saturating_add(at).saturating_add(2)));
        }
        if self.held.len() > HEADER_OCTETS_MAX { Err(HEADER_TOO_LONG) } else { Ok(None) }
    }

    /// The message has ended: what is held is a header without a blank line.
    pub(super) fn end(&mut self) -> Option<Held> {
        if self.ended { None } else { self.finish(self.held.len()) }
    }

    /// Whether the header has been given back.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    fn finish(&mut self, end: usize) -> Option<Held> {
        self.ended = true;
        Some(Held { octets: std::mem::take(&mut self.held), end })
    }
}

/// The priority in the header (RFC 6758 §3), for what is submitted without MT-PRIORITY; 0 when there is none, or more than one. Who has
/// logged in is trusted with it; nobody else's is looked at.
pub(super) fn priority_of(header: &[u8]) -> i8 {
    let mut fields = raw_fields(header).filter(|field| field.name.is_some_and(is_priority));
    let (first, second) = (fields.next(), fields.next());
    let value = first.filter(|_| second.is_none()).map(|field| field.value().trim_ascii().to_vec());
    let value = value.and_then(|value| String::from_utf8(value).ok()).and_then(|text| text.parse::<i8>().ok());
    value.filter(|priority| (-9..=9).contains(priority)).unwrap_or(0)
}

fn is_priority(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"MT-Priority")
}

/// The fields without the priority, which is written anew, and without those that name blind recipients: nobody is to read them (RFC 5322
/// §3.6.3), and not every client leaves them out. A line that is no field stays, for others to judge.
pub(super) fn without_what_stays_here(header: &[u8]) -> Vec<u8> {
    let blind = |name: &[u8]| {
        name.eq_ignore_ascii_case(b"Bcc") || name.eq_ignore_ascii_case(b"Resent-Bcc") || is_priority(name)
    };
    let mut fields = raw_fields(header);
    let mut kept = Vec::with_capacity(header.len());
    for field in fields.by_ref().filter(|field| !field.name.is_some_and(blind)) {
        kept.extend_from_slice(field.bytes);
    }
    kept.extend_from_slice(fields.rest());
    kept
}

/// The Message-ID, without brackets.
pub(super) fn message_id(header: &[u8]) -> Option<String> {
    let is = |name: &[u8]| name.eq_ignore_ascii_case(b"Message-ID");
    let field = raw_fields(header).find(|field| field.name.is_some_and(is))?;
    message::parse_message_ids(field.value()).into_iter().next()
}

/// Who is taken for the author of a message whose client names none: whom MAIL named, and who may be it.
pub(super) struct Author {
    address: Address,
    /// The name that the account writes under there; empty for none.
    name: String,
}

impl Author {
    /// Of an account that sends under an address.
    pub(super) fn of(account: &AccountObject, address: &Address) -> Self {
        let identity = account.identities.iter().find(|identity| identity.address.same_mailbox(address));
        let own = account.addresses().any(|own| own.same_mailbox(address));
        let name = match identity {
            Some(identity) => &identity.display_name,
            None if own => &account.display_name,
            None => "",
        };
        // What would need an encoding, or be read as something else, is left out: it only adorns.
        let plain = name.chars().all(|c| c == ' ' || (c.is_ascii_graphic() && !"\"\\".contains(c)));
        Self { address: address.clone(), name: if plain { name.trim().to_owned() } else { String::new() } }
    }

    fn field(&self, name: &str) -> String {
        let Self { address, name: person } = self;
        let person = if person.is_empty() { String::new() } else { format!("\"{person}\" ") };
        format!("{name}: {person}<{address}>\r\n")
    }
}

/// What the client left out (RFC 6409 §8): Date and Message-ID; From, and the Sender that several authors ask for (RFC 5322
/// §3.6.2). Without an author, as with the null reverse-path, the last two are not made up.
pub(super) fn missing_fields(
    header: &[u8],
    id: &str,
    hostname: &Domain,
    now: Timestamp,
    author: Option<&Author>,
) -> String {
    let has = |name: &[u8]| raw_fields(header).any(|field| field.name.is_some_and(|n| n.eq_ignore_ascii_case(name)));
    let mut missing = String::new();
    if !has(b"Date") {
        missing.push_str(&format!("Date: {}\r\n", now.to_rfc5322()));
    }
    if !has(b"Message-ID") {
        missing.push_str(&format!("Message-ID: <{id}@{hostname}>\r\n"));
    }
    let authors = raw_fields(header).filter(|field| field.name.is_some_and(|n| n.eq_ignore_ascii_case(b"From")));
    let authors: Vec<usize> = authors
        .map(|field| parse_addresses(field.value()).iter().filter(|address| address.is_mailbox()).count())
        .collect();
    match (author, authors.as_slice()) {
        (Some(author), []) => missing.push_str(&author.field("From")),
        (Some(author), [number]) if *number > 1 && !has(b"Sender") => missing.push_str(&author.field("Sender")),
        _ => {}
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is given back, when the message comes in two pieces.
    fn held(message: &[u8], cut: usize) -> (Vec<u8>, Vec<u8>) {
        let mut header = SubmittedHeader::default();
        let mut given = Vec::new();
        let mut fields = Vec::new();
        for piece in [&message[..cut], &message[cut..]] {
            match header.take(piece).unwrap() {
                Some(held) => {
                    fields.extend_from_slice(held.header());
                    given.extend_from_slice(held.header());
                    given.extend_from_slice(held.behind());
                }
                None if header.has_ended() => given.extend_from_slice(piece),
                None => {}
            }
        }
        if let Some(held) = header.end() {
            fields.extend_from_slice(held.header());
            given.extend_from_slice(held.header());
            given.extend_from_slice(held.behind());
        }
        (fields, given)
    }

    #[test]
    fn nothing_is_lost_however_it_is_cut() {
        for (message, fields) in [
            (&b"From: a@b\r\nX: y\r\n\r\nbody\r\n\r\n"[..], &b"From: a@b\r\nX: y\r\n"[..]),
            (b"\r\nbody\r\n", b""),
            (b"From: a@b\r\n", b"From: a@b\r\n"),
            (b"", b""),
        ] {
            for cut in 0..=message.len() {
                assert_eq!(held(message, cut), (fields.to_vec(), message.to_vec()), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_header_without_end_is_refused() {
        let mut header = SubmittedHeader::default();
        let refused = (0..HEADER_OCTETS_MAX / 1000 + 2).find_map(|_| header.take(&[b'x'; 1000]).err());
        assert_eq!(refused, Some(HEADER_TOO_LONG));
    }

    #[test]
    fn blind_recipients_are_left_out_and_nothing_else() {
        let header =
            b"From: a@b\r\nbCC: x@y,\r\n\tz@y\r\nBcc :w@y\r\nX-Bcc: v@y\r\nResent-Bcc:\r\nSubject: Bcc: u@y\r\n";
        assert_eq!(without_what_stays_here(header), b"From: a@b\r\nX-Bcc: v@y\r\nSubject: Bcc: u@y\r\n");
        assert_eq!(without_what_stays_here(b""), b"");
        assert_eq!(without_what_stays_here(b"Bcc: x@y"), b"");
        assert_eq!(without_what_stays_here(b"no field\r\nTo: x@y"), b"no field\r\nTo: x@y");
    }

    #[test]
    fn the_priority_of_the_header_is_one_number() {
        assert_eq!(priority_of(b"From: a@b\r\nmt-priority: -3 \r\n"), -3);
        for wrong in
            [&b"MT-Priority: 10\r\n"[..], b"MT-Priority: x\r\n", b"MT-Priority: 3\r\nMT-Priority: 3\r\n", b"X: 3\r\n"]
        {
            assert_eq!(priority_of(wrong), 0, "{wrong:?}");
        }
        assert_eq!(without_what_stays_here(b"MT-Priority: 3\r\nTo: x@y\r\n"), b"To: x@y\r\n");
    }

    #[test]
    fn an_author_who_is_not_named_is_who_sends() {
        let hostname = Domain::parse("mx.example").unwrap();
        let address = |text: &str| Address::parse(text).unwrap();
        let account =
            AccountObject { display_name: "Alice Martin".into(), ..AccountObject::new(address("alice@a.example")) };
        let missing = |header: &[u8], from: &str| {
            let header = [&b"Date: x\r\nMessage-ID: <y@z>\r\n"[..], header].concat();
            missing_fields(&header, "7f", &hostname, Timestamp(0), Some(&Author::of(&account, &address(from))))
        };
        assert_eq!(missing(b"", "alice@a.example"), "From: \"Alice Martin\" <alice@a.example>\r\n");
        assert_eq!(missing(b"Sender: alice@a.example\r\n", "info@a.example"), "From: <info@a.example>\r\n");
        assert_eq!(missing(b"from: alice@a.example\r\n", "alice@a.example"), "");
        let two = b"From: alice@a.example, info@a.example\r\n";
        assert_eq!(missing(two, "info@a.example"), "Sender: <info@a.example>\r\n");
        assert_eq!(missing(&[&two[..], b"sender: alice@a.example\r\n"].concat(), "info@a.example"), "");
        let odd = AccountObject { display_name: "A \"\r\nBcc: x".into(), ..account.clone() };
        assert_eq!(Author::of(&odd, &odd.address).field("From"), "From: <alice@a.example>\r\n");
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let hostname = Domain::parse("mx.example").unwrap();
        let missing = |header: &[u8]| missing_fields(header, "7f", &hostname, Timestamp(1_700_000_000_000), None);
        assert_eq!(missing(b"date: x\r\nMESSAGE-ID: <y@z>\r\n"), "");
        assert_eq!(
            missing(b"Subject: Date: x\r\n"),
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <7f@mx.example>\r\n"
        );
    }
}
