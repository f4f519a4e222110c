//! What server and filter agree on first: the version, what the filter may do, which commands it wants, and which it answers.

use super::codec::Malformed;
use crate::limits::PACKET_OCTETS_MAX;

/// The version that is offered; older ones down to [`VERSION_MIN`] will do.
pub const VERSION: u32 = 6;

/// The oldest version.
pub const VERSION_MIN: u32 = 2;

/// What a filter does at the end of a message (`SMFIF_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions(pub u32);

impl Actions {
    /// It adds and inserts fields.
    pub const ADD_HEADERS: Self = Self(0x1);
    /// It writes another body.
    pub const CHANGE_BODY: Self = Self(0x2);
    /// It adds recipients.
    pub const ADD_RECIPIENTS: Self = Self(0x4);
    /// It removes recipients.
    pub const DELETE_RECIPIENTS: Self = Self(0x8);
    /// It changes and removes fields.
    pub const CHANGE_HEADERS: Self = Self(0x10);
    /// It puts messages aside.
    pub const QUARANTINE: Self = Self(0x20);
    /// It gives the envelope another reverse-path.
    pub const CHANGE_SENDER: Self = Self(0x40);
    /// It adds recipients with parameters.
    pub const ADD_RECIPIENTS_WITH_PARAMETERS: Self = Self(0x80);
    /// It says which macros it wants.
    pub const SET_SYMBOLS: Self = Self(0x100);
    /// All that are offered.
    pub const ALL: Self = Self(0x1ff);

    /// Whether all of `others` are in here.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// How the conversation goes (`SMFIP_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps(pub u32);

impl Steps {
    /// The connection is not told.
    pub const NO_CONNECT: Self = Self(0x1);
    /// HELO is not told.
    pub const NO_HELO: Self = Self(0x2);
    /// MAIL is not told.
    pub const NO_MAIL: Self = Self(0x4);
    /// RCPT is not told.
    pub const NO_RECIPIENT: Self = Self(0x8);
    /// The body is not told.
    pub const NO_BODY: Self = Self(0x10);
    /// Fields are not told.
    pub const NO_HEADERS: Self = Self(0x20);
    /// The end of the header is not told.
    pub const NO_END_OF_HEADER: Self = Self(0x40);
    /// Fields are not answered.
    pub const SILENT_HEADER: Self = Self(0x80);
    /// Unknown commands are not told.
    pub const NO_UNKNOWN: Self = Self(0x100);
    /// DATA is not told.
    pub const NO_DATA: Self = Self(0x200);
    /// The filter may want no more of the same kind.
    pub const SKIP: Self = Self(0x400);
    /// Refused recipients are told as well.
    pub const REFUSED_RECIPIENTS: Self = Self(0x800);
    /// The connection is not answered.
    pub const SILENT_CONNECT: Self = Self(0x1000);
    /// HELO is not answered.
    pub const SILENT_HELO: Self = Self(0x2000);
    /// MAIL is not answered.
    pub const SILENT_MAIL: Self = Self(0x4000);
    /// RCPT is not answered.
    pub const SILENT_RECIPIENT: Self = Self(0x8000);
    /// DATA is not answered.
    pub const SILENT_DATA: Self = Self(0x1_0000);
    /// Unknown commands are not answered.
    pub const SILENT_UNKNOWN: Self = Self(0x2_0000);
    /// The end of the header is not answered.
    pub const SILENT_END_OF_HEADER: Self = Self(0x4_0000);
    /// Pieces of the body are not answered.
    pub const SILENT_BODY: Self = Self(0x8_0000);
    /// Values of fields have the blanks in front of them, in both directions.
    pub const LEADING_SPACE: Self = Self(0x10_0000);
    /// Packets have up to 256 KiB less one octet of data.
    pub const DATA_256K: Self = Self(0x1000_0000);
    /// Packets have up to 1 MiB less one octet of data.
    pub const DATA_1M: Self = Self(0x2000_0000);
    /// All that are offered but for the sizes. Recipients that were refused are not told to filters: they are asked when the recipients are known.
    const OFFERED: Self = Self(0x1f_f7ff);

