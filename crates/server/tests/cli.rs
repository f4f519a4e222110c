//! The command line as one types it: the built binary, its output, its exit codes; on a store of its own and through
//! the socket of a running server.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that runs a program"
)]

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use storage::keys::{Key, Table};
use storage::{Durability, Engine, SilentDoorbell, Transaction};
use storage_rocksdb::{Options, RocksEngine};

struct Stage {
    folder: tempfile::TempDir,
    base: String,
    server: Option<Child>,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Stage {
    /// A fresh configuration with a domain and an administrator.
    fn new() -> Self {
        let base = free_ports();
        let stage = Self { folder: tempfile::tempdir().unwrap(), base: base.clone(), server: None };
        let data = stage.folder.path().join("data");
        let data = data.to_str().unwrap();
        let said = stage.run(&["init", "--domain", "example.org", "--data-dir", data, "--loopback-ports", &base], "");
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.contains("administrator   postmaster@example.org"), "{}", said.out);
        let config = std::fs::read_to_string(stage.config()).unwrap();
        let config = config
            .replace("#free_space_reserve_mib = 256", "free_space_reserve_mib = 16")
            .replace("#argon2_memory_kib = 19456", "argon2_memory_kib = 8")
            .replace("#argon2_passes = 2", "argon2_passes = 1");
        std::fs::write(stage.config(), config).unwrap();
        stage
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("relais.toml")
    }

    fn run(&self, args: &[&str], input: &str) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_relais"))
            .arg("--config")
            .arg(self.config())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have ended already.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn good(&self, args: &[&str]) -> String {
        let said = self.run(args, "");
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
        said.out
    }

    fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.good(&args)).unwrap()
    }

    fn bad(&self, args: &[&str]) -> String {
        let said = self.run(args, "");
        assert_eq!(said.code, 1, "{args:?}: {}", said.out);
        said.err
    }

    fn serve(&mut self) {
        for _ in 0..3 {
            if self.serves() {
                return;
            }
            self.take_other_ports();
        }
        panic!("the server ends at once, again and again");
    }

    /// Another program took one of the ports since they were found free.
    fn take_other_ports(&mut self) {
        let (old, new) = (self.base.parse::<u16>().unwrap(), free_ports());
        let mut config = std::fs::read_to_string(self.config()).unwrap();
        for port in PORTS {
            let at = |base: u16| format!("127.0.0.1:{}\"", base + port);
            config = config.replace(&at(old), &at(new.parse().unwrap()));
        }
        std::fs::write(self.config(), config).unwrap();
        self.base = new;
    }

    /// Starts the server; `false` when it has ended before it was ready.
    fn serves(&mut self) -> bool {
        let mut child = Command::new(env!("CARGO_BIN_EXE_relais"))
            .arg("--config")
            .arg(self.config())
            .arg("serve")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..600 {
            if self.run(&["health"], "").code == 0 && self.folder.path().join("data/relais.sock").exists() {
                self.server = Some(child);
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the server does not get ready");
    }

    fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let stopped = Command::new("kill").arg("-TERM").arg(server.id().to_string()).status().unwrap();
        assert!(stopped.success());
        assert_eq!(server.wait().unwrap().code(), Some(0));
    }
}

impl Stage {
    /// Writes into the store behind the server's back.
    fn write(&self, body: impl FnMut(&mut Transaction<'_>) -> Result<(), storage::StorageError> + Send + 'static) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let path = self.folder.path().join("data/store");
            let options = Options { free_octets_min: 0, ..Options::default() };
            let engine = RocksEngine::open(&path, options, std::sync::Arc::new(SilentDoorbell)).unwrap();
            drop(engine.transact(Box::new(body), Durability::Synced).await.unwrap());
            engine.close().await.unwrap();
        });
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().ok();
            server.wait().ok();
        }
    }
}

const PORTS: [u16; 6] = [25, 143, 465, 587, 993, 8080];

fn free_ports() -> String {
    let free = |base: u16| PORTS.iter().all(|port| TcpListener::bind(("127.0.0.1", base + port)).is_ok());
    // Tests run beside each other, so each begins to look somewhere else.
    let start = 20_000 + u16::try_from(std::process::id() % 300).unwrap() * 100;
    (start..56_000).step_by(7).find(|base| free(*base)).unwrap().to_string()
}

