//! `relais domain`.

use admin::{AccountRequest, DomainRequest, Request};
use clap::Subcommand;
use mail::{Address, Domain};

use super::values::{edit, switch};

/// What can be done with domains.
#[derive(Subcommand)]
pub(super) enum DomainCommand {
    /// Receive mail for a domain from now on
    #[command(after_help = "\
Examples:
  relais domain add example.org
  relais domain add example.org --postmaster alice@example.org --catch-all rest@example.org")]
    Add {
        /// The domain, as example.org
        name: Domain,
        /// Where mail for unknown addresses goes; without it, they are refused
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<Address>,
        /// Who reads postmaster@ when no such address exists
        #[arg(long, value_name = "ADDRESS")]
        postmaster: Option<Address>,
        /// Characters that part a subaddress, as in alice+shop@ [default: +]
        #[arg(long, value_name = "CHARACTERS")]
        subaddress_separators: Option<String>,
    },
    /// List all domains
    List,
    /// Show one domain
    Show {
        /// The domain
        name: Domain,
    },
    /// Give every user of a domain their login in further domains too, and limit the number of mailboxes
    #[command(after_help = "\
Examples:
  relais domain users example.org --also-in example.com   alice@example.com is alice@example.org, and so for everybody
  relais domain users example.org --not-in example.com
  relais domain users example.org --max 50 --per-owner 2")]
    Users {
        /// The domain
        name: Domain,
        /// A further domain; may be repeated. Accounts to come are in it too
        #[arg(long, value_name = "DOMAIN")]
        also_in: Vec<Domain>,
        /// A further domain to give up, for all accounts; may be repeated
        #[arg(long, value_name = "DOMAIN")]
        not_in: Vec<Domain>,
        /// Mailboxes in the domain at the most; 0 for no limit
        #[arg(long, value_name = "NUMBER")]
        max: Option<u32>,
        /// As many mailboxes as the configuration says
        #[arg(long, conflicts_with = "max")]
        default_max: bool,
        /// Mailboxes of one person in the domain at the most; 0 for no limit
        #[arg(long, value_name = "NUMBER")]
        per_owner: Option<u32>,
        /// As many mailboxes of one person as the configuration says
        #[arg(long, conflicts_with = "per_owner")]
        default_per_owner: bool,
    },
    /// Change a domain
    Set {
        /// The domain
        name: Domain,
        /// Where mail for unknown addresses goes
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<Address>,
        /// Refuse unknown addresses
        #[arg(long, conflicts_with = "catch_all")]
        no_catch_all: bool,
        /// Who reads postmaster@
        #[arg(long, value_name = "ADDRESS")]
        postmaster: Option<Address>,
        /// Let an administrator read postmaster@
        #[arg(long, conflicts_with = "postmaster")]
        no_postmaster: bool,
        /// Characters that part a subaddress; '' for no subaddresses
        #[arg(long, value_name = "CHARACTERS")]
        subaddress_separators: Option<String>,
        /// Accept mail for it
        #[arg(long)]
        enable: bool,
        /// Accept no mail for it
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
    },
    /// Give up a domain
    Remove {
        /// The domain
        name: Domain,
        /// Delete its accounts with their mail, its aliases and its responders too
        #[arg(long)]
        force: bool,
    },
}

impl DomainCommand {
    pub(super) fn request(self) -> Request {
        Request::Domain(match self {
            Self::Users { name, also_in, not_in, max, default_max, per_owner, default_per_owner } => {
                return Request::Account(AccountRequest::UsersOf {
                    domain: name,
                    add_domains: also_in,
                    remove_domains: not_in,
                    accounts_max: edit(max, default_max),
                    accounts_per_owner_max: edit(per_owner, default_per_owner),
                });
            }
            Self::Add { name, catch_all, postmaster, subaddress_separators } => {
                DomainRequest::Add { name, catch_all, postmaster, subaddress_separators }
            }
            Self::List => DomainRequest::List,
            Self::Show { name } => DomainRequest::Show { name },
            Self::Set {
                name,
                catch_all,
                no_catch_all,
                postmaster,
                no_postmaster,
                subaddress_separators,
                enable,
                disable,
            } => DomainRequest::Set {
                name,
                catch_all: edit(catch_all, no_catch_all),
                postmaster: edit(postmaster, no_postmaster),
                subaddress_separators,
                enabled: switch(enable, disable),
            },
            Self::Remove { name, force } => DomainRequest::Remove { name, force },
        })
    }
}
