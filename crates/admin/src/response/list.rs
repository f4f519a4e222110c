//! Mailing lists, their members, and what waits.

use mail::{Address, Timestamp};
use routing::objects::ListObject;
use serde::{Deserialize, Serialize};
use storage::rows::{MemberRow, MemberState, WaitReason};

/// A mailing list and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListView {
    /// The list.
    #[serde(flatten)]
    pub list: ListObject,
    /// Its members.
    pub members: usize,
    /// Those who get posts.
    pub active: usize,
    /// Messages that wait for a moderator.
    pub waiting: usize,
    /// What whoever changed it should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A member of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Their address.
    pub address: Address,
    /// Their name.
    pub name: String,
    /// Whether posts are sent.
    pub state: MemberState,
    /// When they joined.
    pub joined_at: Timestamp,
    /// `fr` or `en`; `None`: the list's language.
    pub language: Option<String>,
    /// Whether their own posts come back to them.
    pub own_posts: bool,
    /// What came back: ten for each day with a hard bounce.
    pub bounce_tenths: u32,
    /// What moderators noted.
    pub note: String,
    /// What whoever added it should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl From<MemberRow> for MemberView {
    fn from(member: MemberRow) -> Self {
        Self {
            address: member.address,
            name: member.name,
            state: member.state,
            joined_at: member.joined_at,
            language: member.language,
            own_posts: member.own_posts,
            bounce_tenths: member.bounces.tenths,
            note: member.note,
            warnings: Vec::new(),
        }
    }
}

/// What an import of members did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberImport {
    /// Members added.
    pub added: usize,
    /// Those who were members already.
    pub present: usize,
    /// What whoever added them should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A message that waits for a moderator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// Its number, for the decision.
    pub message: u32,
    /// Who wrote it, by its header.
    pub author: Option<Address>,
    /// Where it came from, in angle brackets.
    pub reverse_path: String,
    /// Its subject.
    pub subject: String,
    /// Its octets.
    pub octets: u64,
    /// Why it waits.
    pub reason: WaitReason,
    /// When it came.
    pub received_at: Timestamp,
    /// When it is refused by itself.
    pub expires: Timestamp,
}