#[test]
fn without_a_configuration_it_says_what_to_do() {
    let said = Command::new(env!("CARGO_BIN_EXE_relais"))
        .args(["--config", "/no/such/relais.toml", "domain", "list"])
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1));
    let err = String::from_utf8(said.stderr).unwrap();
    assert!(err.starts_with("relais: /no/such/relais.toml: there is no such file. `relais init`"), "{err}");
}

#[test]
fn wrong_usage_is_exit_code_2_and_suggests() {
    let stage = Stage::new();
    let said = stage.run(&["domian", "list"], "");
    assert_eq!(said.code, 2);
    assert!(said.err.contains("'domain'"), "{}", said.err);
    assert_eq!(stage.run(&["alias", "add", "x@example.org"], "").code, 2);
    assert_eq!(stage.run(&["account", "add", "no-address"], "").code, 2);
    assert_eq!(stage.run(&["queue", "hold"], "").code, 2);
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let stage = Stage::new();
    let config = std::fs::read_to_string(stage.config()).unwrap();
    std::fs::write(stage.config(), config.replace("[listeners]", "[lisen]")).unwrap();
    let err = stage.bad(&["serve"]);
    assert!(err.contains("unknown key `lisen`; did you mean `listeners`?"), "{err}");
    assert!(err.contains("relais.toml:"), "{err}");
}

#[test]
fn what_was_meant_is_suggested_in_json_too() {
    let stage = Stage::new();
    for (words, hint) in [
        (&["help", "account"][..], "'relais --help' lists what there is"),
        (&["alias", "delete", "info@example.org"], "a similar subcommand exists: 'remove'"),
        (&["account", "list", "--domian", "example.org"], "a similar argument exists: '--domain'"),
    ] {
        let said = stage.run(words, "");
        assert!(said.code == 2 && said.err.contains(hint), "{}", said.err);
        let said = stage.run(&[&["--json"], words].concat(), "");
        let told: Value = serde_json::from_str(&said.err).unwrap();
        assert!(told["error"]["hint"].as_str().unwrap().contains(hint), "{told}");
    }
}

/// What `init` says of the DNS is what `domain records` says.
#[test]
fn init_shows_the_records_of_the_domain() {
    let folder = tempfile::tempdir().unwrap();
    let relais = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relais"));
        let done = command.current_dir(folder.path()).args(["--config", "relais.toml"]).args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let told = relais(&["init", "--domain", "example.org", "--data-dir", "data", "--loopback-ports", &free_ports()]);
    let records: Value = serde_json::from_str(&relais(&["domain", "records", "example.org", "--json"])).unwrap();
    let mut short = 0;
    for record in records["records"].as_array().unwrap() {
        let [name, kind, value] = ["name", "kind", "value"].map(|field| record[field].as_str().unwrap());
        if kind == "MX" || kind == "TXT" && !name.contains("._domainkey.") {
            short += 1;
            assert!(told.contains(&format!("       {name}.  {kind}  {value}\n")), "{told}");
        }
    }
    assert_eq!((short, told.matches("_dmarc.").count()), (3, 1), "{told}");
}

#[test]
fn init_does_not_overwrite() {
    let stage = Stage::new();
    let err = stage.bad(&["init", "--domain", "other.example", "--data-dir", "data"]);
    assert!(err.contains("is there already"), "{err}");
}

