//! `relais event`.

use admin::{EventId, EventRequest, EventSelection, Request};
use clap::{Args, Subcommand};

/// What can be done with parked events.
#[derive(Subcommand)]
pub(super) enum EventCommand {
    /// List the parked ones, with why they failed
    List {
        /// At most so many of each kind
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Show one with what it is about
    Show {
        /// Which, as message-stored:12
        id: EventId,
    },
    /// Work on events again, when what made them fail is put right
    #[command(after_help = "Examples:\n  relais event retry message-stored:12\n  relais event retry --all")]
    Retry(SelectionArgs),
    /// Forget events: what they asked for (an automatic answer, as a rule) is not done
    Remove(SelectionArgs),
}

/// Which events.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct SelectionArgs {
    /// These, as message-stored:12
    ids: Vec<EventId>,
    /// All of them, up to 1000 at a time
    #[arg(long)]
    all: bool,
}

impl From<SelectionArgs> for EventSelection {
    fn from(args: SelectionArgs) -> Self {
        if args.all { Self::All } else { Self::Events(args.ids) }
    }
}

impl EventCommand {
    pub(super) fn request(self) -> Request {
        Request::Event(match self {
            Self::List { limit } => EventRequest::List { limit },
            Self::Show { id } => EventRequest::Show { id },
            Self::Retry(which) => EventRequest::Retry(which.into()),
            Self::Remove(which) => EventRequest::Remove(which.into()),
        })
    }
}
