//! FETCH of whatever was stored: BODYSTRUCTURE can be read, every part that it announces can be fetched, and its size is the
//! announced one; parts of parts, partial ones, and the whole agree (RFC 3501 §6.4.5, §7.4.2).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use crate::support::House;
use crate::support::PASSWORD;
use crate::support::stage::{Client, pipe};
use proptest::prelude::*;
use relais_imap::Settings;
use tokio_util::sync::CancellationToken;

/// A value of a response, as RFC 3501 §9 builds them.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Nil,
    Word(String),
    Text(Vec<u8>),
    List(Vec<Self>),
}

/// Reads one value from the front.
fn value(rest: &mut &[u8]) -> Option<Value> {
    let first = *rest.first()?;
    match first {
        b'(' => {
            *rest = &rest[1..];
            let mut values = Vec::new();
            loop {
                while rest.first() == Some(&b' ') {
                    *rest = &rest[1..];
                }
                if rest.first() == Some(&b')') {
                    *rest = &rest[1..];
                    return Some(Value::List(values));
                }
                values.push(value(rest)?);
            }
        }
        b'"' => {
            let mut text = Vec::new();
            let mut at = 1;
            loop {
                match *rest.get(at)? {
                    b'"' => break,
                    b'\\' => {
                        text.push(*rest.get(at + 1)?);
                        at += 2;
                    }
                    octet => {
                        text.push(octet);
                        at += 1;
                    }
                }
            }
            *rest = &rest[at + 1..];
            Some(Value::Text(text))
        }
        b'{' => {
            let end = rest.windows(3).position(|three| three == b"}\r\n")?;
            let octets: usize = std::str::from_utf8(&rest[1..end]).ok()?.parse().ok()?;
            let text = rest.get(end + 3..end + 3 + octets)?.to_vec();
            *rest = &rest[end + 3 + octets..];
            Some(Value::Text(text))
        }
        _ => {
            let mut depth = 0;
            let end = rest.iter().position(|octet| {
                depth += i32::from(*octet == b'[') - i32::from(*octet == b']');
                depth == 0 && matches!(octet, b' ' | b'(' | b')' | b'\r')
            })?;
            let word = String::from_utf8(rest[..end].to_vec()).ok()?;
            *rest = &rest[end..];
            Some(if word == "NIL" { Value::Nil } else { Value::Word(word) })
        }
    }
}

/// The part numbers that a structure announces, with the octets of each that is no multipart.
fn parts(structure: &Value, number: &str, found: &mut Vec<(String, u64)>) {
    let Value::List(fields) = structure else { panic!("no structure: {structure:?}") };
    let below = |n: usize| if number.is_empty() { n.to_string() } else { format!("{number}.{n}") };
    if let Some(Value::List(_)) = fields.first() {
        let children = fields.iter().take_while(|field| matches!(field, Value::List(_)));
        children.enumerate().for_each(|(n, child)| parts(child, &below(n + 1), found));
        return;
    }
    let own = if number.is_empty() { "1".to_owned() } else { number.to_owned() };
    let Some(Value::Word(octets)) = fields.get(6) else { panic!("no size: {structure:?}") };
    found.push((own.clone(), octets.parse().unwrap()));
    let is =
        |at: usize, name: &str| matches!(&fields[at], Value::Text(text) if text.eq_ignore_ascii_case(name.as_bytes()));
    if is(0, "message") && (is(1, "rfc822") || is(1, "global")) {
        let nested = &fields[8];
        let multipart = matches!(nested, Value::List(fields) if matches!(fields.first(), Some(Value::List(_))));
        let number = if multipart { own } else { format!("{own}.1") };
        parts(nested, &number, found);
    }
}

/// All that comes up to the tagged response.
async fn answer(client: &mut Client, command: &str) -> Vec<u8> {
    let lines = client.command("t", command).await.unwrap();
    assert!(lines.last().unwrap().starts_with("t OK"), "{command}: {lines:?}");
    lines[..lines.len() - 1].join("\r\n").into_bytes()
}

