//! Fonts: what the codes of a text mean, and how wide they are (ISO 32000-1 §9.6, §9.7, §9.10).

use std::collections::HashMap;

use super::file::File;
use super::value::{Dictionary, Reader, Value};
use crate::limits::PDF_CODES_MAX;

/// A font, as far as text needs it.
#[derive(Default)]
pub(super) struct Font {
    /// What codes mean, by the font's own table.
    unicode: HashMap<u32, String>,
    /// What they mean otherwise, for fonts with codes of one octet.
    simple: Option<Vec<Option<String>>>,
    /// Octets of a code.
    code_octets: usize,
    /// In thousandths of the size.
    widths: HashMap<u32, f64>,
    width_default: f64,
    /// Codes of which something may still be kept, of all fonts together.
    codes_left: usize,
}

/// One code of a text.
pub(super) struct Glyph<'a> {
    pub(super) text: Option<&'a str>,
    /// In parts of the size.
    pub(super) width: f64,
    /// The code 32 in one octet: word spacing counts.
    pub(super) is_space: bool,
}

impl Font {
    pub(super) fn new(file: &File<'_>, dictionary: &Dictionary) -> Self {
        file.budget.charge(FONT_WORK.saturating_add(8 * dictionary.len()));
        let composite = dictionary.is("Subtype", "Type0");
        let mut font = Self {
            code_octets: if composite { 2 } else { 1 },
            width_default: 500.0,
            codes_left: file.codes_left.get(),
            ..Self::default()
        };
        if let Some(map) = dictionary.get("ToUnicode").and_then(|map| file.stream(map))
            && file.budget.left() >= map.len()
        {
            file.budget.charge(map.len());
            font.read_unicode(&map);
        }
        if composite {
            font.code_octets = font.code_octets.max(1);
            font.read_composite_widths(file, dictionary);
        } else {
            font.code_octets = 1;
            font.simple = Some(simple_encoding(file, dictionary));
            font.read_simple_widths(file, dictionary);
        }
        file.codes_left.set(font.codes_left);
        font
    }

    /// The codes of a text.
    pub(super) fn glyphs<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Glyph<'t>> {
        text.chunks(self.code_octets.max(1)).map(|octets| {
            let code = octets.iter().fold(0_u32, |code, octet| code << 8 | u32::from(*octet));
            let simple = || {
                let at = usize::try_from(code).ok()?;
                self.simple.as_ref()?.get(at)?.as_deref()
            };
            let width = self.widths.get(&code).copied().unwrap_or(self.width_default) / 1000.0;
            let text = self.unicode.get(&code).map(String::as_str).or_else(simple);
            Glyph { text, width, is_space: octets == b" " }
        })
    }

    /// A ToUnicode map: `<code> <unicode>` and `<first> <last> <unicode>`, or an array in the place of the last.
    fn read_unicode(&mut self, map: &[u8]) {
        let mut reader = Reader::new(map, 0);
        let mut held: Vec<Value> = Vec::new();
        while let Some(value) = reader.value() {
            let Value::Word(word) = value else {
                if held.len() < PDF_CODES_MAX {
                    held.push(value);
                }
                continue;
            };
            match word.as_slice() {
                b"endcodespacerange" => {
                    if let Some(Value::Text(code)) = held.first() {
                        self.code_octets = code.len().clamp(1, 4);
                    }
                }
                b"endbfchar" => {
                    for pair in held.chunks_exact(2) {
                        if let [Value::Text(code), Value::Text(text)] = pair {
                            self.mean(number(code), utf16(text));
                        }
                    }
                }
                b"endbfrange" => {
                    for triple in held.chunks_exact(3) {
                        self.mean_range(triple);
                    }
                }
                _ => {}
            }
            held.clear();
        }
    }

    fn mean_range(&mut self, triple: &[Value]) {
        let [Value::Text(first), Value::Text(last), meaning] = triple else { return };
        let (first, last) = (number(first), number(last));
        let codes = (first..=last).take(PDF_CODES_MAX);
        if let Value::Text(text) = meaning {
            let text = utf16(text);
            let Some(end) = text.chars().next_back() else { return };
            let before = text.strip_suffix(end).unwrap_or_default().to_owned();
            for (code, step) in codes.zip(0_u32..) {
                let end =
                    u32::from(end).checked_add(step).and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                if !self.mean(code, format!("{before}{end}")) {
                    return;
                }
            }
        } else if let Value::Array(texts) = meaning {
            for (code, text) in codes.zip(texts) {
                if let Value::Text(text) = text {
                    self.mean(code, utf16(text));
                }
            }
        }
    }

    /// Keeps what a code means; whether one more may be kept.
    fn mean(&mut self, code: u32, text: String) -> bool {
        let Some(left) = self.codes_left.checked_sub(1).filter(|_| text.len() <= MEANING_OCTETS_MAX) else {
            return false;
        };
        self.codes_left = left;
        self.unicode.insert(code, text);
        true
    }

    fn read_simple_widths(&mut self, file: &File<'_>, dictionary: &Dictionary) {
        let first = file.entry(dictionary, "FirstChar").and_then(|first| first.count()).unwrap_or(0);
        let widths = file.entry(dictionary, "Widths");
        let Some(Value::Array(widths)) = widths.as_deref() else { return };
        for (code, width) in (first..256).zip(widths) {
            if let (Ok(code), Some(width)) = (u32::try_from(code), file.resolved(width).number()) {
                self.widths.insert(code, width);
            }
        }
    }

    /// `first [width …]` and `first last width` (ISO 32000-1 §9.7.4.3), of fonts whose codes are the numbers of glyphs.
    fn read_composite_widths(&mut self, file: &File<'_>, dictionary: &Dictionary) {
        self.width_default = 1000.0;
        let descendants = file.entry(dictionary, "DescendantFonts");
        let Some(Value::Array(descendants)) = descendants.as_deref() else { return };
        let Some(descendant) = descendants.first().and_then(|font| file.dictionary(font)) else { return };
        if let Some(width) = file.entry(&descendant, "DW").and_then(|width| width.number()) {
            self.width_default = width;
        }
        let widths = file.entry(&descendant, "W");
        let Some(Value::Array(widths)) = widths.as_deref() else { return };
        file.budget.charge(widths.len().saturating_add(4 * descendant.len()));
        let mut rest = widths.iter().map(|value| file.resolved(value));
        while let (Some(first), Some(next)) = (rest.next().and_then(|v| v.count()), rest.next()) {
            let Ok(first) = u32::try_from(first) else { return };
            if let Value::Array(some) = &*next {
                file.budget.charge(some.len());
                for (code, width) in (first..=u32::MAX).zip(some) {
                    self.wide(code, file.resolved(width).number());
                }
            } else {
                let (last, width) = (next.count(), rest.next().and_then(|width| width.number()));
                let last = last.and_then(|last| u32::try_from(last).ok()).unwrap_or(first);
                for code in first..=last {
                    if !self.wide(code, width) {
                        break;
                    }
                }
            }
        }
    }

    /// Keeps how wide a code is; whether one more may be kept.
    fn wide(&mut self, code: u32, width: Option<f64>) -> bool {
        let (Some(width), Some(left)) = (width, self.codes_left.checked_sub(1)) else { return false };
        self.codes_left = left;
        self.widths.insert(code, width);
        true
    }
}

