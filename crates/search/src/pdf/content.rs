//! The texts of a content stream, in the order in which they are drawn (ISO 32000-1 §9.4). Where a text begins says whether a
//! word or a line has ended before it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use super::file::File;
use super::font::Font;
use super::value::{Dictionary, Reader, Value};
use crate::limits::{PDF_FONTS_MAX, PDF_FORMS_MAX, PDF_TEXT_OCTETS_MAX};

/// What all pages have drawn.
pub(super) struct Drawn<'f, 'a> {
    file: &'f File<'a>,
    pub(super) text: String,
    /// Fonts by the number of their object.
    fonts: HashMap<u32, Rc<Font>>,
    forms_left: usize,
    /// Where the last text ended, and how large it was.
    last: Option<(f64, f64, f64)>,
}

/// The named things of a stream, looked up once for it.
struct Named<'v> {
    fonts: Option<Cow<'v, Dictionary>>,
    forms: Option<Cow<'v, Dictionary>>,
    resources: &'v Dictionary,
}

/// The state of text while a stream is read.
struct State {
    font: Option<Rc<Font>>,
    size: f64,
    char_space: f64,
    word_space: f64,
    leading: f64,
    /// The matrix of the line: a b c d e f.
    line: [f64; 6],
    /// How far the text has gone on it.
    along: f64,
    /// Fonts by the names that they have here.
    fonts: HashMap<Vec<u8>, Option<Rc<Font>>>,
}

impl<'f, 'a> Drawn<'f, 'a> {
    pub(super) fn new(file: &'f File<'a>) -> Self {
        Self { file, text: String::new(), fonts: HashMap::new(), forms_left: PDF_FORMS_MAX, last: None }
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= PDF_TEXT_OCTETS_MAX
    }

    /// Draws a stream; `depth`: how deep forms may still nest.
    pub(super) fn draw(&mut self, content: &[u8], resources: &Dictionary, depth: usize) {
        let budget = self.file.budget;
        if budget.left() < content.len() || budget.charge(content.len().saturating_add(2 * resources.len())).is_none() {
            return;
        }
        let named = Named {
            fonts: resources.get("Font").and_then(|fonts| self.file.dictionary(fonts)),
            forms: resources.get("XObject").and_then(|forms| self.file.dictionary(forms)),
            resources,
        };
        let mut state = State {
            font: None,
            size: 1.0,
            char_space: 0.0,
            word_space: 0.0,
            leading: 0.0,
            line: UNIT,
            along: 0.0,
            fonts: HashMap::new(),
        };
        let mut reader = Reader::new(content, 0);
        let mut operands: Vec<Value> = Vec::new();
        while let Some(value) = reader.value() {
            let Value::Word(operator) = value else {
                if operands.len() < OPERANDS_MAX {
                    operands.push(value);
                }
                continue;
            };
            if self.is_full() || budget.is_spent() {
                return;
            }
            if operator == b"ID" {
                // The octets of a picture.
                let rest = content.get(reader.at()..).unwrap_or_default();
                let end = memchr::memmem::find(rest, b"EI").map_or(rest.len(), |at| at + 2);
                reader.seek(reader.at() + end);
            } else if operator == b"Do" {
                if let (Some(Value::Name(name)), Some(deeper)) = (operands.last(), depth.checked_sub(1)) {
                    self.draw_form(name, &named, deeper);
                }
            } else {
                self.operate(&operator, &operands, &named, &mut state);
            }
            operands.clear();
        }
    }

    fn operate(&mut self, operator: &[u8], operands: &[Value], named: &Named<'_>, state: &mut State) {
        let number = |at: usize| operands.get(at).and_then(Value::number).unwrap_or(0.0);
        match operator {
            b"BT" => {
                state.line = UNIT;
                state.along = 0.0;
            }
            b"Tf" => {
                if let Some(Value::Name(name)) = operands.first() {
                    state.font = match state.fonts.get(name) {
                        Some(known) => known.clone(),
                        None if state.fonts.len() >= PDF_FONTS_MAX => None,
                        None => {
                            let font = self.font(name, named);
                            state.fonts.insert(name.clone(), font.clone());
                            font
                        }
                    };
                }
                state.size = number(1);
            }
            b"Tc" => state.char_space = number(0),
            b"Tw" => state.word_space = number(0),
            b"TL" => state.leading = number(0),
            b"Td" => state.go(number(0), number(1)),
            b"TD" => {
                state.leading = -number(1);
                state.go(number(0), number(1));
            }
            b"T*" => state.go(0.0, -state.leading),
            b"Tm" => {
                state.line = [0, 1, 2, 3, 4, 5].map(number);
                state.along = 0.0;
            }
            b"Tj" => self.show(operands.first(), state),
            b"'" => {
                state.go(0.0, -state.leading);
                self.show(operands.first(), state);
            }
            b"\"" => {
                state.word_space = number(0);
                state.char_space = number(1);
                state.go(0.0, -state.leading);
                self.show(operands.get(2), state);
            }
            b"TJ" => {
                let Some(Value::Array(parts)) = operands.first() else { return };
                for part in parts {
                    if let Value::Number(back) = part {
                        state.along -= back / 1000.0 * state.size;
                    } else {
                        self.show(Some(part), state);
                    }
                }
            }
            _ => {}
        }
    }

