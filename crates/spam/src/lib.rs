//! What a message's content says about it: a classifier that learns from people and rules, with a reason for each point. Pure.
//!
//! [`Content::read`] looks at the beginning of a message: the words of its texts, decoded, some fields of its header, the hosts that
//! its links lead to. Each is a [`Token`]; two words in a row are one too. How often a token was in spam and in ham is counted
//! by `storage::spam`, for each account and for the whole site, and [`Opinion::of`] makes of these counts how likely the message
//! is spam: each token's likelihood by Robinson's formula, all together by Fisher's method (chi-square). [`Rules`] look at what
//! no count is needed for. Both give points, and [`Score`] is their sum with its reasons.
//!
//! - Nothing follows from rules alone: as long as too little was learnt ([`limits::LEARNT_MIN`]), no message is spam, whatever its points are.
//! - An account's own counts go before those of the site: what the site knows is where its own likelihoods begin.

mod bayes;
mod content;
#[cfg(test)]
mod corpus;
pub mod limits;
mod links;
mod points;
mod rules;
mod score;
mod tokens;
mod words;

pub use bayes::{Counts, Known, Opinion, Told};
pub use content::Content;
pub use points::{Points, PointsFlaw};
pub use rules::{Hit, Rule};
pub use score::{Added, AddedFrom, Score};
pub use tokens::{Token, TokenId};
