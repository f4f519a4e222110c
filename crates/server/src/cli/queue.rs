//! `relais queue`.

use admin::{QueueFilter, QueueRequest, QueueSelection, Request};
use clap::{ArgGroup, Args, Subcommand};
use mail::{Address, Domain, QueueId};
use routing::objects::SenderPattern;

use super::values::{seconds, sender};

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
        #[command(flatten)]
        filter: FilterArgs,
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
    /// Attempt entries now; what its sender holds back, to take it back or until a time, by its number alone
    #[command(after_help = "Examples:\n  relais queue retry --all\n  relais queue retry 17")]
    Retry(SelectionArgs),
    /// Send entries another way, at once: to the hosts of another domain, or by a route of the configuration
    #[command(
        after_help = "Examples:\n  relais queue reroute --destination example.net --to backup.example.org\n  relais queue reroute 17 --to '[192.0.2.25]'\n  relais queue reroute --recipient-domain example.net --route provider"
    )]
    Reroute {
        #[command(flatten)]
        which: SelectionArgs,
        /// The domain whose hosts take them; a host by its address, as [192.0.2.1]
        #[arg(long, value_name = "DOMAIN", required_unless_present = "route", conflicts_with = "route")]
        to: Option<Domain>,
        /// The route that takes them, by its name ([[queue.route]])
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
    },
    /// Delete entries; their senders are told that they were not delivered, unless they take them back themselves
    #[command(
        after_help = "Examples:\n  relais queue cancel 17\n  relais queue cancel --sender newsletter@example.org --older-than 2h\n  relais queue cancel 17 --by alice@example.org"
    )]
    Cancel {
        #[command(flatten)]
        which: SelectionArgs,
        /// Their sender takes them back: entries that have not set out yet, by their numbers; nobody is told
        #[arg(long, value_name = "ACCOUNT", conflicts_with_all = SAID)]
        by: Option<Address>,
    },
    /// List what an account has sent and can still take back
    #[command(after_help = "Example:\n  relais queue waiting alice@example.org")]
    Waiting {
        /// The account
        account: Address,
    },
    /// Delete entries; nobody is told
    Remove(SelectionArgs),
}

/// Which entries.
#[derive(Args)]
#[command(group = ArgGroup::new("which").args(["ids", "destination", "sender", "null_sender", "recipient", "recipient_domain", "older_than", "all"]).required(true).multiple(true))]
pub(super) struct SelectionArgs {
    /// Their numbers
    #[arg(value_parser = queue_id, value_name = "ID", conflicts_with_all = SAID)]
    ids: Vec<QueueId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// All of them
    #[arg(long, conflicts_with_all = FILTERS)]
    all: bool,
}

/// What selects some by what they are.
const FILTERS: [&str; 6] = ["destination", "sender", "null_sender", "recipient", "recipient_domain", "older_than"];

/// What selects entries instead of their numbers.
const SAID: [&str; 7] = ["destination", "sender", "null_sender", "recipient", "recipient_domain", "older_than", "all"];

/// What entries have to have, all of it.
#[derive(Args)]
pub(super) struct FilterArgs {
    /// Those to the hosts of one domain
    #[arg(long, value_name = "DOMAIN")]
    destination: Option<Domain>,
    /// Those from this address, or from a domain, as @example.org
    #[arg(long, value_name = "SENDER", value_parser = sender)]
    sender: Option<SenderPattern>,
    /// Those from nobody: reports and other letters of machines
    #[arg(long, conflicts_with = "sender")]
    null_sender: bool,
    /// Those in which this recipient waits
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<Address>,
    /// Those in which a recipient of this domain waits
    #[arg(long, value_name = "DOMAIN")]
    recipient_domain: Option<Domain>,
    /// Those accepted longer ago than this, as 90s, 30m, 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    older_than: Option<u64>,
}

impl From<FilterArgs> for QueueFilter {
    fn from(args: FilterArgs) -> Self {
        Self {
            destination: args.destination,
            sender: args.sender,
            null_sender: args.null_sender,
            recipient: args.recipient,
            recipient_domain: args.recipient_domain,
            older_than_secs: args.older_than,
        }
    }
}

fn queue_id(text: &str) -> Result<QueueId, String> {
    text.parse().map(QueueId).map_err(|_| "an entry's number is needed; `relais queue list` shows them".to_owned())
}

impl From<SelectionArgs> for QueueSelection {
    fn from(args: SelectionArgs) -> Self {
        match (args.all, args.ids.is_empty()) {
            (true, _) => Self::All,
            (false, true) => Self::Matching(Box::new(args.filter.into())),
            (false, false) => Self::Entries(args.ids),
        }
    }
}

impl QueueCommand {
    pub(super) fn request(self) -> Request {
        Request::Queue(match self {
            Self::List { limit, after, filter } => {
                let filter = Some(QueueFilter::from(filter)).filter(|filter| *filter != QueueFilter::default());
                QueueRequest::List { after, limit, filter: filter.map(Box::new) }
            }
            Self::Show { id } => QueueRequest::Show { id },
            Self::Hold(which) => QueueRequest::Hold(which.into()),
            Self::Resume(which) => QueueRequest::Resume(which.into()),
            Self::Retry(which) => QueueRequest::Retry(which.into()),
            Self::Reroute { which, to, route } => QueueRequest::Reroute { which: which.into(), to, route },
            Self::Cancel { which, by: Some(by) } => QueueRequest::TakeBack { by, entries: which.ids },
            Self::Cancel { which, by: None } => QueueRequest::Cancel(which.into()),
            Self::Waiting { account } => QueueRequest::Waiting { by: account },
            Self::Remove(which) => QueueRequest::Remove(which.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::super::Cli;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        let matches = Cli::command().try_get_matches_from(line.split_whitespace())?;
        Cli::from_arg_matches(&matches)
    }

    #[test]
    fn what_is_taken_back_is_named_by_its_numbers() {
        assert!(parsed("relais queue cancel 17 18 --by alice@example.org").is_ok());
        for line in [
            "relais queue cancel --all --by alice@example.org",
            "relais queue cancel --destination far.example --by alice@example.org",
            "relais queue cancel --by alice@example.org",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn who_names_no_entries_is_told_of_all_ways_to_name_them() {
        for verb in ["retry", "hold", "resume", "cancel", "remove"] {
            let told = parsed(&format!("relais queue {verb}")).err().unwrap().to_string();
            assert!(told.contains("--all") && told.contains("--destination") && told.contains("ID"), "{told}");
            assert!(parsed(&format!("relais queue {verb} --sender @a.example --older-than 2h")).is_ok());
            assert!(parsed(&format!("relais queue {verb} 17 --all")).is_err());
        }
    }
}
