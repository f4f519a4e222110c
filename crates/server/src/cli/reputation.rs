//! `relais reputation`, `relais greylist`.

use admin::{GreylistRequest, ReputationRequest, Request};
use clap::Subcommand;
use mail::Address;

/// What can be done with what is known of clients and senders.
#[derive(Subcommand)]
pub(super) enum ReputationCommand {
    /// Show everything that is known of a client or a sender, and what would happen to its mail now
    #[command(after_help = "\
Examples:
  relais reputation show 192.0.2.7
  relais reputation show 192.0.2.7 --helo mx.far.example --sender zoe@far.example
  relais reputation show far.example")]
    Show {
        /// An IP address of a client, a domain, or an address of a sender
        subject: String,
        /// What the client calls itself
        #[arg(long, value_name = "NAME")]
        helo: Option<String>,
        /// As whom it writes
        #[arg(long, value_name = "ADDRESS")]
        sender: Option<Address>,
    },
    /// Forget what became of former mail
    #[command(after_help = "\
Examples:
  relais reputation forget far.example
  relais reputation forget 192.0.2.0/24      whoever wrote from there")]
    Forget {
        /// An IP address or network of a client, a domain, or an address of a sender
        subject: String,
    },
}

/// What can be done with the greylist.
#[derive(Subcommand)]
pub(super) enum GreylistCommand {
    /// List what was asked to come again, and the networks and domains that have
    #[command(after_help = "\
Example:
  relais greylist list --limit 20")]
    List {
        /// At most so many of each
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Forget a client's network, or the servers of a domain: they are asked to come again
    #[command(after_help = "\
Examples:
  relais greylist forget 192.0.2.7
  relais greylist forget far.example")]
    Forget {
        /// An IP address of the client, its network, or a domain
        client: String,
    },
}

impl ReputationCommand {
    pub(super) fn request(self) -> Request {
        Request::Reputation(match self {
            Self::Show { subject, helo, sender } => ReputationRequest::Show { subject, helo, sender },
            Self::Forget { subject } => ReputationRequest::Forget { subject },
        })
    }
}

impl GreylistCommand {
    pub(super) fn request(self) -> Request {
        Request::Greylist(match self {
            Self::List { limit } => GreylistRequest::List { limit },
            Self::Forget { client } => GreylistRequest::Forget { client },
        })
    }
}
