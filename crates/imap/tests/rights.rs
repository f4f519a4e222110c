//! RFC 4314 §4, with RFC 5464 §3.3, RFC 6851 §4.4 and RFC 9208 §6: each command with each right alone, with all but that one,
//! with all and with none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD, fixture};
use relais_imap::Settings;
use tokio_util::sync::CancellationToken;

const ALL: &str = "lrswipkxtean";
const PLANS: &str = "\"Other Users/bob@example.org/Plans\"";

/// Which rights a command needs.
struct Needs {
    /// All of these.
    all: &'static str,
    /// And one of these, when there are any.
    any: &'static str,
}

const fn all(all: &'static str) -> Needs {
    Needs { all, any: "" }
}

const fn any(any: &'static str) -> Needs {
    Needs { all: "", any }
}

impl Needs {
    fn met_by(&self, rights: &str) -> bool {
        let has = |right: char| rights.contains(right);
        self.all.chars().all(has) && (self.any.is_empty() || self.any.chars().any(has))
    }
}

/// `P` stands for the mailbox of another.
const AUTHENTICATED: &[(&str, Needs)] = &[
    ("SELECT P", all("r")),
    ("EXAMINE P", all("r")),
    ("STATUS P (MESSAGES)", all("r")),
    ("SUBSCRIBE P", all("l")),
    ("UNSUBSCRIBE P", all("")),
    ("CREATE P/New", all("k")),
    ("CREATE P/Very/New", all("k")),
    ("DELETE P", all("x")),
    ("RENAME P/Sub P/Other", all("kx")),
    ("SETACL P alice@example.org lra", all("a")),
    ("SETACL P anyone +l", all("a")),
    ("DELETEACL P alice@example.org", all("a")),
    ("GETACL P", all("a")),
    ("LISTRIGHTS P alice@example.org", all("a")),
    ("MYRIGHTS P", any("lrikxa")),
    ("APPEND P {8+}\r\nA: b\r\n\r\n", all("i")),
    ("GETQUOTAROOT P", all("r")),
    ("GETMETADATA P /shared/comment", Needs { all: "l", any: "rswip" }),
    ("SETMETADATA P (/shared/comment \"x\")", Needs { all: "l", any: "rswip" }),
    ("SETMETADATA P (/private/comment \"x\")", Needs { all: "l", any: "rswip" }),
];

/// With one's own INBOX selected.
const FROM_HOME: &[(&str, Needs)] =
    &[("COPY 1 P", all("i")), ("UID COPY 1 P", all("i")), ("MOVE 1 P", all("i")), ("UID MOVE 1 P", all("i"))];

/// With the other's mailbox selected, which takes the right `r`.
const SELECTED: &[(&str, Needs)] = &[
    ("FETCH 1 FLAGS", all("")),
    ("SEARCH ALL", all("")),
    ("COPY 1 INBOX", all("")),
    ("MOVE 1 INBOX", all("te")),
    ("STORE 1 +FLAGS (\\Deleted)", all("t")),
    ("STORE 1 +FLAGS (\\Seen)", all("s")),
    ("STORE 1 +FLAGS (\\Flagged)", all("w")),
    ("STORE 1 +FLAGS ($Label)", all("w")),
    ("STORE 1 -FLAGS (\\Seen \\Flagged)", any("sw")),
    ("UID STORE 1 +FLAGS (\\Deleted \\Draft)", any("tw")),
    ("EXPUNGE", all("e")),
    ("UID EXPUNGE 1", all("e")),
    ("CLOSE", all("")),
    ("UNSELECT", all("")),
];

/// Rights to try: each alone, all but each, all, none.
fn sets() -> Vec<String> {
    let alone = ALL.chars().map(String::from);
    let without = ALL.chars().map(|right| ALL.replace(right, ""));
    alone.chain(without).chain([ALL.to_owned(), String::new()]).collect()
}

/// Bob shares `Plans` and `Plans/Sub` with Alice, who has logged in; in each INBOX and in `Plans` there is a message.
async fn stage(rights: &str) -> (House, Client) {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings, false).await;
    for mailbox in ["Plans", "Plans/Sub"] {
        house.share(&format!("acl bob {mailbox} alice={rights}")).await.unwrap().unwrap();
    }
    house.deliver("bob", "Plans", &fixture("simple.eml"), true).await;
    house.deliver("alice", "INBOX", &fixture("simple.eml"), true).await;
    let client = login(&house, "alice").await;
    (house, client)
}

async fn login(house: &House, user: &str) -> Client {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN {user} {PASSWORD}")).await.unwrap();
    client
}

