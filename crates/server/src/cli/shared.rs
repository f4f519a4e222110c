//! `relais shared`.

use admin::{AclRequest, Edit, NewShared, Request, SharedRequest};
use clap::{Args, Subcommand, ValueEnum};
use mail::{Address, Domain};
use routing::objects::{Member, SeenState};

use super::values::{edit, octets, switch};

/// What can be done with shared mailboxes.
#[derive(Subcommand)]
pub(super) enum SharedCommand {
    /// Make a mailbox that several people use under their own logins
    #[command(after_help = "\
Examples:
  relais shared add info@example.org --name 'Information' --member alice@example.org=poster
  relais shared add press@example.org --seen per-person --member alice@example.org=reader --quota 2G

Each person finds it below Shared/ in their mail program. Rights are a role or letters (RFC 4314):
  reader         lrs          see, read, mark as read
  writer         lrswite      and mark, file and delete messages
  poster         lrswipte     and send with its address
  administrator  lrswipkxtean  and make, rename and delete its folders, and share them")]
    Add(AddArgs),
    /// List all shared mailboxes, or those of one domain
    List {
        /// Only this domain's
        #[arg(long)]
        domain: Option<Domain>,
    },
    /// Show one shared mailbox and who shares it
    Show {
        /// Its address
        address: Address,
    },
    /// Change a shared mailbox
    #[command(after_help = "\
Example:
  relais shared set info@example.org --seen per-person --no-file-sent

When the seen state becomes per person, each person begins with everything unread.")]
    Set(SetArgs),
    /// Delete a shared mailbox with its mail
    Remove {
        /// Its address
        address: Address,
        /// Even when it holds mail, or others lead to it: it is taken out of them, and its responders go
        #[arg(long)]
        force: bool,
    },
    /// Who shares it
    #[command(subcommand)]
    Member(MemberCommand),
    /// Rights to single folders, of shared mailboxes and of people's own
    #[command(subcommand)]
    Acl(AclCommand),
}

/// `relais shared add`.
#[derive(Args)]
pub(super) struct AddArgs {
    /// The address
    address: Address,
    /// The sender name
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// How much mail fits, as 500M or 2G
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    quota: Option<u64>,
    /// Whether a message that one has read is read for all, or for that person
    #[arg(long, value_enum, default_value_t = SeenArg::Shared)]
    seen: SeenArg,
    /// Who shares it, with rights; may be repeated
    #[arg(long = "member", value_name = "PERSON=RIGHTS", value_parser = member)]
    members: Vec<Member>,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

/// `relais shared set`.
#[derive(Args)]
pub(super) struct SetArgs {
    /// Its address
    address: Address,
    /// The sender name
    #[arg(long)]
    name: Option<String>,
    /// How much mail fits, as 500M or 2G
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    quota: Option<u64>,
    /// No limit on how much mail fits
    #[arg(long, conflicts_with = "quota")]
    no_quota: bool,
    /// Whether a message that one has read is read for all, or for that person
    #[arg(long, value_enum)]
    seen: Option<SeenArg>,
    /// File what is sent with its address in its Sent, and mark what was answered
    #[arg(long)]
    file_sent: bool,
    /// Leave that to people's mail programs
    #[arg(long, conflicts_with = "file_sent")]
    no_file_sent: bool,
    /// What it is for
    #[arg(long)]
    note: Option<String>,
}

/// `relais shared member`.
#[derive(Subcommand)]
pub(super) enum MemberCommand {
    /// Let a person share it; its folders are subscribed for them
    #[command(after_help = "Example:\n  relais shared member add info@example.org bob@example.org --rights writer")]
    Add {
        /// The shared mailbox
        address: Address,
        /// The person
        person: Address,
        /// A role (reader, writer, poster, administrator) or letters of lrswipkxtean
        #[arg(long)]
        rights: String,
    },
    /// Change a person's rights
    Set {
        /// The shared mailbox
        address: Address,
        /// The person
        person: Address,
        /// A role (reader, writer, poster, administrator) or letters of lrswipkxtean
        #[arg(long)]
        rights: String,
    },
    /// End a person's sharing; sessions that have it open are closed
    Remove {
        /// The shared mailbox
        address: Address,
        /// The person
        person: Address,
    },
}

/// `relais shared acl`.
#[derive(Subcommand)]
pub(super) enum AclCommand {
    /// Show who may do what in a folder
    Show(FolderArgs),
    /// Give or take rights in a folder
    #[command(after_help = "\
Examples:
  relais shared acl set info@example.org bob@example.org lrs --mailbox Sent
  relais shared acl set info@example.org anyone +l --mailbox Archive
  relais shared acl set alice@example.org bob@example.org reader --mailbox Projects
  relais shared acl set info@example.org -- -bob@example.org te      takes deleting away, whatever else gives it")]
    Set {
        #[command(flatten)]
        folder: FolderArgs,
        /// A person's address, or anyone; with - in front the rights are taken away
        #[arg(allow_hyphen_values = true)]
        identifier: String,
        /// A role or letters; with + or - in front more or fewer
        #[arg(allow_hyphen_values = true)]
        rights: String,
    },
    /// Take a line out of a folder's list; a member has the rights of a member again
    Remove {
        #[command(flatten)]
        folder: FolderArgs,
        /// As it is shown
        #[arg(allow_hyphen_values = true)]
        identifier: String,
    },
    /// Whose seen state a folder has
    Seen {
        #[command(flatten)]
        folder: FolderArgs,
        /// Whether a message that one has read is read for all, or for that person
        #[arg(long, value_enum, required_unless_present = "inherit")]
        seen: Option<SeenArg>,
        /// As the shared mailbox says
        #[arg(long, conflicts_with = "seen")]
        inherit: bool,
    },
}

/// Which folder.
#[derive(Args)]
pub(super) struct FolderArgs {
    /// The account: a shared mailbox or a person
    address: Address,
    /// The folder
    #[arg(long, default_value = "INBOX")]
    mailbox: String,
}

/// Whose seen state.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum SeenArg {
    /// One for all
    Shared,
    /// One for each person
    PerPerson,
}

