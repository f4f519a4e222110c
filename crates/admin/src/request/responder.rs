//! About responders.

use mail::Address;
use routing::objects::{Audience, Hours, ResponderKind};
use serde::{Deserialize, Serialize};

use super::Edit;

/// What a responder says and when; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResponderContent {
    /// Which rules it follows.
    pub kind: Option<ResponderKind>,
    /// Switched on.
    pub enabled: Option<bool>,
    /// Subject of the answer.
    pub subject: Option<String>,
    /// Put before the original subject.
    pub subject_prefix: Option<String>,
    /// Plain text.
    pub text: Edit<String>,
    /// HTML.
    pub html: Edit<String>,
    /// First moment, civil time.
    pub starts: Edit<String>,
    /// Last moment, civil time.
    pub ends: Edit<String>,
    /// Minimum seconds between two answers to one sender.
    pub frequency_secs: Option<u64>,
    /// Whether received messages stay.
    pub keep: Option<bool>,
    /// Every answer that leaves is copied to it.
    pub copy_answers_to: Edit<Address>,
    /// Received messages are copied to it.
    pub copy_received_to: Edit<Address>,
    /// Whether answers are filed in Sent.
    pub file_in_sent: Option<bool>,
    /// When in the week it acts.
    pub hours: Edit<Hours>,
    /// To whom it speaks.
    pub audience: Option<Audience>,
    /// No other words for the inside; what the next four fields say is said anew.
    pub no_inside: bool,
    /// Subject for the people of the organisation.
    pub inside_subject: Option<String>,
    /// Prefix for them.
    pub inside_subject_prefix: Option<String>,
    /// Plain text for them.
    pub inside_text: Edit<String>,
    /// HTML for them.
    pub inside_html: Edit<String>,
    /// Who stands in meanwhile.
    pub deputy: Edit<Address>,
    /// Whether received messages are copied to the deputy.
    pub copy_to_deputy: Option<bool>,
    /// Whether the signature stands below.
    pub signature: Option<bool>,
    /// The zone of window and hours, instead of the owner's.
    pub time_zone: Edit<String>,
    /// The language of dates, instead of the owner's.
    pub language: Edit<String>,
}

/// A message that is imagined for a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// Its sender; an address of ours is taken for its person, logged in.
    pub from: Address,
    /// Its recipient; `None`: the responder's address.
    #[serde(default)]
    pub to: Option<Address>,
    /// The sender's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its subject.
    #[serde(default)]
    pub subject: Option<String>,
}

/// About responders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponderRequest {
    /// Make one.
    Add {
        /// The address that answers.
        address: Address,
        /// What it says and when.
        content: Box<ResponderContent>,
    },
    /// All, or those at one address.
    List {
        /// Only at this one.
        #[serde(default)]
        address: Option<Address>,
    },
    /// One.
    Show {
        /// Its number.
        id: u64,
    },
    /// Change one.
    Set {
        /// Its number.
        id: u64,
        /// The address that answers.
        #[serde(default)]
        address: Option<Address>,
        /// What changes.
        content: Box<ResponderContent>,
    },
    /// What one would answer now.
    Preview {
        /// Its number.
        id: u64,
        /// To which message.
        of: PreviewRequest,
    },
    /// Delete one.
    Remove {
        /// Its number.
        id: u64,
    },
}
