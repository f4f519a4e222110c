//! Why a command failed, for the person who typed it.

use admin::AdminError;

use crate::config::ConfigError;

/// Why a command failed, for the person who typed it.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: &'static str,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { kind: "failed", message: message.into(), hint: None }
    }

    /// The command line itself is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: "usage", ..Self::new(message) }
    }

    /// Whether what was to be made is there already.
    pub(crate) fn is_exists(&self) -> bool {
        self.kind == "exists"
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same for scripts.
    pub(super) fn as_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": { "kind": self.kind, "message": self.message, "hint": self.hint } })
    }
}

/// The system does not let this process work.
pub(crate) fn no_runtime(error: &std::io::Error) -> Failure {
    let failure = Failure::new(format!("the threads of this program can't be started: {error}"));
    failure.hint("the system grants too few processes or open files: see `ulimit -u` and `ulimit -n`")
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  {hint}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { kind: "configuration", ..Self::new(error.to_string()) }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let kind = match error.kind {
            admin::ErrorKind::Invalid => "invalid",
            admin::ErrorKind::NotFound => "not-found",
            admin::ErrorKind::Exists => "exists",
            admin::ErrorKind::InUse => "in-use",
            admin::ErrorKind::Full => "full",
            admin::ErrorKind::DiskFull => "disk-full",
            admin::ErrorKind::Denied => "denied",
            admin::ErrorKind::Unavailable => "unavailable",
        };
        Self { kind, message: error.message, hint: error.hint }
    }
}
