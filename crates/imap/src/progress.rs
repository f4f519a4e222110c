//! Telling a client that a long command goes on (RFC 9585): so that it waits, and can show how far it has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use imap_wire::Tag;
use imap_wire::response::{Code, Condition};

use crate::fault::Lost;
use crate::limits::PROGRESS_EVERY;
use crate::session::Session;

/// How far a command has come, for whoever works and whoever tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    done: Arc<AtomicU32>,
    goal: Option<u32>,
}

impl Progress {
    /// Of something that can be counted.
    pub(crate) fn towards(goal: u32) -> Self {
        Self { done: Arc::default(), goal: Some(goal) }
    }

    /// So many more are done.
    pub(crate) fn add(&self, more: usize) {
        self.done.fetch_add(u32::try_from(more).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    fn code(&self, tag: &Tag) -> Code {
        // RFC 9585 §4: the goal is positive and not reached yet; without one there is nothing to count.
        let goal = self.goal.filter(|goal| *goal > 0);
        let done = goal.map(|goal| self.done.load(Ordering::Relaxed).min(goal.saturating_sub(1)));
        Code::InProgress { tag: tag.clone(), done, goal }
    }
}

impl Session {
    /// Does the work of a command, and tells every [`PROGRESS_EVERY`] that it goes on. A client that has gone ends it.
    pub(crate) async fn amid<T>(
        &mut self,
        tag: &Tag,
        progress: &Progress,
        work: impl Future<Output = T>,
    ) -> Result<T, Lost> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = self.server.world.clock.sleep(PROGRESS_EVERY) => {}
            }
            let code = progress.code(tag);
            self.say(Condition::Ok, Some(&code), "Still at it");
            self.connection.flush().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9585 §4: GOAL is positive, and greater than PROGRESS.
    #[test]
    fn the_goal_is_ahead() {
        let tag = Tag::new(b"a").unwrap();
        let of = |progress: &Progress| {
            let Code::InProgress { done, goal, .. } = progress.code(&tag) else { panic!("the code of progress") };
            (done, goal)
        };
        let progress = Progress::towards(2);
        assert_eq!(of(&progress), (Some(0), Some(2)));
        progress.add(5);
        assert_eq!(of(&progress), (Some(1), Some(2)));
        assert_eq!(of(&Progress::towards(0)), (None, None));
        assert_eq!(of(&Progress::default()), (None, None));
    }
}
