use proptest::prelude::*;

use super::*;

static RUNS: AtomicBool = AtomicBool::new(false);

fn text(octets: &[u8]) -> Option<String> {
    super::text(octets, &RUNS)
}

/// The text of a document and the work that was done for it.
fn work(octets: &[u8]) -> (Option<String>, usize) {
    let budget = Budget::new(PDF_WORK_OCTETS_MAX, &RUNS);
    let text = text_within(octets, &budget);
    (text, budget.spent())
}

/// A file of objects, by number from 1.
fn file(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    for (number, object) in (1..).zip(objects) {
        file.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    file.extend_from_slice(b"trailer <</Root 1 0 R>>\n%%EOF\n");
    file
}

fn stream(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("<<{dictionary} /Length {}>>\nstream\n", data.len());
    [head.as_bytes(), data, b"\nendstream"].concat()
}

fn packed(dictionary: &str, data: &[u8]) -> Vec<u8> {
    stream(&format!("{dictionary} /Filter /FlateDecode"), &miniz_oxide::deflate::compress_to_vec_zlib(data, 6))
}

fn objects(content: &[u8]) -> Vec<Vec<u8>> {
    vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1/Resources<</Font<</F1 5 0 R>>/XObject<</X 6 0 R>>>>>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".to_vec(),
        packed("", content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec(),
        stream("/Subtype/Form", b"BT /F1 10 Tf (in a form) Tj ET"),
    ]
}

/// A document with one line of text.
pub(crate) fn document(line: &str) -> Vec<u8> {
    file(&objects(format!("BT /F1 12 Tf 72 720 Td ({line}) Tj ET").as_bytes()))
}

fn said(content: &[u8]) -> String {
    text(&file(&objects(content))).unwrap_or_default().trim().to_owned()
}

#[test]
fn words_and_lines_are_told_by_their_places() {
    assert_eq!(
        said(b"BT /F1 12 Tf 72 720 Td (Quarterly report) Tj 0 -14 Td (caf\\351 \\200) Tj ET"),
        "Quarterly report\ncafé €"
    );
    // Kerning does not part a word, a wide gap does.
    assert_eq!(said(b"BT /F1 10 Tf [(Quar) 20 (ter) -15 (ly) -400 (report)] TJ ET"), "Quarterly report");
    // Each letter at its own place: the widths are not told, half of the size is taken.
    assert_eq!(said(b"BT /F1 10 Tf (r) Tj 5 0 Td (e) Tj 5 0 Td (d) Tj 9 0 Td (x) Tj ET"), "red x");
    assert_eq!(said(b"BT /F1 10 Tf 14 TL (one) Tj T* (two) Tj (three) ' 0 0 (four) \" ET"), "one\ntwo\nthree\nfour");
    // Turned by a quarter: the next line is beside it.
    assert_eq!(said(b"BT /F1 10 Tf 0 1 -1 0 100 100 Tm (up) Tj 0 1 -1 0 120 100 Tm (next) Tj ET"), "up\nnext");
    assert_eq!(
        said(b"BT /F1 10 Tf (a) Tj ET /X Do BI /W 1 ID (not this) EI BT /F1 10 Tf (b) Tj ET"),
        "a\nin a form\nb"
    );
}

#[test]
fn objects_in_streams_and_fonts_with_tables_are_read() {
    let (page, pages) = ("<</Type/Page/Contents 5 0 R/Parent 8 0 R>> ", "<</Type/Pages/Resources 9 0 R>>");
    let inner = format!("7 0 8 {} {page}{pages}", page.len());
    let objects = [
        b"<</Type/Catalog/Pages 8 0 R>>".to_vec(),
        packed("/Type/ObjStm/N 2/First 9", inner.as_bytes()),
        b"<</Type/Font/Subtype/Type0/ToUnicode 4 0 R/DescendantFonts[6 0 R]>>".to_vec(),
        packed(
            "",
            b"1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfrange <0001> <001A> <0061> endbfrange",
        ),
        packed("", b"BT /T 9 Tf <000800050000000C000C000F> Tj ET"),
        b"<</Type/Font/Subtype/CIDFontType2/DW 500/W[1[500 500] 3 26 500]>>".to_vec(),
        b"null".to_vec(),
        b"null".to_vec(),
        b"<</Font<</T 3 0 R>>>>".to_vec(),
    ];
    // Those that are replaced come before.
    let mut all = b"%PDF-1.5\n".to_vec();
    for number in [7, 8, 1, 2, 3, 4, 5, 6, 9] {
        all.extend_from_slice(format!("{number} 0 obj ").as_bytes());
        all.extend_from_slice(&objects[number - 1]);
        all.extend_from_slice(b" endobj\n");
    }
    assert_eq!(text(&all).unwrap().trim(), "hello");
}

/// Made by others: ReportLab 5.1 (ASCII85, fonts by name), and fpdf2 2.8.9 (a font of its own, whose codes are numbers of glyphs).
#[test]
fn documents_of_others_are_read() {
    let said = text(include_bytes!("../../testdata/reportlab.pdf")).unwrap();
    assert_eq!(said.trim(), "Quarterly budget of the naïve café in Köln: 1 234 €, with bold zebra words.");
    let said = text(include_bytes!("../../testdata/fpdf2.pdf")).unwrap();
    assert_eq!(said.trim(), "Příliš žluťoučký kůň; отчёт за квартал, Grüße.");
}

#[test]
fn letters_that_are_drawn_as_one_are_several() {
    let mut all = objects(b"BT /F1 9 Tf (a\\001ord,  b) Tj ET");
    all[4] = b"<</Type/Font/Subtype/TrueType/ToUnicode 6 0 R>>".to_vec();
    all[5] = packed("", b"1 beginbfchar <01> <FB04> endbfchar");
    assert_eq!(text(&file(&all)).unwrap().trim(), "afflord, b");
}

#[test]
fn what_has_no_text_has_none() {
    assert_eq!(text(b"%PDF-1.4 nothing"), None);
    assert_eq!(text(b"no document"), None);
    assert_eq!(text(&file(&objects(b"0 0 m 10 10 l S"))), None);
    let mut encrypted = document("secret");
    encrypted.extend_from_slice(b"trailer <</Encrypt 9 0 R>>");
    assert_eq!(text(&encrypted), None);
}

#[test]
fn bombs_are_bounded() {
    // Much text behind a small stream.
    let bomb = vec![b' '; PDF_UNPACKED_OCTETS_MAX + 1];
    assert_eq!(text(&file(&objects(&bomb))), None);
    // A form that draws itself, twice each time.
    let mut loops = objects(b"BT /F1 9 Tf (once) Tj ET /X Do");
    loops[5] = stream("/Subtype/Form", b"BT /F1 9 Tf (again) Tj ET /X Do /X Do");
    let said = text(&file(&loops)).unwrap();
    assert!(said.starts_with("once") && said.len() < 100_000, "{}", said.len());
    // Objects that refer to each other in a circle.
    let circle = [b"2 0 R".to_vec(), b"1 0 R".to_vec(), b"<</Type/Page/Parent 3 0 R/Contents 1 0 R>>".to_vec()];
    assert_eq!(text(&file(&circle)), None);
    // Nesting, and thousands of objects that never end.
    let deep = [b"%PDF-1.4 1 0 obj ".to_vec(), b"[<</A".repeat(100_000)].concat();
    assert_eq!(text(&deep), None);
    let many = [b"%PDF-1.4 ".to_vec(), b"1 0 obj<</Type/Page/Contents 1 0 R/A[".repeat(100_000)].concat();
    assert_eq!(text(&many), None);
    // Tables of all codes, again and again; and long objects that are named again and again.
    let mut tables = objects(b"BT /F1 9 Tf (a) Tj ET");
    tables[4] = b"<</Type/Font/Subtype/Type0/ToUnicode 6 0 R>>".to_vec();
    tables[5] = packed("", &b"1 beginbfrange <00000000> <FFFFFFFF> <D83D> endbfrange\n".repeat(100_000));
    text(&file(&tables));
    let mut named = objects(&b"/X Do ".repeat(20_000));
    named[5] = [b"[".to_vec(), b"1 ".repeat(500_000), b"]".to_vec()].concat();
    assert_eq!(text(&file(&named)), None);
    // Streams that never end, each of which is looked for to the end of the file.
    let endless: Vec<Vec<u8>> =
        (1..=5_000).map(|n| format!("<</Type/Page/Contents {n} 0 R>>stream\nx").into_bytes()).collect();
    assert_eq!(text(&file(&endless)), None);
}

#[test]
fn a_bomb_is_unpacked_once_however_often_it_is_named() {
    let contents = format!("<</Type/Page/Parent 2 0 R/Contents[{}]>>", "4 0 R ".repeat(1_000));
    let mut bomb = objects(&vec![b' '; PDF_UNPACKED_OCTETS_MAX + 1]);
    bomb[2] = contents.clone().into_bytes();
    let (none, spent) = work(&file(&bomb));
    assert_eq!(none, None);
    // It is given up at the limit: that counts, once.
    assert!((PDF_UNPACKED_OCTETS_MAX..PDF_UNPACKED_OCTETS_MAX + 200_000).contains(&spent), "{spent}");
    // One that does unpack is kept; the page has no more content than may be, and that is read once.
    let mut large = objects(&vec![b' '; PDF_UNPACKED_OCTETS_MAX / 4]);
    large[2] = contents.into_bytes();
    let spent = work(&file(&large)).1;
    assert!((PDF_UNPACKED_OCTETS_MAX..3 * PDF_UNPACKED_OCTETS_MAX).contains(&spent), "{spent}");
}

#[test]
fn blanks_are_work_wherever_they_are() {
    const BLANKS: usize = 2 * 1024 * 1024;
    let blanks = " ".repeat(BLANKS);
    let page = format!("<</Type/Page/Parent 2 0 R/Contents[{}]>>", "4 0 R ".repeat(1_000));
    let named = |object: String| {
        let mut all = objects(b"");
        all[2] = page.clone().into_bytes();
        all[3] = object.into_bytes();
        work(&file(&all)).1
    };
    // Read once, and then known to be nothing: before the object, in it, behind it, behind the stream.
    for object in [
        blanks.clone(),
        format!("{blanks}1"),
        format!("1 {blanks}2 x"),
        format!("<</A 1{blanks}>>"),
        format!("<</Length 1>>{blanks}stream\n1\nendstream"),
        format!("<</Length 1>>stream\n1{blanks}endstream"),
    ] {
        // One has a content of blanks, of which a page has no more than may be.
        let spent = named(object);
        assert!(spent < PDF_UNPACKED_OCTETS_MAX + 8 * BLANKS, "{spent}");
    }
    // Fonts are read for each page, and what each reading looks at is counted until nothing is left.
    for object in [blanks.clone(), format!("1 {blanks}2 x"), format!("<</A 1{blanks}>>")] {
        let mut all = objects(b"/F1 9 Tf");
        all[1] = b"<</Resources<</Font 7 0 R>>>>".to_vec();
        all.push(object.into_bytes());
        all.extend((0..1_000).map(|_| b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".to_vec()));
        let spent = work(&file(&all)).1;
        assert!((PDF_WORK_OCTETS_MAX..PDF_WORK_OCTETS_MAX + BLANKS).contains(&spent), "{spent}");
    }
}

#[test]
fn looks_for_names_are_work() {
    let names = |empty: &str| (0..9_900).map(|n| format!("/F{n} {empty}")).collect::<String>();
    let (fonts, forms) = (names("<<>>"), names("<<>>"));
    let uses: String = (0..1_000).map(|n| format!("/F{} 9 Tf /F{n} Do ", 9_899 - n)).collect();
    let mut all = objects(uses.as_bytes());
    all[1] = format!("<</Resources<</Font<<{fonts}>>/XObject<<{forms}>>>>>>").into_bytes();
    let spent = work(&file(&all)).1;
    // Each look goes through all of them at the worst, and a font is 256 meanings.
    assert!(spent > 1_000 * (2 * 9_900 + 2_048) && spent < PDF_WORK_OCTETS_MAX / 2, "{spent}");
    // For some more pages nothing is left, and that is the end.
    all.extend((0..100).map(|_| b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".to_vec()));
    let spent = work(&file(&all)).1;
    assert!((PDF_WORK_OCTETS_MAX..PDF_WORK_OCTETS_MAX + 1_000_000).contains(&spent), "{spent}");
}

#[test]
fn codes_end_at_the_last_one() {
    for widths in ["[4294967295[1 2]]", "[4294967294 4294967295 7]", "[4294967295[1 2] 0 4294967295 1]"] {
        let mut all = objects(b"BT /F1 9 Tf <0041> Tj ET");
        all[4] = b"<</Type/Font/Subtype/Type0/ToUnicode 6 0 R/DescendantFonts[7 0 R]>>".to_vec();
        all[5] = packed("", b"1 beginbfrange <FFFFFFFF> <FFFFFFFF> [<0058> <0059>] <0041> <0041> <0041> endbfrange");
        all.push(format!("<</Type/Font/Subtype/CIDFontType2/W{widths}>>").into_bytes());
        assert_eq!(text(&file(&all)).unwrap().trim(), "A", "{widths}");
    }
}

#[test]
fn a_file_that_is_cut_gives_what_is_there() {
    let whole = document("some words to find");
    for cut in 0..whole.len() {
        text(whole.get(..cut).unwrap());
    }
    let end = memchr::memmem::rfind(&whole, b"trailer").unwrap();
    assert_eq!(text(whole.get(..end).unwrap()).unwrap().trim(), "some words to find");
}

proptest! {
    #[test]
    fn nothing_panics(at in 0_usize..900, octets: Vec<u8>, content: Vec<u8>) {
        let mut damaged = document("some words to find");
        for (to, from) in damaged.iter_mut().skip(at).zip(&octets) {
            *to = *from;
        }
        text(&damaged);
        text(&[b"%PDF-1.7 ", octets.as_slice()].concat());
        text(&file(&objects(&content)));
    }
}
