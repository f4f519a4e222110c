//! imap-codec as the oracle of what is ours: of our grammar, and of what we write. For tests and `relais-fuzz-targets`; a
//! server asks no oracle.

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;

use crate::mailbox_name::NameEncoding;
use crate::{codec, grammar};

/// Whether imap-codec accepts the text of a command; if it does, our grammar must give the same command.
///
/// # Panics
/// When they disagree.
pub fn agree(text: &[u8]) -> bool {
    let mut known = false;
    for encoding in [NameEncoding::ModifiedUtf7, NameEncoding::Utf8] {
        let Some(theirs) = codec::decode(text, encoding) else { continue };
        known = true;
        let ours = grammar::decode(text, encoding);
        let both = match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            (Err(_), Err(_)) => true,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        };
        assert!(both, "{:?}: imap-codec {theirs:?}, ours {ours:?}", String::from_utf8_lossy(text));
    }
    known
}

/// Whether a client that reads by imap-codec finds exactly one response in it.
#[must_use]
pub fn readable(response: &[u8]) -> bool {
    ResponseCodec::default().decode(response).is_ok_and(|(rest, _)| rest.is_empty())
}
