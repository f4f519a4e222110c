//! Tables of promises name their tests: every test, transcript and target of fuzzing in `docs/rfc/*.tsv` is there.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may; these read files")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap().to_path_buf()
}

/// The rows of a table without its heading; each has as many cells as the heading.
fn rows(table: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/rfc").join(table)).unwrap();
    let rows: Vec<Vec<String>> = text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    let width = rows.first().unwrap().len();
    rows.iter().for_each(|row| assert_eq!(row.len(), width, "{table}: {row:?}"));
    rows.into_iter().skip(1).collect()
}

/// Whether a path is there; its last component may hold stars.
fn exists(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let Some((first, rest)) = name.split_once('*') else { return path.exists() };
    let (inner, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let fits = |name: &str| name.starts_with(first) && name.ends_with(last) && name.contains(inner);
    let Ok(entries) = std::fs::read_dir(path.parent().unwrap()) else { return false };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).any(|name| fits(&name))
}

/// A file of the repository that a cell names: a transcript, an e2e suite, a file of a crate.
fn file(named: &str) -> PathBuf {
    let below = if named.starts_with("e2e/") {
        "tests"
    } else if named.starts_with("crates/") {
        ""
    } else {
        "tests/transcripts"
    };
    root().join(below).join(named)
}

/// What is wrong with `file::test`, `fuzz target` or a file.
fn flaw(named: &str) -> Option<String> {
    if let Some(target) = named.strip_prefix("fuzz ") {
        let path = root().join("fuzz/fuzz_targets").join(format!("{target}.rs"));
        return (!path.exists()).then(|| format!("there is no target {target}"));
    }
    let Some((path, test)) = named.split_once("::") else {
        return (!exists(&file(named))).then(|| format!("there is no {named}"));
    };
    let Ok(text) = std::fs::read_to_string(file(path)) else { return Some(format!("there is no {path}")) };
    let (before, marks): (&str, &[&str]) =
        if path.ends_with(".py") { ("def ", &[]) } else { ("fn ", &["#[test]", "#[tokio::test"]) };
    let Some(at) = text.find(&format!("{before}{test}(")) else { return Some(format!("{path} has no {test}")) };
    // A test is marked as one in the lines above it.
    let above: Vec<&str> = text.get(..at).unwrap_or_default().lines().rev().take(8).collect();
    let marked = marks.is_empty() || above.iter().any(|line| marks.iter().any(|mark| line.contains(mark)));
    (!marked).then(|| format!("{named} is no test"))
}

#[test]
fn every_promise_of_the_semantics_names_tests_that_exist() {
    let mut flaws = Vec::new();
    for row in rows("semantics.tsv") {
        let [about, what, state, tests] = row.as_slice() else { panic!("{row:?}") };
        assert!(!about.is_empty() && !what.is_empty(), "{row:?}");
        match state.as_str() {
            "done" => assert!(!tests.is_empty(), "nothing shows: {what}"),
            state => assert!(state.starts_with("no: ") && tests.is_empty(), "{row:?}"),
        }
        let named = tests.split("; ").filter(|test| !test.is_empty());
        flaws.extend(named.filter_map(flaw).map(|flaw| format!("{what}: {flaw}")));
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

/// Cells of `status.tsv` are for people: a name may stand without the folder of the one before it, and words beside it.
#[test]
fn every_rfc_that_is_done_names_tests_that_exist() {
    let mut flaws = Vec::new();
    for row in rows("status.tsv") {
        let [rfc, section, what, state, tests] = row.as_slice() else { panic!("{row:?}") };
        let row = format!("RFC {rfc} {section} {what}");
        let (mut folder, mut found) = (String::new(), 0);
        for named in tests.split([';', ',']).map(|part| part.trim().split(" (").next().unwrap_or_default()) {
            let file = named.split_once("::").map_or(named, |(file, _)| file);
            let is_name = !named.contains(' ') && [".txt", ".rs", ".py", "/"].iter().any(|end| file.ends_with(end));
            if !is_name {
                continue;
            }
            let begins = ["rfc", "crates/", "e2e/", "uidbatches/"].iter().any(|root| named.starts_with(root));
            let whole = if begins { named.to_owned() } else { format!("{folder}{named}") };
            if begins {
                folder = whole.rfind('/').and_then(|end| whole.get(..=end)).unwrap_or_default().to_owned();
            }
            found += 1;
            flaws.extend(flaw(&whole).map(|flaw| format!("{row}: {flaw}")));
        }
        if state == "done" && found == 0 {
            flaws.push(format!("{row}: no test is named"));
        }
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}