#[test]
fn init_for_a_user_who_is_not_there_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_relais"));
    command.current_dir(folder.path()).args(["--config", "relais.toml", "init", "--domain", "example.org"]);
    let done = command.args(["--data-dir", "data", "--user", "no-such-user"]).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let err = String::from_utf8(done.stderr).unwrap();
    assert!(err.contains("there is no user no-such-user on this machine"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn dev_on_a_taken_port_says_that_alone() {
    let base = free_ports();
    let taken = base.parse::<u16>().unwrap() + 143;
    let _taken = TcpListener::bind(("127.0.0.1", taken)).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_relais")).args(["dev", "--ports", &base]).output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8(done.stdout).unwrap().as_str()), (Some(1), ""));
    let err = String::from_utf8(done.stderr).unwrap();
    assert!(err.contains(&format!("127.0.0.1:{taken} can't be opened")), "{err}");
}

/// As in the README: both are named from the folder that one is in.
#[test]
fn init_takes_a_relative_data_folder_from_the_current_one() {
    let folder = tempfile::tempdir().unwrap();
    let relais = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relais"));
        command.current_dir(folder.path()).args(["--config", "try/relais.toml"]).args(args).output().unwrap()
    };
    let made =
        relais(&["init", "--domain", "example.org", "--data-dir", "try/data", "--loopback-ports", &free_ports()]);
    assert!(made.status.success(), "{made:?}");
    assert!(folder.path().join("try/data").is_dir());
    assert!(!folder.path().join("try/try").exists());
    // What the configuration says leads there again.
    assert!(relais(&["account", "show", "postmaster@example.org"]).status.success());
}

/// What every object can be asked, the same with and without a server.
fn objects(stage: &Stage) {
    stage.good(&["domain", "add", "second.example", "--catch-all", "rest@second.example"]);
    let domain = stage.json(&["domain", "show", "second.example"]);
    assert_eq!(
        (domain["name"].as_str(), domain["catch_all"].as_str()),
        (Some("second.example"), Some("rest@second.example"))
    );
    stage.good(&["domain", "set", "second.example", "--no-catch-all", "--disable"]);
    let domain = stage.json(&["domain", "show", "second.example"]);
    assert_eq!((domain["catch_all"].is_null(), domain["enabled"].as_bool()), (true, Some(false)));
    stage.good(&["domain", "remove", "second.example"]);
    assert_eq!(stage.json(&["domain", "list"]).as_array().unwrap().len(), 1);

    let made = stage.json(&["account", "add", "alice@example.org", "--name", "Alice", "--quota", "2G"]);
    assert_eq!(
        (made["quota_octets"].as_u64(), made["generated_password"].as_str().unwrap().len()),
        (Some(2 << 30), 23)
    );
    stage.good(&["account", "set", "alice@example.org", "--quota-messages", "5000", "--quota-mailboxes", "100"]);
    let alice = stage.good(&["account", "show", "alice@example.org"]);
    assert!(alice.contains("2.0 GiB, 5000 messages, 100 mailboxes"), "{alice}");
    stage.good(&["account", "set", "alice@example.org", "--no-quota-messages", "--no-quota-mailboxes"]);
    let alice = stage.json(&["account", "show", "alice@example.org"]);
    assert_eq!((alice["quota_messages"].as_u64(), alice["quota_mailboxes"].as_u64()), (None, None));
    assert_eq!((alice["quota_octets"].as_u64(), alice["mailboxes"].as_u64()), (Some(2 << 30), Some(6)));
    let said = stage.run(&["account", "set", "alice@example.org", "--quota-mailboxes", "0"], "");
    assert!(said.code == 2 && said.err.contains("--quota-mailboxes"), "{}", said.err);
    let said = stage.run(&["account", "add", "bob@example.org", "--password-file", "-"], "a good password\n");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.contains("password   "), "a given password is not shown: {}", said.out);
    stage.good(&["account", "set", "bob@example.org", "--role", "administrator", "--language", "fr"]);
    let bob = stage.json(&["account", "show", "bob@example.org"]);
    assert_eq!((bob["role"].as_str(), bob["language"].as_str()), (Some("administrator"), Some("fr")));
    let err = stage.bad(&["account", "show", "bbo@example.org"]);
    assert!(err.contains("did you mean bob@example.org?"), "{err}");
    let err = stage.bad(&["account", "add", "x@exmaple.org"]);
    assert!(err.contains("known: example.org") && err.contains("`relais domain add exmaple.org`"), "{err}");

    stage.good(&["alias", "add", "info@example.org", "--to", "alice@example.org"]);
    stage.good(&["alias", "add", "info@example.org", "--to", "bob@example.org", "--to", "x@elsewhere.example"]);
    let alias = stage.json(&["alias", "show", "info@example.org"]);
    let expected = serde_json::json!(["alice@example.org", "bob@example.org", "x@elsewhere.example"]);
    assert_eq!(alias["targets"], expected);
    stage.good(&["alias", "add", "all@example.org", "--to", ""]);
    stage.good(&["alias", "set", "all@example.org", "--to", ":blackhole:", "--note", "quiet"]);
    assert_eq!(stage.json(&["alias", "show", "all@example.org"])["targets"], serde_json::json!([":blackhole:"]));
    let err = stage.bad(&["alias", "add", "all@example.org", "--to", "all@example.org"]);
    assert!(err.contains("circle"), "{err}");

    let responder = stage.json(&[
        "responder",
        "add",
        "alice@example.org",
        "--kind",
        "out-of-office",
        "--subject-prefix",
        "Away:",
        "--text",
        "Back soon.",
        "--starts",
        "2036-07-01",
        "--ends",
        "2036-07-14",
        "--frequency",
        "7d",
        "--drop",
        "--copy-answers-to",
        "bob@example.org",
        "--no-file-in-sent",
    ]);
    let id = responder["id"].to_string();
    assert_eq!((responder["frequency_secs"].as_u64(), responder["keep"].as_bool()), (Some(604_800), Some(false)));
    stage.good(&["responder", "set", &id, "--keep", "--no-ends", "--disable"]);
    let responder = stage.json(&["responder", "show", &id]);
    assert_eq!((responder["keep"].as_bool(), responder["ends"].is_null()), (Some(true), true));
    assert!(stage.good(&["responder", "list"]).contains("alice@example.org"));
    stage.good(&["responder", "remove", &id]);

    assert_eq!(stage.good(&["queue", "list"]), "the queue is empty\n");
    assert!(stage.bad(&["queue", "show", "7"]).contains("there is no queue entry 7"));
    let told = stage.good(&["explain", "customer@elsewhere.example", "info@example.org"]);
    assert!(told.contains("mailbox alice@example.org") && told.contains("accepted"), "{told}");
    let told = stage.json(&["explain", "<>", "nobody@example.org"]);
    assert_eq!(told["resolution"]["verdict"].as_str(), Some("refuse"));

    let error = stage.run(&["account", "remove", "alice@example.org", "--json"], "");
    let error: Value = serde_json::from_str(&error.err).unwrap();
    assert_eq!(error["error"]["kind"].as_str(), Some("in-use"));
    stage.good(&["account", "remove", "alice@example.org", "--force"]);
    assert_eq!(stage.json(&["alias", "show", "info@example.org"])["targets"].as_array().unwrap().len(), 2);
    stage.good(&["account", "remove", "bob@example.org", "--force"]);
    stage.good(&["alias", "remove", "info@example.org"]);
    stage.good(&["alias", "remove", "all@example.org"]);
}

