//! What becomes of a message to the list. Pure.

use std::fmt;

use routing::objects::{ListObject, NonMembers, Posting};
use storage::rows::WaitReason;

use crate::text::Because;

/// What is known of a post.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PostFacts {
    /// It carries this list's own mark.
    pub been_here: bool,
    /// Its reverse-path is null.
    pub null_path: bool,
    /// An absence, or a report.
    pub reply_of_machine: bool,
    /// It says who wrote it.
    pub has_author: bool,
    /// Who wrote it is a member.
    pub member: bool,
    /// Whoever submitted it has logged in as one who decides here.
    pub decider: bool,
    /// It is suspicious: in a mailbox it would be in Spam.
    pub spam: bool,
    /// Its octets.
    pub octets: u64,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostVerdict {
    /// Nothing, for a reason.
    Drop(DropReason),
    /// Its author gets a letter.
    Refuse(Because),
    /// A moderator decides.
    Hold(WaitReason),
    /// To the members.
    Send,
}

/// Why a message goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    Loop,
    Machine,
    NoAuthor,
    Spam,
}

/// Decides.
pub(crate) fn judge(list: &ListObject, facts: PostFacts) -> PostVerdict {
    if facts.been_here {
        return PostVerdict::Drop(DropReason::Loop);
    }
    if facts.null_path || facts.reply_of_machine {
        return PostVerdict::Drop(DropReason::Machine);
    }
    if !facts.has_author {
        return PostVerdict::Drop(DropReason::NoAuthor);
    }
    // Nobody is written to about it: its author may be anybody.
    if facts.spam {
        let undecided = list.deciders().is_empty();
        return if undecided { PostVerdict::Drop(DropReason::Spam) } else { PostVerdict::Hold(WaitReason::Moderated) };
    }
    if list.rules.message_octets_max.is_some_and(|max| facts.octets > max) {
        return PostVerdict::Refuse(Because::TooLarge);
    }
    if facts.decider {
        return PostVerdict::Send;
    }
    if list.posting == Posting::Members && !facts.member {
        match list.settings.non_members {
            NonMembers::Hold => return PostVerdict::Hold(WaitReason::NonMember),
            NonMembers::Refuse => return PostVerdict::Refuse(Because::NonMember),
            NonMembers::Accept => {}
        }
    }
    if list.moderated { PostVerdict::Hold(WaitReason::Moderated) } else { PostVerdict::Send }
}

/// Why a message waits.
pub(crate) const fn why_it_waits(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::NonMember => "its author is not a member",
        WaitReason::Moderated => "the list is moderated",
    }
}

impl fmt::Display for PostVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop(DropReason::Loop) => "dropped: it has been here before",
            Self::Drop(DropReason::Machine) => "dropped: an answer or a report of a machine",
            Self::Drop(DropReason::NoAuthor) => "dropped: it has no author",
            Self::Drop(DropReason::Spam) => "dropped: it is suspicious, and the list has nobody who decides",
            Self::Refuse(Because::TooLarge) => "refused: too large",
            Self::Refuse(Because::HeaderTooLong) => "refused: its header is too long",
            Self::Refuse(Because::TooManyWait) => "refused: too many messages wait",
            Self::Refuse(Because::TooMuchWaits) => "refused: the messages that wait are too large together",
            Self::Refuse(Because::NonMember | Because::Moderated) => "refused: its author is not a member",
            Self::Hold(reason) => return write!(f, "waits: {}", why_it_waits(*reason)),
            Self::Send => "sent to the members",
        })
    }
}

#[cfg(test)]
mod tests {
    use mail::Address;

    use super::*;

    #[test]
    fn every_post_has_its_verdict() {
        let open = ListObject { posting: Posting::Anyone, ..ListObject::new(Address::parse("l@a.example").unwrap()) };
        let members = ListObject { posting: Posting::Members, ..open.clone() };
        let with = |non_members, moderated| {
            let mut list = ListObject { moderated, ..members.clone() };
            list.settings.non_members = non_members;
            list
        };
        let mut small = open.clone();
        small.rules.message_octets_max = Some(1_000);
        let owned = ListObject { owners: vec![Address::parse("o@a.example").unwrap()], ..open.clone() };
        let human = PostFacts { has_author: true, octets: 1_001, ..PostFacts::default() };
        let member = PostFacts { member: true, ..human };
        let decider = PostFacts { decider: true, ..human };
        let hold = NonMembers::Hold;
        for (list, facts, wanted) in [
            (open.clone(), PostFacts { been_here: true, ..member }, PostVerdict::Drop(DropReason::Loop)),
            (open.clone(), PostFacts { null_path: true, ..member }, PostVerdict::Drop(DropReason::Machine)),
            (open.clone(), PostFacts { reply_of_machine: true, ..decider }, PostVerdict::Drop(DropReason::Machine)),
            (open.clone(), PostFacts { has_author: false, ..member }, PostVerdict::Drop(DropReason::NoAuthor)),
            (open.clone(), PostFacts { spam: true, ..member }, PostVerdict::Drop(DropReason::Spam)),
            (owned.clone(), PostFacts { spam: true, ..member }, PostVerdict::Hold(WaitReason::Moderated)),
            (owned, PostFacts { spam: false, ..member }, PostVerdict::Send),
            (small.clone(), decider, PostVerdict::Refuse(Because::TooLarge)),
            (small, PostFacts { octets: 1_000, ..human }, PostVerdict::Send),
            (open, human, PostVerdict::Send),
            (members.clone(), member, PostVerdict::Send),
            (with(hold, false), human, PostVerdict::Hold(WaitReason::NonMember)),
            (with(NonMembers::Refuse, true), human, PostVerdict::Refuse(Because::NonMember)),
            (with(NonMembers::Accept, false), human, PostVerdict::Send),
            (with(NonMembers::Accept, true), human, PostVerdict::Hold(WaitReason::Moderated)),
            (with(hold, true), member, PostVerdict::Hold(WaitReason::Moderated)),
            (with(hold, true), decider, PostVerdict::Send),
        ] {
            assert_eq!(judge(&list, facts), wanted, "{list:?} {facts:?}");
        }
    }
}
