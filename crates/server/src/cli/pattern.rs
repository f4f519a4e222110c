//! `relais domain pattern`.

use admin::{DomainRequest, PatternRequest};
use clap::Subcommand;
use mail::{Address, Domain};

use super::values::switch;

/// What can be done with the patterns of a domain.
#[derive(Subcommand)]
pub(super) enum PatternCommand {
    /// Redirect every address that fits a regular expression
    #[command(after_help = "\
Examples:
  relais domain pattern add example.org 'sales-(.+)' --to '$1@example.org'
  relais domain pattern add example.org 'old-.*' --to ':fail: We have moved' --place 1
The expression is over the whole part before the @, without regard to case. It is tried when nothing else has the
address; the first that fits is taken. $1 or ${name} may stand before the @ of a target.")]
    Add {
        /// The domain
        domain: Domain,
        /// The regular expression
        pattern: String,
        /// Where it leads; may be repeated
        #[arg(long = "to", value_name = "TARGET", required = true)]
        to: Vec<String>,
        /// What it is for
        #[arg(long)]
        note: Option<String>,
        /// Its place in the order, from 1 [default: the last]
        #[arg(long, value_name = "NUMBER")]
        place: Option<usize>,
    },
    /// List the patterns in the order in which they are tried
    List {
        /// The domain
        domain: Domain,
    },
    /// Change the order
    Move {
        /// The domain
        domain: Domain,
        /// Which pattern, from 1
        number: usize,
        /// Its new place, from 1
        #[arg(long, value_name = "NUMBER")]
        to: usize,
    },
    /// Switch a pattern on or off, or change its note
    Set {
        /// The domain
        domain: Domain,
        /// Which pattern, from 1
        number: usize,
        /// Put it in force
        #[arg(long)]
        enable: bool,
        /// Pass it over
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// What it is for
        #[arg(long)]
        note: Option<String>,
    },
    /// Delete a pattern
    Remove {
        /// The domain
        domain: Domain,
        /// Which pattern, from 1
        number: usize,
    },
    /// Try an address: which pattern fits, and what its targets become
    #[command(after_help = "\
Examples:
  relais domain pattern test example.org sales-alice@example.org
  relais domain pattern test example.org sales-alice@example.org --pattern 'sales-(.+)' --to '$1@example.org'")]
    Test {
        /// The domain
        domain: Domain,
        /// The address
        address: Address,
        /// A pattern that is not saved, tried alone
        #[arg(long, requires = "to")]
        pattern: Option<String>,
        /// Where that one leads; may be repeated
        #[arg(long = "to", value_name = "TARGET", requires = "pattern")]
        to: Vec<String>,
    },
}

impl PatternCommand {
    pub(super) fn request(self) -> DomainRequest {
        let (name, request) = match self {
            Self::Add { domain, pattern, to: targets, note, place } => {
                (domain, PatternRequest::Add { pattern, targets, note, place })
            }
            Self::List { domain } => (domain, PatternRequest::List),
            Self::Move { domain, number, to: place } => (domain, PatternRequest::Move { number, place }),
            Self::Set { domain, number, enable, disable, note } => {
                (domain, PatternRequest::Set { number, enabled: switch(enable, disable), note })
            }
            Self::Remove { domain, number } => (domain, PatternRequest::Remove { number }),
            Self::Test { domain, address, pattern, to: targets } => {
                (domain, PatternRequest::Test { address, pattern, targets })
            }
        };
        DomainRequest::Pattern { name, request }
    }
}