#[test]
fn objects_are_edited_in_the_store_and_through_a_running_server() {
    let mut stage = Stage::new();
    objects(&stage);
    stage.serve();
    objects(&stage);
    assert!(stage.good(&["event", "list"]).contains("no event is parked"));
    let err = stage.bad(&["check"]);
    assert!(err.contains("in use by another process") && err.contains("stop that first"), "{err}");
    let err = stage.bad(&["serve"]);
    assert!(err.contains("a server of this configuration runs already"), "{err}");
    assert_eq!(stage.json(&["health"]), serde_json::json!({ "ready": true }));
    stage.stop();
    let said = stage.run(&["health", "--json"], "");
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, told["ready"].as_bool()), (1, Some(false)), "{told}");
    assert!(told["reason"].as_str().unwrap().contains("is the server running?"), "{told}");
    assert!(stage.bad(&["health"]).contains("is the server running?"));
    let report = stage.json(&["check", "--deep"]);
    assert_eq!(report["problems"], serde_json::json!([]));
}

#[test]
fn groups_and_lists_are_no_accounts() {
    let stage = Stage::new();
    let made = stage.good(&["group", "add", "board@example.org"]);
    assert!(made.contains("it has no members: mail to it is refused until there are some"), "{made}");
    assert!(made.contains("`relais group set board@example.org --add-member PERSON@example.org`"), "{made}");
    stage.good(&["group", "set", "board@example.org", "--add-member", "postmaster@example.org"]);
    stage.good(&["list", "add", "garden@example.org", "--owner", "postmaster@example.org"]);
    let told = stage.good(&["check"]);
    assert!(told.starts_with("sound: 1 account, 1 group, 1 list, "), "{told}");
    let err = stage.bad(&["domain", "remove", "example.org"]);
    assert!(err.contains("the domain example.org still has 1 account, 1 group, 1 list\n"), "{err}");
    stage.good(&["domain", "add", "empty.example"]);
    let told = stage.good(&["domain", "remove", "empty.example"]);
    assert_eq!(told, "removed the domain empty.example, which had no addresses\n");
}

#[test]
fn too_little_space_names_the_reserve() {
    let stage = Stage::new();
    let config = std::fs::read_to_string(stage.config()).unwrap();
    let config = config.replace("free_space_reserve_mib = 16", "free_space_reserve_mib = 1000000000000");
    std::fs::write(stage.config(), config).unwrap();
    let said =
        stage.run(&["account", "add", "zoe@example.org", "--password-file", "-"], "correct horse battery staple\n");
    assert_eq!(said.code, 1, "{}", said.out);
    let expected = "less free space than the reserve of 1000000000000 MiB ([storage] free_space_reserve_mib)";
    assert!(said.err.contains(expected) && said.err.contains("make room"), "{}", said.err);
}

