//! Where passwords are checked: blocking threads, few at a time, with a bounded queue in front.

use tokio::sync::Semaphore;

use crate::limits::CHECKS_WAITING_MAX;
use crate::{AuthError, Password, password};

/// Bounds how much memory and how many cores password checks take together.
pub(crate) struct Pool {
    /// Who may wait; what waits beyond is refused at once.
    waiting: Semaphore,
    /// Who may work.
    working: Semaphore,
}

impl Pool {
    pub(crate) fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Self { waiting: Semaphore::new(at_once.saturating_add(CHECKS_WAITING_MAX)), working: Semaphore::new(at_once) }
    }

    /// Whether the password has this hash.
    pub(crate) async fn verify(&self, password: Password, hash: String) -> Result<bool, AuthError> {
        self.run(move || password::verify(password.expose(), &hash)).await
    }

    /// Does what is slow on purpose.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let _place = self.waiting.try_acquire().map_err(|_| AuthError::Unavailable)?;
        let _turn = self.working.acquire().await.map_err(|_| AuthError::Unavailable)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| AuthError::Unavailable)
    }
}

#[cfg(test)]
impl Pool {
    /// A pool that takes nobody.
    pub(crate) fn closed() -> Self {
        Self { waiting: Semaphore::new(0), working: Semaphore::new(0) }
    }
}
