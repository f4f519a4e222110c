//! Plays every transcript of the IMAP side, in the places that suit it: at once and cut at every place over a pipe, and at once
//! over TLS on a socket. What makes sense over TLS alone is cut there, on a pipe in memory.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::Path;

use crate::support::stage::{ImapStage, Over};
use testkit::transcript::{Failure, Feeding, Transcript};

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

/// Where a transcript can be played, and how: a test for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Pipe,
    PipeAtEverySplit,
    Tls,
    TlsAtEverySplit,
}

impl Place {
    const ALL: [Self; 4] = [Self::Pipe, Self::PipeAtEverySplit, Self::Tls, Self::TlsAtEverySplit];

    /// Whether a transcript is played here. One that suits both is cut on the pipe, where nothing is slower than need be.
    fn suits(self, transcript: &Transcript) -> bool {
        let suits = |over: &str| transcript.directives("over").all(|only| only == over);
        let cut = !transcript.has_directive("whole");
        match self {
            Self::Pipe => suits("pipe"),
            Self::PipeAtEverySplit => suits("pipe") && cut,
            Self::Tls => suits("tls"),
            Self::TlsAtEverySplit => suits("tls") && !suits("pipe") && cut,
        }
    }

    fn play(self, transcript: &Transcript) -> Result<(), Failure> {
        match self {
            Self::Pipe => transcript.run(&mut ImapStage::new(Over::Pipe), Feeding::AtOnce),
            Self::PipeAtEverySplit => transcript.run_at_every_split(|| ImapStage::new(Over::Pipe)),
            Self::Tls => transcript.run(&mut ImapStage::new(Over::Tls), Feeding::AtOnce),
            Self::TlsAtEverySplit => transcript.run_at_every_split(|| ImapStage::new(Over::PipedTls)),
        }
    }

    fn play_all(self) {
        let suited: Vec<_> = all().into_iter().filter(|transcript| self.suits(transcript)).collect();
        assert!(!suited.is_empty(), "{self:?}: nothing is played");
        let failures: Vec<_> = suited.iter().filter_map(|transcript| self.play(transcript).err()).collect();
        let told: Vec<_> = failures.iter().map(Failure::to_string).collect();
        assert!(told.is_empty(), "{} differ:\n{}", told.len(), told.join("\n"));
    }
}

#[test]
fn a_pipe_says_it_at_once() {
    Place::Pipe.play_all();
}

#[test]
fn a_pipe_says_it_at_every_split() {
    Place::PipeAtEverySplit.play_all();
}

#[test]
fn a_socket_says_it_over_tls() {
    Place::Tls.play_all();
}

#[test]
fn tls_says_at_every_split_what_a_pipe_cannot() {
    Place::TlsAtEverySplit.play_all();
}

/// A word that is wrong behind `@over`, or two that exclude each other, would leave a transcript out of every test above.
#[test]
fn every_transcript_is_played_somewhere_and_cut_unless_it_says_whole() {
    for transcript in all() {
        let at: Vec<_> = Place::ALL.into_iter().filter(|place| place.suits(&transcript)).collect();
        let path = transcript.path().display();
        assert!(at.contains(&Place::Pipe) || at.contains(&Place::Tls), "{path} is played nowhere");
        let cut = at.contains(&Place::PipeAtEverySplit) || at.contains(&Place::TlsAtEverySplit);
        assert_ne!(cut, transcript.has_directive("whole"), "{path}: {at:?}");
    }
}

#[test]
fn over_says_where() {
    let at = |text: &str| {
        let transcript = Transcript::parse(Path::new("t"), text).unwrap();
        Place::ALL.into_iter().filter(|place| place.suits(&transcript)).collect::<Vec<_>>()
    };
    assert_eq!(at("S: * OK ...\n"), [Place::Pipe, Place::PipeAtEverySplit, Place::Tls]);
    assert_eq!(at("@over pipe\n"), [Place::Pipe, Place::PipeAtEverySplit]);
    assert_eq!(at("@over tls\n"), [Place::Tls, Place::TlsAtEverySplit]);
    assert_eq!(at("@over tls\n@whole\n"), [Place::Tls]);
    assert_eq!(at("@whole\n"), [Place::Pipe, Place::Tls]);
    assert_eq!(at("@over tsl\n"), []);
    assert_eq!(at("@over tls\n@over pipe\n"), []);
}
