//! Bounds of what is read of a report: whoever knows the address can send one.

/// Octets of an attached file, as it was packed.
pub const PACKED_OCTETS_MAX: usize = 8 * 1024 * 1024;

/// Octets of a DMARC report, unpacked. It is read as it comes out, never held.
pub const XML_OCTETS_MAX: u64 = 32 * 1024 * 1024;

/// Octets of a TLS report, unpacked.
pub const JSON_OCTETS_MAX: u64 = 4 * 1024 * 1024;

/// Elements that stand in each other; the schema has six.
pub const DEPTH_MAX: usize = 16;

/// Rows of a report that are kept, the largest first; the messages of the others are counted.
pub const ROWS_MAX: usize = 1_000;

/// Rows of a report that are looked at: more are no report.
pub const ROWS_READ_MAX: usize = 100_000;

/// Signatures that a row names.
pub const SIGNATURES_MAX: usize = 5;

/// Policies of a TLS report, and failures of one policy.
pub const POLICIES_MAX: usize = 100;

/// Failures of one policy.
pub const FAILURES_MAX: usize = 200;

/// Characters of a text that its author chose.
pub const TEXT_CHARACTERS_MAX: usize = 255;

/// Messages, or sessions, of one row: beyond it is no number of anything.
pub const COUNT_MAX: u64 = 1 << 48;
