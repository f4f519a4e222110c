//! Turns: a command that works for long lets other sessions go on now and then, by how much it has worked and not by how
//! many messages it has looked at. Going to the end of the queue costs more than a small message does when others wait.

use crate::limits::TURN_OCTETS;

/// What a command has done since others had their turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    octets: usize,
}

impl Turn {
    /// Counts octets that were looked at, each as often as it was; others go on when they are [`TURN_OCTETS`].
    pub(crate) async fn worked(&mut self, octets: usize) {
        if self.is_over(octets) {
            tokio::task::yield_now().await;
        }
    }

    fn is_over(&mut self, octets: usize) -> bool {
        self.octets = self.octets.saturating_add(octets);
        let over = self.octets >= TURN_OCTETS;
        if over {
            self.octets = 0;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_when_enough_was_looked_at() {
        let mut turn = Turn::default();
        let half = TURN_OCTETS / 2;
        assert_eq!([half, half, half, half].map(|octets| turn.is_over(octets)), [false, true, false, true]);
        assert!(turn.is_over(usize::MAX));
        assert!(!turn.is_over(TURN_OCTETS - 1));
        assert!(turn.is_over(usize::MAX), "no overflow");
    }
}
