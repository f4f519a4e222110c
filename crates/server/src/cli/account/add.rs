//! `relais account add`.

use std::path::PathBuf;

use admin::{AccountRequest, NewAccount};
use clap::Args;
use mail::{Address, Domain};

use super::RoleArg;
use crate::cli::Failure;
use crate::cli::values::{json_lines, octets, read_password};

/// `relais account add`.
#[derive(Args)]
pub(in crate::cli) struct AddArgs {
    /// The address, also the login
    #[arg(required_unless_present = "from_file")]
    address: Option<Address>,
    /// Add the accounts of a file with one JSON object a line; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["address", "name", "role", "quota", "password_file", "notify"])]
    from_file: Option<PathBuf>,
    /// The sender name
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// The person whom the mailbox belongs to, when that is not told by its address: the same for all their mailboxes
    #[arg(long, value_name = "PERSON", default_value = "", hide_default_value = true)]
    owner: String,
    /// What the person may do
    #[arg(long, value_enum, default_value_t = RoleArg::User)]
    role: RoleArg,
    /// How much mail fits, as 500M or 2G; 0: nothing
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    quota: Option<u64>,
    /// How many messages fit
    #[arg(long, value_name = "MESSAGES")]
    quota_messages: Option<u64>,
    /// How many mailboxes there may be, INBOX included
    #[arg(long, value_name = "MAILBOXES", value_parser = clap::value_parser!(u64).range(1..))]
    quota_mailboxes: Option<u64>,
    /// Time zone, as Europe/Paris [default: the domain's]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Language of what the server writes to the person: fr or en [default: the domain's]
    #[arg(long)]
    language: Option<String>,
    /// Read the password from the first line of a file; - is the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A further domain in which the same name is this mailbox and login; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    also_in: Vec<Domain>,
    /// An address elsewhere that hears of changes of the password, and of this mailbox
    #[arg(long, value_name = "ADDRESS")]
    recovery: Option<Address>,
    /// An address elsewhere that gets the connection settings now [default: the one of --recovery]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_welcome")]
    notify: Option<Address>,
    /// Write to nobody about the new mailbox
    #[arg(long)]
    no_welcome: bool,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

impl AddArgs {
    pub(super) fn request(self) -> Result<AccountRequest, Failure> {
        if let Some(file) = &self.from_file {
            return Ok(AccountRequest::Import { accounts: json_lines(file)? });
        }
        let address = self.address.ok_or_else(|| Failure::new("give an address or --from-file"))?;
        Ok(AccountRequest::Add(NewAccount {
            display_name: self.name,
            password: self.password_file.as_deref().map(read_password).transpose()?,
            role: self.role.into(),
            quota_octets: self.quota,
            quota_messages: self.quota_messages,
            quota_mailboxes: self.quota_mailboxes,
            time_zone: self.time_zone,
            language: self.language,
            owner: self.owner,
            recovery: self.recovery,
            also_in: (!self.also_in.is_empty()).then_some(self.also_in),
            note: self.note,
            welcome: !self.no_welcome,
            notify: self.notify,
            ..NewAccount::new(address)
        }))
    }
}
