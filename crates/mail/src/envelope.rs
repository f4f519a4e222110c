//! The envelope: what MAIL and RCPT said (RFC 5321 §2.3.1), with the DSN parameters of RFC 3461.

use serde::{Deserialize, Serialize};

use crate::path::{ForwardPath, ReversePath};
use crate::time::Timestamp;

/// `BODY=` of MAIL (RFC 1652, RFC 3030), in the order of what it allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BodyType {
    /// `7BIT`, and what stands when nothing is said.
    #[default]
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
    /// `BINARYMIME`.
    BinaryMime,
}

/// `RET=` of MAIL (RFC 3461 §4.3): how much of the message a failure DSN returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DsnReturn {
    /// The whole message.
    Full,
    /// Its header only.
    Headers,
}

/// `NOTIFY=` of RCPT (RFC 3461 §4.1): when the sender wants a DSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DsnNotify {
    /// Upon delivery.
    pub success: bool,
    /// Upon permanent failure.
    pub failure: bool,
    /// When delivery takes unusually long.
    pub delay: bool,
    /// Whether the parameter was given. One that was is relayed even when it asks for what is the default (RFC 3461
    /// §5.2.1 (c)).
    #[serde(default)]
    pub said: bool,
}

impl Default for DsnNotify {
    /// RFC 3461 §4.1: without the parameter, failure; delay is the server's choice.
    fn default() -> Self {
        Self { success: false, failure: true, delay: true, said: false }
    }
}

impl DsnNotify {
    /// `NOTIFY=NEVER`.
    pub const NEVER: Self = Self::asked(false, false, false);

    /// What the parameter asks for when it is given.
    #[must_use]
    pub const fn asked(success: bool, failure: bool, delay: bool) -> Self {
        Self { success, failure, delay, said: true }
    }
}

/// `ORCPT=` of RCPT (RFC 3461 §4.2): type and address, decoded from xtext.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalRecipient {
    /// `rfc822`, `utf-8`, … as the sender wrote it: it goes on unchanged (RFC 3461 §5.2.1 (d)), and its case means nothing.
    pub address_type: String,
    /// The address, as the sender knows it.
    pub address: String,
}

impl OriginalRecipient {
    /// Whether the address has the coding of RFC 6533 §3 and not xtext.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        self.address_type.eq_ignore_ascii_case("utf-8")
    }
}

/// `BY=` of MAIL (RFC 2852 §4): until when the message is to be delivered, and what happens when it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverBy {
    /// The moment: that of MAIL and the seconds that it gave. It may have passed already in [`DeliverByMode::Notify`].
    pub by: Timestamp,
    /// What happens then.
    pub mode: DeliverByMode,
    /// `T`: the sender wants to hear of each host that it is handed to (RFC 2852 §4.1.4).
    pub trace: bool,
}

/// What happens to a message that is not delivered in time (RFC 2852 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliverByMode {
    /// `R`: it goes back.
    Return,
    /// `N`: its sender is told, and it is tried on.
    Notify,
}

/// One recipient of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeRecipient {
    /// Where the copy goes.
    pub forward_path: ForwardPath,
    /// When a DSN is wanted.
    pub notify: DsnNotify,
    /// The recipient as first written.
    pub original: Option<OriginalRecipient>,
}

/// A whole envelope: one mail transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Where DSNs go.
    pub reverse_path: ReversePath,
    /// What the sender says of the body's bytes.
    pub body: BodyType,
    /// Whether `SMTPUTF8` was said (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// `RET=`.
    pub dsn_return: Option<DsnReturn>,
    /// `SIZE=`: what the client says of the message's length (RFC 1870 §4).
    #[serde(default)]
    pub octets: Option<u64>,
    /// `ENVID=`, decoded from xtext, at most 100 characters.
    pub envelope_id: Option<String>,
    /// `HOLDFOR=` and `HOLDUNTIL=` (RFC 4865 §4): not to be delivered before.
    #[serde(default)]
    pub hold_until: Option<Timestamp>,
    /// `BY=` (RFC 2852).
    #[serde(default)]
    pub deliver_by: Option<DeliverBy>,
    /// `MT-PRIORITY=` (RFC 6710), -9 to 9; 0 when nothing is said.
    #[serde(default)]
    pub priority: i8,
    /// `REQUIRETLS` (RFC 8689): the message travels under verified TLS or not at all.
    #[serde(default)]
    pub require_tls: bool,
    /// `SOLICIT=` of MAIL (RFC 3865 §4.2): the classes of solicitation that the message says to be of.
    #[serde(default)]
    pub solicits: Vec<String>,
    /// The recipients, in the order of RCPT.
    pub recipients: Vec<EnvelopeRecipient>,
}

impl Envelope {
    /// An envelope with no recipient yet and every parameter at its default.
    #[must_use]
    pub fn new(reverse_path: ReversePath) -> Self {
        Self {
            reverse_path,
            body: BodyType::SevenBit,
            smtputf8: false,
            dsn_return: None,
            octets: None,
            envelope_id: None,
            hold_until: None,
            deliver_by: None,
            priority: 0,
            require_tls: false,
            solicits: Vec::new(),
            recipients: Vec::new(),
        }
    }
}
