//! How strong a password is.

use serde::{Deserialize, Serialize};

/// How strong a password is (M4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrengthView {
    /// Of what is said in words: `en` or `fr`.
    #[serde(default)]
    pub language: String,
    /// 0 (guessed at once) to 4.
    pub score: u8,
    /// The score that is needed.
    pub score_min: u8,
    /// The score in words.
    pub words: String,
    /// Whether it would be taken.
    pub taken: bool,
    /// Why not; empty when it would be.
    pub reason: String,
    /// What would help, a sentence each.
    pub advice: Vec<String>,
}
