//! Plays every transcript of the IMAP side: at once and cut at every place over a pipe, and at once over TLS on a socket.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod support;

use std::path::Path;

use support::stage::{ImapStage, Over};
use testkit::transcript::{Feeding, Transcript};

/// The folders of `tests/transcripts` that speak IMAP.
const FOLDERS: &[&str] = &[
    "rfc2177",
    "rfc2342",
    "rfc2971",
    "rfc3348",
    "rfc3501",
    "rfc3502",
    "rfc3691",
    "rfc4314",
    "rfc4315",
    "rfc4731",
    "rfc4959",
    "rfc4978",
    "rfc5258",
    "rfc5465",
    "rfc5464",
    "rfc6154",
    "rfc6851",
    "rfc7162",
    "rfc7888",
    "rfc8437",
    "rfc8474",
    "rfc8514",
    "rfc9051",
    "rfc9208",
    "rfc9586",
    "uidbatches",
];

fn all() -> Vec<Transcript> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts");
    let transcripts: Vec<_> =
        FOLDERS.iter().flat_map(|folder| Transcript::load_all(&root.join(folder)).unwrap()).collect();
    assert!(transcripts.len() > 50, "the transcripts are there");
    transcripts
}

fn report(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_pipe_says_it_at_once() {
    let play = |transcript: Transcript| transcript.run(&mut ImapStage::new(Over::Pipe), Feeding::AtOnce).err();
    report(all().into_iter().filter_map(play).map(|failure| failure.to_string()).collect());
}

#[test]
fn a_pipe_says_it_at_every_split() {
    let play = |transcript: Transcript| transcript.run_at_every_split(|| ImapStage::new(Over::Pipe)).err();
    let cuttable = all().into_iter().filter(|transcript| !transcript.has_directive("whole"));
    report(cuttable.filter_map(play).map(|failure| failure.to_string()).collect());
}

#[test]
fn a_socket_says_it_over_tls() {
    let play = |transcript: Transcript| transcript.run(&mut ImapStage::new(Over::Tls), Feeding::AtOnce).err();
    report(all().into_iter().filter_map(play).map(|failure| failure.to_string()).collect());
}
