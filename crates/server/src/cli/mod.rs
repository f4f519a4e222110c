//! The command line: what can be typed. Each noun has a file that turns its arguments into a typed request; what the
//! request means is known by `admin` alone.

mod account;
mod alias;
mod ban;
mod connect;
mod contact;
mod dkim;
mod domain;
mod event;
mod examples;
mod external;
mod filter;
mod group;
mod health;
mod hints;
mod init;
mod list;
mod list_values;
mod output;
mod outside;
mod pattern;
mod queue;
mod reports;
mod reputation;
mod responder;
mod shared;
mod spam;
mod suppression;
mod terms;
mod trace;
mod values;
mod webhook;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use mail::{Address, ReversePath};

use crate::administration::Credentials;
use crate::config::{self, Config};
use crate::{dev, serve};

pub(crate) use output::{Failure, no_runtime};

/// A mail server in one binary: SMTP, IMAP, aliases, automatic answers.
#[derive(Parser)]
#[command(name = "relais", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "\
First steps:
  relais init --domain example.org     make a configuration, the domain and an administrator
  relais serve                         run the server
  relais dev                           run a throw-away server to play with

Exit codes: 0 done, 1 failed (the reason is told), 2 wrong usage.")]
pub(crate) struct Cli {
    /// The configuration file [default: $RELAIS_CONFIG, else /etc/relais/relais.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
    /// Do it as a person with a login here, who is asked for the password, and only if they may
    #[arg(long = "as", global = true, value_name = "ADDRESS")]
    as_person: Option<Address>,
    /// Read that person's password from the first line of a file; - is the standard input
    #[arg(long, global = true, value_name = "FILE", requires = "as_person")]
    as_password_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a first configuration, a domain and an administrator's account
    Init(init::InitArgs),
    /// Run the server until SIGTERM or SIGINT; SIGHUP reloads [tls], [limits] and [abuse]
    Serve,
    /// Verify every invariant of the store; the server must be stopped
    #[command(after_help = "Examples:\n  relais check\n  relais check --deep --json")]
    Check {
        /// Also read every stored message and compare it with its hash
        #[arg(long)]
        deep: bool,
    },
    /// Show the configuration in force, defaults included
    Config,
    /// Ask the running server whether it takes mail: exit code 0 when it does
    Health,
    /// Domains that this server receives mail for
    #[command(subcommand)]
    Domain(Box<domain::DomainCommand>),
    /// Accounts: persons with a mailbox and a login
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Aliases: addresses that lead to others
    #[command(subcommand)]
    Alias(Box<alias::AliasCommand>),
    /// Groups: one address for a set of mailboxes
    #[command(subcommand)]
    Group(Box<group::GroupCommand>),
    /// Mailing lists, their members, and what waits for moderators
    #[command(subcommand)]
    List(Box<list::ListCommand>),
    /// Automatic answers: autoresponders and out-of-office messages
    #[command(subcommand)]
    Responder(Box<responder::ResponderCommand>),
    /// External accounts: mailboxes elsewhere whose mail is fetched by IMAP or POP3
    #[command(subcommand)]
    External(Box<external::ExternalCommand>),
    /// Filters: what becomes of messages on their way into an account's mailbox
    #[command(
        subcommand,
        after_help = "\
With --as, people edit the filters of their own account, and those of a shared mailbox in which they have the right `a` (the role
`administrator` of `relais shared member add`):
  relais --as alice@example.org filter list info@example.org"
    )]
    Filter(Box<filter::FilterCommand>),
    /// Shared mailboxes: used by several people under their own logins
    #[command(subcommand)]
    Shared(Box<shared::SharedCommand>),
    /// Contacts of an account: whom it knows
    #[command(subcommand)]
    Contact(contact::ContactCommand),
    /// The content filter: what was learnt, and what it says of a message
    #[command(subcommand)]
    Spam(spam::SpamCommand),
    /// What is known of clients and senders elsewhere: their names, lists in the DNS, what became of their former mail
    #[command(subcommand)]
    Reputation(reputation::ReputationCommand),
    /// The greylist: doubted clients that were asked to come again
    #[command(subcommand)]
    Greylist(reputation::GreylistCommand),
    /// Outside filters, rspamd and milters: how they do
    #[command(subcommand)]
    Outside(outside::OutsideCommand),
    /// Mail on its way to other servers
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Work that failed too often and was put aside: automatic answers that could not be made, as a rule
    #[command(subcommand)]
    Event(event::EventCommand),
    /// The suppression list: addresses elsewhere to which the server sends nothing of its own accord
    #[command(subcommand)]
    Suppression(suppression::SuppressionCommand),
    /// Bans: addresses and networks that are kept out
    #[command(subcommand)]
    Ban(ban::BanCommand),
    /// Webhooks: who is told what becomes of messages
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Show what happened to messages, step by step, with the reasons
    #[command(after_help = "\