impl From<SeenArg> for SeenState {
    fn from(seen: SeenArg) -> Self {
        match seen {
            SeenArg::Shared => Self::Shared,
            SeenArg::PerPerson => Self::PerPerson,
        }
    }
}

fn member(text: &str) -> Result<Member, String> {
    let (person, rights) = text.rsplit_once('=').ok_or("write a member as alice@example.org=writer")?;
    let account = person.parse::<Address>().map_err(|flaw| flaw.to_string())?;
    Ok(Member { account, rights: rights.to_owned() })
}

impl SharedCommand {
    pub(super) fn request(self) -> Request {
        Request::Shared(match self {
            Self::Add(args) => SharedRequest::Add(NewShared {
                address: args.address,
                display_name: args.name,
                quota_octets: args.quota,
                seen: args.seen.into(),
                members: args.members,
                note: args.note,
            }),
            Self::List { domain } => SharedRequest::List { domain },
            Self::Show { address } => SharedRequest::Show { address },
            Self::Set(args) => SharedRequest::Set {
                address: args.address,
                display_name: args.name,
                quota_octets: edit(args.quota, args.no_quota),
                seen: args.seen.map(SeenState::from),
                file_sent: switch(args.file_sent, args.no_file_sent),
                note: args.note,
            },
            Self::Remove { address, force } => SharedRequest::Remove { address, force },
            Self::Member(command) => command.request(),
            Self::Acl(command) => return Request::Acl(command.request()),
        })
    }
}

impl MemberCommand {
    fn request(self) -> SharedRequest {
        match self {
            Self::Add { address, person, rights } => {
                SharedRequest::PutMember { address, person, rights, already: false }
            }
            Self::Set { address, person, rights } => {
                SharedRequest::PutMember { address, person, rights, already: true }
            }
            Self::Remove { address, person } => SharedRequest::RemoveMember { address, person },
        }
    }
}

impl AclCommand {
    fn request(self) -> AclRequest {
        match self {
            Self::Show(FolderArgs { address, mailbox }) => AclRequest::Show { address, mailbox },
            Self::Set { folder: FolderArgs { address, mailbox }, identifier, rights } => {
                AclRequest::Set { address, mailbox, identifier, rights }
            }
            Self::Remove { folder: FolderArgs { address, mailbox }, identifier } => {
                AclRequest::Remove { address, mailbox, identifier }
            }
            Self::Seen { folder: FolderArgs { address, mailbox }, seen, .. } => {
                let seen = seen.map_or(Edit::Clear, |seen| Edit::Set(seen.into()));
                AclRequest::Seen { address, mailbox, seen }
            }
        }
    }
}
