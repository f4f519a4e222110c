//! Words of `relais list` for how a list and its members can be.

use clap::ValueEnum;
use routing::objects::{ArchiveReaders, FromPolicy, Joining, NonMembers, Posting, ReplyTo, SenderPattern};
use storage::rows::MemberState;

/// A state that members can be in.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum StateArg {
    /// Gets posts
    Active,
    /// Gets none
    Suspended,
    /// Waits for a moderator
    Pending,
}

/// Who may write.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum PostingArg {
    /// Anybody
    Anyone,
    /// People of the organisation: logged in here, with an address in the domain of the list
    Organisation,
    /// The members
    Members,
}

/// Who becomes a member by asking.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum JoiningArg {
    /// Whoever has logged in here at once, others when their address confirms
    Open,
    /// Everybody when their address confirms
    Confirm,
    /// The same, and a moderator agrees
    Approval,
    /// Nobody
    Closed,
}

/// What becomes of messages from others than members.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum NonMembersArg {
    /// They wait for a moderator
    Hold,
    /// They are refused by a letter
    Refuse,
    /// They are sent on
    Accept,
}

/// The From of posts.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum FromArg {
    /// The author's
    Keep,
    /// The list's, with the author's name
    Rewrite,
    /// Rewritten when the author's domain demands it (DMARC)
    Auto,
}

/// Where an answer goes.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ReplyToArg {
    /// To the author
    Author,
    /// To the list
    List,
}

/// Who reads the archive.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ArchiveReadersArg {
    /// Owners and moderators alone
    Owners,
    /// The members, as long as they are members
    Members,
    /// Everybody of the organisation
    Organisation,
}

pub(super) fn sender(text: &str) -> Result<SenderPattern, String> {
    SenderPattern::try_from(text.to_owned())
}

macro_rules! is {
    ($arg:ident, $is:ident, $($word:ident),+) => {
        impl From<$arg> for $is {
            fn from(arg: $arg) -> Self {
                match arg {
                    $($arg::$word => Self::$word,)+
                }
            }
        }
    };
}

is!(StateArg, MemberState, Active, Suspended, Pending);
is!(PostingArg, Posting, Anyone, Organisation, Members);
is!(JoiningArg, Joining, Open, Confirm, Approval, Closed);
is!(NonMembersArg, NonMembers, Hold, Refuse, Accept);
is!(FromArg, FromPolicy, Keep, Rewrite, Auto);
is!(ReplyToArg, ReplyTo, Author, List);
is!(ArchiveReadersArg, ArchiveReaders, Owners, Members, Organisation);