Examples:
  relais trace --recipient alice@example.org
  relais --as alice@example.org trace      one's own messages
  relais trace --message-id '<1a2b@elsewhere.example>'
  relais trace --sender customer@elsewhere.example --since 2026-07-01 --json
  relais trace --sender '<>' --recipient alice@example.org      bounces that came back to her")]
    Trace(trace::TraceArgs),
    /// What other servers report on mail that claims to be from domains here (DMARC)
    #[command(subcommand)]
    Dmarc(reports::ReportsCommand),
    /// What other servers report on TLS towards domains here
    #[command(subcommand)]
    Tls(reports::ReportsCommand),
    /// Build full-text indexes anew, while the server runs
    #[command(after_help = "Examples:\n  relais reindex\n  relais reindex alice@example.org")]
    Reindex {
        /// Only this account's
        account: Option<Address>,
    },
    /// Show what would happen to a message, without sending it
    #[command(after_help = "\
Examples:
  relais explain customer@elsewhere.example info@example.org
  relais explain alice@example.org board@example.org --logged-in-as alice@example.org
  relais explain customer@elsewhere.example info@example.org --size 30M
  relais explain shop@elsewhere.example alice@example.org --subject 'Invoice 7' --attachment
  relais explain '<>' alice@example.org      a bounce: the null reverse-path")]
    Explain {
        /// The sender; '<>' for the null reverse-path
        #[arg(value_parser = values::reverse_path)]
        from: ReversePath,
        /// The recipient
        to: Address,
        /// The account that the sender has logged in to; without it, a stranger writes
        #[arg(long = "logged-in-as", value_name = "ACCOUNT")]
        account: Option<Address>,
        /// Size of the message, as 500K or 30M
        #[arg(long, value_name = "OCTETS", value_parser = values::octets)]
        size: Option<u64>,
        /// Subject of the message, for the filters of the recipient
        #[arg(long)]
        subject: Option<String>,
        /// A further field of its header, as 'Cc: team@example.org'; several times for several
        #[arg(long = "header", value_name = "FIELD")]
        headers: Vec<String>,
        /// It has an attachment
        #[arg(long)]
        attachment: bool,
    },
    /// Run a throw-away server on loopback ports, with test users and addresses that fail on purpose
    Dev(dev::DevArgs),
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let cli = match parsed(std::env::args_os()) {
        Ok(cli) => cli,
        Err(misuse) => return misuse.told(),
    };
    let json = cli.json;
    match execute(cli) {
        Ok(code) => code,
        Err(failure) => {
            output::failure(&failure, json);
            ExitCode::FAILURE
        }
    }
}

/// Why a command line was not understood, or that it asks for help.
enum Misuse {
    /// What clap says, help and version included; whether JSON is wanted.
    Words(clap::Error, bool),
    /// A change of nothing.
    Nothing(Failure, bool),
}

impl Misuse {
    /// Prints it; wrong usage ends with 2, help and version with 0.
    fn told(self) -> ExitCode {
        match self {
            Self::Words(error, true) if error.use_stderr() => output::failure(&usage(&error), true),
            Self::Words(error, _) => error.exit(),
            Self::Nothing(failure, json) => output::failure(&failure, json),
        }
        ExitCode::from(2)
    }
}

/// What clap says in several lines, as a message and a hint.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let text = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Failure::usage(words(message)).hint(words(rest))
}

fn parsed(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, Misuse> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    // What could not be read does not say whether it asked for JSON.
    let json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let command = examples::with_examples(Cli::command());
    let matches = command.clone().try_get_matches_from(&arguments);
    let matches = matches.map_err(|error| Misuse::Words(hints::better(error, &command, &arguments), json))?;
    if let Some(words) = examples::sets_nothing(&command, &matches) {
        let failure = Failure::usage("there is nothing to change: no option says what");
        return Err(Misuse::Nothing(failure.hint(format!("`relais {words} --help` lists what can be set")), json));
    }
    Cli::from_arg_matches(&matches).map_err(|error| Misuse::Words(error, json))
}

