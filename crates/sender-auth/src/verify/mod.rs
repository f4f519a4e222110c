//! Who a message from outside is really from.
//!
//! While a message comes in, an [`Arrival`] keeps its header and hashes its body in the ways that its signatures ask for, and a
//! [`ClaimFilter`] takes out what pretends to be a result of this server (RFC 8601 §5). At its end a [`SenderAuthentication`] checks
//! it: SPF (RFC 7208), DKIM (RFC 6376, RFC 8463), the ARC chain (RFC 8617), DMARC (RFC 9989) and the client's name. One value,
//! [`Authentication`], holds what was found; the header field and the words of the trace are made of it, and [`decide`] says what
//! follows.
//!
//! **Invariant:** what the DNS does not answer is never a pass.

mod arrival;
mod chain;
mod claims;
mod dns;
mod field;
#[doc(hidden)]
pub mod fuzzing;
mod key;
pub mod limits;
mod names;
mod organization;
mod policy;
mod results;
mod signature;
mod spf;
#[cfg(test)]
mod tests;

pub use arrival::{Arrival, Arrived, Budget, Unchecked};
pub use claims::ClaimFilter;
pub use dns::{DnsAuthentication, Entitled, NoDns, Said, SenderAuthentication};
pub use policy::{Decision, Disposition, Enforcement, Rules, decide};
pub use results::{
    Arc, Authentication, Client, Dkim, Dmarc, Dnswl, Iprev, Outcome, Policy, Published, Sealer, Spf, SpfSeen,
};
