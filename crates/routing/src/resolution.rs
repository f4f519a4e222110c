//! The result of resolving a forward-path: a tree with a reason at each node, and what it comes to.
//!
//! The delivery plan, `relais explain` and the message trace use this one value.

use std::fmt;

use mail::{AccountId, Address, Domain, ForwardPath};
use serde::{Deserialize, Serialize};

use crate::objects::{FailText, ListRole, SubaddressFolders};
use crate::verdict::Verdict;

/// Where a forward-path leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// What was asked.
    pub to: ForwardPath,
    /// The address written to: that of the forward-path, or for a bare `postmaster` the one it stands for.
    pub written_to: Address,
    /// What RCPT hears.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The local mailboxes that get the message, each once, with the address written to.
    pub mailboxes: Vec<(AccountId, Address)>,
    /// The remote addresses that get it, each once.
    pub remotes: Vec<Address>,
    /// Whether a `:blackhole:` was reached (R4).
    pub dropped: bool,
    /// Lists, and groups whose moderators are asked first: their parts of the store take the message; each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// The alias that was written to, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Address>,
    /// The enabled responders at every address passed on the way, each once, with the address written to.
    pub responders: Vec<(u64, Address)>,
    /// The way, with reasons.
    pub tree: Node,
}

impl Resolution {
    /// Whether nothing but responders has the message: neither mailbox nor redirect (A6), accepted all the same.
    #[must_use]
    pub fn responder_only(&self) -> bool {
        !self.responders.is_empty() && self.reaches_nobody()
    }

    /// Why it is refused, in words for whoever looks for the cause; `None` when it is not. The client hears less: see
    /// [`crate::RefuseReason::reply`].
    #[must_use]
    pub fn why_refused(&self) -> Option<String> {
        let reason = match &self.verdict {
            Verdict::Accept => return None,
            Verdict::NotLocal => {
                return Some("not a domain of this server, and the sender has not logged in".to_owned());
            }
            Verdict::Refuse(reason) => reason,
        };
        // The first end of the way is the cause, or as good as any other.
        let end = self.tree.find_map(&mut |node| node.children.is_empty().then_some(node));
        Some(match end {
            Some(end) if !std::ptr::eq(end, &self.tree) => {
                format!("{reason}: {} ({})", end.what, end.reason)
            }
            Some(end) if end.reason != Reason::NoSuchAddress => format!("{reason}: {}", end.reason),
            Some(_) | None => reason.to_string(),
        })
    }

    /// Whether neither a mailbox, nor a redirect, nor a list or group has the message.
    #[must_use]
    pub fn reaches_nobody(&self) -> bool {
        self.mailboxes.is_empty() && self.remotes.is_empty() && self.held.is_empty() && !self.dropped
    }

    /// The subaddress detail (RFC 5233) with which an account's mailbox was reached first.
    #[must_use]
    pub fn detail_of(&self, account: AccountId) -> Option<&str> {
        self.reached(account).and_then(|(detail, _)| detail)
    }

    /// The mailbox, beside INBOX, in which an account keeps the message: the subaddress detail with which it was reached
    /// first, where the domain says so.
    #[must_use]
    pub fn folder_of(&self, account: AccountId) -> Option<(&str, SubaddressFolders)> {
        let (detail, folders) = self.reached(account)?;
        detail.filter(|_| folders != SubaddressFolders::Off).map(|detail| (detail, folders))
    }

    fn reached(&self, account: AccountId) -> Option<(Option<&str>, SubaddressFolders)> {
        self.tree.find_map(&mut |node| {
            let What::Mailbox { account: found, detail, folders, .. } = &node.what else { return None };
            (*found == account).then_some((detail.as_deref(), *folders))
        })
    }
}

/// A part of the store that keeps a message for somebody's decision, or for the members of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// The list's or the group's number.
    pub part: AccountId,
    /// The address of the list or group that was reached, as written: `garden-confirm+3f2a@`.
    pub address: Address,
    /// What that address is for; [`ListRole::Post`] at a group.
    pub role: ListRole,
    /// The address written to, which may lead there by an alias.
    pub recipient: Address,
}

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What stands here.
    #[serde(flatten)]
    pub what: What,
    /// Why it does.
    pub reason: Reason,
    /// Where it leads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
}