#[test]
fn accounts_are_imported_from_json_lines() {
    let stage = Stage::new();
    let lines: String = (0..300)
        .map(|n| format!("{{\"address\":\"user{n}@example.org\",\"password\":\"bench-password\"}}\n"))
        .collect();
    let said = stage.run(&["account", "add", "--from-file", "-"], &lines);
    assert_eq!(said.out, "300 accounts added, 0 were there already\n", "{}", said.err);
    let said = stage.run(&["account", "add", "--from-file", "-", "--json"], &lines);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((report["added"].as_u64(), report["present"].as_u64()), (Some(0), Some(300)));
    let said = stage.run(&["account", "add", "--from-file", "-"], "{\"address\":\"x@example.org\",\"pasword\":\"y\"}");
    assert_eq!(said.code, 1);
    assert!(said.err.contains("-:1:") && said.err.contains("pasword"), "{}", said.err);
    assert!(!said.err.contains("\"y\""), "{}", said.err);
}

#[test]
fn the_configuration_in_force_is_shown() {
    let stage = Stage::new();
    let config = stage.json(&["config"]);
    assert_eq!(config["hostname"].as_str(), Some("mail.example.org"));
    assert_eq!(config["limits"]["recipients_max"].as_u64(), Some(1000));
    assert!(stage.good(&["config"]).contains("[limits]"));
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let stage = Stage::new();
    stage.write(|tx| {
        tx.put(Key::global(Table::Meta).bytes(b"format").done(), vec![0, 0, 0, 99]);
        Ok(())
    });
    for command in [&["serve"][..], &["domain", "list"], &["check"]] {
        let err = stage.bad(command);
        assert!(err.contains("newer version") && err.contains("99") && err.contains("run the version"), "{err}");
    }
}

#[test]
fn what_is_damaged_can_be_checked() {
    let mut stage = Stage::new();
    stage.write(|tx| {
        tx.put(Key::global(Table::Meta).bytes(b"format").done(), b"?".to_vec());
        tx.put(Key::global(Table::Object).bytes(b"abroken@example.org").done(), b"{".to_vec());
        Ok(())
    });
    let mut said = stage.bad(&["serve"]);
    for _ in 0..3 {
        if said.contains("`relais check` tells more") {
            break;
        }
        stage.take_other_ports();
        said = stage.bad(&["serve"]);
    }
    assert!(said.contains("`relais check` tells more"), "{said}");
    let report = stage.run(&["check"], "");
    assert_eq!(report.code, 1, "{}", report.err);
    for line in ["the store: version stamp is missing or can't be read", "object abroken@example.org: can't be read"] {
        assert!(report.out.contains(line), "{}", report.out);
    }
}

#[test]
fn parked_events_are_told_and_handled() {
    let mut stage = Stage::new();
    stage.write(|tx| {
        let number = tx.emit(mail::Topic::MessageStored, mail::Timestamp(0), b"{}".to_vec())?;
        tx.park_event(mail::Topic::MessageStored, number, "nobody could read it").map(drop)
    });
    let report = stage.run(&["check"], "");
    assert!(report.out.contains("event 1 of MessageStored: content of the event can't be read"), "{}", report.out);
    assert!(report.out.contains("1 of the events failed too often") && report.out.contains("relais event list"));
    stage.serve();
    let listed = stage.good(&["event", "list"]);
    assert!(listed.contains("message-stored:1") && listed.contains("nobody could read it"), "{listed}");
    assert!(stage.good(&["event", "show", "message-stored:1"]).contains("nobody could read it"));
    assert_eq!(stage.run(&["event", "retry", "one"], "").code, 2);
    stage.good(&["event", "retry", "--all"]);
    // It fails again, under another number.
    let again = || stage.json(&["event", "list"]).as_array().unwrap().len() == 1;
    for _ in 0..600 {
        if again() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(stage.good(&["event", "list"]).contains("message-stored:2"));
    stage.good(&["event", "remove", "message-stored:2"]);
    assert!(stage.bad(&["event", "show", "message-stored:2"]).contains("`relais event list` shows"));
    stage.stop();
    assert_eq!(stage.json(&["check"])["problems"], serde_json::json!([]));
}