/// What the 256 codes of a simple font mean: its base encoding, and the glyphs that differ, by name.
fn simple_encoding(file: &File<'_>, dictionary: &Dictionary) -> Vec<Option<String>> {
    let encoding = file.entry(dictionary, "Encoding");
    let (base, differences) = match encoding.as_deref() {
        Some(Value::Name(name)) => (Some(name.clone()), None),
        Some(Value::Dictionary(encoding)) => {
            file.budget.charge(2 * encoding.len());
            let base = match file.entry(encoding, "BaseEncoding").as_deref() {
                Some(Value::Name(name)) => Some(name.clone()),
                _ => None,
            };
            (base, file.entry(encoding, "Differences"))
        }
        _ => (None, None),
    };
    let upper = if base.as_deref() == Some(b"MacRomanEncoding") { MAC_ROMAN } else { WINDOWS };
    let lower = (0_u8..128).map(char::from).map(|c| if c.is_control() { None } else { Some(c.to_string()) });
    let upper = upper.chars().map(|c| (c != '\u{fffd}').then(|| c.to_string()));
    let latin = ('\u{a0}'..='\u{ff}').map(|c| Some(c.to_string()));
    let mut meanings: Vec<Option<String>> = lower.chain(upper.chain(latin)).take(256).collect();
    if let Some(Value::Array(differences)) = differences.as_deref() {
        file.budget.charge(NAME_WORK.saturating_mul(differences.len()));
        let mut code = 0_usize;
        for value in differences.iter().take(PDF_CODES_MAX) {
            if let Value::Name(name) = value {
                if let Some(meaning) = meanings.get_mut(code) {
                    *meaning = glyph_text(name);
                }
                code = code.saturating_add(1);
            } else {
                code = value.count().unwrap_or(code);
            }
        }
    }
    meanings
}

/// The text of a glyph, by its name in the Adobe Glyph List: letters are their own names, accents follow theirs.
fn glyph_text(name: &[u8]) -> Option<String> {
    let name = str::from_utf8(name).ok()?;
    let name = name.split('.').next().unwrap_or(name);
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Some(letter.to_string());
    }
    if let Some((_, text)) = GLYPHS.iter().find(|(known, _)| *known == name) {
        return Some((*text).to_owned());
    }
    let digits = name.strip_prefix("uni").or_else(|| name.strip_prefix('u'));
    if let Some(digits) = digits.filter(|digits| (4..=6).contains(&digits.len())) {
        return char::from_u32(u32::from_str_radix(digits, 16).ok()?).map(String::from);
    }
    let (letter, mark) = ACCENTS.iter().find_map(|(accent, mark)| Some((name.strip_suffix(accent)?, *mark)))?;
    let letter = letter.chars().next().filter(|_| letter.len() == 1)?;
    unicode_normalization::char::compose(letter, mark).map(String::from)
}

