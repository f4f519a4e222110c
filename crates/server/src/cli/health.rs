//! `relais health`: asks the health port, for container engines and monitors without an HTTP client.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::Failure;
use crate::config::Config;

/// What the server says, when it takes mail.
pub(super) fn ask(config: &Config) -> Result<String, Failure> {
    let Some(endpoint) = config.listeners.http.first() else {
        return Err(Failure::new("the HTTP listener is switched off").hint("set `http` under [listeners]"));
    };
    let at = reachable(endpoint.0);
    let answer = talk(at).map_err(|error| {
        Failure::new(format!("http://{at}/health/ready does not answer: {error}")).hint("is the server running?")
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(Failure::new(body.trim_end().to_owned())) }
}

/// What was said, for programs.
pub(super) fn told(said: &Result<String, Failure>) -> serde_json::Value {
    match said {
        Ok(_) => serde_json::json!({ "ready": true }),
        Err(failure) => serde_json::json!({ "ready": false, "reason": failure.to_string().replace("\n  ", "; ") }),
    }
}

/// Every address of this machine is reached by its loopback address.
fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => at.ip(),
    };
    (ip, at.port()).into()
}

fn talk(at: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_OCTETS_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

const PATIENCE: Duration = Duration::from_secs(3);
const ANSWER_OCTETS_MAX: u64 = 64 * 1024;
