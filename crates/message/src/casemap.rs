//! `i;unicode-casemap`: the form in which texts are compared when case and composition don't matter (RFC 5051).
//!
//! Each code point gets its simple titlecase mapping and is then decomposed, compatibility decompositions included. The
//! result is compared octet by octet, for equality, order and substrings alike. So `é` holds an `e`, and `ẞ` is not `ß`.

use unicode_normalization::char::decompose_compatible;

/// The text as `i;unicode-casemap` compares it.
pub fn casemap(text: &str) -> String {
    let mut mapped = String::with_capacity(text.len());
    casemap_into(text, &mut mapped);
    mapped
}

/// Appends the text as `i;unicode-casemap` compares it.
pub fn casemap_into(text: &str, mapped: &mut String) {
    if text.is_ascii() {
        let from = mapped.len();
        mapped.push_str(text);
        if let Some(added) = mapped.get_mut(from..) {
            added.make_ascii_uppercase();
        }
        return;
    }
    for character in text.chars() {
        if character.is_ascii() {
            mapped.push(character.to_ascii_uppercase());
        } else {
            decompose_compatible(titlecase(character), |part| mapped.push(part));
        }
    }
}

/// The simple titlecase mapping of the Unicode character database: one code point for one. It is the simple uppercase
/// mapping, but for the digraphs and for Georgian.
fn titlecase(character: char) -> char {
    match character {
        '\u{1C4}'..='\u{1C6}' => '\u{1C5}',
        '\u{1C7}'..='\u{1C9}' => '\u{1C8}',
        '\u{1CA}'..='\u{1CC}' => '\u{1CB}',
        '\u{1F1}'..='\u{1F3}' => '\u{1F2}',
        '\u{10D0}'..='\u{10FF}' => character,
        // Greek with iota subscript: the full mapping, which `to_uppercase` gives, has two letters.
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => moved(character, 8),
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => moved(character, 9),
        _ => {
            let mut upper = character.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => character,
            }
        }
    }
}

fn moved(character: char, by: u32) -> char {
    u32::from(character).checked_add(by).and_then(char::from_u32).unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_and_composition_do_not_matter() {
        for (one, other) in [
            ("Grüße", "GRÜßE"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("ǆ", "Ǆ"),
            ("ｆｕｌｌ", "ＦＵＬＬ"),
            ("ﾊﾝｶｸ", "ハンカク"),
            ("σ", "Σ"),
            ("\u{1f80}", "\u{1f88}"),
            ("Ⅳ", "ⅳ"),
            ("가", "\u{1100}\u{1161}"),
        ] {
            assert_eq!(casemap(one), casemap(other), "{one} {other}");
        }
        assert!(casemap("café au lait").contains(&casemap("cafe")), "substrings are of what is decomposed");
    }

    #[test]
    fn what_has_no_simple_mapping_stays() {
        // RFC 5051 takes the simple mappings: the sharp S has none, in either direction.
        assert_ne!(casemap("ß"), casemap("SS"));
        assert_ne!(casemap("ß"), casemap("ẞ"));
        assert_eq!(casemap("ა"), "ა");
        assert_ne!(casemap("a"), casemap("b"));
    }

    proptest! {
        #[test]
        fn ascii_is_upper_cased(text in "[ -~]{0,20}") {
            prop_assert_eq!(casemap(&text), text.to_ascii_uppercase());
        }

        #[test]
        fn one_piece_is_as_good_as_two(text in "\\PC{0,10}", cut in 0usize..10) {
            let cut = text.floor_char_boundary(cut.min(text.len()));
            let mut pieces = casemap(&text[..cut]);
            casemap_into(&text[cut..], &mut pieces);
            prop_assert_eq!(pieces, casemap(&text));
        }
    }
}
