//! Bounds of what is signed.

/// Octets of a header that is signed; a message with a longer one leaves without a signature.
pub const HEADER_OCTETS_MAX: usize = 256 * 1024;

/// Fields that one signature names; fields of a name beyond it are not signed.
pub const FIELDS_MAX: usize = 200;
