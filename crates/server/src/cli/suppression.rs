//! `relais suppression`.

use admin::{Request, SuppressionRequest};
use clap::Subcommand;
use mail::Address;

/// What can be done with the suppression list.
#[derive(Subcommand)]
pub(super) enum SuppressionCommand {
    /// List the addresses, with why and until when
    List {
        /// Only those behind this address, for the next page
        #[arg(long, value_name = "ADDRESS")]
        after: Option<Address>,
        /// At most so many
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Show whether an address is on the list
    Show {
        /// Which
        address: Address,
    },
    /// Enter an address by hand
    #[command(after_help = "\
Lists, answers, letters and notices are not sent to addresses on the list. Addresses enter by themselves when their server says that nobody
is there, and when their reader complains ([suppression] in the configuration).

Examples:
  relais suppression add reader@elsewhere.example --note 'asked by phone' --days 365
  relais suppression add reader@elsewhere.example")]
    Add {
        /// Which
        address: Address,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
        /// For so many days; without it, until it is removed
        #[arg(long)]
        days: Option<u32>,
    },
    /// Take an address off the list
    Remove {
        /// Which
        address: Address,
    },
}

impl SuppressionCommand {
    pub(super) fn request(self) -> Request {
        Request::Suppression(match self {
            Self::List { after, limit } => SuppressionRequest::List { after, limit },
            Self::Show { address } => SuppressionRequest::Show { address },
            Self::Add { address, note, days } => SuppressionRequest::Add { address, note, days },
            Self::Remove { address } => SuppressionRequest::Remove { address },
        })
    }
}