/// A code of up to four octets.
fn number(code: &[u8]) -> u32 {
    code.iter().take(4).fold(0, |code, octet| code << 8 | u32::from(*octet))
}

fn utf16(text: &[u8]) -> String {
    if let [octet] = text {
        return char::from(*octet).to_string();
    }
    let units = text.chunks_exact(2).filter_map(|pair| pair.first_chunk().map(|pair| u16::from_be_bytes(*pair)));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Octets of what one code may mean.
const MEANING_OCTETS_MAX: usize = 64;

/// Codes from 128 on. The second list ends with 159; what follows is Latin-1.
const MAC_ROMAN: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";
const WINDOWS: &str = "€\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}\u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ";

const ACCENTS: [(&str, char); 10] = [
    ("acute", '\u{301}'),
    ("grave", '\u{300}'),
    ("circumflex", '\u{302}'),
    ("dieresis", '\u{308}'),
    ("tilde", '\u{303}'),
    ("cedilla", '\u{327}'),
    ("caron", '\u{30c}'),
    ("ring", '\u{30a}'),
    ("ogonek", '\u{328}'),
    ("breve", '\u{306}'),
];

/// What a font costs beside what is read of it: the meanings of 256 codes.
const FONT_WORK: usize = 2_048;

/// What finding a glyph by its name costs.
const NAME_WORK: usize = 32;

/// Names that are neither letters nor letters with accents, as texts use them.
const GLYPHS: [(&str, &str); 62] = [
    ("space", " "),
    ("nbspace", " "),
    ("exclam", "!"),
    ("quotedbl", "\""),
    ("numbersign", "#"),
    ("dollar", "$"),
    ("percent", "%"),
    ("ampersand", "&"),
    ("quotesingle", "'"),
    ("quoteright", "’"),
    ("quoteleft", "‘"),
    ("quotedblleft", "“"),
    ("quotedblright", "”"),
    ("quotedblbase", "„"),
    ("quotesinglbase", "‚"),
    ("guillemotleft", "«"),
    ("guillemotright", "»"),
    ("parenleft", "("),
    ("parenright", ")"),
    ("asterisk", "*"),
    ("plus", "+"),
    ("comma", ","),
    ("hyphen", "-"),
    ("minus", "-"),
    ("endash", "–"),
    ("emdash", "—"),
    ("period", "."),
    ("ellipsis", "…"),
    ("slash", "/"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("colon", ":"),
    ("semicolon", ";"),
    ("less", "<"),
    ("equal", "="),
    ("greater", ">"),
    ("question", "?"),
    ("at", "@"),
    ("bracketleft", "["),
    ("bracketright", "]"),
    ("underscore", "_"),
    ("ff", "ff"),
    ("fi", "fi"),
    ("fl", "fl"),
    ("ffi", "ffi"),
    ("ffl", "ffl"),
    ("germandbls", "ß"),
    ("ae", "æ"),
    ("AE", "Æ"),
    ("oe", "œ"),
    ("OE", "Œ"),
    ("oslash", "ø"),
    ("Oslash", "Ø"),
    ("Euro", "€"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_have_names() {
        for (name, text) in
            [("A", "A"), ("eacute", "é"), ("ffi", "ffi"), ("uni20AC", "€"), ("seven.tab", "7"), ("Scaron", "Š")]
        {
            assert_eq!(glyph_text(name.as_bytes()).as_deref(), Some(text), "{name}");
        }
        assert_eq!(glyph_text(b"g123"), None);
    }

    #[test]
    fn both_tables_are_whole() {
        assert_eq!((MAC_ROMAN.chars().count(), WINDOWS.chars().count()), (128, 32));
    }

    #[test]
    fn a_map_says_what_codes_mean() {
        let mut font = Font { codes_left: PDF_CODES_MAX, ..Font::default() };
        font.read_unicode(
            b"1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfchar <0003> <00660069> endbfchar \
              2 beginbfrange <0010> <0012> <0041> <0020> <0021> [<0058> <D83DDE00>] endbfrange",
        );
        let text: String = font.glyphs(b"\0\x03\0\x10\0\x12\0\x21\0\x99").filter_map(|glyph| glyph.text).collect();
        assert_eq!(text, "fiAC😀");
        // A range of all codes is bounded.
        font.read_unicode(b"1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange");
        assert!(font.unicode.len() <= PDF_CODES_MAX);
    }
}
