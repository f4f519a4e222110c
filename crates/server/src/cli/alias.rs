//! `relais alias`.

use admin::{AliasRequest, Request};
use clap::Subcommand;
use mail::{Address, Domain};
use routing::objects::Target;

use super::terms::{TermsArgs, WhenAwayArgs};
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
  relais alias add old@example.org --to :blackhole:             accepted and dropped
  relais alias add gone@example.org --to ':fail: 5.1.6 We have moved to example.net'
  relais alias add fair@example.org --to alice@example.org --expires 2026-12-31
  relais alias add secretary@example.org --to alice@example.org --when-away bob@example.org")]
    Add {
        /// The alias
        address: Address,
        /// Where it leads: an address, :blackhole:, ':fail: TEXT', or '' (or :all:) for all users; may be repeated
        #[arg(long = "to", value_name = "TARGET", value_parser = target, required = true)]
        to: Vec<Target>,
        /// What it is for
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        terms: Box<TermsArgs>,
        #[command(flatten)]
        when_away: WhenAwayArgs,
    },
    /// Make an alias for a person, within the domain's policy for that; it leads to their mailbox
    #[command(after_help = "\
Examples:
  relais alias make --for alice@example.org --random --note 'garden shop'
  relais alias make alice.shop@example.org --for alice@example.org
  relais domain set example.org --alias-makers everyone      lets people make them")]
    Make {
        /// The alias; not with --random
        #[arg(required_unless_present = "random")]
        address: Option<Address>,
        /// The person's account
        #[arg(long = "for", value_name = "ACCOUNT")]
        account: Address,
        /// A random one, readable and not to be guessed
        #[arg(long, conflicts_with = "address")]
        random: bool,
        /// The domain of the random one [default: that of the account]
        #[arg(long, requires = "random")]
        domain: Option<Domain>,
        /// What it is for, as the shop that gets it
        #[arg(long)]
        note: Option<String>,
    },
    /// List all aliases, those of one domain, or those that a person made
    List {
        /// Only this domain's
        #[arg(long)]
        domain: Option<Domain>,
        /// Only those that this account made for itself
        #[arg(long, value_name = "ACCOUNT")]
        made_by: Option<Address>,
    },
    /// Show one alias, with who wrote to it first
    Show {
        /// The alias
        address: Address,
    },
    /// Change an alias; --to takes the place of all redirects
    #[command(after_help = "\
Examples:
  relais alias set info@example.org --internal-only --max-size 10M
  relais alias set press@example.org --sender @paper.example --sender bob@example.org
  relais alias set kavutipo-remodasu@example.org --disable --for alice@example.org")]
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
        #[command(flatten)]
        terms: Box<TermsArgs>,
        #[command(flatten)]
        when_away: WhenAwayArgs,
        /// On behalf of this account: only when it made the alias
        #[arg(long = "for", value_name = "ACCOUNT")]
        by: Option<Address>,
    },
    /// Delete an alias, or with --to some of its redirects
    #[command(after_help = "\
Where others lead to it, as another alias, a catch-all or a responder's copies, they are named and nothing is done;
with --force it is taken out of them, and an alias that leads nowhere else goes too.")]
    Remove {
        /// The alias
        address: Address,
        /// Only this redirect; may be repeated
        #[arg(long = "to", value_name = "TARGET", value_parser = target)]
        to: Vec<Target>,
        /// On behalf of this account: only when it made the alias
        #[arg(long = "for", value_name = "ACCOUNT")]
        by: Option<Address>,
        /// Even when others lead to it: it is taken out of them
        #[arg(long, conflicts_with = "to")]
        force: bool,
    },
}

impl AliasCommand {
    pub(super) fn request(self) -> Request {
        Request::Alias(match self {
            Self::Add { address, to: targets, note, terms, when_away } => {
                AliasRequest::Add { address, targets, note, terms: Box::new(terms.terms(when_away)) }
            }
            Self::Make { address, account, random: _, domain, note } => {
                AliasRequest::Make { account, address, domain, note }
            }
            Self::List { domain, made_by } => AliasRequest::List { domain, made_by },
            Self::Show { address } => AliasRequest::Show { address, by: None },
            Self::Set { address, to: targets, note, enable, disable, terms, when_away, by } => AliasRequest::Set {
                address,
                targets,
                note,
                enabled: switch(enable, disable),
                terms: Box::new(terms.terms(when_away)),
                by,
            },
            Self::Remove { address, to: targets, by, force } => AliasRequest::Remove { address, targets, by, force },
        })
    }
}
