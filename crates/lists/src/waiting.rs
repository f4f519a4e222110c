//! The waiting room of a moderated list or group: bounded by messages and by octets.

use mail::{AccountId, Uid};
use storage::StorageError;

use crate::Lists;
use crate::limits::{SWEEP_ROWS, WAITING_MAX};
use crate::text::Because;

/// What waits for a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WaitingRoom {
    pub messages: usize,
    pub octets: u64,
}

impl WaitingRoom {
    /// Why one more message of so many octets finds no place; `None`: it does.
    pub(crate) fn is_full_for(self, octets: u64, octets_max: u64) -> Option<Because> {
        if self.messages >= WAITING_MAX {
            return Some(Because::TooManyWait);
        }
        (self.octets.saturating_add(octets) > octets_max).then_some(Because::TooMuchWaits)
    }
}

impl Lists {
    /// What waits now. Rows of what was decided on stay for some days; they hold no message.
    pub(crate) async fn waiting_room(&self, part: AccountId) -> Result<WaitingRoom, StorageError> {
        let (mut room, mut after) = (WaitingRoom::default(), Uid(0));
        loop {
            let page = self.store.waiting_after(part, after, SWEEP_ROWS).await?;
            let Some((last, _)) = page.last() else { return Ok(room) };
            after = *last;
            for (_, row) in page.iter().filter(|(_, row)| row.decision.is_none()) {
                room.messages = room.messages.saturating_add(1);
                room.octets = room.octets.saturating_add(row.octets);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_full_by_messages_or_by_octets() {
        let room = |messages, octets| WaitingRoom { messages, octets };
        assert_eq!(room(WAITING_MAX - 1, 90).is_full_for(10, 100), None);
        assert_eq!(room(WAITING_MAX, 0).is_full_for(10, 100), Some(Because::TooManyWait));
        assert_eq!(room(1, 91).is_full_for(10, 100), Some(Because::TooMuchWaits));
        assert_eq!(room(0, 0).is_full_for(101, 100), Some(Because::TooMuchWaits));
        assert_eq!(room(0, u64::MAX).is_full_for(1, 100), Some(Because::TooMuchWaits));
    }
}