fn execute(cli: Cli) -> Result<ExitCode, Failure> {
    let file = cli.config.unwrap_or_else(config::default_file);
    let credentials = match (&cli.as_person, &cli.as_password_file) {
        (None, _) => None,
        (Some(login), Some(file)) => Some((login, values::read_password(file)?)),
        (Some(login), None) => Some((login, values::ask_password(&format!("Password of {login}: "))?)),
    };
    let credentials = credentials.map(|(login, password)| Credentials { login: login.to_string(), password });
    if credentials.is_some() && !cli.command.is_request() {
        return Err(Failure::new("this command needs the data folder itself, and can't be done as a person")
            .hint("leave --as out"));
    }
    let request = match cli.command {
        Command::Init(args) => return init::run(&file, args, cli.json).map(|()| ExitCode::SUCCESS),
        Command::Dev(args) => return dev::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Serve => return serve::run(&file).map(|()| ExitCode::SUCCESS),
        Command::Check { deep } => {
            let config = config::load(&file)?;
            let report = connect::check(&config, deep)?;
            output::check(&report, cli.json);
            return Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Config => {
            output::config(&config::load(&file)?, cli.json)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Health => {
            let config = config::load(&file)?;
            return match (health::ask(&config), cli.json) {
                (Ok(said), false) => {
                    output::text(&said);
                    Ok(ExitCode::SUCCESS)
                }
                (Err(failure), false) => Err(failure),
                (said, true) => {
                    output::json(&health::told(&said));
                    Ok(if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
                }
            };
        }
        Command::Domain(command) => command.request(),
        Command::Account(command) => command.request()?,
        Command::Alias(command) => command.request(),
        Command::Group(command) => command.request(),
        Command::List(command) => command.request()?,
        Command::Responder(command) => command.request()?,
        Command::External(command) => command.request()?,
        Command::Filter(command) => command.request(),
        Command::Shared(command) => command.request(),
        Command::Contact(command) => command.request(),
        Command::Spam(command) => command.request()?,
        Command::Reputation(command) => command.request(),
        Command::Greylist(command) => command.request(),
        Command::Outside(command) => command.request(),
        Command::Queue(command) => command.request(),
        Command::Event(command) => command.request(),
        Command::Suppression(command) => command.request(),
        Command::Ban(command) => command.request(),
        Command::Webhook(command) => command.request(),
        Command::Trace(args) => args.request(),
        Command::Dmarc(command) => admin::Request::Report(admin::ReportRequest::Dmarc(command.on())),
        Command::Tls(command) => admin::Request::Report(admin::ReportRequest::Tls(command.on())),
        Command::Reindex { account } => admin::Request::Reindex { account },
        Command::Explain { from, to, account, size, subject, headers, attachment } => {
            let subject = subject.map(|subject| format!("Subject: {subject}"));
            let fields = subject.into_iter().chain(headers).collect();
            let message = admin::SupposedMessage { fields, attachment };
            admin::Request::Explain { from, to, account, octets: size, message }
        }
    };
    let config: Config = config::load(&file)?;
    let request = with_old_password(request, credentials.as_ref());
    if cli.json {
        output::response(&connect::ask(&config, request, credentials)?, true);
        return Ok(ExitCode::SUCCESS);
    }
    let (mut added, mut changed) = (None, None);
    if let admin::Request::Domain(admin::DomainRequest::Add { name, .. }) = &request {
        added = Some(name.clone());
    } else if let admin::Request::Account(admin::AccountRequest::Password { address, .. }) = &request {
        changed = Some(address.clone());
    }
    let response = connect::ask(&config, request, credentials.clone())?;
    if let Some(address) = changed {
        output::text(&format!("the password of {address} is changed\n"));
    }
    output::response(&response, false);
    if let Some(name) = added {
        // It is there; that its records can't be told now is no failure.
        let records = admin::Request::Domain(admin::DomainRequest::Records { name: name.clone() });
        if let Ok(records) = connect::ask(&config, records, credentials) {
            output::text(&format!("\nWhat to publish in the DNS (`relais domain records {name}` shows it again):\n\n"));
            output::response(&records, false);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Command {
    /// Whether it is a request to the server, which somebody may make.
    fn is_request(&self) -> bool {
        !matches!(self, Self::Init(_) | Self::Dev(_) | Self::Serve | Self::Check { .. } | Self::Config | Self::Health)
    }
}

/// Who changes their own password under their login has given the old one already.
fn with_old_password(request: admin::Request, credentials: Option<&Credentials>) -> admin::Request {
    match (request, credentials) {
        (
            admin::Request::Account(admin::AccountRequest::Password { address, old: None, new }),
            Some(Credentials { login, password }),
        ) if Address::parse(login).is_ok_and(|login| login.same_mailbox(&address)) => {
            admin::Request::Account(admin::AccountRequest::Password { address, old: Some(password.clone()), new })
        }
        (request, _) => request,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// An option of a command with the name of one for all commands would be read as that one, and end in a panic.
    #[test]
    fn options_for_all_commands_have_names_of_their_own() {
        fn look(command: &clap::Command, taken: &[clap::Id]) {
            for below in command.get_subcommands() {
                for option in below.get_arguments() {
                    assert!(!taken.contains(option.get_id()), "{}: {}", below.get_name(), option.get_id());
                }
                look(below, taken);
            }
        }
        let command = Cli::command();
        let taken: Vec<_> =
            command.get_arguments().filter(|one| one.is_global_set()).map(|one| one.get_id().clone()).collect();
        assert!(taken.len() >= 4);
        look(&command, &taken);
    }

    /// The unit file of systemd, as the README has it installed.
    #[test]
    fn the_unit_file_says_what_the_program_understands() {
        const UNIT: &str = include_str!("../../../../config/relais.service");
        let value = |key: &str| {
            let values: Vec<&str> = UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect();
            assert_eq!(values.len(), 1, "{key}: {values:?}");
            values[0]
        };
        let Ok(cli) = parsed(value("ExecStart").split(' ').map(Into::into)) else {
            panic!("ExecStart can't be parsed")
        };
        assert!(matches!(cli.command, Command::Serve));
        assert_eq!(cli.config.as_deref(), Some(config::DEFAULT_FILE.as_ref()));
        assert_eq!(value("ExecReload"), "/bin/kill -HUP $MAINPID");
        let default = Config::default();
        assert_eq!(default.data_dir, std::path::Path::new("/var/lib").join(value("StateDirectory")));
        let stop: u64 = value("TimeoutStopSec").trim_end_matches('s').parse().unwrap();
        assert!(stop > default.limits.shutdown_grace_secs);
    }

    /// M6: a way in can be taken away before there is one, and the help says what is there.
    #[test]
    fn m06_the_help_promises_no_service_that_is_not_there() {
        let mut command = Cli::command();
        for noun in ["account", "group"] {
            let set = command.find_subcommand_mut(noun).and_then(|noun| noun.find_subcommand_mut("set")).unwrap();
            let help = set.render_long_help().to_string();
            let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(help.contains("pop3: Fetching mail by POP3: this version has no such server"), "{help}");
            assert!(help.contains("web: This command line with --as;"), "{help}");
        }
    }

    #[test]
    fn every_object_can_be_added_listed_shown_set_and_removed() {
        let command = Cli::command();
        for (noun, verbs) in [
            ("domain", &["add", "list", "show", "set", "remove"][..]),
            (
                "account",
                &["add", "list", "show", "set", "remove", "password", "settings", "alias", "identity", "offboard"],
            ),
            ("filter", &["add", "list", "show", "set", "move", "remove", "test", "apply"]),
            ("alias", &["add", "make", "list", "show", "set", "remove"]),
            ("group", &["add", "list", "show", "set", "remove"]),
            ("list", &["add", "list", "show", "set", "remove", "member", "waiting", "approve", "reject"]),
            ("responder", &["add", "list", "show", "set", "preview", "remove"]),
            ("external", &["add", "list", "show", "set", "fetch-now", "test", "remove"]),
            ("contact", &["add", "list", "remove"]),
            ("shared", &["add", "list", "show", "set", "remove", "member", "acl"]),
            ("queue", &["list", "show", "hold", "resume", "retry", "remove"]),
            ("event", &["list", "show", "retry", "remove"]),
            ("suppression", &["list", "show", "add", "remove"]),
            ("ban", &["list", "show", "add", "remove"]),
            ("reputation", &["show", "forget"]),
            ("greylist", &["list", "forget"]),
            ("webhook", &["add", "list", "show", "enable", "remove", "test"]),
        ] {
            let noun = command.find_subcommand(noun).unwrap();
            for verb in verbs {
                let verb = noun.find_subcommand(verb).unwrap();
                assert!(verb.get_about().is_some(), "{} {}", noun.get_name(), verb.get_name());
            }
            assert!(noun.get_subcommands().any(|verb| verb.get_after_help().is_some()), "{}", noun.get_name());
        }
    }
}
