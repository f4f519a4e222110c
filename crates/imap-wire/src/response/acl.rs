//! ACL, LISTRIGHTS and MYRIGHTS responses (RFC 4314 §3.6, §3.7, §3.8).

use super::list::name;
use super::strings::write_string;
use crate::mailbox_name::{MailboxName, NameEncoding};

/// `* ACL mailbox identifier rights …`
pub fn acl(out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding, entries: &[(String, String)]) {
    begin(out, b"* ACL ", mailbox, encoding);
    for (identifier, rights) in entries {
        word(out, identifier);
        word(out, rights);
    }
    out.extend_from_slice(b"\r\n");
}

/// `* LISTRIGHTS mailbox identifier required optional …`: rights in one string go together.
pub fn list_rights(
    out: &mut Vec<u8>,
    mailbox: &MailboxName,
    encoding: NameEncoding,
    identifier: &str,
    required: &str,
    optional: &[String],
) {
    begin(out, b"* LISTRIGHTS ", mailbox, encoding);
    word(out, identifier);
    word(out, required);
    optional.iter().for_each(|rights| word(out, rights));
    out.extend_from_slice(b"\r\n");
}

/// `* MYRIGHTS mailbox rights`
pub fn my_rights(out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding, rights: &str) {
    begin(out, b"* MYRIGHTS ", mailbox, encoding);
    word(out, rights);
    out.extend_from_slice(b"\r\n");
}

fn begin(out: &mut Vec<u8>, start: &[u8], mailbox: &MailboxName, encoding: NameEncoding) {
    out.extend_from_slice(start);
    name(out, mailbox, encoding);
}

fn word(out: &mut Vec<u8>, text: &str) {
    out.push(b' ');
    astring(out, text);
}

/// An astring: an atom where that is possible, as clients are used to.
pub(super) fn astring(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() && text.bytes().all(crate::chars::is_astring_char) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_string(out, text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(say: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        say(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_and_words_are_written_as_they_must_be() {
        let name = |text| MailboxName::new(text).unwrap();
        let utf7 = NameEncoding::ModifiedUtf7;
        let entries = [("fred@a.example".to_owned(), "lr".to_owned()), ("-a b".to_owned(), String::new())];
        assert_eq!(
            said(|out| acl(out, &name("INBOX"), utf7, &entries)),
            "* ACL INBOX fred@a.example lr \"-a b\" \"\"\r\n"
        );
        assert_eq!(said(|out| acl(out, &name("a b"), utf7, &[])), "* ACL \"a b\"\r\n");
        assert_eq!(said(|out| my_rights(out, &name("\u{e9}"), utf7, "lr")), "* MYRIGHTS \"&AOk-\" lr\r\n");
        let optional = ["l".to_owned(), "r".to_owned()];
        let line = said(|out| list_rights(out, &name("x"), utf7, "anyone", "", &optional));
        assert_eq!(line, "* LISTRIGHTS \"x\" anyone \"\" l r\r\n");
    }
}
