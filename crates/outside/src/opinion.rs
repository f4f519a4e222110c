//! What one filter says of a message, and what all of them together do.

use mail::{EnvelopeRecipient, Reply};

/// What is to become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It may come in.
    Take,
    /// It is refused with this reply.
    Refuse(Reply),
    /// It is taken and thrown away, for this reason.
    Discard(String),
}

/// What one filter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opinion {
    pub(crate) wish: Wish,
    /// It is spam, as far as points tell.
    pub(crate) spam: Option<String>,
    /// It is to be put aside.
    pub(crate) aside: Option<String>,
    /// In words for the trace, behind the filter's name.
    pub(crate) told: String,
    /// What it wanted and did not get.
    pub(crate) notes: Vec<String>,
}

impl Opinion {
    pub(crate) fn taken(told: impl Into<String>) -> Self {
        Self { wish: Wish::Take, spam: None, aside: None, told: told.into(), notes: Vec::new() }
    }
}

/// What follows from all filters together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// It is refused.
    pub refusal: Option<Reply>,
    /// It is taken, and nothing is kept of it.
    pub discard: Option<String>,
    /// It goes to everybody's Spam, and nowhere else.
    pub aside: Option<String>,
    /// It goes to the Spam of everybody who has not said otherwise.
    pub spam: Option<String>,
    /// Recipients that a filter does not want, with what they would have been told.
    pub refused: Vec<(EnvelopeRecipient, Reply)>,
    /// What each filter said and did, in sentences.
    pub told: Vec<String>,
}

impl Judgement {
    /// One more reason for the same.
    pub(crate) fn because(reasons: &mut Option<String>, reason: String) {
        let all = match reasons.take() {
            Some(before) => format!("{before}; {reason}"),
            None => reason,
        };
        *reasons = Some(crate::text::reason(&all));
    }
}
