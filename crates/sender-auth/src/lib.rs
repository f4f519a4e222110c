//! Who a message is from, in a way that others can check.
//!
//! [`dkim`] signs what leaves for other servers (RFC 6376, RFC 8463). A message passes through a [`dkim::Hasher`] while it
//! comes in, so nothing is held but its header; the signature is made when it is complete.
//!
//! [`verify`] checks what comes from other servers: SPF, DKIM, ARC, DMARC and the name of the client, and says what follows from it.
//! [`report`] writes what domains are told of it, and reads what others tell. [`srs`] rewrites the reverse-path of what is forwarded, and leads bounces back.
//!
//! [`arc`] seals what is passed on, with what was found.
//!
//! All of it is pure but [`verify::DnsAuthentication`], which asks the DNS.

pub mod arc;
pub mod dkim;
pub mod report;
pub mod srs;
pub mod verify;
