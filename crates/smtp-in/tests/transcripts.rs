//! Plays every transcript of the SMTP side: the engine at once and cut at every place, and the real server over TLS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may unwrap, like the tests"
)]

mod support;

use std::path::Path;

use support::engine_stage::EngineStage;
use support::net_stage::NetStage;
use testkit::transcript::{Feeding, Transcript};

/// The folders of `tests/transcripts` that speak SMTP.
const FOLDERS: [&str; 20] = [
    "rfc1870", "rfc2033", "rfc2852", "rfc2920", "rfc3030", "rfc3207", "rfc3461", "rfc3865", "rfc4468", "rfc4865",
    "rfc4954", "rfc5321", "rfc6152", "rfc6409", "rfc6531", "rfc6710", "rfc7628", "rfc8689", "rfc9422", "xclient",
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
fn the_engine_says_what_the_transcripts_say_at_every_split() {
    let failures = all().into_iter().filter_map(|transcript| transcript.run_at_every_split(EngineStage::default).err());
    report(failures.map(|failure| failure.to_string()).collect());
}

#[test]
fn the_server_says_it_over_tls() {
    let failures =
        all().into_iter().filter_map(|transcript| transcript.run(&mut NetStage::default(), Feeding::AtOnce).err());
    report(failures.map(|failure| failure.to_string()).collect());
}