/// The name with what stands behind `P`.
fn with_names(command: &str) -> String {
    let words = command.split(' ').map(|word| match word.strip_prefix('P') {
        Some(below) if below.is_empty() || below.starts_with('/') => PLANS.replace("Plans", &format!("Plans{below}")),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

async fn try_it(client: &mut Client, command: &str) -> String {
    client.command("t", &with_names(command)).await.unwrap().pop().unwrap()
}

fn judge(command: &str, needs: &Needs, rights: &str, answer: &str, wrong: &mut Vec<String>) {
    // RFC 4314 §6: without "l" nothing is told of the mailbox.
    let refusal = if rights.contains('l') { "t NO [NOPERM]" } else { "t NO [NONEXISTENT]" };
    let expected = if needs.met_by(rights) { "t OK" } else { refusal };
    if !answer.starts_with(expected) {
        wrong.push(format!("{command} with {rights:?}: {answer}"));
    }
}

#[tokio::test]
async fn commands_that_name_a_mailbox_need_their_rights() {
    let mut wrong = Vec::new();
    for rights in sets() {
        for (command, needs) in AUTHENTICATED {
            let (_house, mut client) = stage(&rights).await;
            let answer = try_it(&mut client, command).await;
            judge(command, needs, &rights, &answer, &mut wrong);
        }
        for (command, needs) in FROM_HOME {
            let (_house, mut client) = stage(&rights).await;
            client.command("s", "SELECT INBOX").await.unwrap();
            let answer = try_it(&mut client, command).await;
            judge(command, needs, &rights, &answer, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn commands_in_a_selected_mailbox_need_their_rights() {
    let mut wrong = Vec::new();
    for rights in sets() {
        let rights = if rights.contains('r') { rights } else { format!("{rights}r") };
        for (command, needs) in SELECTED {
            let (_house, mut client) = stage(&rights).await;
            let selected = try_it(&mut client, "SELECT P").await;
            assert!(selected.starts_with("t OK"), "{rights}: {selected}");
            // RFC 4314 §5.2, RFC 5257 §3.4.
            let writable = rights.chars().any(|right| "switne".contains(right));
            assert_eq!(selected.contains("[READ-WRITE]"), writable, "{rights}: {selected}");
            let answer = try_it(&mut client, command).await;
            let expected = if needs.met_by(&rights) { "t OK" } else { "t NO" };
            if !answer.starts_with(expected) {
                wrong.push(format!("{command} with {rights:?}: {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The flags of the only message of Bob's `Plans`, as Bob sees them; `None` when it is gone.
async fn flags_at_bobs(house: &House) -> Option<String> {
    let mut bob = login(house, "bob").await;
    bob.command("e", "EXAMINE Plans").await.unwrap();
    let lines = bob.command("f", "FETCH * FLAGS").await.unwrap();
    let line = lines.iter().find(|line| line.contains("FETCH ("))?;
    let flags = line.split_once("FLAGS (")?.1.split(')').next()?;
    Some(flags.split(' ').filter(|flag| *flag != "\\Recent").collect::<Vec<_>>().join(" "))
}

#[tokio::test]
async fn what_is_done_goes_as_far_as_the_rights() {
    for rights in sets() {
        let has = |right: char| rights.contains(right);
        // LIST never refuses, and shows what may be looked up.
        let (_house, mut client) = stage(&rights).await;
        let listed = client.command("t", &with_names("LIST \"\" P")).await.unwrap();
        assert_eq!((listed.len(), listed.last().unwrap().starts_with("t OK")), (1 + usize::from(has('l')), true));
        // APPEND and COPY keep the flags that may be set.
        let kept = |flags: &[(&str, char)]| {
            let kept: Vec<&str> = flags.iter().filter(|(_, right)| has(*right)).map(|(flag, _)| *flag).collect();
            kept.join(" ")
        };
        let given = [("\\Flagged", 'w'), ("\\Deleted", 't'), ("\\Seen", 's')];
        if has('i') {
            let (house, mut client) = stage(&rights).await;
            let append = "APPEND P (\\Flagged \\Deleted \\Seen) {8+}\r\nA: b\r\n\r\n";
            assert!(try_it(&mut client, append).await.starts_with("t OK"));
            assert_eq!(sorted(&flags_at_bobs(&house).await.unwrap()), sorted(&kept(&given)), "APPEND with {rights}");
            let (house, mut client) = stage(&rights).await;
            client.command("s", "SELECT INBOX").await.unwrap();
            client.command("s", "STORE 1 FLAGS (\\Flagged \\Deleted \\Seen)").await.unwrap();
            assert!(try_it(&mut client, "COPY 1 P").await.starts_with("t OK"));
            assert_eq!(sorted(&flags_at_bobs(&house).await.unwrap()), sorted(&kept(&given)), "COPY with {rights}");
        }
        if has('r') {
            // STORE changes what may be changed, FETCH sets \Seen where that may be, CLOSE expunges where that may be.
            let (house, mut client) = stage(&rights).await;
            try_it(&mut client, "SELECT P").await;
            try_it(&mut client, "STORE 1 FLAGS (\\Flagged \\Deleted \\Seen)").await;
            assert_eq!(sorted(&flags_at_bobs(&house).await.unwrap()), sorted(&kept(&given)), "STORE with {rights}");
            assert!(try_it(&mut client, "CLOSE").await.starts_with("t OK"));
            let gone = has('t') && has('e');
            assert_eq!(flags_at_bobs(&house).await.is_none(), gone, "CLOSE with {rights}");
            let (house, mut client) = stage(&rights).await;
            try_it(&mut client, "SELECT P").await;
            assert!(try_it(&mut client, "FETCH 1 BODY[TEXT]").await.starts_with("t OK"));
            let seen = if has('s') { "\\Seen" } else { "" };
            assert_eq!(flags_at_bobs(&house).await.as_deref(), Some(seen), "FETCH with {rights}");
        }
    }
}

fn sorted(flags: &str) -> Vec<&str> {
    let mut flags: Vec<&str> = flags.split(' ').filter(|flag| !flag.is_empty()).collect();
    flags.sort_unstable();
    flags
}
