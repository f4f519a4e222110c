//! `relais queue`.

use admin::{QueueRequest, QueueSelection, Request};
use clap::{Args, Subcommand};
use mail::{Domain, QueueId};

/// What can be done with queue entries.
#[derive(Subcommand)]
pub(super) enum QueueCommand {
    /// List what waits to be delivered to other servers
    List {
        /// At most so many entries
        #[arg(long)]
        limit: Option<usize>,
        /// Only those behind this entry
        #[arg(long, value_name = "ID", value_parser = queue_id)]
        after: Option<QueueId>,
    },
    /// Show one entry with its recipients and what the other server said
    Show {
        /// Its number
        #[arg(value_parser = queue_id)]
        id: QueueId,
    },
    /// Do not attempt entries until they are resumed
    #[command(after_help = "Examples:\n  relais queue hold 17 18\n  relais queue hold --destination example.net")]
    Hold(SelectionArgs),
    /// End the hold
    Resume(SelectionArgs),
    /// Attempt entries now
    Retry(SelectionArgs),
    /// Delete entries; nobody is told
    Remove(SelectionArgs),
}

/// Which entries.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct SelectionArgs {
    /// Their numbers
    #[arg(value_parser = queue_id)]
    ids: Vec<QueueId>,
    /// All to one domain
    #[arg(long, value_name = "DOMAIN")]
    destination: Option<Domain>,
    /// All of them
    #[arg(long)]
    all: bool,
}

fn queue_id(text: &str) -> Result<QueueId, String> {
    text.parse().map(QueueId).map_err(|_| "an entry's number is needed; `relais queue list` shows them".to_owned())
}

impl From<SelectionArgs> for QueueSelection {
    fn from(args: SelectionArgs) -> Self {
        match args.destination {
            Some(domain) => Self::Destination(domain),
            None if args.all => Self::All,
            None => Self::Entries(args.ids),
        }
    }
}

impl QueueCommand {
    pub(super) fn request(self) -> Request {
        Request::Queue(match self {
            Self::List { limit, after } => QueueRequest::List { after, limit },
            Self::Show { id } => QueueRequest::Show { id },
            Self::Hold(which) => QueueRequest::Hold(which.into()),
            Self::Resume(which) => QueueRequest::Resume(which.into()),
            Self::Retry(which) => QueueRequest::Retry(which.into()),
            Self::Remove(which) => QueueRequest::Remove(which.into()),
        })
    }
}