    fn show(&mut self, text: Option<&Value>, state: &mut State) {
        let (Some(Value::Text(text)), Some(font)) = (text, state.font.clone()) else { return };
        let (x, y, size) = state.place();
        if let Some((last_x, last_y, last_size)) = self.last {
            let size = size.max(last_size);
            if (y - last_y).abs() > LINE_APART * size {
                self.part('\n');
            } else if x - last_x > WORD_APART * size || last_x - x > size {
                self.part(' ');
            }
        }
        for glyph in font.glyphs(text) {
            match glyph.text.filter(|_| !self.is_full()) {
                Some(" ") => self.part(' '),
                Some(text) => text.chars().for_each(|letter| push_letter(letter, &mut self.text)),
                None => {}
            }
            let space = if glyph.is_space { state.word_space } else { 0.0 };
            state.along += glyph.width * state.size + state.char_space + space;
        }
        self.last = Some(state.place());
    }

    /// Ends a word or a line, once.
    fn part(&mut self, mark: char) {
        if !self.text.ends_with([' ', '\n']) {
            self.text.push(mark);
        }
    }

    fn font(&mut self, name: &[u8], named: &Named<'_>) -> Option<Rc<Font>> {
        let fonts = named.fonts.as_ref()?;
        self.file.budget.charge(fonts.len())?;
        let value = fonts.get(str::from_utf8(name).ok()?)?;
        let number = if let Value::Reference(number) = value { Some(*number) } else { None };
        if let Some(known) = number.and_then(|number| self.fonts.get(&number)) {
            return Some(Rc::clone(known));
        }
        if self.fonts.len() >= PDF_FONTS_MAX {
            return None;
        }
        let font = Rc::new(Font::new(self.file, &*self.file.dictionary(value)?));
        // One that is no object of its own is read again for each stream; the budget holds.
        if let Some(number) = number {
            self.fonts.insert(number, Rc::clone(&font));
        }
        Some(font)
    }

    fn draw_form(&mut self, name: &[u8], named: &Named<'_>, depth: usize) {
        let Some(left) = self.forms_left.checked_sub(1) else { return };
        self.forms_left = left;
        let Some(forms) = &named.forms else { return };
        if self.file.budget.charge(forms.len()).is_none() {
            return;
        }
        let Some(form) = str::from_utf8(name).ok().and_then(|name| forms.get(name)) else { return };
        // A picture is not unpacked.
        let form_dictionary = self.file.dictionary(form).filter(|dictionary| dictionary.is("Subtype", "Form"));
        let Some(form_dictionary) = form_dictionary else { return };
        let Some(data) = self.file.stream(form) else { return };
        let own = form_dictionary.get("Resources").and_then(|own| self.file.dictionary(own));
        self.part('\n');
        self.draw(&data, own.as_deref().unwrap_or(named.resources), depth);
        self.part('\n');
    }
}

/// Letters that are drawn as one are several for who looks for them.
fn push_letter(letter: char, text: &mut String) {
    match letter {
        '\u{fb00}'..='\u{fb06}' => {
            unicode_normalization::char::decompose_compatible(letter, |letter| text.push(letter));
        }
        letter => text.push(letter),
    }
}

impl State {
    /// The next line begins so far from where this one did.
    fn go(&mut self, x: f64, y: f64) {
        let [a, b, c, d, e, f] = self.line;
        self.line = [a, b, c, d, x * a + y * c + e, x * b + y * d + f];
        self.along = 0.0;
    }

    /// Where the next text begins, and how large it is.
    fn place(&self) -> (f64, f64, f64) {
        let [a, b, c, d, e, f] = self.line;
        let size = (self.size * c.hypot(d)).abs();
        // Along the line and across it, however it is turned.
        let scale = a.hypot(b);
        let (x, y) = (e + self.along * a, f + self.along * b);
        if scale == 0.0 { (x, y, size) } else { ((x * a + y * b) / scale, (y * a - x * b) / scale, size) }
    }
}

const UNIT: [f64; 6] = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// Parts of the size of a text by which two words are apart at the least, and two lines.
const WORD_APART: f64 = 0.15;
const LINE_APART: f64 = 0.5;

/// No operator has more.
const OPERANDS_MAX: usize = 32;
