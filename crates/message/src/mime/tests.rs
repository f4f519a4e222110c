use super::*;
use proptest::prelude::*;

fn content_type(value: &str) -> Option<ContentType> {
    ContentType::parse(value.as_bytes())
}

fn shown(parameters: &Parameters) -> Vec<(String, String)> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    parameters.0.iter().map(|parameter| (text(&parameter.name), text(&parameter.value))).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn types_and_parameters_are_kept_as_sent() {
    let found = content_type("Multipart/Mixed; Boundary=\"a \\\"b\\\" ;c\" ; type = Text/Plain (why)").unwrap();
    assert!(found.is_exactly(b"multipart", b"mixed"));
    assert_eq!(found.kind, b"Multipart");
    assert_eq!(shown(&found.parameters), [pair("Boundary", "a \"b\" ;c"), pair("type", "Text/Plain")]);
}

#[test]
fn comments_may_stand_anywhere() {
    let found = content_type("(a (b) \\) ) text (c) / (d) plain (e) ; (f) charset (g) = (h) utf-8 (i)").unwrap();
    assert!(found.is_exactly(b"text", b"plain"));
    assert_eq!(shown(&found.parameters), [pair("charset", "utf-8")]);
}

#[test]
fn broken_parameters_do_not_hide_the_others() {
    let found = content_type("application/pdf; name=my file.pdf; ; =x; junk; a=\"1\" b=2 c=3; d=").unwrap();
    assert_eq!(
        shown(&found.parameters),
        [pair("name", "my file.pdf"), pair("a", "1"), pair("b", "2"), pair("c", "3"), pair("d", "")]
    );
    assert_eq!(shown(&content_type("a/b; name=\"open").unwrap().parameters), [pair("name", "open")]);
}

/// RFC 2045 §5.2.
#[test]
fn what_is_no_type_is_none() {
    for value in ["", "text", "text/", "/plain", "; charset=x", "\"text/plain\""] {
        assert_eq!(content_type(value), None, "{value}");
    }
}

#[test]
fn text_has_a_charset() {
    assert_eq!(shown(&content_type("text/html").unwrap().parameters), [pair("charset", "us-ascii")]);
    assert_eq!(shown(&content_type("text/html; charset*=''x").unwrap().parameters), [pair("charset*", "''x")]);
    assert_eq!(shown(&content_type("image/png").unwrap().parameters), []);
}

/// RFC 2231 §3, §4: kept split, joined on demand.
#[test]
fn continued_parameters_are_joined_on_demand() {
    let found = content_type("a/b; n*0*=utf-8'de'%41%; n*1=\"b c\"; n*2*=%44; m*=us-ascii''x%20y; n*4=no").unwrap();
    assert_eq!(found.parameters.0.len(), 5);
    assert_eq!(found.parameters.decoded(b"n").as_deref(), Some(&b"A%b cD"[..]));
    assert_eq!(found.parameters.decoded(b"M").as_deref(), Some(&b"x y"[..]));
    assert_eq!(found.parameters.decoded(b"o"), None);
}

#[test]
fn boundaries_that_cannot_be_obeyed_are_none() {
    let boundary = |value: &str| content_type(value).unwrap().boundary();
    assert_eq!(boundary("multipart/mixed; boundary=\"a b  \""), Some(b"a b".to_vec()));
    assert_eq!(boundary("multipart/mixed; boundary=\" \""), None);
    assert_eq!(boundary("multipart/mixed"), None);
    assert_eq!(boundary(&format!("multipart/mixed; boundary={}", "x".repeat(BOUNDARY_BYTES_MAX + 1))), None);
}

#[test]
fn parameters_are_bounded() {
    let value = format!("a/b{}", "; x=y".repeat(1_000));
    assert_eq!(content_type(&value).unwrap().parameters.0.len(), PARAMETERS_MAX);
}

proptest! {
    #[test]
    fn nothing_panics(value in "[a-c/;=\"\\\\ ()*0-2%']{0,60}") {
        if let Some(found) = content_type(&value) {
            found.parameters.decoded(b"a");
        }
        Disposition::parse(value.as_bytes());
        languages(value.as_bytes());
    }
}
