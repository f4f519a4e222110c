//! imap-wire
