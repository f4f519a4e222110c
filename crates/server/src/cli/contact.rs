//! `relais contact`.

use admin::{ContactRequest, Request};
use clap::Subcommand;
use mail::Address;

/// What can be done with contacts.
#[derive(Subcommand)]
pub(super) enum ContactCommand {
    /// Enter a contact by hand
    #[command(after_help = "\
Whom an account writes to becomes a contact by itself. A responder with --audience contacts answers contacts only.

Examples:
  relais contact add alice@example.org customer@elsewhere.example
  relais contact list alice@example.org")]
    Add {
        /// Whose contact
        account: Address,
        /// The contact
        address: Address,
    },
    /// List the contacts of an account
    List {
        /// Whose
        account: Address,
        /// Only those behind this address, for the next page
        #[arg(long, value_name = "ADDRESS")]
        after: Option<Address>,
    },
    /// Remove a contact
    Remove {
        /// Whose contact
        account: Address,
        /// The contact
        address: Address,
    },
}

impl ContactCommand {
    pub(super) fn request(self) -> Request {
        Request::Contact(match self {
            Self::Add { account, address } => ContactRequest::Add { account, address },
            Self::List { account, after } => ContactRequest::List { account, after },
            Self::Remove { account, address } => ContactRequest::Remove { account, address },
        })
    }
}
