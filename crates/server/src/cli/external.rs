//! `relais external`.

use std::path::PathBuf;

use admin::{ExternalContent, ExternalRequest, Request};
use clap::{Args, Subcommand, ValueEnum};
use mail::Address;
use routing::objects::{AfterFetch, ExternalFolder, ExternalProtocol, ExternalSecurity};

use super::Failure;
use super::values::{edit, read_password, read_text, seconds, switch};

/// What can be done with external accounts.
#[derive(Subcommand)]
pub(super) enum ExternalCommand {
    /// Fetch the mail of a mailbox elsewhere into an account here
    #[command(after_help = "\
Examples:
  relais external add alice@example.org imap --host imap.elsewhere.example --login alice --password-file -
  relais external add alice@example.org imap --host imap.elsewhere.example --login alice --password-file secret.txt \\
      --folder INBOX --folder Sent=Sent --folder 'Old mail=Archive' --interval 15m
  relais external add bob@example.org pop3 --host pop.elsewhere.example --security starttls --login bob \\
      --password-file - --mailbox Elsewhere --delete-after 14

Messages stay on the other server unless --delete or --delete-after is given. The password is stored encrypted and shown
to nobody.")]
    Add {
        /// The account here that gets the mail
        owner: Address,
        /// What the other server speaks
        #[arg(value_enum)]
        protocol: ProtocolArg,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// List all external accounts, or those of one account, with their last error
    List {
        /// Only those of this account
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<Address>,
    },
    /// Show one external account: how far it is fetched, and what went wrong
    Show {
        /// Its number
        id: u64,
    },
    /// Change an external account
    #[command(after_help = "\
Examples:
  relais external set 3 --disable          what was fetched stays
  relais external set 3 --password-file -
  relais external set 3 --delete-after 30")]
    Set {
        /// Its number
        id: u64,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// Look at it now, without waiting for the interval
    FetchNow {
        /// Its number
        id: u64,
    },
    /// Connect, log in, look at the folders, and tell what works; nothing is fetched
    Test {
        /// Its number
        id: u64,
    },
    /// Delete an external account; what was fetched stays
    Remove {
        /// Its number
        id: u64,
    },
}

/// What an external account is.
#[derive(Args)]
pub(super) struct ContentArgs {
    /// What its owner calls it
    #[arg(long)]
    name: Option<String>,
    /// The other server, by name or IP address
    #[arg(long)]
    host: Option<String>,
    /// Its port [default: the usual one, as 993 for IMAP with TLS]
    #[arg(long)]
    port: Option<u16>,
    /// How the connection is protected [default: tls]
    #[arg(long, value_enum)]
    security: Option<SecurityArg>,
    /// Trust the certificates in this PEM file there, and no others
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Trust the public certificates
    #[arg(long, conflicts_with = "ca_file")]
    no_ca: bool,
    /// The login there
    #[arg(long)]
    login: Option<String>,
    /// The first line of this file is the password there; - is the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A folder there, or FOLDER=MAILBOX with the mailbox here; repeat it for several (IMAP) [default: INBOX]
    #[arg(long = "folder", value_name = "FOLDER", value_parser = folder)]
    folders: Vec<ExternalFolder>,
    /// INBOX alone
    #[arg(long, conflicts_with = "folders")]
    no_folders: bool,
    /// The mailbox here; it is made when it is not there [default: INBOX]
    #[arg(long)]
    mailbox: Option<String>,
    /// The time from one look to the next, as 5m or 1h [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    interval: Option<u64>,
    /// Leave messages on the other server (so does a new one)
    #[arg(long)]
    leave: bool,
    /// DELETE messages there once they are here; what was fetched before this was set stays there
    #[arg(long, conflicts_with = "leave")]
    delete: bool,
    /// DELETE messages there so many days after they were fetched
    #[arg(long, value_name = "DAYS", conflicts_with_all = ["leave", "delete"])]
    delete_after: Option<u32>,
    /// Switch it on (a new one is on)
    #[arg(long)]
    enable: bool,
    /// Switch it off; what was fetched stays
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
}

/// What the other server speaks.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ProtocolArg {
    /// IMAP: folders, flags and dates are kept
    Imap,
    /// POP3
    Pop3,
}

/// How the connection is protected.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum SecurityArg {
    /// TLS from the start
    Tls,
    /// STARTTLS, or no connection
    Starttls,
    /// No encryption: to this machine itself alone
    None,
}

impl ExternalCommand {
    pub(super) fn request(self) -> Result<Request, Failure> {
        Ok(Request::External(Box::new(match self {
            Self::Add { owner, protocol, content } => {
                let protocol = match protocol {
                    ProtocolArg::Imap => ExternalProtocol::Imap,
                    ProtocolArg::Pop3 => ExternalProtocol::Pop3,
                };
                ExternalRequest::Add { owner, protocol, content: Box::new(content.content()?) }
            }
            Self::List { owner } => ExternalRequest::List { owner },
            Self::Show { id } => ExternalRequest::Show { id },
            Self::Set { id, content } => ExternalRequest::Set { id, content: Box::new(content.content()?) },
            Self::FetchNow { id } => ExternalRequest::FetchNow { id },
            Self::Test { id } => ExternalRequest::Test { id },
            Self::Remove { id } => ExternalRequest::Remove { id },
        })))
    }
}

impl ContentArgs {
    fn content(self) -> Result<ExternalContent, Failure> {
        let after_fetch = match (self.leave, self.delete, self.delete_after) {
            (true, ..) => Some(AfterFetch::Leave),
            (_, true, _) => Some(AfterFetch::Delete),
            (_, _, Some(days)) => Some(AfterFetch::DeleteAfterDays(days)),
            _ => None,
        };
        Ok(ExternalContent {
            name: self.name,
            host: self.host,
            port: self.port,
            security: self.security.map(|security| match security {
                SecurityArg::Tls => ExternalSecurity::Tls,
                SecurityArg::Starttls => ExternalSecurity::Starttls,
                SecurityArg::None => ExternalSecurity::None,
            }),
            ca_pem: edit(self.ca_file.as_deref().map(read_text).transpose()?, self.no_ca),
            login: self.login,
            password: self.password_file.as_deref().map(read_password).transpose()?,
            folders: (self.no_folders || !self.folders.is_empty()).then_some(self.folders),
            mailbox: self.mailbox,
            interval_secs: self.interval,
            after_fetch,
            enabled: switch(self.enable, self.disable),
        })
    }
}

/// `FOLDER` or `FOLDER=MAILBOX`.
fn folder(text: &str) -> Result<ExternalFolder, String> {
    let (remote, local) = match text.split_once('=') {
        Some((remote, local)) => (remote, Some(local.to_owned())),
        None => (text, None),
    };
    if remote.is_empty() || local.as_deref() == Some("") {
        return Err("write a folder there, or FOLDER=MAILBOX".to_owned());
    }
    Ok(ExternalFolder { remote: remote.to_owned(), local })
}
