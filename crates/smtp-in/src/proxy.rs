//! The PROXY protocol, versions 1 and 2 (haproxy.org, "The PROXY protocol", 2020): a proxy in front tells where the client is.
//!
//! Read only from addresses that the settings name, and demanded of them: from anybody else the octets are a command that there
//! is not. Nothing behind the header is consumed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::{PROXY_LINE_OCTETS_MAX, PROXY_PAYLOAD_OCTETS_MAX};

/// The ends of a proxied connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxied {
    /// The client's end.
    pub(crate) remote: SocketAddr,
    /// What the client connected to.
    pub(crate) local: SocketAddr,
}

/// What `PROXY` begins with in version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Reads the header; `None` when the proxy speaks for itself (`LOCAL`, `UNKNOWN`: its health checks).
///
/// # Errors
/// When the connection breaks or what comes is no such header: who trusts the addresses behind it must not go on.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Proxied>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await?;
        let [version_and_command, family, high, low] = fixed;
        let octets = usize::from(u16::from_be_bytes([high, low]));
        if octets > PROXY_PAYLOAD_OCTETS_MAX {
            return Err(no_header());
        }
        let mut payload = vec![0; octets];
        stream.read_exact(&mut payload).await?;
        return binary(version_and_command, family, &payload).ok_or_else(no_header);
    }
    let mut line = start.to_vec();
    while line.last() != Some(&b'\n') {
        if line.len() == PROXY_LINE_OCTETS_MAX {
            return Err(no_header());
        }
        line.push(stream.read_u8().await?);
    }
    text(&line).ok_or_else(no_header)
}

fn no_header() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what came is no PROXY header")
}

/// Version 1: `PROXY TCP4 192.0.2.7 192.0.2.1 4711 25`, with CRLF. The outer `None`: it is not.
#[expect(clippy::option_option, reason = "an answer may be that there is no address")]
fn text(line: &[u8]) -> Option<Option<Proxied>> {
    let line = str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let rest = line.strip_prefix("PROXY ")?;
    if rest == "UNKNOWN" || rest.starts_with("UNKNOWN ") {
        return Some(None);
    }
    let mut words = rest.split(' ');
    let (family, from, to) = (words.next()?, words.next()?, words.next()?);
    let (from_port, to_port) = (port(words.next()?)?, port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    let ip = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    Some(Some(Proxied { remote: (ip(from)?, from_port).into(), local: (ip(to)?, to_port).into() }))
}

fn port(text: &str) -> Option<u16> {
    let digits =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if digits { text.parse().ok() } else { None }
}

/// An address of 4 or 16 octets.
fn ip(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// Version 2, behind its signature. What follows the addresses (TLVs) is not looked at.
#[expect(clippy::option_option, reason = "an answer may be that there is no address")]
fn binary(version_and_command: u8, family: u8, payload: &[u8]) -> Option<Option<Proxied>> {
    match version_and_command {
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    let size = match family {
        0x11 => 4,
        0x21 => 16,
        // AF_UNSPEC, and what is no TCP over IP: the receiver is to ignore the addresses.
        0x00 | 0x31 => return Some(None),
        _ => return None,
    };
    let (from, rest) = payload.split_at_checked(size)?;
    let (to, rest) = rest.split_at_checked(size)?;
    let (&[a, b, c, d], _) = rest.split_first_chunk::<4>()?;
    let (from_port, to_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some(Some(Proxied { remote: (ip(from)?, from_port).into(), local: (ip(to)?, to_port).into() }))
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;

    /// A slice is always ready.
    fn read_all(octets: &[u8]) -> (Result<Option<Proxied>, io::ErrorKind>, usize) {
        let mut rest = octets;
        let outcome = {
            let mut future = std::pin::pin!(read(&mut rest));
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => panic!("a slice is read at once"),
            }
        };
        (outcome.map_err(|error| error.kind()), rest.len())
    }

    fn proxied(remote: &str, local: &str) -> Option<Proxied> {
        Some(Proxied { remote: remote.parse().unwrap(), local: local.parse().unwrap() })
    }

    #[test]
    fn a_line_tells_both_ends_and_nothing_behind_it_is_consumed() {
        let (read, left) = read_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\nEHLO x\r\n");
        assert_eq!((read, left), (Ok(proxied("192.0.2.7:4711", "192.0.2.1:25")), 8));
        let (read, _) = read_all(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n");
        assert_eq!(read, Ok(proxied("[2001:db8::7]:4711", "[2001:db8::1]:25")));
        assert_eq!(read_all(b"PROXY UNKNOWN\r\nEHLO"), (Ok(None), 4));
        assert_eq!(read_all(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), (Ok(None), 0));
    }

    #[test]
    fn the_binary_form_tells_them_too() {
        let mut octets = SIGNATURE.to_vec();
        // With a TLV behind the addresses.
        octets.extend([0x21, 0x11, 0, 16, 192, 0, 2, 7, 192, 0, 2, 1, 0x12, 0x67, 0, 25, 4, 0, 1, 9]);
        octets.extend(b"EHLO");
        assert_eq!(read_all(&octets), (Ok(proxied("192.0.2.7:4711", "192.0.2.1:25")), 4));
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 0]].concat();
        assert_eq!(read_all(&local), (Ok(None), 0));
        let mut v6 = [&SIGNATURE[..], &[0x21, 0x21, 0, 36]].concat();
        v6.extend("2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend([0x12, 0x67, 0, 25]);
        assert_eq!(read_all(&v6).0, Ok(proxied("[2001:db8::7]:4711", "[2001:db8::1]:25")));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = format!("PROXY TCP4 {}\r\n", "1".repeat(200));
        let payload = [&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat();
        let short = [&SIGNATURE[..], &[0x21, 0x11, 0, 4, 1, 2, 3, 4]].concat();
        let version = [&SIGNATURE[..], &[0x11, 0x11, 0, 0]].concat();
        for wrong in [
            &b"EHLO client.example\r\n"[..],
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25 9\r\n",
            b"PROXY TCP4 2001:db8::7 192.0.2.1 4711 25\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 65536 25\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 +1 25\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\n",
            b"PROXY UDP4 192.0.2.7 192.0.2.1 4711 25\r\n",
            long.as_bytes(),
            &payload,
            &short,
            &version,
        ] {
            assert_eq!(read_all(wrong).0, Err(io::ErrorKind::InvalidData), "{wrong:?}");
        }
        assert_eq!(read_all(b"PROXY").0, Err(io::ErrorKind::UnexpectedEof));
    }

    proptest! {
        #[test]
        fn damage_does_not_panic(octets in prop::collection::vec(any::<u8>(), 0..64), signed: bool) {
            let octets = if signed { [&SIGNATURE[..], &octets].concat() } else { octets };
            read_all(&octets).0.ok();
        }
    }
}
