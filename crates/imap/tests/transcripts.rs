//! Plays every transcript of the IMAP side: at once and cut at every place over a pipe, and at once over TLS on a socket.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::Path;

use crate::support::stage::{ImapStage, Over};
use testkit::transcript::{Feeding, Transcript};

/// The folders of `tests/transcripts` that speak another protocol; all others speak IMAP.
const NOT_IMAP: &[&str] = &[
    "messages", "rfc1870", "rfc2033", "rfc2852", "rfc2920", "rfc3030", "rfc3207", "rfc3461", "rfc3865", "rfc4468",
    "rfc4865", "rfc4954", "rfc5321", "rfc6152", "rfc6409", "rfc6531", "rfc6710", "rfc7628", "rfc8689", "rfc9422",
    "xclient",
];

fn all() -> Vec<Transcript> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts");
    let mut folders: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| !NOT_IMAP.iter().any(|name| folder.ends_with(name)));
    folders.sort();
    let transcripts: Vec<_> = folders.iter().flat_map(|folder| Transcript::load_all(folder).unwrap()).collect();
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
