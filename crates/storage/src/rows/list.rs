//! Rows of mailing lists: members, what they asked for, what waits for a moderator, how far a post has got.

use bytes::Bytes;
use mail::{AccountId, Address, BlobHash, MailboxId, ReversePath, Timestamp, TraceId, Uid};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// Whether a member gets posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// Gets every post.
    Active,
    /// Gets none until they come back: their address failed too often, or an owner said so.
    Suspended,
    /// Has confirmed their address and waits for a moderator.
    Pending,
}

/// How often mail to a member came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BounceScore {
    /// Ten for each day with a hard bounce, five for one with soft ones only, minus what good days took away.
    pub tenths: u32,
    /// The day of the last bounce, in days since 1970.
    pub bounced_day: u32,
    /// What that day has added.
    pub bounced_tenths: u32,
    /// The last day that took something away.
    pub calmed_day: u32,
}

/// A member of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// The address as the person writes it; its canonical form is the key.
    pub address: Address,
    /// The name of the person; may be empty.
    pub name: String,
    /// Whether posts are sent.
    pub state: MemberState,
    /// When they joined.
    pub joined_at: Timestamp,
    /// `fr` or `en`; `None`: the language of the list.
    pub language: Option<String>,
    /// Whether their own posts come back to them.
    pub own_posts: bool,
    /// What came back.
    pub bounces: BounceScore,
    /// What moderators noted.
    pub note: String,
}

impl MemberRow {
    /// An active member with everything else at its default.
    #[must_use]
    pub fn new(address: Address, joined_at: Timestamp) -> Self {
        Self {
            address,
            name: String::new(),
            state: MemberState::Active,
            joined_at,
            language: None,
            own_posts: true,
            bounces: BounceScore::default(),
            note: String::new(),
        }
    }
}

/// What somebody asked for and has to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestKind {
    /// To become a member; the address itself confirms.
    Join,
    /// To be a member no more; the address itself confirms.
    Leave,
    /// To be a member under another address: the old address confirms first.
    MoveAsked {
        /// The new address.
        to: Address,
    },
    /// As before, asked by who surely reads the old address: the new address confirms.
    Move {
        /// The new address.
        to: Address,
    },
    /// A pending member, on whom a moderator decides.
    Approval,
}

/// A request that waits for its confirmation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRequest {
    /// What is asked for.
    pub kind: RequestKind,
    /// For whom.
    pub address: Address,
    /// The name of the person; may be empty.
    pub name: String,
    /// `fr` or `en`, when it is known.
    pub language: Option<String>,
    /// After this it is void.
    pub expires: Timestamp,
}

/// Why a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// Every message does.
    Moderated,
    /// Its author is not a member.
    NonMember,
}

/// What a moderator decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModerationDecision {
    /// Let through, or not.
    pub approved: bool,
    /// Who decided, as text: an address, or `the administrator`.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What the author is told; may be empty.
    pub reason: String,
}

/// A message in the INBOX of a list's or group's part, by its UID there. It stays for a while behind the decision, so
/// that the other moderators can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRow {
    /// The address of the list or group that was reached.
    pub address: Address,
    /// The recipient of the envelope.
    pub recipient: Address,
    /// Octets of the Return-Path in front of the message.
    pub skip_octets: u32,
    /// Its reverse-path.
    pub reverse_path: ReversePath,
    /// Who submitted it, when somebody who had logged in.
    pub account: Option<AccountId>,
    /// When it came.
    pub received_at: Timestamp,
    /// Who wrote it, by its header.
    pub author: Option<Address>,
    /// Its subject, decoded.
    pub subject: String,
    /// Its octets.
    pub octets: u64,
    /// Why it waits.
    pub reason: WaitReason,
    /// After this it is refused by itself; of a decided one: after this the row goes.
    pub expires: Timestamp,
    /// `None`: nobody has decided.
    pub decision: Option<ModerationDecision>,
    /// Its trace, when there is one.
    pub trace: Option<TraceId>,
    /// A machine wrote it, so nothing answers it.
    pub automatic: bool,
    /// It came with REQUIRETLS (RFC 8689).
    pub require_tls: bool,
}

impl WaitingRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(3, self)
    }

    /// Layout 1 ended before the trace, layout 2 before REQUIRETLS: nothing and `false` are what they mean, and an octet of zero is how
    /// each is written.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        match value.split_first() {
            Some((1, rest)) => super::decode(3, WAITING, &[&[3], rest, &[0, 0, 0]].concat()),
            Some((2, rest)) => super::decode(3, WAITING, &[&[3], rest, &[0]].concat()),
            _ => super::decode(3, WAITING, value),
        }
    }
}

const WAITING: &str = "waiting message";

/// How far a post has got. The post as it goes out is a message in a mailbox of the list's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorRow {
    /// The mailbox with the post as it goes out.
    pub mailbox: MailboxId,
    /// Its UID there.
    pub uid: Uid,
    /// Its content.
    pub blob: BlobHash,
    /// The canonical address of the last member who was dealt with.
    pub after: Option<Address>,
    /// Members that were sent it.
    pub sent: u32,
    /// Who wrote it: one who does not want their own posts gets no copy.
    pub author: Option<Address>,
    /// Whether its From is the list's.
    pub rewrite_from: bool,
}

macro_rules! row {
    ($name:ident, $what:literal) => {
        impl $name {
            pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
                super::encode(1, self)
            }

            pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
                super::decode(1, $what, value)
            }
        }
    };
}

row!(MemberRow, "list member");
row!(ListRequest, "list request");
row!(CursorRow, "list cursor");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_message_of_an_older_version_is_read() {
        let address = Address::parse("garden@example.org").unwrap();
        let row = WaitingRow {
            address: address.clone(),
            recipient: address.clone(),
            skip_octets: 7,
            reverse_path: ReversePath::Address(address),
            account: Some(AccountId(3)),
            received_at: Timestamp(1),
            author: None,
            subject: "Tea".to_owned(),
            octets: 70,
            reason: WaitReason::Moderated,
            expires: Timestamp(2),
            decision: None,
            trace: None,
            automatic: false,
            require_tls: false,
        };
        let now = row.encode().unwrap();
        for (layout, shorter) in [(1, 3), (2, 1)] {
            let mut before = now.get(..now.len() - shorter).unwrap().to_vec();
            before[0] = layout;
            assert_eq!(WaitingRow::decode(&before).unwrap(), row);
        }
        let row = WaitingRow { trace: Some(TraceId([9; 16])), automatic: true, require_tls: true, ..row };
        assert_eq!(WaitingRow::decode(&row.encode().unwrap()).unwrap(), row);
    }
}
