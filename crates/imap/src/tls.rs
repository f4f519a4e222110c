//! The TLS configuration, exchangeable while the server runs.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;

/// The configuration that new handshakes use. Sessions that have begun keep theirs.
#[derive(Debug)]
pub struct TlsHandle(RwLock<Arc<ServerConfig>>);

impl TlsHandle {
    /// A handle with a first configuration.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self(RwLock::new(config))
    }

    /// From the next handshake on, this one.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write() = config;
    }

    /// The configuration of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read())
    }
}
