//! Literal announcements at the end of a line: `{n}`, `{n+}` (RFC 7888), `~{n}` (RFC 3516).

use crate::limits::ANNOUNCED_MAX;

/// A literal that a line announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) size: u64,
    /// The client waits for leave to send it.
    pub(super) sync: bool,
    /// `~{n}`: it may hold NULs.
    pub(super) binary: bool,
    /// How long the line is without the announcement.
    pub(super) line_prefix: usize,
}

/// What the end of a line announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    Nothing,
    Literal(Literal),
    /// A number beyond 63 bits, or one whose beginning is lost.
    Absurd {
        sync: bool,
    },
}

/// How much of the end of a discarded line is kept: longer announcements are absurd.
pub(super) const TAIL: usize = 32;

/// The end of a line that matters for announcements.
pub(super) fn tail(line: &[u8]) -> &[u8] {
    line.get(line.len().saturating_sub(TAIL)..).unwrap_or_default()
}

/// Reads the announcement at the end of a line (without its CRLF). `truncated`: the line's beginning is missing.
pub(super) fn at_end(line: &[u8], truncated: bool) -> Announced {
    let Some(inner) = line.strip_suffix(b"}") else { return Announced::Nothing };
    let (digits_end, sync) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let digits = digits_end.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let before = digits_end.len() - digits;
    let number = digits_end.get(before..).unwrap_or_default();
    let opened = digits_end.get(..before).unwrap_or_default();
    let Some(prefix) = opened.strip_suffix(b"{") else {
        // Digits from where the tail begins: the brace may have been before it.
        return if truncated && opened.is_empty() && digits > 0 {
            Announced::Absurd { sync }
        } else {
            Announced::Nothing
        };
    };
    if number.is_empty() {
        return Announced::Nothing;
    }
    let size = number.iter().try_fold(0u64, |size, b| size.checked_mul(10)?.checked_add(u64::from(b - b'0')));
    let Some(size) = size.filter(|&size| size <= ANNOUNCED_MAX) else { return Announced::Absurd { sync } };
    let (prefix, binary) = match prefix.strip_suffix(b"~") {
        Some(prefix) => (prefix, true),
        None => (prefix, false),
    };
    Announced::Literal(Literal { size, sync, binary, line_prefix: prefix.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(size: u64, sync: bool, binary: bool, line_prefix: usize) -> Announced {
        Announced::Literal(Literal { size, sync, binary, line_prefix })
    }

    #[test]
    fn announcements() {
        assert_eq!(at_end(b"a LOGIN {5}", false), literal(5, true, false, 8));
        assert_eq!(at_end(b"{5+}", false), literal(5, false, false, 0));
        assert_eq!(at_end(b"x ~{007}", false), literal(7, true, true, 2));
        assert_eq!(at_end(b"x {4294967295+}", false), literal(4_294_967_295, false, false, 2));
        assert_eq!(at_end(b"x {4294967296}", false), literal(4_294_967_296, true, false, 2));
        assert_eq!(at_end(b"x {9223372036854775808}", false), Announced::Absurd { sync: true });
        assert_eq!(at_end(b"x {99999999999999999999999999+}", false), Announced::Absurd { sync: false });
        for nothing in ["", "}", "{}", "{+}", "{-1}", "{5-}", "{5} ", "{5++}", "5}", "{ 5}", "{5"] {
            assert_eq!(at_end(nothing.as_bytes(), false), Announced::Nothing, "{nothing}");
        }
    }

    #[test]
    fn a_lost_beginning_is_absurd() {
        assert_eq!(at_end(b"0000005+}", true), Announced::Absurd { sync: false });
        assert_eq!(at_end(b"0000005+}", false), Announced::Nothing);
        assert_eq!(at_end(b"x5+}", true), Announced::Nothing);
    }
}
