//! `relais domain dkim`.

use admin::{DkimRequest, DomainRequest};
use clap::Subcommand;
use mail::Domain;

/// What can be done with signing keys.
#[derive(Subcommand)]
pub(super) enum DkimCommand {
    /// Show the keys and the records to publish
    Show {
        /// The domain
        name: Domain,
    },
    /// Make the next keys: publish their records, then let them sign with `activate`
    #[command(after_help = "\
Examples:
  relais domain dkim rotate example.org          make and show the next keys; publish them
  relais domain dkim activate example.org        some days later: they sign
  relais domain dkim rotate example.org --now    for a domain without keys")]
    Rotate {
        /// The domain
        name: Domain,
        /// They sign at once, published or not
        #[arg(long)]
        now: bool,
    },
    /// The next keys sign from now on; the old ones stay to be published for a week
    Activate {
        /// The domain
        name: Domain,
    },
    /// Forget a key that signs no more
    Remove {
        /// The domain
        name: Domain,
        /// The key's selector
        selector: String,
    },
}

impl DkimCommand {
    pub(super) fn request(self) -> DomainRequest {
        let (name, request) = match self {
            Self::Show { name } => (name, DkimRequest::Show),
            Self::Rotate { name, now } => (name, DkimRequest::Rotate { now }),
            Self::Activate { name } => (name, DkimRequest::Activate),
            Self::Remove { name, selector } => (name, DkimRequest::Remove { selector }),
        };
        DomainRequest::Dkim { name, request }
    }
}
