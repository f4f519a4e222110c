//! Who may connect how often: rates of addresses and their networks, bans that explain themselves, and a tarpit. Pure: time comes as a
//! parameter, nothing is read or written, memory is bounded.
//!
//! - A [`mail::Prefix`] is an address or a network. What counts as one place is an IPv4 address or an IPv6 /64; around it stand two wider networks
//!   (IPv4 /26 and /21, IPv6 /48 and /32), so that whoever has many addresses gains little by changing them.
//! - [`Rates`] counts what comes from each of them in windows of time ([`Kind`]).
//! - [`Bans`] holds who is kept out, until when and why; each ban of the same place lasts longer, and old ones are forgotten.
//! - [`Changes`] are what of them is to be kept over a restart, and is not yet.
//! - [`Gate`] counts the connections that there are at a time, of each of the three widths.
//! - [`tarpit_wait`] says how long an answer to a guesser waits.
//! - [`Door`] puts them together; protocols and logins ask it, and tell it what goes wrong.
//!
//! Places that the settings name are neither counted nor banned. An address from which somebody has logged in lately is not kept out for
//! what others in its network do, and a password that is wrong for an account which it has logged in to before is no guess.

mod around;
mod bans;
mod bounded;
mod changes;
mod door;
mod gate;
pub mod limits;
mod rates;
mod settings;
mod tarpit;
mod window;

pub use bans::{Ban, Bans, Cause, Full};
pub use changes::{Change, Changes};
pub use door::{Count, Door, Entry, Held, Strike, Visitor};
pub use gate::{AtOnce, Gate, Pass};
pub use rates::{Kind, Rates};
pub use settings::{PerNetwork, Settings};
pub use tarpit::tarpit_wait;
