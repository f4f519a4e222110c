//! Lines that are no commands: SASL responses (RFC 3501 §6.2.2, §9 `base64`) and the end of IDLE (RFC 2177 §3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret::Secret;

/// What a client answers to a SASL challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslResponse {
    /// The response, decoded; often empty.
    Data(Secret),
    /// `*`: the client gives up, answer BAD.
    Cancelled,
    /// Not base64, answer BAD.
    Malformed,
}

/// Reads the line that [`crate::Framer::expect_line`] gave after AUTHENTICATE.
pub fn sasl_response(line: &Secret) -> SaslResponse {
    match line.reveal() {
        b"*" => SaslResponse::Cancelled,
        text => STANDARD.decode(text).map_or(SaslResponse::Malformed, |data| SaslResponse::Data(Secret::new(data))),
    }
}

/// Whether the line that [`crate::Framer::expect_line`] gave after IDLE is `DONE`, in any case. Anything else ends IDLE with a BAD.
pub fn ends_idle(line: &Secret) -> bool {
    line.reveal().eq_ignore_ascii_case(b"DONE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sasl_lines() {
        let read = |line: &str| sasl_response(&Secret::new(line));
        assert_eq!(read("AGZyZWQAeA=="), SaslResponse::Data(Secret::new(*b"\0fred\0x")));
        assert_eq!(read(""), SaslResponse::Data(Secret::new([])));
        assert_eq!(read("*"), SaslResponse::Cancelled);
        for bad in ["=", "AGZyZWQAeA", "AGZyZWQAeA==\n", "a b", "**", "AGZyZWQAeB=="] {
            assert_eq!(read(bad), SaslResponse::Malformed, "{bad:?}");
        }
    }

    #[test]
    fn done_ends_idle() {
        assert!(ends_idle(&Secret::new(*b"done")));
        assert!(!ends_idle(&Secret::new(*b"a2 NOOP")));
    }
}
