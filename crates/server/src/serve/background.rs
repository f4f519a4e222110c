//! A thread of low priority, for work that nobody waits for.
//!
//! The full-text index of a store that was just filled is minutes of work for all cores. It is done with the time that is
//! left: the system gives this thread, and those that it starts, about a tenth of what it gives a thread that answers
//! somebody. On an idle machine the work is as fast as anywhere.

use std::future::Future;
use std::io;

use rustix::process::nice;
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// By how much the work gives way to all other threads (`nice(2)`); of a lower priority still, a lock that it holds would
/// keep others waiting while the machine is full.
const NICENESS: i32 = 10;

/// The thread, which ends when this is dropped.
pub(super) struct Background {
    tasks: Handle,
    _running: DropGuard,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name("background").build()?;
        let (tasks, stop) = (runtime.handle().clone(), CancellationToken::new());
        let stopped = stop.clone();
        std::thread::Builder::new().name("background".to_owned()).spawn(move || {
            if let Err(error) = nice(NICENESS) {
                tracing::warn!(%error, "the full-text index is made at the priority of all other work");
            }
            runtime.block_on(stopped.cancelled());
        })?;
        Ok(Self { tasks, _running: stop.drop_guard() })
    }

    /// Runs a future there.
    pub(super) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn(future)
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn what_runs_there_gives_way_and_so_do_the_threads_that_it_starts() {
        // What the system says to the thread that asks.
        let niceness = || getpriority_process(None).unwrap();
        let before = niceness();
        let background = Background::start().unwrap();
        let (direct, blocking) = background
            .spawn(async move { (niceness(), tokio::task::spawn_blocking(niceness).await.unwrap()) })
            .await
            .unwrap();
        let expected = (before + NICENESS).min(19);
        assert_eq!((direct, blocking, niceness()), (expected, expected, before));
    }
}
