//! Bounds of what the queue's decisions make.

/// Octets of the returned message in a failure DSN with `RET=FULL`; of a larger message only the header is returned.
pub const RETURNED_MESSAGE_OCTETS_MAX: u64 = 1024 * 1024;

/// Octets of the returned header; the rest of a longer one is cut at a line's end.
pub const RETURNED_HEADER_OCTETS_MAX: u64 = 64 * 1024;

/// Octets that a DSN repeats of one reply of a remote host.
pub const DIAGNOSTIC_OCTETS_MAX: usize = 900;
