//! `relais group`.

use admin::{GroupContent, GroupRequest, Request};
use clap::{Args, Subcommand};
use mail::{Address, Domain};
use routing::objects::{Posting, Service};

use super::account::ServiceArg;
use super::terms::{TermsArgs, WhenAwayArgs};
use super::values::{posting, switch};

/// What can be done with groups.
#[derive(Subcommand)]
pub(super) enum GroupCommand {
    /// Make a group: one address for a set of mailboxes
    #[command(after_help = "\
Examples:
  relais group add board@example.org --member alice@example.org --member bob@example.org
  relais group add staff@example.org --member alice@example.org --posting organisation
  relais group add news@example.org --member bob@example.org --moderator alice@example.org")]
    Add {
        /// Its address
        address: Address,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// List all groups, or those of one domain
    List {
        /// Only this domain's
        #[arg(long)]
        domain: Option<Domain>,
    },
    /// Show one group with its members
    Show {
        /// Its address
        address: Address,
    },
    /// Change a group
    #[command(after_help = "\
Examples:
  relais group set board@example.org --add-member carol@example.org --remove-member bob@example.org
  relais group set board@example.org --posting members
  relais group set board@example.org --posting '@paper.example,bob@example.org'    these and nobody else")]
    Set {
        /// Its address
        address: Address,
        /// A member who comes in; may be repeated
        #[arg(long = "add-member", value_name = "ACCOUNT")]
        add_members: Vec<Address>,
        /// A member who leaves; may be repeated
        #[arg(long = "remove-member", value_name = "ACCOUNT")]
        remove_members: Vec<Address>,
        #[command(flatten)]
        content: Box<ContentArgs>,
        /// Put it in force
        #[arg(long)]
        enable: bool,
        /// Make it unknown to senders
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
    },
    /// Delete a group, with what waits for its moderators
    Remove {
        /// Its address
        address: Address,
        /// Even when others lead to it: it is taken out of them, and an alias that leads nowhere else goes too
        #[arg(long)]
        force: bool,
    },
}

/// What a group is.
#[derive(Args)]
pub(super) struct ContentArgs {
    /// Its name, as 'The board'
    #[arg(long)]
    name: Option<String>,
    /// A member's account; may be repeated. With `set` they take the place of those there are
    #[arg(long = "member", value_name = "ACCOUNT")]
    members: Option<Vec<Address>>,
    /// Who may write to it: anyone, organisation, members, or addresses and @domains parted by commas
    #[arg(long, value_name = "WHO", value_parser = posting)]
    posting: Option<Posting>,
    /// Who decides on each message before it goes on; may be repeated. Makes the group moderated
    #[arg(long = "moderator", value_name = "ADDRESS")]
    moderators: Option<Vec<Address>>,
    /// Messages go on at once; those that wait already are decided on as before, or refused when their time is over
    #[arg(long, conflicts_with = "moderators")]
    no_moderation: bool,
    /// A way in that its members do not have: open sessions end, and logins look as with a wrong password; may be repeated
    #[arg(long, value_enum, value_name = "SERVICE")]
    withdraw: Vec<ServiceArg>,
    /// A way in to give back to its members; may be repeated
    #[arg(long, value_enum, value_name = "SERVICE")]
    restore: Vec<ServiceArg>,
    /// What it is for
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    when_away: WhenAwayArgs,
}

impl ContentArgs {
    fn content(self) -> GroupContent {
        GroupContent {
            display_name: self.name,
            members: self.members,
            posting: self.posting,
            moderated: switch(self.moderators.is_some(), self.no_moderation),
            moderators: self.moderators,
            note: self.note,
            withdraw: self.withdraw.into_iter().map(Service::from).collect(),
            restore: self.restore.into_iter().map(Service::from).collect(),
            terms: self.terms.terms(self.when_away),
            ..GroupContent::default()
        }
    }
}

impl GroupCommand {
    pub(super) fn request(self) -> Request {
        Request::Group(match self {
            Self::Add { address, content } => GroupRequest::Add { address, content: Box::new(content.content()) },
            Self::List { domain } => GroupRequest::List { domain },
            Self::Show { address } => GroupRequest::Show { address },
            Self::Set { address, add_members, remove_members, content, enable, disable } => {
                let content =
                    GroupContent { add_members, remove_members, enabled: switch(enable, disable), ..content.content() };
                GroupRequest::Set { address, content: Box::new(content) }
            }
            Self::Remove { address, force } => GroupRequest::Remove { address, force },
        })
    }
}
