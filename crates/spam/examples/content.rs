//! How long the content of one message takes: `cargo run --release -p relais-spam --example content`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement tells what it found, by a real clock"
)]

use std::fmt::Write as _;
use std::time::Instant;

use relais_spam::limits::SAMPLE_OCTETS_MAX;
use relais_spam::{Content, Counts, Known, Points, Score};

fn main() {
    for octets in [4 * 1024, SAMPLE_OCTETS_MAX] {
        let message = message(octets);
        let content = Content::read(&message);
        let with = vec![Counts { spam: 3, ham: 1 }; content.tokens.len()];
        let known = Known { learnt: Counts { spam: 500, ham: 500 }, with };
        let rounds = if octets > 10_000 { 2_000 } else { 20_000 };
        let began = Instant::now();
        let mut spam = 0_u32;
        for _ in 0..rounds {
            let content = Content::read(&message);
            spam = spam.saturating_add(u32::from(Score::of(&content, &known, &known).is_spam(Points::THRESHOLD)));
        }
        let each = began.elapsed() / rounds;
        println!("{octets} octets, {} tokens: {each:?} ({spam} of {rounds} spam)", content.tokens.len());
    }
}

/// A message of words that come again now and then, as in a letter.
fn message(octets: usize) -> Vec<u8> {
    let mut text =
        "From: Zoe <zoe@far.example>\r\nDate: x\r\nMessage-ID: <a@b.example>\r\nSubject: A letter for you\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\r\n"
            .to_owned();
    let mut number = 7_u64;
    while text.len() < octets {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = (number >> 33) % 700;
        let end = if word.is_multiple_of(13) { ".\r\n" } else { " " };
        write!(text, "word{word}{end}").ok();
    }
    text.into_bytes()
}
