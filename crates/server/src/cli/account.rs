//! `relais account`.

use std::path::PathBuf;

use admin::{AccountRequest, NewAccount, Request};
use clap::{Args, Subcommand, ValueEnum};
use mail::{Address, Domain};
use routing::objects::Role;

use super::Failure;
use super::values::{edit, json_lines, octets, read_password, switch};

/// What can be done with accounts.
#[derive(Subcommand)]
pub(super) enum AccountCommand {
    /// Make an account; without a password, one is generated and shown once
    #[command(after_help = "\
Examples:
  relais account add alice@example.org --name 'Alice Martin' --time-zone Europe/Paris --language fr
  relais account add bob@example.org --password-file bob.txt
  relais account add --from-file accounts.jsonl

Each line of such a file is a JSON object with the key address, and as you need them display_name, password,
password_hash, role, quota_octets, time_zone, language. Accounts that exist already are left as they are.")]
    Add(AddArgs),
    /// List all accounts, or those of one domain
    List {
        /// Only this domain's
        #[arg(long)]
        domain: Option<Domain>,
    },
    /// Show one account and how much mail it holds
    Show {
        /// Its address
        address: Address,
    },
    /// Change an account
    #[command(after_help = "\
Examples:
  relais account set alice@example.org --generate-password
  relais account set alice@example.org --quota 2G --role administrator
  relais account set alice@example.org --disable")]
    Set(SetArgs),
    /// Delete an account with its mail
    Remove {
        /// Its address
        address: Address,
        /// Even when it holds mail or aliases lead to it
        #[arg(long)]
        force: bool,
    },
}

/// `relais account add`.
#[derive(Args)]
pub(super) struct AddArgs {
    /// The address, also the login
    #[arg(required_unless_present = "from_file")]
    address: Option<Address>,
    /// Add the accounts of a file with one JSON object a line; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["address", "name", "role", "quota", "password_file"])]
    from_file: Option<PathBuf>,
    /// The sender name
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// What the person may do
    #[arg(long, value_enum, default_value_t = RoleArg::User)]
    role: RoleArg,
    /// How much mail fits, as 500M or 2G
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    quota: Option<u64>,
    /// Time zone, as Europe/Paris [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Language of what the server writes to the person: fr or en [default: en]
    #[arg(long)]
    language: Option<String>,
    /// Read the password from the first line of a file; - is the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// `relais account set`.
#[derive(Args)]
pub(super) struct SetArgs {
    /// Its address
    address: Address,
    /// The sender name
    #[arg(long)]
    name: Option<String>,
    /// What the person may do
    #[arg(long, value_enum)]
    role: Option<RoleArg>,
    /// How much mail fits, as 500M or 2G
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    quota: Option<u64>,
    /// No limit on how much mail fits
    #[arg(long, conflicts_with = "quota")]
    no_quota: bool,
    /// Time zone, as Europe/Paris
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// fr or en
    #[arg(long)]
    language: Option<String>,
    /// Read a new password from the first line of a file; - is the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Generate a new password and show it once
    #[arg(long, conflicts_with = "password_file")]
    generate_password: bool,
    /// Let the person log in
    #[arg(long)]
    enable: bool,
    /// Do not let the person log in; mail is still received
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
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

impl AccountCommand {
    pub(super) fn request(self) -> Result<Request, Failure> {
        Ok(Request::Account(match self {
            Self::Add(args) => args.request()?,
            Self::List { domain } => AccountRequest::List { domain },
            Self::Show { address } => AccountRequest::Show { address },
            Self::Set(args) => AccountRequest::Set {
                address: args.address,
                display_name: args.name,
                password: args.password_file.as_deref().map(read_password).transpose()?,
                generate_password: args.generate_password,
                role: args.role.map(Role::from),
                quota_octets: edit(args.quota, args.no_quota),
                time_zone: args.time_zone,
                language: args.language,
                enabled: switch(args.enable, args.disable),
            },
            Self::Remove { address, force } => AccountRequest::Remove { address, force },
        }))
    }
}

impl AddArgs {
    fn request(self) -> Result<AccountRequest, Failure> {
        if let Some(file) = &self.from_file {
            return Ok(AccountRequest::Import { accounts: json_lines(file)? });
        }
        let address = self.address.ok_or_else(|| Failure::new("give an address or --from-file"))?;
        Ok(AccountRequest::Add(NewAccount {
            display_name: self.name,
            password: self.password_file.as_deref().map(read_password).transpose()?,
            role: self.role.into(),
            quota_octets: self.quota,
            time_zone: self.time_zone,
            language: self.language,
            ..NewAccount::new(address)
        }))
    }
}