    /// Whether all of `others` are in here.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// What one side says: the version, actions and steps that it knows or wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The version of the protocol.
    pub version: u32,
    /// What the filter may do, or wants to.
    pub actions: Actions,
    /// How the conversation may go, or is to go.
    pub steps: Steps,
}

impl Terms {
    /// What this server offers, with packets of so many octets at the most.
    #[must_use]
    pub const fn offered(packet_octets_max: usize) -> Self {
        let sizes = match packet_octets_max {
            ..DATA_256K_OCTETS => 0,
            DATA_256K_OCTETS..DATA_1M_OCTETS => Steps::DATA_256K.0,
            _ => Steps::DATA_256K.0 | Steps::DATA_1M.0,
        };
        Self { version: VERSION, actions: Actions::ALL, steps: Steps(Steps::OFFERED.0 | sizes) }
    }

    /// What a filter's answer to this offer leads to.
    ///
    /// # Errors
    /// A filter that speaks another version, or wants what was not offered.
    pub fn agreed(self, answer: Self) -> Result<Self, Malformed> {
        if !(VERSION_MIN..=self.version).contains(&answer.version) {
            return Err(Malformed("it speaks another version of the protocol"));
        }
        if !self.actions.has(answer.actions) {
            return Err(Malformed("it wants to do what was not offered"));
        }
        if !self.steps.has(answer.steps) {
            return Err(Malformed("it wants a conversation that was not offered"));
        }
        Ok(answer)
    }

    /// Octets of a packet's data, by what was agreed on.
    #[must_use]
    pub const fn packet_octets_max(self) -> usize {
        if self.steps.has(Steps::DATA_1M) {
            DATA_1M_OCTETS
        } else if self.steps.has(Steps::DATA_256K) {
            DATA_256K_OCTETS
        } else {
            PACKET_OCTETS_MAX
        }
    }
}

/// Octets with [`Steps::DATA_256K`].
pub const DATA_256K_OCTETS: usize = 256 * 1024 - 1;

/// Octets with [`Steps::DATA_1M`].
pub const DATA_1M_OCTETS: usize = 1024 * 1024 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_gets_what_was_offered_and_no_more() {
        let offer = Terms::offered(PACKET_OCTETS_MAX);
        assert_eq!((offer.version, offer.actions.0, offer.steps.0), (6, 0x1ff, 0x1f_f7ff));
        let wants = |version, actions, steps| {
            let answer = Terms { version, actions: Actions(actions), steps: Steps(steps) };
            offer.agreed(answer).map(Terms::packet_octets_max).map_err(|flaw| flaw.0)
        };
        assert_eq!(wants(6, 0, 0), Ok(PACKET_OCTETS_MAX));
        assert_eq!(wants(2, 0x1f, 0x7f), Ok(PACKET_OCTETS_MAX));
        assert_eq!(wants(6, 0x1ff, 0x1f_f7ff), Ok(PACKET_OCTETS_MAX));
        for (version, actions, steps, flaw) in [
            (1, 0, 0, "it speaks another version of the protocol"),
            (7, 0, 0, "it speaks another version of the protocol"),
            (6, 0x200, 0, "it wants to do what was not offered"),
            (6, 0, 0x800, "it wants a conversation that was not offered"),
            (6, 0, 0x2000_0000, "it wants a conversation that was not offered"),
        ] {
            assert_eq!(wants(version, actions, steps), Err(flaw));
        }
        let large = Terms::offered(DATA_1M_OCTETS);
        let answer = Terms { steps: Steps::DATA_256K, ..large };
        assert_eq!(large.agreed(answer).map(Terms::packet_octets_max), Ok(DATA_256K_OCTETS));
        let answer = Terms { steps: Steps(Steps::DATA_256K.0 | Steps::DATA_1M.0), ..large };
        assert_eq!(large.agreed(answer).map(Terms::packet_octets_max), Ok(DATA_1M_OCTETS));
        assert_eq!(Terms::offered(DATA_256K_OCTETS).steps.0, 0x101f_f7ff);
    }
}
