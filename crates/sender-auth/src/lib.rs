//! Who a message is from, in a way that others can check. Pure: octets in, header fields out.
//!
//! [`dkim`] signs what leaves for other servers (RFC 6376, RFC 8463). A message passes through a [`dkim::Hasher`] while it
//! comes in, so nothing is held but its header; the signature is made when it is complete. [`srs`] rewrites the reverse-path of what is
//! forwarded, and leads bounces back.

pub mod dkim;
pub mod srs;
