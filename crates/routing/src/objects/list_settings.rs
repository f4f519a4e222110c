//! How a mailing list behaves; every field has a default that is right for most.

use serde::{Deserialize, Serialize};

/// Who becomes a member by asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Joining {
    /// Whoever has logged in here, at once; anybody else once their address has confirmed.
    Open,
    /// Everybody once their address has confirmed.
    #[default]
    Confirm,
    /// As before, and a moderator has to agree.
    Approval,
    /// Nobody: owners and administrators add members.
    Closed,
}

/// What becomes of a message to the list from somebody who is not a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NonMembers {
    /// It waits for a moderator.
    #[default]
    Hold,
    /// It is refused by a letter that says why.
    Refuse,
    /// It is sent on like any other.
    Accept,
}

/// The From of posts as members get them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromPolicy {
    /// The author's.
    Keep,
    /// `Alice via List <list@…>`.
    Rewrite,
    /// Rewritten when the author's domain asks others to refuse what it has not sent itself (DMARC, RFC 7489).
    #[default]
    Auto,
}

/// Where an answer to a post goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyTo {
    /// To its author.
    #[default]
    Author,
    /// To the list.
    List,
}

/// Who reads the archive, beside the owners and moderators of the list: people of this server, in the organisation of its domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveReaders {
    /// Nobody else.
    Owners,
    /// The members of the list, as long as they are members.
    #[default]
    Members,
    /// Everybody of the organisation.
    Organisation,
}

/// How a list behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListSettings {
    /// `fr` or `en`: the language of its letters to people whose own is not known.
    pub language: String,
    /// Who becomes a member by asking.
    pub joining: Joining,
    /// What becomes of messages from others than members, where `posting` lets them through.
    pub non_members: NonMembers,
    /// The From of posts.
    pub from: FromPolicy,
    /// Where an answer goes.
    pub reply_to: ReplyTo,
    /// Put before the subject, as `[garden]`; empty: subjects are left alone, and signatures (DKIM) stay good.
    pub subject_prefix: String,
    /// Whether posts are kept in the mailbox `Archive` of the list's part.
    pub archive: bool,
    /// Who reads them there, beside owners and moderators.
    pub archive_readers: ArchiveReaders,
    /// Whether each copy has a link of its own to leave by one click (RFC 8058). Each is stored by itself then.
    pub personal_links: bool,
    /// Days after which a waiting message is refused by itself.
    pub waiting_days: u32,
    /// Whether an author who is not a member is told that their message waits; at most once a day.
    pub waiting_notice: bool,
    /// Days with hard bounces after which a member is suspended.
    pub bounce_days_max: u32,
}

impl Default for ListSettings {
    fn default() -> Self {
        Self {
            language: super::english(),
            joining: Joining::default(),
            non_members: NonMembers::default(),
            from: FromPolicy::default(),
            reply_to: ReplyTo::default(),
            subject_prefix: String::new(),
            archive: false,
            archive_readers: ArchiveReaders::default(),
            personal_links: false,
            waiting_days: 7,
            waiting_notice: false,
            bounce_days_max: 5,
        }
    }
}
