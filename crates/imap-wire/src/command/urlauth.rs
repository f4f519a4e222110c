//! URLFETCH (RFC 4467 §7, RFC 5524 §3).

/// One URL of URLFETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlFetch {
    /// The URL, as sent.
    pub url: Vec<u8>,
    /// What is wanted of it; `None`: its data, in the form of RFC 4467.
    pub asked: Option<UrlAsked>,
}

/// What RFC 5524 §3.1 lets a client ask of a URL; not nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UrlAsked {
    /// BODYPARTSTRUCTURE: what kind of data it is.
    pub structure: bool,
    /// BODY, or BINARY.
    pub data: Option<UrlData>,
}

/// How the data of a URL comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlData {
    /// BODY: as it is in the message.
    Body,
    /// BINARY: without its transfer encoding.
    Binary,
}
