//! Our flags and names as imap-codec writes them.

use imap_codec::imap_types::core::{AString, IString, Quoted};
use imap_codec::imap_types::extensions::utf8::QuotedUtf8;
use imap_codec::imap_types::flag as codec_flag_types;
use imap_codec::imap_types::mailbox::{Mailbox, MailboxOther};

use crate::flag::Flag;
use crate::mailbox_name::{MailboxName, NameEncoding};

/// A flag for a response.
pub(crate) fn codec_flag(flag: &Flag) -> Option<codec_flag_types::Flag<'_>> {
    codec_flag_types::Flag::try_from(flag.as_str()).ok()
}

/// A mailbox name for a response: INBOX bare, every other name quoted, so that `NIL` is never read as nothing.
pub(crate) fn codec_mailbox(name: &MailboxName, encoding: NameEncoding) -> Mailbox<'static> {
    if name.is_inbox() {
        return Mailbox::Inbox;
    }
    let text = name.encode(encoding).into_owned();
    let string = if text.is_ascii() {
        IString::Quoted(Quoted::unvalidated(text))
    } else {
        IString::QuotedUtf8(QuotedUtf8::unvalidated(text))
    };
    // A name that is not INBOX is never reserved, so this arm cannot fail; INBOX is the harmless answer if it ever did.
    MailboxOther::try_from(AString::String(string)).map_or(Mailbox::Inbox, Mailbox::Other)
}
