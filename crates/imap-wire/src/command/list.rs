//! LIST with its selection and return options (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590).

use super::{MetadataQuery, StatusItem};

/// Which mailboxes to list and what to say of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The reference, decoded; often empty.
    pub reference: String,
    /// The patterns with `*` and `%`, decoded; at least one. A single empty one asks for the delimiter (RFC 3501 §6.3.8).
    pub patterns: Vec<String>,
    /// The options in front.
    pub selection: ListSelection,
    /// The options after RETURN.
    pub returns: ListReturn,
    /// Whether extended syntax was used (RFC 5258 §3): several patterns, selection options or RETURN.
    pub extended: bool,
}

/// Selection options (RFC 5258 §3.1, RFC 6154 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListSelection {
    /// SUBSCRIBED: only subscribed names, whether they exist or not.
    pub subscribed: bool,
    /// REMOTE: remote mailboxes too.
    pub remote: bool,
    /// RECURSIVEMATCH: also parents of what matches, with CHILDINFO. Never without another one that selects.
    pub recursive_match: bool,
    /// SPECIAL-USE: only mailboxes that have one.
    pub special_use: bool,
}

/// Return options (RFC 5258 §3.2, RFC 5819, RFC 6154 §5.2, RFC 8440, RFC 9590).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListReturn {
    /// SUBSCRIBED: say whether subscribed.
    pub subscribed: bool,
    /// CHILDREN: say whether there are children.
    pub children: bool,
    /// SPECIAL-USE: say what for.
    pub special_use: bool,
    /// STATUS: a STATUS response for each mailbox that can be selected; `None` when not asked.
    pub status: Option<Vec<StatusItem>>,
    /// MYRIGHTS (RFC 8440): a MYRIGHTS response for each mailbox.
    pub my_rights: bool,
    /// METADATA (RFC 9590): a METADATA response for each mailbox; `None` when not asked.
    pub metadata: Option<MetadataQuery>,
}
