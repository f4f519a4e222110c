//! Every target with its seeds, with the inputs that once failed, and with mutations of both: the same ones in every run, then for a while others
//! each time. What is found, here or by libFuzzer (`make fuzz`), becomes a file in `fuzz/regressions/TARGET/`, and this test fails until it
//! is mended. `RELAIS_FUZZ_SEED=N` begins where a run began that found something, which says its N; `RELAIS_FUZZ_SECONDS=N` goes on for so long.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "tests may; these read files"
)]

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use relais_fuzz_targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap().join("fuzz")
}

/// The files below a folder of the target, with their names; a folder that is not there has none.
fn inputs(folder: &str, target: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(files) = std::fs::read_dir(fuzz().join(folder).join(target)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

/// Says which input it was when the target panics.
struct Named<'a>(&'a str, &'a str, &'a [u8]);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {}, {}: {:?}", self.0, self.1, String::from_utf8_lossy(self.2));
            eprintln!("octets: {:?}", self.2);
        }
    }
}

fn run(target: &str, name: &str, input: &[u8]) {
    let named = Named(target, name, input);
    relais_fuzz_targets::run(target, input);
    drop(named);
}

/// A generator of numbers that anybody can follow: xorshift64*.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }
}

/// What fuzzers do: flips, insertions, removals, repetitions, pieces of other inputs, octets that mean something.
fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], numbers: &mut Numbers) {
    const TELLING: &[&[u8]] = &[
        b"\r\n",
        b"\r",
        b"\n",
        b"\0",
        b"\r\n.\r\n",
        b".",
        b"\"",
        b"\\",
        b"(",
        b")",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"~{9}\r\n",
        b"*",
        b"%",
        b"&",
        b"=",
        b"?=",
        b"<",
        b">",
        b"[",
        b"]",
        b":",
        b",",
        b";",
        b"--",
        b"\xff",
        b"\xc3\xa9",
        b"4294967295",
        b"0",
        b" ",
        b"\t",
    ];
    for _ in 0..=numbers.next(6) {
        let at = numbers.next(input.len() + 1);
        let to = (at + numbers.next(20)).min(input.len());
        match numbers.next(6) {
            0 if at < input.len() => input[at] ^= 1 << numbers.next(8),
            1 => drop(input.drain(at..to)),
            2 => {
                let again = input[at..to].to_vec();
                input.splice(at..at, again);
            }
            3 => {
                let other = &others[numbers.next(others.len())];
                let from = numbers.next(other.len() + 1);
                let piece = other[from..(from + numbers.next(60)).min(other.len())].to_vec();
                input.splice(at..to, piece);
            }
            4 => input.truncate(at),
            _ => {
                let telling = TELLING[numbers.next(TELLING.len())];
                input.splice(at..at, telling.iter().copied());
            }
        }
    }
    input.truncate(OCTETS_MAX);
}

const OCTETS_MAX: usize = 4_096;
/// Those of every run.
const MUTATIONS_PER_TARGET: usize = 2_000;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// How long others are tried.
const SECONDS: f64 = 1.0;

/// A number of the environment.
fn asked<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// What a target's seeds and findings do to it, and mutations of them.
fn replay(target: &str) {
    let seeds = inputs("seeds", target);
    assert!(!seeds.is_empty(), "{target} has seeds");
    for (name, input) in seeds.iter().chain(&inputs("regressions", target)) {
        run(target, name, input);
        assert!(input.len() <= OCTETS_MAX, "{name} is small");
    }
    run(target, "nothing", b"");
    let inputs: Vec<Vec<u8>> = seeds.into_iter().chain(inputs("regressions", target)).map(|(_, input)| input).collect();
    let mutated = |numbers: &mut Numbers, name: &str| {
        let mut input = inputs[numbers.next(inputs.len())].clone();
        mutate(&mut input, &inputs, numbers);
        run(target, name, &input);
    };
    let mut numbers = Numbers(SEED);
    for _ in 0..MUTATIONS_PER_TARGET {
        mutated(&mut numbers, "a mutation of every run");
    }
    // RandomState is made by chance. The generator never leaves 0.
    let seed = asked("RELAIS_FUZZ_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish()).max(1);
    let lasts = Duration::from_secs_f64(asked("RELAIS_FUZZ_SECONDS").unwrap_or(SECONDS));
    let (mut numbers, began, mut count) = (Numbers(seed), Instant::now(), 0_u64);
    let name = format!("a mutation with RELAIS_FUZZ_SEED={seed}");
    while began.elapsed() < lasts {
        mutated(&mut numbers, &name);
        count += 1;
    }
    println!("{target}: {count} mutations with RELAIS_FUZZ_SEED={seed}");
}

macro_rules! replay {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )*
        const REPLAYED: &[&str] = &[$(stringify!($target)),*];
    };
}

replay! {
    auth_bearer auth_certificate auth_scram auth_token fetch_imap fetch_pop3
    imap_command imap_framing imap_mailbox_name imap_url imap_inflate imap_list_pattern imap_thread
    message_scan message_header message_transfer message_record message_binary base_subject milter_answers rspamd_answer report_complaint report_dmarc report_packed report_tls
    search_words sender_claims sender_records smtp_burl smtp_session smtp_data smtp_reply smtp_ehlo smtp_proxy sts_policy sts_record
}

/// The targets here, those of libFuzzer, and the folders of inputs are the same ones.
#[test]
fn every_target_is_replayed_and_fuzzed() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, REPLAYED.iter().map(|name| (*name).to_owned()).collect());
    let below = |folder: &str| -> BTreeSet<String> {
        // Git keeps no empty folder: without findings there is none for them.
        let entries = std::fs::read_dir(fuzz().join(folder)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(known, below("fuzz_targets"));
    assert_eq!(known, below("seeds"));
    assert!(below("regressions").is_subset(&known));
    for name in &known {
        let text = std::fs::read_to_string(fuzz().join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(text.contains(&format!("run({name:?}, data)")), "{name}");
    }
}
