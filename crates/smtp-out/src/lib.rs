//! smtp-out
