//! What IMAP URLs (RFC 5092) give: the octets of messages and their parts in the store, and to whom, when a URL is authorised (RFC 4467).
//!
//! For all who read by URL: IMAP for CATENATE and URLFETCH, submission for BURL (RFC 4468). What a URL looks like is known by
//! [`imap_wire::url`]. No content is held whole: who asks reads it piece by piece.

mod authorised;
mod content;
pub mod messages;

pub use authorised::{Asker, UrlError, authorised, is_login_of, readable};
pub use content::{LastParts, Octets, UrlContent, content_in};
