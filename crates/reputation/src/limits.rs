//! Bounds of what is kept and asked for one client.

use std::time::Duration;

/// Lists in the DNS that may be configured.
pub const LISTS_MAX: usize = 20;

/// Answers of one list that are looked at: a list that says more says nothing that more would change.
pub const ANSWERS_MAX: usize = 64;

/// Characters of what a list says in a TXT record that are passed on.
pub const LIST_TEXT_CHARS_MAX: usize = 200;

/// Characters of a name that a client chose, in sentences about it.
pub const NAME_CHARS_MAX: usize = 80;

/// Octets of a sender's local part that tell greylisted senders apart.
pub const GREY_LOCAL_OCTETS_MAX: usize = 64;

/// How fast a standing fades: after this time what happened weighs half.
pub const HALF_LIFE: Duration = Duration::from_secs(30 * 86_400);
