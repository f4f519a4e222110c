//! Lines over TCP or TLS, with a bound on waiting.

use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Trouble;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to the server.
pub(crate) struct Wire(BufReader<Box<dyn Stream>>);

impl Wire {
    /// Connects, in clear or with TLS from the start.
    pub(crate) async fn connect(port: u16, tls: Option<&TlsConnector>) -> Result<Self, Trouble> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(connector) => Box::new(connector.connect(name()?, stream).await?),
        };
        Ok(Self(BufReader::new(stream)))
    }

    /// Goes on with TLS (STARTTLS).
    pub(crate) async fn secure(self, connector: &TlsConnector) -> Result<Self, Trouble> {
        let stream: Box<dyn Stream> = Box::new(connector.connect(name()?, self.0.into_inner()).await?);
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends octets as they are.
    pub(crate) async fn send(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        self.0.write_all(octets).await?;
        Ok(self.0.flush().await?)
    }

    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> Result<String, Trouble> {
        let mut line = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_until(b'\n', &mut line)).await;
        if read.map_err(|_| "the server does not answer")?? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// So many octets.
    pub(crate) async fn exactly(&mut self, octets: usize) -> Result<Vec<u8>, Trouble> {
        let mut buffer = vec![0; octets];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut buffer)).await;
        read.map_err(|_| "the server does not answer")??;
        Ok(buffer)
    }
}

fn name() -> Result<ServerName<'static>, Trouble> {
    Ok(ServerName::try_from("localhost")?)
}

const PATIENCE: Duration = Duration::from_secs(30);
