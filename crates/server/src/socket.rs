//! The socket in the data folder over which the command line reaches a running server: one JSON line each way.
//!
//! Whoever may open it (mode 0600 in a folder of mode 0700: the server's user and root) may ask anything, or ask as a person
//! whose login and password come with the request.
//!
//! **Invariant:** lines, connections and waiting have bounds; a client that stops costs nothing but its place.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admin::{AdminError, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::Store;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::administration::{self, Credentials};
use crate::cli::Failure;

/// What is sent.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Call {
    /// As whom; nobody: the system.
    #[serde(default, rename = "as")]
    pub(crate) credentials: Option<Credentials>,
    /// What for.
    pub(crate) request: Request,
}

/// What comes back.
pub(crate) type Answer = Result<Response, AdminError>;

/// Where the socket is.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("relais.sock")
}

/// Asks the running server; `None` when there is none.
pub(crate) async fn call(data_dir: &Path, call: &Call) -> Result<Option<Answer>, Failure> {
    let path = path(data_dir);
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        // A socket file whose server is gone refuses; then the store is free.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(failed(error).hint("run this as the user that the server runs as, or as root"));
        }
        Err(error) => return Err(failed(error)),
    };
    write_line(&mut stream, call).await.map_err(failed)?;
    let mut reader = BufReader::new(stream);
    match read_line(&mut reader, ANSWER_OCTETS_MAX).await.map_err(failed)? {
        Some(answer) => Ok(Some(answer)),
        None => Err(Failure::new("the server closed the connection without an answer").hint("its log tells why")),
    }
}

/// Whether a running server has the socket open. One that may not be opened, or whose server is gone, is not answered.
pub(crate) fn is_answered(data_dir: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(path(data_dir)).is_ok()
}

/// The listening socket. The file goes when it is dropped.
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Opens it. The caller has the store open, so a file that is there is a dead server's.
    pub(crate) fn bind(data_dir: &Path) -> Result<Self, Failure> {
        let path = path(data_dir);
        std::fs::remove_file(&path).ok();
        let failed = |error: std::io::Error| {
            let failure = Failure::new(format!("the socket {} can't be opened: {error}", path.display()));
            failure.hint("the path of a socket has at most 107 bytes; a shorter `data_dir` helps then")
        };
        let listener = UnixListener::bind(&path).map_err(failed)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path: path.clone() })
    }

    /// Serves until told to stop.
    pub(crate) async fn serve(self, store: Store, settings: admin::Settings, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let tasks = TaskTracker::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { break };
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection to the admin socket failed");
                        store.world().clock.sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                () = shutdown.cancelled() => break,
            };
            let (store, settings, shutdown) = (store.clone(), settings.clone(), shutdown.clone());
            tasks.spawn(async move {
                let _place = place;
                let world = store.world().clone();
                let answered = answer(stream, &store, &settings, &shutdown);
                match world.timeout(REQUEST_TIME_MAX, answered).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "an admin connection ended early"),
                    Err(_) => tracing::warn!("an admin request took too long and was given up"),
                }
            });
        }
        tasks.close();
        tasks.wait().await;
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

async fn answer(
    stream: UnixStream,
    store: &Store,
    settings: &admin::Settings,
    shutdown: &CancellationToken,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    // A request that has begun is carried out; a client that only stays connected does not hold up the shutdown.
    while let Some(Some(call)) =
        shutdown.run_until_cancelled(read_line::<Call>(&mut reader, REQUEST_OCTETS_MAX)).await.transpose()?
    {
        let answer: Answer = execute(store, settings, call).await;
        write_line(&mut writer, &answer).await?;
    }
    Ok(())
}

/// Carries out a call, as who it comes from.
pub(crate) async fn execute(store: &Store, settings: &admin::Settings, call: Call) -> Answer {
    let actor = match &settings.authenticator {
        Some(authenticator) => administration::actor(&**authenticator, call.credentials.as_ref()).await?,
        None if call.credentials.is_none() => admin::Actor::System,
        None => {
            let message = "logins can't be checked here".to_owned();
            return Err(AdminError { kind: admin::ErrorKind::Unavailable, message, hint: None });
        }
    };
    admin::execute(store, settings, &actor, call.request).await
}

async fn write_line(to: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

/// The next line, at most so long; `None` at the end.
async fn read_line<T: DeserializeOwned>(
    from: &mut (impl AsyncBufRead + Unpin),
    octets_max: u64,
) -> std::io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(octets_max).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the line is cut or too long"));
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

const CONNECTIONS_MAX: usize = 16;
/// An import of 100,000 accounts fits.
const REQUEST_OCTETS_MAX: u64 = 64 * 1024 * 1024;
const ANSWER_OCTETS_MAX: u64 = 256 * 1024 * 1024;
/// A large import hashes many passwords.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60 * 60);
