//! Reads the reports of others: how mail that claims to be from domains of this server fares elsewhere (DMARC, RFC 9990), and whether TLS
//! works towards them (RFC 8460).
//!
//! It is the consumer of [`mail::Topic::ReportReceived`]: the message has been delivered like every other before anybody looks into it. What
//! is read becomes a row ([`storage::received_reports`]), in the transaction that ends the event; reports on domains that are not this
//! server's, on days that are over for long or still to come, and what is no report, become a line of the message's trace.
//!
//! A report is a claim. Who surely wrote it is kept with it.

pub mod limits;
mod parts;
mod reader;
#[cfg(test)]
mod tests;

pub use reader::Reports;
