//! Character classes of RFC 3501 §9.

/// `CTL`: 0-31 and 127.
pub(crate) const fn is_ctl(b: u8) -> bool {
    b < 0x20 || b == 0x7f
}

/// `ATOM-CHAR`.
pub(crate) const fn is_atom_char(b: u8) -> bool {
    b < 0x80 && !is_ctl(b) && !matches!(b, b'(' | b')' | b'{' | b' ' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR`: an atom may also hold `]` where an `astring` is asked for.
pub(crate) const fn is_astring_char(b: u8) -> bool {
    is_atom_char(b) || b == b']'
}

/// A character of a tag: `ASTRING-CHAR` except `+`.
pub(crate) const fn is_tag_char(b: u8) -> bool {
    is_astring_char(b) && b != b'+'
}

/// `list-char`: what a LIST pattern may hold without quotes.
pub(crate) const fn is_list_char(b: u8) -> bool {
    is_astring_char(b) || b == b'%' || b == b'*'
}
