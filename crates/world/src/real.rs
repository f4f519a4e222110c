//! The real clock, chance and TCP.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mail::Timestamp;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use crate::{BoxFuture, Chance, Clock, Connector, Stream};

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Timestamp(millis)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

/// The system's random source.
#[derive(Clone, Copy, Debug)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, buffer: &mut [u8]) {
        // A server that can't get random bytes must not go on: it would hand out guessable secrets.
        assert!(getrandom::fill(buffer).is_ok(), "the system's random source failed");
    }
}

/// TCP as the system offers it.
#[derive(Clone, Copy, Debug)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect_from(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
        within: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let connecting = async {
                let Some(from) = from else { return TcpStream::connect(to).await };
                let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.bind(SocketAddr::new(from, 0))?;
                socket.connect(to).await
            };
            let stream = tokio::time::timeout(within, connecting)
                .await
                .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time"))??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn connect_socket<'a>(
        &'a self,
        path: &'a Path,
        within: Duration,
    ) -> BoxFuture<'a, std::io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let connecting = tokio::time::timeout(within, UnixStream::connect(path)).await;
            let stream = connecting
                .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time"))??;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
