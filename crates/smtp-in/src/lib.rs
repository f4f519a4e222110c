//! smtp-in
