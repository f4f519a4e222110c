//! Helpers for tests; no crate that ships depends on it.
//!
//! [`transcript`] plays conversations against anything that speaks in lines.

pub mod transcript;
