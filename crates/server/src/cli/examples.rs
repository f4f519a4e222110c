//! An example for every command whose arguments have none beside them, and what the whole command line makes of its words:
//! help with examples, and commands that would change nothing.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// The commands with an example in the help of each.
pub(super) fn with_examples(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, example| {
        let path: Vec<&str> = example.split_whitespace().take_while(|word| is_name(word)).collect();
        add(command, &path, example)
    })
}

/// Adds an example at the deepest command that its first words name.
fn add(command: Command, path: &[&str], example: &str) -> Command {
    match path.split_first() {
        Some((name, rest)) if command.find_subcommand(name).is_some() => {
            command.mut_subcommand(*name, |below| add(below, rest, example))
        }
        _ => command.after_help(format!("Example:\n  relais {example}")),
    }
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// The words of a `set` command that says nothing to set; `None`: it does, or it is another command.
pub(super) fn sets_nothing(command: &Command, matches: &ArgMatches) -> Option<String> {
    let (mut command, mut matches) = (command, matches);
    let mut words = Vec::new();
    while let Some((name, below)) = matches.subcommand() {
        words.push(name.to_owned());
        command = command.find_subcommand(name)?;
        matches = below;
    }
    // The rights of an access list stand behind its names, without an option.
    if words.last()? != "set" || words.iter().any(|word| word == "acl") {
        return None;
    }
    let changes = command.get_arguments().filter(|one| !one.is_positional() && !one.is_global_set());
    let said = |one: &clap::Arg| {
        let id = one.get_id().as_str();
        matches.try_contains_id(id).unwrap_or(false) && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    (!changes.into_iter().any(said)).then(|| words.join(" "))
}

/// Each parses as it stands; a test says so.
const EXAMPLES: &[&str] = &[
    "serve",
    "config --json",
    "health",
    "domain list",
    "dmarc reports example.org",
    "tls reports example.org --days 7",
    "domain show example.org",
    "domain records example.org",
    "domain dkim show example.org",
    "domain dkim activate example.org",
    "domain dkim remove example.org r2026a",
    "domain pattern list example.org",
    "domain pattern move example.org 3 --to 1",
    "domain pattern set example.org 2 --disable",
    "domain pattern remove example.org 2",
    "domain remove example.org --force",
    "account list --domain example.org",
    "account show alice@example.org",
    "account settings alice@example.org --language fr",
    "account identity list alice@example.org",
    "account identity set alice@example.org info@example.org --name Information",
    "account identity remove alice@example.org info@example.org",
    "account remove alice@example.org --force",
    "alias list --domain example.org",
    "alias show info@example.org",
    "alias remove info@example.org --to bob@example.org",
    "group list --domain example.org",
    "group show board@example.org",
    "group remove board@example.org",
    "list list --domain example.org",
    "list show garden@example.org",
    "list set garden@example.org --posting members --moderated",
    "list remove garden@example.org --force",
    "list member add garden@example.org zoe@elsewhere.example --name Zoe",
    "list member list garden@example.org --state suspended",
    "list member set garden@example.org zoe@elsewhere.example --state active",
    "list member remove garden@example.org zoe@elsewhere.example",
    "responder list --address alice@example.org",
    "responder show 3",
    "responder remove 3",
    "external list --owner alice@example.org",
    "external show 3",
    "external fetch-now 3",
    "external test 3",
    "external remove 3",
    "filter list alice@example.org",
    "filter show alice@example.org Invoices",
    "filter remove alice@example.org Invoices",
    "shared list --domain example.org",
    "shared show info@example.org",
    "shared remove info@example.org --force",
    "shared member set info@example.org alice@example.org --rights writer",
    "shared member remove info@example.org alice@example.org",
    "shared acl show info@example.org --mailbox Sent",
    "shared acl remove info@example.org bob@example.org --mailbox Sent",
    "shared acl seen info@example.org --mailbox Sent --seen per-person",
    "contact list alice@example.org",
    "contact remove alice@example.org zoe@elsewhere.example",
    "queue list --limit 20",
    "queue show 17",
    "queue resume --destination elsewhere.example",
    "queue retry --all",
    "queue remove 17",
    "event list",
    "suppression list",
    "suppression show reader@elsewhere.example",
    "suppression remove reader@elsewhere.example",
    "ban list",
    "ban show 198.51.100.7",
    "ban remove 203.0.113.0/24",
    "webhook list",
    "webhook show 1",
    "webhook enable 1",
    "webhook remove 1",
    "webhook test 1",
    "event show message-stored:12",
    "event remove message-stored:12",
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn command() -> Command {
        with_examples(Cli::command())
    }

    #[test]
    fn every_verb_has_an_example_and_each_can_be_typed() {
        fn look(command: &Command, path: &str) {
            let below: Vec<&Command> = command.get_subcommands().collect();
            if below.is_empty() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains(&format!("relais {path}")), "{path} has no example: {help:?}");
            }
            for one in below {
                look(one, format!("{path} {}", one.get_name()).trim_start());
            }
        }
        look(&command(), "");
        for example in EXAMPLES {
            let words = std::iter::once("relais").chain(example.split_whitespace());
            if let Err(error) = command().try_get_matches_from(words) {
                panic!("{example}: {error}");
            }
        }
    }

    #[test]
    fn the_account_of_a_filter_is_said_first() {
        for verb in ["test", "apply"] {
            let told = command().try_get_matches_from(["relais", "filter", verb, "alice@example.org"]);
            let told = told.unwrap_err().to_string();
            assert!(told.contains(&format!("relais filter {verb} [OPTIONS] <ACCOUNT> <NAME|--all>")), "{told}");
        }
    }

    #[test]
    fn a_set_without_a_change_is_found() {
        let nothing = |line: &str| {
            let command = command();
            let matches = command.clone().try_get_matches_from(line.split_whitespace()).unwrap();
            sets_nothing(&command, &matches)
        };
        for (line, expected) in [
            ("relais account set alice@example.org", Some("account set")),
            ("relais --json account set alice@example.org", Some("account set")),
            ("relais account set alice@example.org --json", Some("account set")),
            ("relais responder set 3", Some("responder set")),
            ("relais domain pattern set example.org 2", Some("domain pattern set")),
            ("relais list member set garden@example.org zoe@elsewhere.example", Some("list member set")),
            ("relais account set alice@example.org --language fr", None),
            ("relais responder set 3 --disable", None),
            ("relais shared acl set info@example.org bob@example.org lr", None),
            ("relais account show alice@example.org", None),
            ("relais health", None),
        ] {
            assert_eq!(nothing(line).as_deref(), expected, "{line}");
        }
    }
}
