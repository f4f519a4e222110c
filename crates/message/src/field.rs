//! Which header fields matter to the server, and what is a field name at all.
//!
//! RFC 5322 §2.2: a name is printable US-ASCII but the colon. `Fr om:` is therefore an unknown field, never `From:`.

use crate::limits::{
    LONG_VALUE_BYTES_MAX, RECIPIENTS_BYTES_MAX, REFERENCES_BYTES_MAX, REPEATED_VALUES_MAX, SHORT_VALUE_BYTES_MAX,
};

/// A header field that something in the server looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `From`, RFC 5322 §3.6.2.
    From,
    /// `Sender`, RFC 5322 §3.6.2.
    Sender,
    /// `Reply-To`, RFC 5322 §3.6.2.
    ReplyTo,
    /// `To`, RFC 5322 §3.6.3.
    To,
    /// `Cc`, RFC 5322 §3.6.3.
    Cc,
    /// `Bcc`, RFC 5322 §3.6.3.
    Bcc,
    /// `Subject`, RFC 5322 §3.6.5.
    Subject,
    /// `Date`, RFC 5322 §3.6.1.
    Date,
    /// `Message-ID`, RFC 5322 §3.6.4.
    MessageId,
    /// `In-Reply-To`, RFC 5322 §3.6.4.
    InReplyTo,
    /// `References`, RFC 5322 §3.6.4.
    References,
    /// `Return-Path`, RFC 5321 §4.4.
    ReturnPath,
    /// `Received`, RFC 5321 §4.4; only counted.
    Received,
    /// `Delivered-To`, one for each delivery (RFC 9228).
    DeliveredTo,
    /// `X-Loop`.
    XLoop,
    /// `Auto-Submitted`, RFC 3834 §5.
    AutoSubmitted,
    /// `Precedence`.
    Precedence,
    /// `X-Auto-Response-Suppress`.
    XAutoResponseSuppress,
    /// `List-Id`, RFC 2919.
    ListId,
    /// `List-Unsubscribe`, RFC 2369 §3.2.
    ListUnsubscribe,
    /// `List-Post`, RFC 2369 §3.4.
    ListPost,
    /// Any other `List-*`.
    List,
    /// `MIME-Version`, RFC 2045 §4.
    MimeVersion,
    /// `Content-Type`, RFC 2045 §5.
    ContentType,
    /// `Content-Transfer-Encoding`, RFC 2045 §6.
    ContentTransferEncoding,
    /// `Content-ID`, RFC 2045 §7.
    ContentId,
    /// `Content-Description`, RFC 2045 §8.
    ContentDescription,
    /// `Content-MD5`, RFC 1864.
    ContentMd5,
    /// `Content-Disposition`, RFC 2183.
    ContentDisposition,
    /// `Content-Language`, RFC 3282.
    ContentLanguage,
    /// `Content-Location`, RFC 2557.
    ContentLocation,
}

