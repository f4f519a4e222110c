//! Supervision: tasks have names; a listener that ends ends the server, a worker that fails is started again.
//!
//! Workers keep everything that matters in the store, so starting one again loses nothing. A listener that ended would
//! leave a server that looks alive and takes no mail: better to stop, and to let the system start it again.

use std::future::Future;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use world::World;

use super::background::Background;

pub(super) struct Supervisor {
    world: World,
    /// Each returns its name when it ends.
    listeners: JoinSet<&'static str>,
    workers: JoinSet<()>,
    listeners_stop: CancellationToken,
    workers_stop: CancellationToken,
}

impl Supervisor {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            listeners: JoinSet::new(),
            workers: JoinSet::new(),
            listeners_stop: CancellationToken::new(),
            workers_stop: CancellationToken::new(),
        }
    }

    /// Cancelled first: take nothing new, and end sessions.
    pub(super) fn listeners_stop(&self) -> CancellationToken {
        self.listeners_stop.clone()
    }

    /// Cancelled when all listeners have ended.
    pub(super) fn workers_stop(&self) -> CancellationToken {
        self.workers_stop.clone()
    }

    /// Runs a listener, whose end is the server's.
    pub(super) fn listener(&mut self, name: &'static str, running: impl Future<Output = ()> + Send + 'static) {
        self.listeners.spawn(async move {
            // In a task of its own, so that a panic has a name.
            if let Err(error) = tokio::spawn(running).await {
                tracing::error!(task = name, %error, "failed");
            }
            name
        });
    }

    /// Runs a worker, and runs it again when it fails.
    pub(super) fn worker<F, R>(&mut self, name: &'static str, start: F)
    where
        F: Fn() -> R + Send + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.supervise(name, move || tokio::spawn(start()));
    }

    /// The same for one that gives way to all others.
    pub(super) fn background_worker<F, R>(&mut self, name: &'static str, background: Background, start: F)
    where
        F: Fn() -> R + Send + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.supervise(name, move || background.spawn(start()));
    }

    fn supervise(&mut self, name: &'static str, start: impl Fn() -> JoinHandle<Result<(), String>> + Send + 'static) {
        let (stop, clock) = (self.workers_stop.clone(), self.world.clock.clone());
        self.workers.spawn(async move {
            loop {
                let error = match start().await {
                    Ok(Ok(())) if stop.is_cancelled() => return,
                    Ok(Ok(())) => "it ended by itself".to_owned(),
                    Ok(Err(error)) => error,
                    Err(panic) => panic.to_string(),
                };
                if stop.is_cancelled() {
                    tracing::warn!(task = name, error, "failed at the shutdown");
                    return;
                }
                tracing::error!(task = name, error, "failed; it is started again in {} s", PAUSE.as_secs());
                metrics::counter!("relais_worker_failures_total", "worker" => name).increment(1);
                tokio::select! {
                    () = clock.sleep(PAUSE) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// Waits until a listener ends by itself, and tells which.
    pub(super) async fn ended(&mut self) -> &'static str {
        match self.listeners.join_next().await {
            Some(Ok(name)) => name,
            Some(Err(_)) => "a listener",
            // None is running: nothing can end.
            None => std::future::pending().await,
        }
    }

    /// Ends everything in order. Each part bounds its own grace.
    pub(super) async fn shut_down(mut self) {
        self.listeners_stop.cancel();
        while self.listeners.join_next().await.is_some() {}
        self.workers_stop.cancel();
        while self.workers.join_next().await.is_some() {}
    }
}

const PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;

    #[tokio::test]
    async fn a_listener_that_ends_or_panics_is_named() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let mut tasks = Supervisor::new(sim.world());
        tasks.listener("good", std::future::pending());
        tasks.listener("bad", async { panic!("on purpose") });
        assert_eq!(tasks.ended().await, "bad");
    }

    #[tokio::test]
    async fn a_worker_is_started_again_until_it_is_told_to_stop() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let mut tasks = Supervisor::new(sim.world());
        let starts = Arc::new(AtomicU32::new(0));
        let (stop, counted) = (tasks.workers_stop(), starts.clone());
        tasks.worker("worker", move || {
            let (stop, starts) = (stop.clone(), counted.clone());
            async move {
                match starts.fetch_add(1, Ordering::SeqCst) {
                    0 => Err("on purpose".to_owned()),
                    1 => panic!("on purpose"),
                    _ => {
                        stop.cancelled().await;
                        Ok(())
                    }
                }
            }
        });
        while starts.load(Ordering::SeqCst) < 3 {
            if sim.clock.next_wake().is_some() {
                sim.clock.advance(PAUSE);
            }
            tokio::task::yield_now().await;
        }
        tasks.shut_down().await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }
}
