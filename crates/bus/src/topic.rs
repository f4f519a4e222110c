//! Bells of topics: rung by commits, merged when nobody listens.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// The sending side of a topic's bell.
pub(crate) struct TopicState {
    rings: watch::Sender<u64>,
    backlog: AtomicUsize,
}

impl Default for TopicState {
    fn default() -> Self {
        Self { rings: watch::Sender::new(0), backlog: AtomicUsize::new(0) }
    }
}

impl TopicState {
    pub(crate) fn ring(&self) {
        self.rings.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn bell(&self) -> TopicBell {
        let mut rings = self.rings.subscribe();
        rings.mark_changed();
        TopicBell(rings)
    }

    pub(crate) fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    pub(crate) fn set_backlog(&self, events: usize) {
        self.backlog.store(events, Ordering::Relaxed);
    }
}

/// Hears a topic's bell.
#[derive(Debug)]
pub struct TopicBell(watch::Receiver<u64>);

impl TopicBell {
    /// Ends when the bell has rung since the last call. Never ends once the bus is gone.
    pub async fn rung(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
