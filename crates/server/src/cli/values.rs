//! Arguments with a form of their own.

use std::io::{IsTerminal, Read};
use std::path::Path;

use admin::Edit;
use auth::Password;
use mail::{Address, ReversePath};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use routing::objects::{AliasMakers, Posting, SenderPattern, Target};
use zeroize::Zeroizing;

use super::Failure;

/// `<>`, `address` or `<address>`.
pub(super) fn reverse_path(text: &str) -> Result<ReversePath, String> {
    let parsed =
        if text.starts_with('<') { ReversePath::parse(text) } else { ReversePath::parse(&format!("<{text}>")) };
    parsed.map_err(|flaw| flaw.to_string())
}

/// An address, `:blackhole:`, or `:all:` or nothing for all users.
pub(super) fn target(text: &str) -> Result<Target, String> {
    Target::try_from(text.to_owned())
}

/// Some senders: `alice@example.org`, or `@example.org` for a domain.
pub(super) fn sender(text: &str) -> Result<SenderPattern, String> {
    SenderPattern::try_from(text.to_owned())
}

/// Who may write to a group: a word, or senders parted by commas.
pub(super) fn posting(text: &str) -> Result<Posting, String> {
    match text {
        "anyone" => Ok(Posting::Anyone),
        "organisation" | "organization" => Ok(Posting::Organisation),
        "members" => Ok(Posting::Members),
        named => {
            let senders: Result<Vec<_>, String> = named.split(',').map(sender).collect();
            senders.map(Posting::Named).map_err(|flaw| format!("{flaw}; or say anyone, organisation or members"))
        }
    }
}

/// Who may make aliases: a word, or accounts parted by commas.
pub(super) fn alias_makers(text: &str) -> Result<AliasMakers, String> {
    match text {
        "nobody" => Ok(AliasMakers::Nobody),
        "everyone" => Ok(AliasMakers::Everyone),
        named => {
            let accounts: Result<Vec<Address>, _> = named.split(',').map(|one| Address::parse(one.trim())).collect();
            accounts.map(AliasMakers::Named).map_err(|flaw| format!("{flaw}; or say nobody or everyone"))
        }
    }
}

/// A number of octets: `1000`, `500K`, `20M`, `2G` (powers of 1024).
pub(super) fn octets(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, ""),
    };
    let power = match unit.to_ascii_uppercase().trim_end_matches('B') {
        "" => 1,
        "K" => 1024,
        "M" => 1024 * 1024,
        "G" => 1024 * 1024 * 1024,
        _ => return Err("write a number of octets, as 1000, 500K, 20M or 2G".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "write a number of octets, as 1000, 500K, 20M or 2G".to_owned())?;
    number.checked_mul(power).ok_or_else(|| "the number is too large".to_owned())
}

/// A span of time in seconds: `90s`, `30m`, `24h`, `7d`, and `0`. Of another number alone nobody knows whether it means hours.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || "write a time with its unit, as 90s, 30m, 24h or 7d".to_owned();
    let (digits, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None if text.parse() == Ok(0) => (text, "s"),
        None => return Err(wrong()),
    };
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

/// `VALUE` sets, the `--no-…` flag clears, neither leaves as it is.
pub(super) fn edit<T>(value: Option<T>, clear: bool) -> Edit<T> {
    match (value, clear) {
        (Some(value), _) => Edit::Set(value),
        (None, true) => Edit::Clear,
        (None, false) => Edit::Keep,
    }
}

/// A text file, or the standard input for `-`.
pub(super) fn read_text(file: &Path) -> Result<String, Failure> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

/// The first line of a file, or of the standard input for `-`.
pub(super) fn read_password(file: &Path) -> Result<Password, Failure> {
    let text = Zeroizing::new(read_text(file)?);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Password::from(line)),
        _ => Err(Failure::new(format!("{}: the first line is empty; it should hold the password", file.display()))),
    }
}

/// Asks for a password without showing it; where nobody can be asked, it is the first line of the standard input.
pub(super) fn ask_password(prompt: &str) -> Result<Password, Failure> {
    let stdin = std::io::stdin();
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("the password can't be read: {error}"));
    let mut line = Zeroizing::new(String::new());
    if stdin.is_terminal() {
        super::output::prompt(prompt);
        let shown = tcgetattr(&stdin).map_err(|error| failed(&error))?;
        let mut hidden = shown.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden).map_err(|error| failed(&error))?;
        let read = stdin.read_line(&mut line);
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &shown).map_err(|error| failed(&error))?;
        super::output::prompt("\n");
        read.map_err(|error| failed(&error))?;
    } else {
        stdin.read_line(&mut line).map_err(|error| failed(&error))?;
    }
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::new("no password was given")),
        password => Ok(Password::from(password)),
    }
}

/// The same twice, for a new one.
pub(super) fn ask_new_password(prompt: &str) -> Result<Password, Failure> {
    let password = ask_password(&format!("{prompt}: "))?;
    if std::io::stdin().is_terminal() && ask_password(&format!("{prompt}, again: "))? != password {
        return Err(Failure::new("the two are not the same").hint("nothing is changed; try again"));
    }
    Ok(password)
}

/// `--yes` and `--no` of a switch as one value.
pub(super) fn switch(on: bool, off: bool) -> Option<bool> {
    match (on, off) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// For lists of accounts: one JSON object a line.
pub(super) fn json_lines<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Vec<T>, Failure> {
    let text = Zeroizing::new(read_text(file)?);
    let mut values = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        values.push(serde_json::from_str(line).map_err(|error| {
            let (line, column) = (n + 1, error.column());
            Failure::new(format!("{}:{line}:{column}: {}", file.display(), without_values(&error)))
        })?);
    }
    Ok(values)
}

/// What the JSON reader says, without the value that it found: that may be a password.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid type") || found.starts_with("invalid value") => {
            format!("a value is not what is needed there: expected {expected}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!((octets("1000"), octets("2K"), octets("1gb")), (Ok(1000), Ok(2048), Ok(1 << 30)));
        assert!(octets("many").is_err() && octets("1X").is_err() && octets("99999999999999999999").is_err());
        assert_eq!((seconds("90s"), seconds("30m"), seconds("7d")), (Ok(90), Ok(1800), Ok(604_800)));
        assert_eq!((seconds("0"), seconds("24h")), (Ok(0), Ok(86_400)));
        assert!(
            ["soon", "1w", "1", "24", ""].iter().all(|text| seconds(text).is_err_and(|said| said.contains("unit")))
        );
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told_without_its_values() {
        let told = |text: &str| without_values(&serde_json::from_str::<admin::NewAccount>(text).unwrap_err());
        let wrong = told("{\"address\":\"a@b.example\",\"password\":48151623}");
        assert!(wrong.contains("expected") && !wrong.contains("4815"), "{wrong}");
        assert!(told("{\"pasword\":\"x\"}").contains("pasword"));
    }

    #[test]
    fn a_sender_may_be_bare_or_null() {
        assert_eq!(reverse_path("<>"), Ok(ReversePath::Null));
        assert_eq!(reverse_path("a@b.example"), reverse_path("<a@b.example>"));
        assert!(reverse_path("nobody").is_err());
    }
}
