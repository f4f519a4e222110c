//! The header of a post as members get it. Pure.
//!
//! The body is not touched, and of the header no more than must be: with the author's From and no subject prefix, a DKIM
//! signature of the author stays good (RFC 6377 §5). What the list adds: RFC 2919 (List-Id), RFC 2369 (List-*), RFC 8058
//! (one click), `Precedence: list` and `X-BeenThere`, by which loops are known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::Address;
use message::raw_fields;
use routing::objects::{Joining, ListObject, ReplyTo};

use crate::incoming::{Incoming, one_line};
use crate::limits::NAME_CHARS;

/// What a post's header is made from.
pub(crate) struct PostHeader<'a> {
    /// The list.
    pub list: &'a ListObject,
    /// What came.
    pub incoming: &'a Incoming,
    /// Whether From becomes the list's.
    pub rewrite_from: bool,
    /// A link by which this one copy's reader leaves with one click.
    pub one_click: Option<&'a str>,
}

impl PostHeader<'_> {
    /// The new header with its blank line.
    pub(crate) fn build(&self) -> Vec<u8> {
        let subject = self.subject();
        let reply_to_odd = self.incoming.reply_to_odd;
        let changed = self.rewrite_from || subject.is_some() || reply_to_odd;
        let replies_to_list = self.list.settings.reply_to == ReplyTo::List;
        let mut out = Vec::with_capacity(self.incoming.header.len().saturating_add(2048));
        for field in raw_fields(&self.incoming.header) {
            // A line that is no field is not passed on: who knows what the next reader takes it for.
            let Some(name) = field.name else { continue };
            let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
            let new = match name.as_str() {
                "from" if self.rewrite_from => continue,
                "reply-to" if replies_to_list || self.rewrite_from || reply_to_odd => continue,
                "subject" => subject.as_deref(),
                // A broken signature is worth as much as none, and some filters count it against the message.
                "dkim-signature" | "domainkey-signature" if changed => continue,
                name if DROPPED.contains(&name) || name.starts_with("list-") => continue,
                _ => None,
            };
            out.extend_from_slice(new.map_or(field.bytes, str::as_bytes));
            if !out.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
        self.identities(&mut out, replies_to_list);
        self.list_fields(&mut out);
        out.extend_from_slice(b"\r\n");
        out
    }

    /// From, Sender and Reply-To.
    fn identities(&self, out: &mut Vec<u8>, replies_to_list: bool) {
        let list = &self.list.address;
        let mut line = |name: &str, value: &str| out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        if self.rewrite_from {
            let author = self.incoming.author.as_ref();
            let name = match self.incoming.author_name.as_str() {
                "" => author.map(|author| author.local().to_string()).unwrap_or_default(),
                name => name.to_owned(),
            };
            line("From", &format!("{} <{list}>", phrase(&format!("{name} via {}", name_of(self.list)))));
        } else {
            // RFC 5322 §3.6.2: who hands it over, when that is not the author.
            line("Sender", &format!("<{list}>"));
        }
        if replies_to_list {
            line("Reply-To", &format!("<{list}>"));
        } else if self.rewrite_from || self.incoming.reply_to_odd {
            // Written anew from what was read: of what came, nothing but addresses and names travels on.
            let mut to: Vec<String> =
                self.incoming.reply_to.iter().map(|(address, name)| mailbox(address, name)).collect();
            if to.is_empty() && self.rewrite_from {
                to.extend(self.incoming.author.iter().map(|author| mailbox(author, &self.incoming.author_name)));
            }
            if !to.is_empty() {
                line("Reply-To", &to.join(",\r\n "));
            }
        }
    }

    fn list_fields(&self, out: &mut Vec<u8>) {
        let list = self.list;
        let mut line = |name: &str, value: &str| out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        line("List-Id", &format!("{} <{}>", phrase(&name_of(list)), list_id(&list.address)));
        line("List-Post", &format!("<{}>", mailto(&list.address, "")));
        line("List-Help", &format!("<{}?subject=help>", mailto(&list.address, "-request")));
        if list.settings.joining != Joining::Closed {
            line("List-Subscribe", &format!("<{}>", mailto(&list.address, "-join")));
        }
        let leave = mailto(&list.address, "-leave");
        match self.one_click {
            Some(link) => {
                // RFC 8058 §3.1: the https link, and the field that says that POST is enough.
                line("List-Unsubscribe", &format!("<{link}>,\r\n <{leave}>"));
                line("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
            }
            None => line("List-Unsubscribe", &format!("<{leave}>")),
        }
        line("List-Owner", &format!("<{}>", mailto(&list.address, "-owner")));
        line("Precedence", "list");
        line("X-BeenThere", &list.address.canonical().to_string());
    }

    /// The subject with the list's prefix; `None` when it stays as it came.
    fn subject(&self) -> Option<String> {
        let prefix = one_line(&self.list.settings.subject_prefix);
        if prefix.is_empty() || self.incoming.subject.to_lowercase().contains(&prefix.to_lowercase()) {
            return None;
        }
        let old = raw_fields(&self.incoming.header)
            .find(|field| field.name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"subject")));
        // Neighbouring encoded words lose the space between them (RFC 2047 §6.2), so it is encoded too.
        let prefix = if prefix.is_ascii() { prefix } else { encoded_words(&format!("{prefix} ")) };
        // What was encoded stays so, folded as it came.
        let raw = old.map(|field| String::from_utf8_lossy(field.value()).into_owned()).unwrap_or_default();
        let raw = raw.trim_end();
        let folded = raw.starts_with([' ', '\t', '\r']);
        let long = "Subject: ".len().saturating_add(prefix.len()).saturating_add(raw.find('\r').unwrap_or(raw.len()));
        // RFC 5322 §2.1.1: what came in one line may be too long for one with the prefix.
        let gap = match (long >= LINE_OCTETS_MAX, folded) {
            (true, _) if raw.starts_with('\r') => "",
            (true, true) => "\r\n",
            (true, false) => "\r\n ",
            (false, true) => "",
            (false, false) => " ",
        };
        Some(format!("Subject: {prefix}{gap}{raw}\r\n"))
    }
}

