//! Every folder of `tests/transcripts` is played by some crate.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The words in quotes of a crate's `tests/transcripts.rs`: its list of folders among them.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned)
}

#[test]
fn no_folder_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let quoted_in = |list: &Path| quoted(&std::fs::read_to_string(list).unwrap()).collect::<Vec<_>>();
    // IMAP plays all but those that it names; the others play those that they name.
    let imap = root.join("crates/imap/tests/transcripts.rs");
    let left_out: BTreeSet<String> = quoted_in(&imap).into_iter().collect();
    let lists = entries(&root.join("crates")).into_iter().map(|one| one.join("tests/transcripts.rs"));
    let played: BTreeSet<String> =
        lists.filter(|list| list.exists() && *list != imap).flat_map(|list| quoted_in(&list)).collect();
    let has_transcripts = |folder: &PathBuf| {
        folder.is_dir() && entries(folder).iter().any(|file| file.extension().is_some_and(|kind| kind == "txt"))
    };
    let name = |folder: &PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
    let there: BTreeSet<String> =
        entries(&root.join("tests/transcripts")).iter().filter(|folder| has_transcripts(folder)).map(name).collect();
    assert!(there.len() > 20, "the transcripts are there");
    let forgotten: Vec<_> = there.intersection(&left_out).filter(|name| !played.contains(*name)).collect();
    assert!(forgotten.is_empty(), "no crate's tests/transcripts.rs plays {forgotten:?}");
    let gone: Vec<_> =
        played.union(&left_out).filter(|name| name.starts_with("rfc") && !there.contains(*name)).collect();
    assert!(gone.is_empty(), "no such folder of transcripts: {gone:?}");
}
