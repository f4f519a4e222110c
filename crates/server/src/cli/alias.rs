//! `relais alias`.

use admin::{AliasRequest, Request};
use clap::Subcommand;
use mail::{Address, Domain};
use routing::objects::Target;

use super::values::{switch, target};

/// What can be done with aliases.
#[derive(Subcommand)]
pub(super) enum AliasCommand {
    /// Make an alias, or add redirects to the one there is
    #[command(after_help = "\
Examples:
  relais alias add info@example.org --to alice@example.org --to bob@elsewhere.example
  relais alias add info@example.org --to carol@example.org      adds a third redirect
  relais alias add all@example.org --to ''                      all users of the domain
  relais alias add old@example.org --to :blackhole:             accepted and dropped")]
    Add {
        /// The alias
        address: Address,
        /// Where it leads: an address, :blackhole:, or '' (or :all:) for all users; may be repeated
        #[arg(long = "to", value_name = "TARGET", value_parser = target, required = true)]
        to: Vec<Target>,
        /// What it is for
        #[arg(long)]
        note: Option<String>,
    },
    /// List all aliases, or those of one domain
    List {
        /// Only this domain's
        #[arg(long)]
        domain: Option<Domain>,
    },
    /// Show one alias
    Show {
        /// The alias
        address: Address,
    },
    /// Change an alias; --to takes the place of all redirects
    Set {
        /// The alias
        address: Address,
        /// Where it leads instead; may be repeated
        #[arg(long = "to", value_name = "TARGET", value_parser = target)]
        to: Option<Vec<Target>>,
        /// What it is for
        #[arg(long)]
        note: Option<String>,
        /// Put it in force
        #[arg(long)]
        enable: bool,
        /// Make it unknown to senders
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
    },
    /// Delete an alias, or with --to some of its redirects
    Remove {
        /// The alias
        address: Address,
        /// Only this redirect; may be repeated
        #[arg(long = "to", value_name = "TARGET", value_parser = target)]
        to: Vec<Target>,
    },
}

impl AliasCommand {
    pub(super) fn request(self) -> Request {
        Request::Alias(match self {
            Self::Add { address, to: targets, note } => AliasRequest::Add { address, targets, note },
            Self::List { domain } => AliasRequest::List { domain },
            Self::Show { address } => AliasRequest::Show { address },
            Self::Set { address, to: targets, note, enable, disable } => {
                AliasRequest::Set { address, targets, note, enabled: switch(enable, disable) }
            }
            Self::Remove { address, to: targets } => AliasRequest::Remove { address, targets },
        })
    }
}