/// What stands at a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// An address of ours that is looked up.
    Address {
        /// It, as written.
        address: Address,
    },
    /// The bare `postmaster`.
    Postmaster,
    /// An alias that is followed.
    Alias {
        /// Its address.
        address: Address,
    },
    /// A group of mailboxes (R9).
    Group {
        /// Its address.
        address: Address,
    },
    /// A redirect by pattern.
    Pattern {
        /// The domain that has it.
        domain: Domain,
        /// Its place in the domain's list, from 1.
        number: usize,
        /// It.
        pattern: String,
    },
    /// Leaf: a mailing list (R8); the list's part keeps the message.
    List {
        /// Its part.
        id: AccountId,
        /// Its address.
        address: Address,
        /// Which of its addresses was reached.
        role: ListRole,
    },
    /// Leaf: a group whose moderators are asked first; the group's part keeps the message.
    Moderated {
        /// Its part.
        id: AccountId,
        /// Its address.
        address: Address,
    },
    /// Leaf: something of ours that does not take this message.
    Refused {
        /// Its address.
        address: Address,
    },
    /// Leaf: `:fail:`.
    Fail {
        /// What the sender is told.
        text: FailText,
    },
    /// The catch-all of a domain.
    CatchAll {
        /// The domain.
        domain: Domain,
    },
    /// All accounts of a domain (R3).
    AllUsers {
        /// The domain.
        domain: Domain,
    },
    /// Leaf: a mailbox of ours.
    Mailbox {
        /// Whose.
        account: AccountId,
        /// Its primary address.
        address: Address,
        /// The subaddress detail with which it was addressed.
        detail: Option<String>,
        /// What the domain of that subaddress makes of it.
        #[serde(default, skip_serializing_if = "is_off")]
        folders: SubaddressFolders,
    },
    /// Leaf: a responder that may answer.
    Responder {
        /// Its number.
        id: u64,
    },
    /// Leaf: an address elsewhere.
    Remote {
        /// It.
        address: Address,
    },
    /// Leaf: `:blackhole:`.
    Dropped,
    /// Leaf: an address of ours that does not exist.
    Unknown {
        /// It.
        address: Address,
    },
    /// Leaf: an alias or catch-all that is not followed here.
    NotFollowed {
        /// The alias's address, or the address that the catch-all would have taken.
        address: Address,
    },
}

/// Why a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It was asked for.
    Asked,
    /// It is a target of the alias above.
    Target,
    /// An object has exactly this address.
    Exact,
    /// The same local part in a further domain of the person's (R5).
    FurtherDomain,
    /// The address without its subaddress detail (RFC 5233).
    Subaddress,
    /// An address of a list, beside the one it is written to at.
    ListAddress,
    /// It is a member of the group.
    Member,
    /// The pattern fits.
    Pattern,
    /// Its domain stands for another.
    DomainAlias,
    /// Every person whom the alias or group leads to is away.
    WhenAway,
    /// The same, and this is whom one of them names as deputy.
    Deputy,
    /// A moderator writes, and need not ask.
    Moderator,
    /// The domain sends unknown addresses there.
    CatchAll,
    /// It is an account of the domain.
    User,
    /// The domain names it as its postmaster (RFC 5321 §4.5.1).
    NamedPostmaster,
    /// An administrator reads `postmaster` when nobody is named.
    AdministratorAsPostmaster,
    /// No administrator is there, so the first account reads `postmaster`.
    FirstAccountAsPostmaster,
    /// The address above is at the server's own name (RFC 5321 §4.5.1).
    OwnName,
    /// Nothing has the address `abuse@` above (RFC 2142 §4).
    AbuseToPostmaster,
    /// The domain is not one of this server.
    NotLocal,
    /// The domain that this one stands for is not there, or stands for a third.
    DomainAliasMissing,
    /// What the pattern's target becomes is no address.
    BadExpansion,
    /// The object of this address is disabled.
    Disabled,
    /// It has expired.
    Expired,
    /// It takes mail from inside the organisation only.
    InternalOnly,
    /// The sender is not among those who may write to it.
    SenderNotAllowed,
    /// The sender is not a member.
    MembersOnly,
    /// It takes smaller messages only.
    TooLarge,
    /// Its alias refuses.
    Fail,
    /// The group's moderators decide first.
    Moderated,
    /// The alias leads into `:blackhole:`.
    Blackhole,
    /// Nothing has this address.
    NoSuchAddress,
    /// The domain is disabled.
    DomainDisabled,
    /// The alias of this address is disabled.
    AliasDisabled,
    /// The catch-all's own address does not exist.
    CatchAllMissing,
    /// It is on the way here already: a circle.
    Cycle,
    /// Its alias names it beside the mailbox of the same address: "keep a copy", and no circle.
    KeepsACopy,
    /// The group is there, and nobody is in it.
    NoMembers,
    /// It was followed on another branch.
    AlreadyFollowed,
    /// It was reached on another branch and gets one copy.
    AlreadyReached,
    /// A limit was passed.
    LimitPassed,
}

fn is_off(folders: &SubaddressFolders) -> bool {
    *folders == SubaddressFolders::Off
}

impl Node {
    pub(crate) fn leaf(what: What, reason: Reason) -> Self {
        Self { what, reason, children: Vec::new() }
    }