impl Field {
    /// The field of this name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let mut lower = [0_u8; LONGEST_NAME];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"from" => Self::From,
            b"sender" => Self::Sender,
            b"reply-to" => Self::ReplyTo,
            b"to" => Self::To,
            b"cc" => Self::Cc,
            b"bcc" => Self::Bcc,
            b"subject" => Self::Subject,
            b"date" => Self::Date,
            b"message-id" => Self::MessageId,
            b"in-reply-to" => Self::InReplyTo,
            b"references" => Self::References,
            b"return-path" => Self::ReturnPath,
            b"received" => Self::Received,
            b"delivered-to" => Self::DeliveredTo,
            b"x-loop" => Self::XLoop,
            b"auto-submitted" => Self::AutoSubmitted,
            b"precedence" => Self::Precedence,
            b"x-auto-response-suppress" => Self::XAutoResponseSuppress,
            b"list-id" => Self::ListId,
            b"list-unsubscribe" => Self::ListUnsubscribe,
            b"list-post" => Self::ListPost,
            b"mime-version" => Self::MimeVersion,
            b"content-type" => Self::ContentType,
            b"content-transfer-encoding" => Self::ContentTransferEncoding,
            b"content-id" => Self::ContentId,
            b"content-description" => Self::ContentDescription,
            b"content-md5" => Self::ContentMd5,
            b"content-disposition" => Self::ContentDisposition,
            b"content-language" => Self::ContentLanguage,
            b"content-location" => Self::ContentLocation,
            other if other.starts_with(b"list-") => Self::List,
            _ => return None,
        })
    }

    /// Whether the field describes a body part (RFC 2045 §9: only `Content-*` has a meaning there).
    pub(crate) fn describes_part(self) -> bool {
        self >= Self::ContentType
    }

    /// Whether ENVELOPE is made of this field.
    pub(crate) fn in_envelope(self) -> bool {
        self <= Self::InReplyTo
    }

    /// How many octets of one value are kept.
    pub(crate) fn value_bytes_max(self) -> usize {
        match self {
            Self::To | Self::Cc | Self::Bcc => RECIPIENTS_BYTES_MAX,
            Self::References => REFERENCES_BYTES_MAX,
            Self::From
            | Self::Sender
            | Self::ReplyTo
            | Self::Subject
            | Self::ContentType
            | Self::ContentDisposition => LONG_VALUE_BYTES_MAX,
            Self::Received => 0,
            Self::Date
            | Self::MessageId
            | Self::InReplyTo
            | Self::ReturnPath
            | Self::DeliveredTo
            | Self::XLoop
            | Self::AutoSubmitted
            | Self::Precedence
            | Self::XAutoResponseSuppress
            | Self::ListId
            | Self::ListUnsubscribe
            | Self::ListPost
            | Self::List
            | Self::MimeVersion
            | Self::ContentTransferEncoding
            | Self::ContentId
            | Self::ContentDescription
            | Self::ContentMd5
            | Self::ContentLanguage
            | Self::ContentLocation => SHORT_VALUE_BYTES_MAX,
        }
    }

    /// How many values are kept; the first ones win, as RFC 5322 §3.6 allows most fields once only.
    pub(crate) fn values_max(self) -> usize {
        if matches!(self, Self::DeliveredTo | Self::XLoop) {
            REPEATED_VALUES_MAX
        } else if self == Self::Received {
            0
        } else {
            1
        }
    }
}

/// The name of the field that this line begins, or `None` when it is no field: no colon, or octets that no name has.
/// White space between name and colon is obsolete syntax that must be read (RFC 5322 §4.5).
pub fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', line)?;
    valid_name(line.get(..colon)?)
}

/// Strips the obsolete white space before the colon and checks each octet (RFC 5322 §3.6.8).
pub(crate) fn valid_name(before_colon: &[u8]) -> Option<&[u8]> {
    let length = before_colon.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'))?.checked_add(1)?;
    let name = before_colon.get(..length)?;
    name.iter().all(|byte| (33..=126).contains(byte) && *byte != b':').then_some(name)
}

/// Length of `content-transfer-encoding`, rounded up; a longer name matches nothing.
const LONGEST_NAME: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_space_inside_is_no_name() {
        assert_eq!(field_name(b"Fr om: boss@bank"), None);
        assert_eq!(field_name(b"From : a@b"), Some(&b"From"[..]));
        assert_eq!(field_name(b"From\t:a@b"), Some(&b"From"[..]));
        assert_eq!(field_name(b": x"), None);
        assert_eq!(field_name(b" : x"), None);
        assert_eq!(field_name(b"Fr\0om: x"), None);
        assert_eq!(field_name("Frém: x".as_bytes()), None);
        assert_eq!(field_name(b"no colon"), None);
    }

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Field::from_name(b"MESSAGE-id"), Some(Field::MessageId));
        assert_eq!(Field::from_name(b"List-Whatever"), Some(Field::List));
        assert_eq!(Field::from_name(b"X-Nothing"), None);
        assert_eq!(Field::from_name(&[b'a'; 400]), None);
        assert!(Field::ContentType.describes_part() && Field::ContentLocation.describes_part());
        assert!(!Field::MimeVersion.describes_part());
        assert!(Field::InReplyTo.in_envelope() && !Field::References.in_envelope());
    }
}
