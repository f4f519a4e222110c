//! Where a milter listens: `127.0.0.1:8891`, `milter.example.org:8891`, or the path of a Unix socket. Sendmail's and Postfix's ways of writing
//! it are read as well: `inet:8891@127.0.0.1`, `inet:127.0.0.1:8891`, `unix:/run/x.sock`, `local:/run/x.sock`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use mail::Domain;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address and a port.
    Address(SocketAddr),
    /// A host's name and a port.
    Host(Domain, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no place of a milter: write it like \"127.0.0.1:8891\" or \"/run/milter/milter.sock\"")]
pub struct PlaceFlaw(pub String);

impl std::str::FromStr for Place {
    type Err = PlaceFlaw;

    fn from_str(text: &str) -> Result<Self, PlaceFlaw> {
        let flaw = || PlaceFlaw(text.to_owned());
        let path = text.strip_prefix("unix:").or_else(|| text.strip_prefix("local:")).unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self::Socket(PathBuf::from(path)));
        }
        let inet = text.strip_prefix("inet6:").or_else(|| text.strip_prefix("inet:"));
        let inet = inet.unwrap_or(text);
        if let Ok(address) = inet.parse::<SocketAddr>() {
            return if address.port() == 0 { Err(flaw()) } else { Ok(Self::Address(address)) };
        }
        let (host, port) = match inet.split_once('@') {
            Some((port, host)) => (host, port),
            None => inet.rsplit_once(':').ok_or_else(flaw)?,
        };
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(flaw)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(SocketAddr::new(ip, port)));
        }
        // `unix` and `local` without a path are names of hosts, and hardly meant so.
        let host = Domain::parse(host).ok().filter(|_| host != "unix" && host != "local").ok_or_else(flaw)?;
        Ok(Self::Host(host, port))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_other_servers_write_them() {
        for (text, expected) in [
            ("127.0.0.1:8891", Some("127.0.0.1:8891")),
            ("[::1]:8891", Some("[::1]:8891")),
            ("inet:8891@127.0.0.1", Some("127.0.0.1:8891")),
            ("inet6:8891@[::1]", Some("[::1]:8891")),
            ("inet:localhost:8891", Some("localhost:8891")),
            ("inet:8891@milter.example.org", Some("milter.example.org:8891")),
            ("milter.example.org:11332", Some("milter.example.org:11332")),
            ("/run/a.sock", Some("/run/a.sock")),
            ("unix:/run/a.sock", Some("/run/a.sock")),
            ("local:/run/a.sock", Some("/run/a.sock")),
            ("unix:a.sock", None),
            ("127.0.0.1:0", None),
            ("127.0.0.1", None),
            ("127.0.0.1:70000", None),
            ("a b:25", None),
            ("", None),
        ] {
            let read = text.parse::<Place>().ok().map(|place| place.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
