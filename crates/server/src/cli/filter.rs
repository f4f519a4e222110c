//! `relais filter`.

use admin::{Edit, FilterContent, FilterRequest, Request};
use clap::{Args, Subcommand};
use filter::{Condition, Matching, Place};
use mail::{Address, Keyword};

use super::values::{edit, switch};

/// What can be done with filters.
#[derive(Subcommand)]
pub(super) enum FilterCommand {
    /// Add a filter to an account
    #[command(after_help = "\
Conditions, one --if for each: FIELD is|is-not|contains|does-not-contain TEXT, with from, to, cc, to-or-cc, subject or
header:NAME for FIELD (case does not matter; addresses and display names are compared); attachment present|absent;
size larger|smaller OCTETS. Filters are looked at in their order; all that match act, until one of them says --stop.

Examples:
  relais filter add alice@example.org Invoices --if 'subject contains invoice' --if 'attachment present' --move-to Work/Invoices
  relais filter add alice@example.org Boss --if 'from is boss@example.org' --tag Boss --important --stop
  relais filter add alice@example.org Rubbish --any --if 'from contains @spam.example' --if 'subject contains lottery' --delete
  relais filter add info@example.org Answered --in sent --if 'to contains @partner.example' --move-to Partners")]
    Add {
        /// Whose: a person's or a shared mailbox's account
        account: Address,
        /// What the filter is called
        name: String,
        /// Its place among the others, from 1 [default: behind them]
        #[arg(long, value_name = "NUMBER")]
        position: Option<usize>,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// List the filters of an account, in the order in which they are looked at
    List {
        /// Whose
        account: Address,
    },
    /// Show one filter
    Show {
        /// Whose
        account: Address,
        /// Which
        name: String,
    },
    /// Change a filter
    #[command(after_help = "\
What is said takes the place of what there was: all conditions, all tags, all copies.

Examples:
  relais filter set alice@example.org Invoices --disable
  relais filter set alice@example.org Boss --no-stop --tag Boss --tag Urgent
  relais filter set alice@example.org Boss --rename 'The boss'")]
    Set {
        /// Whose
        account: Address,
        /// Which
        name: String,
        /// Another name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// Put a filter at another place among the others
    #[command(after_help = "Example:\n  relais filter move alice@example.org Boss --to 1")]
    Move {
        /// Whose
        account: Address,
        /// Which
        name: String,
        /// Its place, from 1; a number behind the last is the last place
        #[arg(long, value_name = "NUMBER")]
        to: usize,
    },
    /// Delete a filter; what it has filed stays
    Remove {
        /// Whose
        account: Address,
        /// Which
        name: String,
    },
    /// Show which messages of a folder filters match; nothing is changed
    #[command(
        override_usage = "relais filter test [OPTIONS] <ACCOUNT> <NAME|--all>",
        after_help = "\
Examples:
  relais filter test alice@example.org Invoices
  relais filter test alice@example.org --all --folder Archive --show 20"
    )]
    Test {
        /// Whose
        account: Address,
        #[command(flatten)]
        which: Which,
        /// The folder with the messages
        #[arg(long, default_value = "INBOX")]
        folder: String,
        /// So many messages are shown for each filter, the newest
        #[arg(long, value_name = "NUMBER", default_value_t = 10)]
        show: usize,
    },
    /// Do with the messages of a folder what filters say
    #[command(
        override_usage = "relais filter apply [OPTIONS] <ACCOUNT> <NAME|--all>",
        after_help = "\
Deleting is for good, as for what comes in; `relais filter test` shows before what will be matched. What a filter copies, it copies
each time.

Examples:
  relais filter apply alice@example.org Invoices
  relais filter apply alice@example.org --all --folder INBOX"
    )]
    Apply {
        /// Whose
        account: Address,
        #[command(flatten)]
        which: Which,
        /// The folder with the messages
        #[arg(long, default_value = "INBOX")]
        folder: String,
    },
}

/// One filter, or all.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Which filter; one that is switched off, or for another folder, too
    name: Option<String>,
    /// All that are switched on, in their order, as if the messages came now
    #[arg(long)]
    all: bool,
}

