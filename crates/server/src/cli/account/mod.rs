//! `relais account`.

mod add;
mod identity;
mod offboard;
mod password;
mod set;

use admin::{AccountRequest, Request};
use clap::{Subcommand, ValueEnum};
use mail::{Address, Domain};
use routing::objects::{Role, Service};

use super::Failure;
use super::terms::TermsArgs;

/// What can be done with accounts.
#[derive(Subcommand)]
pub(super) enum AccountCommand {
    /// Make an account, and tell its person; without a password, one is generated and shown once
    #[command(after_help = "\
Examples:
  relais account add alice@example.org --name 'Alice Martin' --notify alice@elsewhere.example
  relais account add alice.home@example.org --owner alice@example.org --no-welcome
  relais account add bob@example.org --password-file bob.txt
  relais account add --from-file accounts.jsonl

The new mailbox gets a letter with the connection settings, and so does the address given with --notify or --recovery,
in the account's language and never with the password. Time zone and language are the domain's when not given.

Each line of a file is a JSON object with the key address, and as you need them display_name, password, password_hash,
role, quota_octets, quota_messages, quota_mailboxes, time_zone, language, owner, recovery, also_in, note, welcome (true:
letters are written), notify.
Accounts that exist already are left as they are.")]
    Add(Box<add::AddArgs>),
    /// List all accounts, or those of one domain or person
    List {
        /// Only this domain's
        #[arg(long)]
        domain: Option<Domain>,
        /// Only this person's, as given with --owner; an address that nobody else owns is its own owner
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
    },
    /// Show one account: how much mail it holds, and which addresses lead to it
    Show {
        /// Its address
        address: Address,
    },
    /// Change an account
    #[command(after_help = "\
Examples:
  relais account set alice@example.org --generate-password
  relais account set alice@example.org --quota 2G --role administrator
  relais account set alice@example.org --also-in example.com     alice@example.com is the same mailbox and login
  relais account set alice@example.org --withdraw submission     may read mail, but not send it
  relais account set alice@example.org --disable")]
    Set(Box<set::SetArgs>),
    /// Change the password, or see how strong one is
    #[command(after_help = "\
Examples:
  relais account password alice@example.org                         asks for the new one
  relais account password alice@example.org --generate
  relais account password alice@example.org --check                 only tells how strong it is
  relais --as alice@example.org account password alice@example.org  as Alice, who knows the old one

The mailbox and the recovery address get a notice: when, by whom and from where, without the password.")]
    Password(password::PasswordArgs),
    /// Show what a mail program has to know: login, servers, ports, encryption
    Settings {
        /// For which account
        address: Address,
        /// fr or en [default: the account's language]
        #[arg(long)]
        language: Option<String>,
    },
    /// Change what the address of an account demands of who writes to it
    #[command(after_help = "\
Examples:
  relais account rules machine@example.org --internal-only
  relais account rules trainee@example.org --expires 2026-08-31 --max-size 5M")]
    Rules {
        /// Its address
        address: Address,
        #[command(flatten)]
        terms: Box<TermsArgs>,
    },
    /// Change which aliases lead to a mailbox
    #[command(after_help = "\
Example:
  relais account alias alice@example.org --add contact@example.org --remove sales@example.org

An alias that is not there is made; one that leads elsewhere too goes on doing so. `relais account show` lists them.")]
    Alias {
        /// The mailbox
        address: Address,
        /// An alias that leads to it from now on; may be repeated
        #[arg(long, value_name = "ALIAS", required_unless_present = "remove")]
        add: Vec<Address>,
        /// An alias that does not any more; may be repeated
        #[arg(long, value_name = "ALIAS")]
        remove: Vec<Address>,
    },
    /// Names to write under, each with its signature
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// Delete an account with its mail
    Remove {
        /// Its address
        address: Address,
        /// Even when it holds mail, or others lead to it: it is taken out of them, and its responders go
        #[arg(long)]
        force: bool,
    },
    /// The person leaves: end the login, hand over, redirect, answer, and delete later, in one act
    #[command(after_help = "\
Examples:
  relais account offboard carol@example.org --successor bob@example.org --redirect-until 2027-01-31 \\
      --responder-text 'Carol has left. Bob answers for her: bob@example.org.' --delete-after 2027-06-30
  relais account offboard carol@example.org                          only the login ends
  relais account offboard carol@example.org --delete-after 2027-12-31   once more: another date
  relais account offboard carol@example.org --undo

The successor reads the mailbox as a shared one and takes the person's place in aliases; groups and shared mailboxes
forget the person. Redirects that the person had end. Administrators are told before the mailbox is deleted.")]
    Offboard(Box<offboard::OffboardArgs>),
}

/// What a person may do.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    /// Read and send mail
    User,
    /// Edit the addresses of their own domain
    DomainAdministrator,
    /// Edit everything
    Administrator,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::User => Self::User,
            RoleArg::DomainAdministrator => Self::DomainAdministrator,
            RoleArg::Administrator => Self::Administrator,
        }
    }
}

/// A way into an account.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ServiceArg {
    /// Reading mail by IMAP
    Imap,
    /// Fetching mail by POP3: this version has no such server; what is withdrawn now holds once there is one
    Pop3,
    /// Sending mail by SMTP
    Submission,
    /// This command line with --as; web pages with a login and the HTTP interface, once this server has them
    Web,
}

impl From<ServiceArg> for Service {
    fn from(service: ServiceArg) -> Self {
        match service {
            ServiceArg::Imap => Self::Imap,
            ServiceArg::Pop3 => Self::Pop3,
            ServiceArg::Submission => Self::Submission,
            ServiceArg::Web => Self::Web,
        }
    }
}

impl AccountCommand {
    pub(super) fn request(self) -> Result<Request, Failure> {
        Ok(Request::Account(match self {
            Self::Add(args) => args.request()?,
            Self::List { domain, owner } => AccountRequest::List { domain, owner },
            Self::Show { address } => AccountRequest::Show { address },
            Self::Set(args) => args.request()?,
            Self::Password(args) => args.request()?,
            Self::Settings { address, language } => AccountRequest::Settings { address, language },
            Self::Rules { address, terms } => AccountRequest::Rules { address, terms: Box::new(terms.alone()) },
            Self::Alias { address, add, remove } => AccountRequest::Aliases { address, add, remove },
            Self::Identity(command) => AccountRequest::Identity(command.request()?),
            Self::Remove { address, force } => AccountRequest::Remove { address, force },
            Self::Offboard(args) => args.request()?,
        }))
    }
}