/// Fields that do not travel on: the envelope's, those of other lists, requests for receipts (each member would send one
/// to the author), and what may hold a password.
const DROPPED: [&str; 14] = [
    "return-path",
    "sender",
    "bcc",
    "resent-bcc",
    "errors-to",
    "precedence",
    "approved",
    "x-approved",
    "disposition-notification-to",
    "disposition-notification-options",
    "return-receipt-to",
    "return-receipt-requested",
    "x-confirm-reading-to",
    "urgent",
];

/// Octets of a line without its end (RFC 5322 §2.1.1).
const LINE_OCTETS_MAX: usize = 998;

/// The name of a list; its local part when it has none.
pub(crate) fn name_of(list: &ListObject) -> String {
    match one_line(&list.display_name) {
        name if name.is_empty() => list.address.local().to_string(),
        name => name.chars().take(NAME_CHARS).collect(),
    }
}

/// RFC 2919 §3: the address with a dot for the `@`; what a dot-atom can't have becomes `_`.
pub(crate) fn list_id(list: &Address) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let local: String = list.local().canonical().as_str().chars().map(plain).collect();
    format!("{local}.{}", list.domain())
}

/// RFC 6068 §2, with a suffix behind the local part.
pub(crate) fn mailto(list: &Address, suffix: &str) -> String {
    let mut out = "mailto:".to_owned();
    for byte in list.local().as_str().bytes().chain(suffix.bytes()) {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out.push('@');
    out.push_str(list.domain().as_str());
    out
}

/// A display name (RFC 5322 §3.2.5), quoted, or encoded (RFC 2047 §5) beyond ASCII.
pub(crate) fn phrase(name: &str) -> String {
    let name: String = one_line(name).chars().take(NAME_CHARS).collect();
    if !name.is_ascii() {
        return encoded_words(&name);
    }
    let mut out = "\"".to_owned();
    for c in name.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A mailbox with its name, when it has one (RFC 5322 §3.4).
fn mailbox(address: &Address, name: &str) -> String {
    if name.is_empty() { format!("<{address}>") } else { format!("{} <{address}>", phrase(name)) }
}

/// RFC 2047 §2: words of at most 75 characters, none ending within a character, folded.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len().saturating_add(c.len_utf8()) > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect::<Vec<_>>().join("\r\n ")
}

/// For tests of other modules: what a header field says.
#[cfg(test)]
pub(crate) fn field_of(message: &str, name: &str) -> Option<String> {
    let found = raw_fields(message.as_bytes())
        .find(|field| field.name.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())))?;
    Some(message::decode_header(found.value()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &str = "Return-Path: <alice@far.example>\r\nReceived: from x by y; z\r\nDKIM-Signature: v=1;\r\n b=x\r\n\
        From: \"Alice M\" <alice@far.example>\r\nTo: garden@a.example\r\nSubject: =?utf-8?Q?Caf=C3=A9?=\r\n\
        Sender: x@y\r\nList-Id: <other.b.example>\r\nLIST-Unsubscribe: <mailto:x>\r\nX-BeenThere: other@b.example\r\n\
        Disposition-Notification-To: alice@far.example\r\nAuto-Submitted: auto-generated\r\nApproved: secret\r\n\
        MIME-Version: 1.0\r\nContent-Type: text/plain\r\nnot a field\r\n\r\nbody\r\n";

    fn list() -> ListObject {
        let mut list = ListObject::new(Address::parse("Garden@a.example").unwrap());
        list.display_name = "Gardens of the town".to_owned();
        list
    }

    fn build(list: &ListObject, message: &str, rewrite_from: bool, one_click: Option<&str>) -> String {
        let incoming = Incoming::read(message.as_bytes(), true);
        let header = PostHeader { list, incoming: &incoming, rewrite_from, one_click };
        String::from_utf8(header.build()).unwrap()
    }

    fn count(header: &str, name: &str) -> usize {
        let name = name.to_ascii_lowercase();
        header.to_ascii_lowercase().lines().filter(|line| line.starts_with(&format!("{name}:"))).count()
    }

    #[test]
    fn a_reply_to_that_cannot_travel_is_written_anew() {
        let odd = MESSAGE.replace(
            "To: garden@a.example\r\n",
            "Reply-To: Bob\u{1b}\u{7} <bob@b.example>\r\nReply-To: eve@b.example\r\n",
        );
        let header = build(&list(), &odd, false, None);
        assert!(header.contains("Reply-To: \"Bob\" <bob@b.example>\r\n"), "{header}");
        assert_eq!((count(&header, "reply-to"), count(&header, "dkim-signature")), (1, 0));
        assert!(!header.contains('\u{1b}'));
        // What is as it should be stays to the octet, with the signature.
        let plain =
            MESSAGE.replace("To: garden@a.example\r\n", "Reply-To: =?utf-8?q?Ren=C3=A9?=\r\n <r@b.example>\r\n");
        let header = build(&list(), &plain, false, None);
        assert!(header.contains("Reply-To: =?utf-8?q?Ren=C3=A9?=\r\n <r@b.example>\r\n"), "{header}");
        assert_eq!(count(&header, "dkim-signature"), 1);
        let header = build(&list(), &plain, true, None);
        assert!(header.contains("Reply-To: =?utf-8?B?UmVuw6k=?= <r@b.example>\r\n"), "{header}");
    }

    #[test]
    fn the_fields_of_the_rfcs_are_there_once_and_the_rest_is_as_it_came() {
        let header = build(&list(), MESSAGE, false, None);
        for line in [
            "List-Id: \"Gardens of the town\" <garden.a.example>\r\n",
            "List-Post: <mailto:Garden@a.example>\r\n",
            "List-Help: <mailto:Garden-request@a.example?subject=help>\r\n",
            "List-Subscribe: <mailto:Garden-join@a.example>\r\n",
            "List-Unsubscribe: <mailto:Garden-leave@a.example>\r\n",
            "List-Owner: <mailto:Garden-owner@a.example>\r\n",
            "Precedence: list\r\n",
            "Sender: <Garden@a.example>\r\n",
            "X-BeenThere: other@b.example\r\n",
            "X-BeenThere: garden@a.example\r\n",
            "From: \"Alice M\" <alice@far.example>\r\n",
            "DKIM-Signature: v=1;\r\n b=x\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: =?utf-8?Q?Caf=C3=A9?=\r\n",
        ] {
            assert!(header.contains(line), "{line} in\n{header}");
        }
        for name in ["List-Id", "List-Unsubscribe", "Sender", "From", "Subject"] {
            assert_eq!(count(&header, name), 1, "{name} in\n{header}");
        }
        for gone in ["Return-Path", "Approved", "Disposition-Notification-To", "not a field", "List-Unsubscribe-Post"] {
            assert!(!header.contains(gone), "{gone} in\n{header}");
        }
        assert!(header.ends_with("\r\n\r\n") && header.matches("\r\n\r\n").count() == 1);
    }

    #[test]
    fn r8_one_click_names_the_link_first() {
        let header = build(&list(), MESSAGE, false, Some("https://mail.a.example/lists/x"));
        assert!(header.contains(
            "List-Unsubscribe: <https://mail.a.example/lists/x>,\r\n <mailto:Garden-leave@a.example>\r\n\
             List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        ));
    }

    #[test]
    fn a_rewritten_from_names_author_and_list_and_answers_go_to_the_author() {
        let header = build(&list(), MESSAGE, true, None);
        assert!(header.contains("From: \"Alice M via Gardens of the town\" <Garden@a.example>\r\n"), "{header}");
        assert!(header.contains("Reply-To: \"Alice M\" <alice@far.example>\r\n"), "{header}");
        assert_eq!((count(&header, "From"), count(&header, "Sender"), count(&header, "DKIM-Signature")), (1, 0, 0));
        let own = MESSAGE.replace("To: garden", "Reply-To: Team <team@far.example>\r\nTo: garden");
        assert!(build(&list(), &own, true, None).contains("Reply-To: \"Team\" <team@far.example>\r\n"));
        let nameless = MESSAGE.replace("\"Alice M\" ", "").replace("\"Alice M\"", "");
        let header = build(&list(), &nameless, true, None);
        assert!(header.contains("From: \"alice via Gardens of the town\" <Garden@a.example>\r\n"), "{header}");
        assert!(header.contains("Reply-To: <alice@far.example>\r\n"), "{header}");
    }

    #[test]
    fn replies_go_where_the_list_says() {
        let mut to_list = list();
        to_list.settings.reply_to = ReplyTo::List;
        let own = MESSAGE.replace("To: garden", "Reply-To: team@far.example\r\nTo: garden");
        for rewrite in [false, true] {
            let header = build(&to_list, &own, rewrite, None);
            assert!(header.contains("Reply-To: <Garden@a.example>\r\n") && count(&header, "Reply-To") == 1, "{header}");
        }
        assert!(build(&list(), &own, false, None).contains("Reply-To: team@far.example\r\n"));
    }

    #[test]
    fn a_subject_prefix_is_put_once_and_breaks_the_signature() {
        let mut prefixed = list();
        prefixed.settings.subject_prefix = "[garden]".to_owned();
        let header = build(&prefixed, MESSAGE, false, None);
        assert_eq!(field_of(&header, "Subject").as_deref(), Some("[garden] Café"));
        assert_eq!(count(&header, "DKIM-Signature"), 0);
        let again = MESSAGE.replace("=?utf-8?Q?Caf=C3=A9?=", "Re: [GARDEN] tea");
        assert!(build(&prefixed, &again, false, None).contains("Subject: Re: [GARDEN] tea\r\n"));
        prefixed.settings.subject_prefix = "[Jardín]\r\nX: y".to_owned();
        let header = build(&prefixed, MESSAGE, false, None);
        assert_eq!(field_of(&header, "Subject").as_deref(), Some("[Jardín] X: y Café"));
        assert_eq!(count(&header, "X"), 0);
    }

    /// RFC 5322 §2.1.1.
    #[test]
    fn no_line_grows_too_long() {
        let mut prefixed = list();
        prefixed.settings.subject_prefix = "[garden]".to_owned();
        let words = "tea ".repeat(246);
        let mailboxes = (0..30).map(|n| format!("\"{}\" <a{n}@b.example>", "x".repeat(30))).collect::<Vec<_>>();
        for subject in [words.trim(), "short", &format!("{}\r\n and more", words.trim()), "\r\n folded"] {
            let long = MESSAGE
                .replace("=?utf-8?Q?Caf=C3=A9?=", subject)
                .replace("To: garden", &format!("Reply-To: {}\r\nTo: garden", mailboxes.join(",\r\n ")));
            for rewrite in [false, true] {
                let header = build(&prefixed, &long, rewrite, None);
                assert!(header.lines().all(|line| line.len() <= LINE_OCTETS_MAX), "{header}");
                assert!(header.lines().all(|line| !line.trim().is_empty() || line.is_empty()), "{header:?}");
                let plain = field_of(&long, "Subject").unwrap();
                let wanted = format!("[garden] {}", plain.trim());
                assert_eq!(
                    field_of(&header, "Subject").unwrap().split_whitespace().collect::<Vec<_>>(),
                    wanted.split_whitespace().collect::<Vec<_>>()
                );
                assert_eq!(header.matches("@b.example").count(), if rewrite { 11 } else { 31 }, "{header}");
            }
        }
    }

    #[test]
    fn a_closed_list_does_not_invite() {
        let mut closed = list();
        closed.settings.joining = Joining::Closed;
        assert_eq!(count(&build(&closed, MESSAGE, false, None), "List-Subscribe"), 0);
    }

    proptest! {
        #[test]
        fn no_name_or_prefix_makes_a_field(name in "\\PC{0,40}|[\r\n\t :\"\\\\<>a-z]{0,40}", prefix in "[\r\n\ta-zé]{0,20}") {
            let mut named = list();
            named.display_name = name.clone();
            named.settings.subject_prefix = prefix;
            let message = MESSAGE.replace("Alice M", &name.replace(['\r', '\n', '"', '\\'], ""));
            for rewrite in [false, true] {
                let header = build(&named, &message, rewrite, None);
                let plain = build(&list(), MESSAGE, rewrite, None);
                let names = |header: &str| raw_fields(header.as_bytes()).map(|field| {
                    String::from_utf8_lossy(field.name.unwrap_or(b"?")).to_ascii_lowercase()
                }).filter(|name| name != "dkim-signature").collect::<std::collections::BTreeSet<_>>();
                prop_assert_eq!(names(&header), names(&plain), "{}", header);
                prop_assert!(header.ends_with("\r\n\r\n") && header.matches("\r\n\r\n").count() == 1);
            }
        }
    }
}
