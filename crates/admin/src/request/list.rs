//! About mailing lists, their members, and what waits for moderators.

use mail::{Address, Domain};
use routing::objects::{ArchiveReaders, FromPolicy, Joining, NonMembers, Posting, ReplyTo};
use serde::{Deserialize, Serialize};
use storage::rows::MemberState;

use super::Edit;

/// How a list is and behaves; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListContent {
    /// Its name.
    pub display_name: Option<String>,
    /// Who answers for it.
    pub owners: Option<Vec<Address>>,
    /// Who moderates; the owners when empty.
    pub moderators: Option<Vec<Address>>,
    /// Who may write to it.
    pub posting: Option<Posting>,
    /// Whether every message waits for a moderator.
    pub moderated: Option<bool>,
    /// Whether it takes mail.
    pub enabled: Option<bool>,
    /// What it is for.
    pub note: Option<String>,
    /// Octets of a message at the most.
    pub message_octets_max: Edit<u64>,
    /// `fr` or `en`.
    pub language: Option<String>,
    /// Who becomes a member by asking.
    pub joining: Option<Joining>,
    /// What becomes of messages from others than members.
    pub non_members: Option<NonMembers>,
    /// The From of posts.
    pub from: Option<FromPolicy>,
    /// Where an answer goes.
    pub reply_to: Option<ReplyTo>,
    /// Put before the subject.
    pub subject_prefix: Option<String>,
    /// Whether posts are kept.
    pub archive: Option<bool>,
    /// Who reads them, beside owners and moderators.
    pub archive_readers: Option<ArchiveReaders>,
    /// Whether each copy has a link of its own to leave.
    pub personal_links: Option<bool>,
    /// Days after which a waiting message is refused.
    pub waiting_days: Option<u32>,
    /// Whether strangers are told that their message waits.
    pub waiting_notice: Option<bool>,
    /// Days with hard bounces after which a member is suspended.
    pub bounce_days_max: Option<u32>,
}

/// A member to be added, without asking them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Their address.
    pub address: Address,
    /// Their name.
    #[serde(default)]
    pub name: String,
    /// `fr` or `en`; `None`: the list's language.
    #[serde(default)]
    pub language: Option<String>,
}

/// What changes of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemberContent {
    /// Their name.
    pub name: Option<String>,
    /// Whether posts are sent to them; active forgets what came back.
    pub state: Option<MemberState>,
    /// `fr` or `en`.
    pub language: Edit<String>,
    /// Whether their own posts come back to them.
    pub own_posts: Option<bool>,
    /// What moderators noted.
    pub note: Option<String>,
}

/// About mailing lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListRequest {
    /// Make one.
    Add {
        /// Its address.
        address: Address,
        /// How it is.
        content: Box<ListContent>,
    },
    /// All, or those of one domain.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// One.
    Show {
        /// Its address.
        address: Address,
    },
    /// Change one.
    Set {
        /// Its address.
        address: Address,
        /// What changes.
        content: Box<ListContent>,
    },
    /// Delete one.
    Remove {
        /// Its address.
        address: Address,
        /// Even when it has members, or others lead to it.
        #[serde(default)]
        force: bool,
    },
    /// Add a member without asking them; they get a letter with the way out.
    MemberAdd {
        /// The list.
        list: Address,
        /// The member.
        member: NewMember,
        /// Without a letter to them.
        #[serde(default)]
        quiet: bool,
    },
    /// Add many; those who are members are left as they are.
    MemberImport {
        /// The list.
        list: Address,
        /// The members.
        members: Vec<NewMember>,
        /// With a letter to each who is new.
        #[serde(default)]
        welcome: bool,
    },
    /// The members.
    MemberList {
        /// The list.
        list: Address,
        /// Only those in this state.
        #[serde(default)]
        state: Option<MemberState>,
    },
    /// Change a member.
    MemberSet {
        /// The list.
        list: Address,
        /// The member.
        address: Address,
        /// What changes.
        content: MemberContent,
    },
    /// Remove a member, without a letter.
    MemberRemove {
        /// The list.
        list: Address,
        /// The member.
        address: Address,
    },
    /// What waits for a moderator of a list or group.
    Waiting {
        /// The list or group.
        address: Address,
    },
    /// Let a waiting message through, or not.
    Decide {
        /// The list or group.
        address: Address,
        /// The number of the message, as `Waiting` gives it.
        message: u32,
        /// Whether it passes.
        approved: bool,
        /// What its author is told.
        #[serde(default)]
        reason: String,
    },
}

impl ListRequest {
    /// The list or group that it is about; `None` for a listing.
    pub(crate) const fn list(&self) -> Option<&Address> {
        match self {
            Self::List { .. } => None,
            Self::Add { address, .. }
            | Self::Show { address }
            | Self::Set { address, .. }
            | Self::Remove { address, .. }
            | Self::Waiting { address }
            | Self::Decide { address, .. } => Some(address),
            Self::MemberAdd { list, .. }
            | Self::MemberImport { list, .. }
            | Self::MemberList { list, .. }
            | Self::MemberSet { list, .. }
            | Self::MemberRemove { list, .. } => Some(list),
        }
    }
}
