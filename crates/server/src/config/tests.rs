use std::collections::BTreeSet;
use std::path::Path;

use super::*;

fn said(text: &str) -> String {
    match parse(text, Path::new("relais.toml")) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The reference with every key put into force.
fn uncommented() -> String {
    let lines = REFERENCE.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_reference_shows_the_defaults() {
    let config = parse(&uncommented(), Path::new("relais.toml")).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(parse(REFERENCE, Path::new("relais.toml")).unwrap(), Config::default());
}

#[test]
fn pages_without_an_address_and_an_address_without_pages_are_doubtful() {
    let doubts = |text: &str| doubts(&parse(text, Path::new("relais.toml")).unwrap());
    let (url, web) = ("[web]\nurl = \"https://mail.example.org\"\n", "[listeners]\nweb = [\"127.0.0.1:8081\"]\n");
    assert!(doubts("").is_empty() && doubts(&format!("{web}{url}")).is_empty());
    assert!(doubts(url)[0].contains("no pages behind them"));
    assert!(doubts(web)[0].contains("letters have no links"));
}

#[test]
fn the_reference_has_every_key() {
    fn keys(table: &toml::Table, prefix: &str, into: &mut BTreeSet<String>) {
        for (key, value) in table {
            if let toml::Value::Table(inner) = value {
                keys(inner, &format!("{prefix}{key}."), into);
            } else {
                into.insert(format!("{prefix}{key}"));
            }
        }
    }
    let (mut known, mut shown) = (BTreeSet::new(), BTreeSet::new());
    keys(&toml::Table::try_from(Config::default()).unwrap(), "", &mut known);
    keys(&uncommented().parse().unwrap(), "", &mut shown);
    assert_eq!(known, shown);
    assert!(known.len() > 40, "{}", known.len());
}

#[test]
fn every_key_of_the_reference_is_explained() {
    let mut explained = false;
    for line in REFERENCE.lines() {
        match line.strip_prefix('#') {
            Some(text) if text.starts_with(' ') => explained = true,
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => {
                assert!(explained, "nothing stands above {key}");
            }
            _ if line.is_empty() => explained = false,
            _ => {}
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        ("hostnam = \"a.example\"", "relais.toml:1:1: unknown key `hostnam`; did you mean `hostname`?"),
        ("\n[lisen]\nmx = []", "relais.toml:2:2: unknown key `lisen`; did you mean `listeners`?"),
        ("[listeners]\n  imapss = []", "relais.toml:2:3: unknown key `imapss`; did you mean `imaps`?"),
        ("[log]\nformat = \"jsn\"", "relais.toml:2:10: unknown value `jsn`; did you mean `json`?"),
        ("[log]\nformat = \"xml\"", "relais.toml:2:10: unknown value `xml`; known here: text, json"),
        ("[limits]\nrecipients_max = 5", "relais.toml:2:18: 5 is too small; the least is 100"),
        (
            "[limits]\nimap_messages_per_command_max = 500",
            "relais.toml:2:33: 500 is too small; the least is 1000, and 0 is none",
        ),
        ("hostname = \"a b\"", "relais.toml:1:12: the character ' ' is not allowed in the domain"),
        ("hostname = \"[192.0.2.1]\"", "relais.toml:1:1: this must be a name, not an IP address"),
        (
            "[listeners]\nmx = [\"127.0.0.1:25\"]\nimap = [\"127.0.0.1:25\"]",
            "relais.toml:3:1: 127.0.0.1:25 is there twice: it is one of mx already",
        ),
        (
            "[listeners]\nmx = [\"25\"]",
            "relais.toml:2:6: \"25\" is no IP address with a port; write it like \"[::]:25\" or \"127.0.0.1:8025\"",
        ),
        ("[tls]\ncertificate_file = \"a.pem\"", "relais.toml:2:1: a certificate needs its key: set `key_file` too"),
        ("[tls]\nkey_file = \"a.pem\"", "relais.toml:2:1: a key needs its certificate: set `certificate_file` too"),
        ("[queue]\nretry_delays_secs = []", "relais.toml:2:1: this needs at least one wait, each of at least 1 second"),
        ("[queue.smart_host]\nlogin = \"me\"", "relais.toml:2:1: a login needs a password: set `password_file`"),
        (
            "[queue.smart_host]\nhost = \"a..b\"",
            "relais.toml:2:8: \"a..b\" is no host: there are two dots in a row in the domain",
        ),
        (
            "[[queue.route]]\nname = \"a b\"\nhost = \"a.example\"",
            "relais.toml:2:1: \"a b\" is no name for a route: letters, digits, \"-\", \"_\" and \".\", 64 at the most",
        ),
        (
            "[[queue.route]]\nname = \"a\"\nhost = \"a.example\"\n[[queue.route]]\nhost = \"b.example\"\nname = \"a\"",
            "relais.toml:6:1: there is a route \"a\" already",
        ),
        (
            "[[queue.route]]\nname = \"a\"\nhost = \"a.example\"\nlogin = \"me\"",
            "relais.toml:4:1: a login needs a password: set `password_file`",
        ),
        (
            "[[queue.route]]\nname = \"a\"\nhost = \"a.example\"\nsenders = [\"boss\"]",
            "relais.toml:4:11: \"boss\" is no address: the address has no @ and domain; \"<>\" stands for reports, which have no sender",
        ),
        ("[[queue.schedule]]\nclass = \"lists\"", "relais.toml:2:9: unknown value `lists`; did you mean `list`?"),
        (
            "[[queue.schedule]]\nclass = \"list\"\n[[queue.schedule]]\nclass = \"list\"",
            "relais.toml:4:1: the class \"list\" has a schedule already",
        ),
        (
            "[[queue.schedule]]\nclass = \"list\"\nretry_delays_secs = [0]",
            "relais.toml:3:1: this needs at least one wait, each of at least 1 second",
        ),
        (
            "[queue]\nsource_addresses = [\"192.0.2.1\", \"192.0.2.2\"]",
            "relais.toml:2:1: one address of each family at the most: one IPv4, one IPv6",
        ),
        (
            "[security]\nargon2_memory_kib = 8\nargon2_lanes = 4",
            "relais.toml:2:1: Argon2 needs 8 KiB for each lane: at least 32",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(text), expected, "{text}");
    }
}

#[test]
fn broken_toml_and_wrong_types_are_told_with_their_place() {
    for (text, place) in [
        ("hostname = ", "relais.toml:1:"),
        ("hostname = \"a\nb", "relais.toml:"),
        ("\n[limits]\nrecipients_max = \"many\"", "relais.toml:3:18: this must be a whole number"),
        ("[limits]\nrecipients_max = -1", "relais.toml:2:18: this must be a whole number"),
        ("hostname = \"a\"\nhostname = \"b\"", "relais.toml:2:1: the key `hostname` is here a second time"),
        ("[log]\nlevel = \"loud\"", "relais.toml:2:1: \"loud\" is no level"),
        ("[[queue.destination]]\ndomain = \"a.example\"", "relais.toml:1:1: missing field `host`"),
    ] {
        assert!(said(text).starts_with(place), "{text}: {}", said(text));
    }
}

#[test]
fn a_wrong_type_or_place_is_told_how_to_be_written() {
    let number = |least: u32| format!("this must be a whole number, at least {least}, without quotes or units");
    let cases = [
        ("[listeners]\nmx = \"127.0.0.1:25\"", "2:6: this is a list: write [\"127.0.0.1:25\"]".to_owned()),
        ("[queue]\nretry_delays_secs = 60", "2:21: this is a list: write [60]".to_owned()),
        ("[limits]\nrecipients_max = \"200\"", format!("2:18: {}", number(100))),
        ("[limits]\nrecipients_max = 200.5", format!("2:18: {}", number(100))),
        ("[accounts]\nper_domain_max = \"many\"", format!("2:18: {}", number(0))),
        ("[queue]\nretry_delays_secs = [\"1m\"]", format!("2:22: {}", number(0))),
        ("[accounts]\nper_domain_max = 5000000000", "2:18: this number is too large".to_owned()),
        ("[security]\nargon2_passes = 5000000000", "2:17: this number is too large".to_owned()),
        (
            "[security]\nimap_plaintext_login_on_loopback = \"yes\"",
            "2:36: write true or false here, without quotes".to_owned(),
        ),
        ("[accounts]\npublic_host = 5", "2:15: this is a text: write it in quotes, as \"5\"".to_owned()),
        ("recipients_max = 200", "1:1: the key `recipients_max` belongs in [limits]".to_owned()),
        ("[queue]\nmx = []", "2:1: the key `mx` belongs in [listeners]".to_owned()),
        (
            "[log]\nhostname = \"a.example\"",
            "2:1: the key `hostname` belongs at the top of the file, before the first section".to_owned(),
        ),
        (
            "[smart_host]\nport = 25",
            "1:2: the key `smart_host` belongs in [queue]: write [queue.smart_host]".to_owned(),
        ),
        (
            "[log]\nlevel = \"info\"\nlevel = \"warn\"",
            "3:1: the key `level` is here a second time; take one of them out".to_owned(),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(text), format!("relais.toml:{expected}"), "{text}");
    }
}

#[test]
fn destinations_have_ways_of_their_own() {
    let text = "[[queue.destination]]\ndomain = \"Example.net\"\nhost = \"127.0.0.1\"\nport = 2525\n";
    let config = parse(text, Path::new("relais.toml")).unwrap();
    let [destination] = config.queue.destination.as_slice() else { panic!("{config:?}") };
    assert_eq!(
        (destination.domain.as_str(), destination.host.as_str(), destination.port),
        ("example.net", "127.0.0.1", 2525)
    );
}

#[test]
fn a_file_that_is_not_there_tells_what_to_do() {
    let error = load(Path::new("no/such/relais.toml")).unwrap_err().to_string();
    assert!(error.starts_with("no/such/relais.toml: there is no such file. `relais init`"), "{error}");
}

#[test]
fn a_command_names_the_configuration_that_is_not_in_its_usual_place() {
    assert_eq!(command(None), "relais");
    assert_eq!(command(Some(Path::new(DEFAULT_FILE))), "relais");
    assert_eq!(command(Some(Path::new("/srv/mail/relais.toml"))), "relais --config /srv/mail/relais.toml");
}