/// The items of a FETCH response, by name.
fn items(response: &[u8]) -> Vec<(String, Value)> {
    let start = response.iter().position(|octet| *octet == b'(').unwrap();
    let mut rest = [&response[start..], b"\r\n"].concat();
    let Some(Value::List(values)) = value(&mut rest.as_slice()) else {
        panic!("{:?}", String::from_utf8_lossy(response))
    };
    rest.clear();
    let pairs = values.chunks(2).map(|pair| match pair {
        [Value::Word(name), value] => (name.clone(), value.clone()),
        other => panic!("{other:?}"),
    });
    pairs.collect()
}

async fn is_sound(message: &[u8]) {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings, false).await;
    house.deliver("alice", "INBOX", message, true).await;
    house.deliver("alice", "INBOX", message, false).await;
    let mut client = pipe(&house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client.command("s", "EXAMINE INBOX").await.unwrap();
    let stored = items(&answer(&mut client, "FETCH 1 (BODYSTRUCTURE ENVELOPE BODY)").await);
    let computed = items(&answer(&mut client, "FETCH 2 (BODYSTRUCTURE ENVELOPE BODY)").await);
    assert_eq!(stored, computed, "the record says what the message says");
    let mut announced = Vec::new();
    parts(&stored[0].1, "", &mut announced);
    for (number, octets) in announced {
        let fetched = items(&answer(&mut client, &format!("FETCH 1 (BODY[{number}] BODY[{number}.MIME])")).await);
        let Value::Text(body) = &fetched[0].1 else { panic!("part {number} is not there: {fetched:?}") };
        assert_eq!(body.len() as u64, octets, "part {number}");
        assert!(matches!(fetched[1].1, Value::Text(_)), "part {number} has a header, if an empty one");
        let half = body.len() / 2;
        let partial = items(&answer(&mut client, &format!("FETCH 1 BODY[{number}]<{half}.7>")).await);
        let expected = body.iter().skip(half).take(7).copied().collect::<Vec<u8>>();
        assert_eq!(partial[0].1, Value::Text(expected), "part {number} from {half}");
    }
    let whole = items(&answer(&mut client, "FETCH 1 (BODY[] BODY[HEADER] BODY[TEXT] RFC822.SIZE)").await);
    let [Value::Text(all), Value::Text(header), Value::Text(text), Value::Word(size)] =
        [&whole[0].1, &whole[1].1, &whole[2].1, &whole[3].1]
    else {
        panic!("{whole:?}")
    };
    assert_eq!((all, size.parse().ok()), (&[header.as_slice(), text].concat(), Some(all.len())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_stored_can_be_fetched_part_by_part(pieces in prop::collection::vec(prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: multipart/alternative; boundary=\"c d\"\r\n", "--b\r\n", "--c d\r\n",
        "--b--\r\n", "--c d--\r\n", "\r\n", "\r\n", "Content-Type: message/rfc822\r\n", "Content-Type: message/global\r\n", "text\r\n",
        "Content-Type: text/html; charset=\"x\r\n", "Content-Transfer-Encoding: base64\r\n", "AAAA====\r\n", "From: a <b@c>, (\r\n",
        "Subject: =?utf-8?Q?=C3=A9?=\r\n", "--b \t\r\n", "--bb\r\n", "Content-Type: multipart/digest\r\n", "x: \\\"\r\n", "\n", "--b\n",
        "Content-Type: multipart/digest; boundary=b\r\n", "no line break",
    ]), 0..26)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(is_sound(pieces.concat().as_bytes()));
    }
}

#[tokio::test]
async fn deep_nesting_can_be_fetched() {
    let mut message = String::new();
    for depth in 0..30 {
        message.push_str(&format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n"));
    }
    message.push_str("\r\ninnermost\r\n");
    is_sound(message.as_bytes()).await;
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(30) + "Subject: x\r\n\r\ninnermost\r\n";
    is_sound(nested.as_bytes()).await;
}
