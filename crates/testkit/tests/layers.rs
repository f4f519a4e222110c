//! Arrows between crates point down, and roles never meet: `ARCHITECTURE.md`, "Code map".

use std::collections::BTreeMap;
use std::path::Path;

/// From the top down; a crate may use those of later lines only.
const LAYERS: [&[&str]; 14] = [
    &["demo"],
    &["relais", "demo"],
    &["smtp-in", "smtp-out", "imap", "responder", "lists", "fetch", "hooks", "reports", "admin"],
    &["urls"],
    &["search"],
    &["delivery", "auth"],
    &["queue", "bus"],
    &["storage-rocksdb"],
    &["storage"],
    &["routing", "imap-wire", "sender-auth", "reputation"],
    &["filter", "spam", "abuse", "outside"],
    &["message"],
    &["world"],
    &["mail"],
];

/// Helpers of tests stand outside: nothing that ships may use them.
const TEST_ONLY: [&str; 2] = ["testkit", "fuzz-targets"];

#[test]
fn arrows_point_down() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let layer_of: BTreeMap<&str, usize> =
        LAYERS.iter().enumerate().flat_map(|(n, layer)| layer.iter().map(move |name| (*name, n))).collect();
    let mut seen = 0;
    for entry in std::fs::read_dir(crates).unwrap() {
        let path = entry.unwrap().path().join("Cargo.toml");
        let Ok(manifest) = std::fs::read_to_string(&path) else { continue };
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap().trim_end_matches('"');
        let name = name.strip_prefix("relais-").unwrap_or(name).to_owned();
        if TEST_ONLY.contains(&name.as_str()) {
            continue;
        }
        seen += 1;
        let own = layer_of.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no layer in this test"));
        for used in dependencies(&manifest) {
            assert!(!TEST_ONLY.contains(&used.as_str()), "{name} ships and uses {used}");
            if let Some(layer) = layer_of.get(used.as_str()) {
                assert!(layer > own, "{name} uses {used}, which does not stand below it");
            }
        }
    }
    assert_eq!(seen, layer_of.len(), "a crate in the list is not in the folder");
}

/// The names in `[dependencies]`; those of tests may point anywhere.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_owned);
    section.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(name).collect()
}

/// One provider of cryptography (aws-lc-rs), one TLS (rustls): what is linked for this machine, from the lock file. `deny.toml`
/// says the same, for those who have cargo-deny.
#[test]
fn neither_ring_nor_openssl_is_linked() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap();
    let tree = |of: &[&str]| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = std::process::Command::new(cargo);
        // Without the settings of the build that runs this test, which would be those of its crate.
        command.current_dir(workspace).args(["tree", "--locked", "--offline", "--workspace", "-e", "normal"]).args(of);
        command.output().unwrap()
    };
    for banned in ["ring", "openssl", "openssl-sys", "native-tls"] {
        let found = tree(&["-i", banned]);
        let (said, why) = (String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
        // A crate that only other platforms need is in the lock file, and its tree is empty; one that nobody needs is no package.
        let absent =
            if found.status.success() { said.trim().is_empty() } else { why.contains("did not match any packages") };
        assert!(absent, "{banned} is linked:\n{said}{why}");
    }
    // The question is asked well: what is there is found.
    for linked in ["aws-lc-rs", "rustls"] {
        let found = tree(&["-i", linked]);
        assert!(String::from_utf8_lossy(&found.stdout).contains(linked), "{}", String::from_utf8_lossy(&found.stderr));
    }
}