    /// The first answer that `look` gives, this node first, then its children in order.
    pub fn find_map<'a, T>(&'a self, look: &mut impl FnMut(&'a Self) -> Option<T>) -> Option<T> {
        look(self).or_else(|| self.children.iter().find_map(|child| child.find_map(look)))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        writeln!(f, "{:indent$}{} ({})", "", self.what, self.reason, indent = depth.saturating_mul(2))?;
        self.children.iter().try_for_each(|child| child.write(f, depth.saturating_add(1)))
    }
}

impl fmt::Display for Node {
    /// One line for each node, children indented below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl fmt::Display for Resolution {
    /// The tree, then the verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.tree, self.verdict)?;
        if self.responder_only() {
            f.write_str(", by a responder only: neither mailbox nor redirect")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address } => write!(f, "{address}"),
            Self::Postmaster => f.write_str("postmaster"),
            Self::Alias { address } => write!(f, "alias {address}"),
            Self::Group { address } => write!(f, "group {address}"),
            Self::Pattern { number, pattern, .. } => write!(f, "pattern {number} \"{pattern}\""),
            Self::List { address, role: ListRole::Post, .. } => write!(f, "list {address}"),
            Self::List { address, role, .. } => write!(f, "list {address}, {role}"),
            Self::Moderated { address, .. } => write!(f, "moderators of group {address}"),
            Self::Refused { address } => write!(f, "refused by {address}"),
            Self::Fail { text } => write!(f, ":fail: {text}"),
            Self::CatchAll { domain } => write!(f, "catch-all of {domain}"),
            Self::AllUsers { domain } => write!(f, "all users of {domain}"),
            Self::Mailbox { address, detail: None, .. } => write!(f, "mailbox {address}"),
            Self::Mailbox { address, detail: Some(detail), folders, .. } => {
                write!(
                    f,
                    "mailbox {address}, detail \"{detail}\"{}",
                    match folders {
                        SubaddressFolders::Off => "",
                        SubaddressFolders::Existing => ", in the folder of that name when there is one",
                        SubaddressFolders::Create => ", in the folder of that name",
                    }
                )
            }
            Self::Responder { id } => write!(f, "responder {id}"),
            Self::Remote { address } => write!(f, "remote {address}"),
            Self::Dropped => f.write_str(":blackhole:"),
            Self::Unknown { address } => write!(f, "unknown {address}"),
            Self::NotFollowed { address } => write!(f, "not followed: {address}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked for",
            Self::Target => "target of the alias",
            Self::Exact => "exactly this address",
            Self::FurtherDomain => "same name in a further domain of the person",
            Self::Subaddress => "address without its subaddress",
            Self::ListAddress => "belongs to the list",
            Self::Member => "member of the group",
            Self::Pattern => "the address fits",
            Self::DomainAlias => "its domain stands for this one",
            Self::WhenAway => "everyone above is away",
            Self::Deputy => "everyone above is away, and names this deputy",
            Self::Moderator => "a moderator writes",
            Self::DomainAliasMissing => "the domain that it stands for is not there, or stands for a third one",
            Self::BadExpansion => "what the pattern makes of it is no address",
            Self::Disabled => "it is disabled",
            Self::Expired => "it has expired",
            Self::InternalOnly => "takes mail from inside the organisation only",
            Self::SenderNotAllowed => "the sender is not among those who may write to it",
            Self::MembersOnly => "only its members may write to it",
            Self::TooLarge => "the message is larger than it takes",
            Self::Fail => "the alias refuses",
            Self::Moderated => "its moderators decide first",
            Self::CatchAll => "takes what the domain does not know",
            Self::User => "account of the domain",
            Self::NamedPostmaster => "named as the domain's postmaster",
            Self::AdministratorAsPostmaster => "administrator, since no postmaster is named",
            Self::FirstAccountAsPostmaster => "first account, since there is no administrator",
            Self::OwnName => "stands for it, since that is at the server's own name",
            Self::AbuseToPostmaster => "reads it, since nothing has that address",
            Self::NotLocal => "not a domain of this server",
            Self::Blackhole => "accepted and dropped",
            Self::NoSuchAddress => "no such address",
            Self::DomainDisabled => "its domain is disabled",
            Self::AliasDisabled => "its alias is disabled",
            Self::CatchAllMissing => "the catch-all's own address does not exist",
            Self::Cycle => "already on the way here: a circle, cut",
            Self::KeepsACopy => "the alias names itself: the mailbox keeps a copy",
            Self::NoMembers => "it has no members",
            Self::AlreadyFollowed => "already followed above",
            Self::AlreadyReached => "already reached above: one copy only",
            Self::LimitPassed => "a limit is passed",
        })
    }
}
