//! Opening ports, before root is given up and before any thread runs.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use tokio::net::UnixListener;

use crate::cli::Failure;
use crate::config::{Endpoint, Listeners};

/// One open port.
pub(super) struct Port {
    listener: TcpListener,
    at: SocketAddr,
}

/// All open ports, by service.
pub(super) struct Listening {
    pub(super) mx: Vec<Port>,
    pub(super) submission: Vec<Port>,
    pub(super) submissions: Vec<Port>,
    pub(super) lmtp: Vec<Port>,
    pub(super) imap: Vec<Port>,
    pub(super) imaps: Vec<Port>,
    pub(super) http: Vec<Port>,
    pub(super) web: Vec<Port>,
}

impl Listening {
    /// Opens them all, or none.
    pub(super) fn open(listeners: &Listeners) -> Result<Self, Failure> {
        let all = |key, endpoints: &[Endpoint]| {
            endpoints.iter().map(|at| Port::open(key, *at)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            mx: all("mx", &listeners.mx)?,
            submission: all("submission", &listeners.submission)?,
            submissions: all("submissions", &listeners.submissions)?,
            lmtp: all("lmtp", &listeners.lmtp)?,
            imap: all("imap", &listeners.imap)?,
            imaps: all("imaps", &listeners.imaps)?,
            http: all("http", &listeners.http)?,
            web: all("web", &listeners.web)?,
        })
    }
}

/// The Unix socket of LMTP, if there is one. Opened as the user that the server runs as, so that the file is that user's; a file
/// of a server that is gone is replaced.
pub(super) fn lmtp_socket(path: &Path) -> Result<Option<UnixListener>, Failure> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let failed = |error: std::io::Error| {
        let failure = Failure::new(format!("[listeners] lmtp_socket: {} can't be opened: {error}", path.display()));
        failure.hint(
            "its folder must be there and belong to the user that the server runs as; the path has at most 107 bytes",
        )
    };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(failed(ErrorKind::AddrInUse.into()));
    }
    // Nothing but a socket is ever taken away.
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(failed)?;
    tracing::info!(service = "lmtp", socket = %path.display(), "listening");
    Ok(Some(listener))
}

impl Port {
    fn open(key: &str, endpoint: Endpoint) -> Result<Self, Failure> {
        let mut at = endpoint.0;
        let mut opened = TcpListener::bind(at);
        if opened.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EAFNOSUPPORT))
            && at.ip().is_unspecified()
        {
            // A machine without IPv6: every address is then every IPv4 address.
            at = (Ipv4Addr::UNSPECIFIED, at.port()).into();
            opened = TcpListener::bind(at);
        }
        let listener = opened.map_err(|error| {
            let failure = Failure::new(format!("[listeners] {key}: {at} can't be opened: {error}"));
            let hint = [
                (
                    ErrorKind::PermissionDenied,
                    "ports below 1024 need root; start as root with `run_as_user` set, or use others",
                ),
                (ErrorKind::AddrInUse, "another program listens there: stop it, or choose another port"),
                (ErrorKind::AddrNotAvailable, "this machine does not have that address"),
            ];
            match hint.into_iter().find(|(kind, _)| *kind == error.kind()) {
                Some((_, hint)) => failure.hint(hint),
                None => failure,
            }
        })?;
        tracing::info!(service = key, %at, "listening");
        Ok(Self { listener, at })
    }

    /// For the runtime.
    pub(super) fn into_tokio(self) -> Result<tokio::net::TcpListener, Failure> {
        let converted = self.listener.set_nonblocking(true);
        let converted = converted.and_then(|()| tokio::net::TcpListener::from_std(self.listener));
        converted.map_err(|error| Failure::new(format!("{}: {error}", self.at)))
    }
}
