//! Bounds of what is looked at in a message that may be a report.

/// Octets of a message. A report is some kilobytes, seldom some megabytes.
pub const MESSAGE_OCTETS_MAX: u64 = 12 * 1024 * 1024;

/// Parts of a message that are tried: a report has one that is one.
pub const PARTS_MAX: usize = 5;

/// Reports that are read at once; each may take the memory of its packed file, and some.
pub const READ_AT_ONCE: usize = 1;

/// Days in the future that a report may tell of: clocks differ.
pub const DAYS_AHEAD_MAX: i64 = 2;

/// Days for which reports are kept at the most.
pub const KEEP_DAYS_MAX: u32 = 3_650;
