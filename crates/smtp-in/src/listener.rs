//! Where connections come in: TCP, or a socket of this machine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use world::Stream;

/// An open port or socket.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket: whoever may open its file. Its clients count as `127.0.0.1`, and have no limit for each address.
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl Listener {
    /// Waits for the next client.
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                Accepted::Tcp(stream, remote)
            }
            Self::Unix(listener) => Accepted::Unix(listener.accept().await?.0),
        })
    }
}

/// A client that has just come.
pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepted {
    /// Where the client is.
    pub(crate) fn remote(&self) -> SocketAddr {
        match self {
            Self::Tcp(_, remote) => *remote,
            Self::Unix(_) => HERE,
        }
    }

    /// Says something that nobody waits for: the buffer of a new connection is empty, so it goes out at once.
    pub(crate) fn say_at_once(&self, octets: &[u8]) {
        match self {
            Self::Tcp(stream, _) => stream.try_write(octets).ok(),
            Self::Unix(stream) => stream.try_write(octets).ok(),
        };
    }

    /// The connection, and the address that the client connected to; `None` when the client has gone already.
    pub(crate) fn open(self) -> Option<(Box<dyn Stream>, SocketAddr)> {
        match self {
            Self::Tcp(stream, _) => {
                let (Ok(local), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else { return None };
                Some((Box::new(stream), local))
            }
            Self::Unix(stream) => Some((Box::new(stream), HERE)),
        }
    }
}

/// The two ends of a Unix socket.
const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
