//! `relais list`: mailing lists, their members, and what waits for moderators of lists and groups.

use std::path::PathBuf;

use admin::{ListContent, ListRequest, MemberContent, NewMember, Request};
use clap::{Args, Subcommand};
use mail::{Address, Domain};
use routing::objects::{ArchiveReaders, FromPolicy, Joining, NonMembers, Posting, ReplyTo, SenderPattern};
use storage::rows::MemberState;

use super::Failure;
use super::list_values::{
    ArchiveReadersArg, FromArg, JoiningArg, NonMembersArg, PostingArg, ReplyToArg, StateArg, sender,
};
use super::values::{edit, json_lines, octets, switch};

/// What can be done with mailing lists.
#[derive(Subcommand)]
pub(super) enum ListCommand {
    /// Make a mailing list
    #[command(after_help = "\
Examples:
  relais list add garden@example.org --owner alice@example.org --name 'Friends of the garden'
  relais list add news@example.org --owner alice@example.org --moderated --joining open --language fr
  relais list member add garden@example.org bob@elsewhere.example --name Bob

garden-join@, garden-leave@, garden-request@, garden-owner@, garden-confirm@ and garden-bounces@ belong to the list.")]
    Add(ContentArgs),
    /// List all mailing lists, or those of one domain
    List {
        /// Only this domain's
        #[arg(long)]
        domain: Option<Domain>,
    },
    /// Show one mailing list
    Show {
        /// The list
        address: Address,
    },
    /// Change a mailing list; --owner and --moderator take the place of all there are
    Set(ContentArgs),
    /// Delete a mailing list, with its members, its waiting messages and its archive
    Remove {
        /// The list
        address: Address,
        /// Even when it has members, or others lead to it: it is taken out of them
        #[arg(long)]
        force: bool,
    },
    /// The members of a list
    #[command(subcommand)]
    Member(MemberCommand),
    /// Messages that wait for a moderator of a list or a group
    #[command(after_help = "Example:\n  relais list waiting garden@example.org")]
    Waiting {
        /// The list or group
        address: Address,
    },
    /// Let a waiting message through
    #[command(after_help = "Example:\n  relais list approve garden@example.org 12")]
    Approve {
        /// The list or group
        address: Address,
        /// The number of the message, as `relais list waiting` shows it
        message: u32,
    },
    /// Refuse a waiting message; its author is told when that can't hit a stranger
    #[command(after_help = "Example:\n  relais list reject garden@example.org 12 --reason 'Off topic here'")]
    Reject {
        /// The list or group
        address: Address,
        /// The number of the message, as `relais list waiting` shows it
        message: u32,
        /// What the author is told
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// What can be done with members.
#[derive(Subcommand)]
pub(super) enum MemberCommand {
    /// Add a member, without asking them; a letter tells them, with the way to leave
    #[command(after_help = "\
Examples:
  relais list member add garden@example.org bob@elsewhere.example --name Bob --language fr
  relais list member add garden@example.org bob@elsewhere.example --quiet")]
    Add {
        /// The list
        list: Address,
        /// The member
        address: Address,
        /// Their name
        #[arg(long, default_value = "")]
        name: String,
        /// fr or en; without it the list's
        #[arg(long)]
        language: Option<String>,
        /// No letter to them
        #[arg(long)]
        quiet: bool,
    },
    /// List the members, or those in one state
    List {
        /// The list
        list: Address,
        /// Only those in this state
        #[arg(long)]
        state: Option<StateArg>,
    },
    /// Change a member
    Set {
        /// The list
        list: Address,
        /// The member
        address: Address,
        /// Their name
        #[arg(long)]
        name: Option<String>,
        /// active forgets what came back; suspended gets no posts
        #[arg(long)]
        state: Option<StateArg>,
        /// fr or en
        #[arg(long)]
        language: Option<String>,
        /// The list's language
        #[arg(long, conflicts_with = "language")]
        no_language: bool,
        /// Their own posts come back to them
        #[arg(long)]
        own_posts: bool,
        /// They do not
        #[arg(long, conflicts_with = "own_posts")]
        no_own_posts: bool,
        /// A note for moderators
        #[arg(long)]
        note: Option<String>,
    },
    /// Remove a member, without a letter
    Remove {
        /// The list
        list: Address,
        /// The member
        address: Address,
    },
    /// Add many members from a file, without a letter to them; those who are members are left as they are
    #[command(after_help = "\
The file has one member a line, as JSON: {\"address\":\"bob@elsewhere.example\",\"name\":\"Bob\",\"language\":\"fr\"}
Only the address is needed. Example:
  relais list member import garden@example.org members.jsonl")]
    Import {
        /// The list
        list: Address,
        /// The file; - is the standard input
        file: PathBuf,
        /// A letter tells each who is new, with the way to leave
        #[arg(long)]
        welcome: bool,
    },
}

/// How a list is.
#[derive(Args)]
pub(super) struct ContentArgs {
    /// The list
    address: Address,
    /// Its name, as 'Friends of the garden'
    #[arg(long)]
    name: Option<String>,
    /// Who answers for it; may be repeated
    #[arg(long = "owner", value_name = "ADDRESS")]
    owners: Option<Vec<Address>>,
    /// Who moderates; the owners when nobody is named; may be repeated
    #[arg(long = "moderator", value_name = "ADDRESS")]
    moderators: Option<Vec<Address>>,
    /// The owners moderate
    #[arg(long, conflicts_with = "moderators")]
    no_moderators: bool,
    /// Who may write to it [default for a new one: members]
    #[arg(long)]
    posting: Option<PostingArg>,
    /// Only these may write to it: an address, or @domain; may be repeated
    #[arg(long = "sender", value_name = "SENDER", value_parser = sender, conflicts_with = "posting")]
    senders: Option<Vec<SenderPattern>>,
    /// Every message waits for a moderator
    #[arg(long)]
    moderated: bool,
    /// Messages do not wait
    #[arg(long, conflicts_with = "moderated")]
    not_moderated: bool,
    /// Who becomes a member by asking [default for a new one: confirm]
    #[arg(long)]
    joining: Option<JoiningArg>,
    /// What becomes of a message from somebody else [default for a new one: hold]
    #[arg(long)]
    non_members: Option<NonMembersArg>,
    /// The From of posts [default for a new one: auto]
    #[arg(long)]
    from: Option<FromArg>,
    /// Where an answer to a post goes [default for a new one: author]
    #[arg(long)]
    reply_to: Option<ReplyToArg>,
    /// Put before the subject, as '[garden]'; '' for nothing
    #[arg(long)]
    subject_prefix: Option<String>,
    /// The language of its letters: fr or en
    #[arg(long)]
    language: Option<String>,
    /// The largest message, as 500K or 2M
    #[arg(long, value_name = "OCTETS", value_parser = octets)]
    message_size: Option<u64>,
    /// No limit but the server's
    #[arg(long, conflicts_with = "message_size")]
    no_message_size: bool,
    /// Keep posts; they are read by IMAP, as Shared/garden@example.org/Archive
    #[arg(long)]
    archive: bool,
    /// Do not keep posts
    #[arg(long, conflicts_with = "archive")]
    no_archive: bool,
    /// Who reads the archive, beside owners and moderators: people with an address in the domain of the list
    /// [default for a new one: members]
    #[arg(long)]
    archive_readers: Option<ArchiveReadersArg>,
    /// A link in each copy to leave with one click; each copy is stored by itself then
    #[arg(long)]
    personal_links: bool,
    /// The same copy for all
    #[arg(long, conflicts_with = "personal_links")]
    no_personal_links: bool,
    /// Days after which a waiting message is refused by itself
    #[arg(long, value_name = "DAYS")]
    waiting_days: Option<u32>,
    /// Tell strangers, once a day, that their message waits
    #[arg(long)]
    waiting_notice: bool,
    /// Do not tell them
    #[arg(long, conflicts_with = "waiting_notice")]
    no_waiting_notice: bool,
    /// Days on which mail came back after which a member is suspended
    #[arg(long, value_name = "DAYS")]
    bounce_days: Option<u32>,
    /// What it is for
    #[arg(long)]
    note: Option<String>,
    /// Let it take mail
    #[arg(long)]
    enable: bool,
    /// Make it unknown to senders
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
}

impl ContentArgs {
    fn content(self) -> (Address, Box<ListContent>) {
        let content = ListContent {
            display_name: self.name,
            owners: self.owners,
            moderators: if self.no_moderators { Some(Vec::new()) } else { self.moderators },
            posting: self.senders.map(Posting::Named).or(self.posting.map(Posting::from)),
            moderated: switch(self.moderated, self.not_moderated),
            enabled: switch(self.enable, self.disable),
            note: self.note,
            message_octets_max: edit(self.message_size, self.no_message_size),
            language: self.language,
            joining: self.joining.map(Joining::from),
            non_members: self.non_members.map(NonMembers::from),
            from: self.from.map(FromPolicy::from),
            reply_to: self.reply_to.map(ReplyTo::from),
            subject_prefix: self.subject_prefix,
            archive: switch(self.archive, self.no_archive),
            archive_readers: self.archive_readers.map(ArchiveReaders::from),
            personal_links: switch(self.personal_links, self.no_personal_links),
            waiting_days: self.waiting_days,
            waiting_notice: switch(self.waiting_notice, self.no_waiting_notice),
            bounce_days_max: self.bounce_days,
        };
        (self.address, Box::new(content))
    }
}

impl ListCommand {
    pub(super) fn request(self) -> Result<Request, Failure> {
        let request = match self {
            Self::Add(args) => {
                let (address, content) = args.content();
                ListRequest::Add { address, content }
            }
            Self::List { domain } => ListRequest::List { domain },
            Self::Show { address } => ListRequest::Show { address },
            Self::Set(args) => {
                let (address, content) = args.content();
                ListRequest::Set { address, content }
            }
            Self::Remove { address, force } => ListRequest::Remove { address, force },
            Self::Member(command) => command.request()?,
            Self::Waiting { address } => ListRequest::Waiting { address },
            Self::Approve { address, message } => {
                ListRequest::Decide { address, message, approved: true, reason: String::new() }
            }
            Self::Reject { address, message, reason } => {
                ListRequest::Decide { address, message, approved: false, reason }
            }
        };
        Ok(Request::List(Box::new(request)))
    }
}

impl MemberCommand {
    fn request(self) -> Result<ListRequest, Failure> {
        Ok(match self {
            Self::Add { list, address, name, language, quiet } => {
                ListRequest::MemberAdd { list, member: NewMember { address, name, language }, quiet }
            }
            Self::List { list, state } => ListRequest::MemberList { list, state: state.map(MemberState::from) },
            Self::Set { list, address, name, state, language, no_language, own_posts, no_own_posts, note } => {
                let content = MemberContent {
                    name,
                    state: state.map(MemberState::from),
                    language: edit(language, no_language),
                    own_posts: switch(own_posts, no_own_posts),
                    note,
                };
                ListRequest::MemberSet { list, address, content }
            }
            Self::Remove { list, address } => ListRequest::MemberRemove { list, address },
            Self::Import { list, file, welcome } => {
                let format =
                    r#"the file has one member a line, as JSON: {"address":"bob@elsewhere.example","name":"Bob"}"#;
                let members = json_lines(&file).map_err(|failure| failure.hint(format))?;
                ListRequest::MemberImport { list, members, welcome }
            }
        })
    }
}