/// What a filter asks and does.
#[derive(Args)]
pub(super) struct ContentArgs {
    /// A condition, as 'from contains @example.org'; several times for several
    #[arg(long = "if", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// One condition is enough
    #[arg(long, conflicts_with = "all_conditions")]
    any: bool,
    /// All conditions must hold (so for a new filter)
    #[arg(long = "all-conditions")]
    all_conditions: bool,
    /// DELETE the message for good
    #[arg(long)]
    delete: bool,
    /// Do not delete
    #[arg(long, conflicts_with = "delete")]
    no_delete: bool,
    /// Move it to this folder, which is made when it is not there
    #[arg(long, value_name = "FOLDER")]
    move_to: Option<String>,
    /// Do not move it
    #[arg(long, conflicts_with = "move_to")]
    no_move: bool,
    /// Copy it to this folder, which is made when it is not there; several times for several
    #[arg(long, value_name = "FOLDER")]
    copy_to: Vec<String>,
    /// Copy it nowhere
    #[arg(long, conflicts_with = "copy_to")]
    no_copies: bool,
    /// Give it this tag, an IMAP keyword; several times for several
    #[arg(long, value_name = "TAG", value_parser = tag)]
    tag: Vec<Keyword>,
    /// Give it no tag
    #[arg(long, conflicts_with = "tag")]
    no_tags: bool,
    /// Mark it as important: \Flagged
    #[arg(long)]
    important: bool,
    /// Do not mark it as important
    #[arg(long, conflicts_with = "important")]
    not_important: bool,
    /// Mark it as read: \Seen
    #[arg(long)]
    read: bool,
    /// Leave it unread
    #[arg(long, conflicts_with = "read")]
    not_read: bool,
    /// Skip the filters behind this one when it matches
    #[arg(long)]
    stop: bool,
    /// Go on with the filters behind this one
    #[arg(long, conflicts_with = "stop")]
    no_stop: bool,
    /// What it looks at: inbox (what comes in), sent (copies of what is sent), spam; parted by commas [default: inbox]
    #[arg(long = "in", value_name = "PLACES", value_delimiter = ',')]
    places: Vec<Place>,
    /// Switch it on (a new one is on)
    #[arg(long)]
    enable: bool,
    /// Switch it off
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
}

fn tag(text: &str) -> Result<Keyword, String> {
    Keyword::parse(text).map_err(|flaw| {
        format!("{flaw}: a tag is one word of ASCII without ( ) {{ % * \" \\ and ], as Urgent or $Work")
    })
}

impl FilterCommand {
    pub(super) fn request(self) -> Request {
        Request::Filter(match self {
            Self::Add { account, name, position, content } => {
                FilterRequest::Add { account, name, position, content: Box::new(content.content(None)) }
            }
            Self::List { account } => FilterRequest::List { account },
            Self::Show { account, name } => FilterRequest::Show { account, name },
            Self::Set { account, name, rename, content } => {
                FilterRequest::Set { account, name, content: Box::new(content.content(rename)) }
            }
            Self::Move { account, name, to } => FilterRequest::Move { account, name, position: to },
            Self::Remove { account, name } => FilterRequest::Remove { account, name },
            Self::Test { account, which, folder, show } => {
                FilterRequest::Test { account, name: which.name, folder, show }
            }
            Self::Apply { account, which, folder } => FilterRequest::Apply { account, name: which.name, folder },
        })
    }
}

impl ContentArgs {
    fn content(self, name: Option<String>) -> FilterContent {
        fn some<T>(all: Vec<T>, none: bool) -> Option<Vec<T>> {
            (none || !all.is_empty()).then_some(all)
        }
        let matching = match (self.any, self.all_conditions) {
            (true, _) => Some(Matching::Any),
            (false, true) => Some(Matching::All),
            (false, false) => None,
        };
        let folder: Edit<String> = edit(self.move_to, self.no_move);
        FilterContent {
            name,
            enabled: switch(self.enable, self.disable),
            matching,
            conditions: some(self.conditions, false),
            discard: switch(self.delete, self.no_delete),
            folder,
            copies: some(self.copy_to, self.no_copies),
            tags: some(self.tag, self.no_tags),
            important: switch(self.important, self.not_important),
            read: switch(self.read, self.not_read),
            stop: switch(self.stop, self.no_stop),
            places: some(self.places, false),
        }
    }
}
