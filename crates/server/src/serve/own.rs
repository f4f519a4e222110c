//! Which addresses are this server's own, so that mail for foreign domains is never sent to itself (RFC 5321 §5.1).

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

use crate::config::Endpoint;

/// Where the MX listeners are reached: what they are bound to, or with `[::]` or `0.0.0.0` all addresses of the machine.
pub(super) fn own_addresses(listeners: &[Endpoint], interfaces: &[IpAddr]) -> Vec<IpAddr> {
    let mut own = Vec::new();
    for listener in listeners {
        match listener.0.ip().to_canonical() {
            ip if !ip.is_unspecified() => own.push(ip),
            // An IPv6 socket takes IPv4 as well.
            IpAddr::V6(_) => own.extend(interfaces),
            IpAddr::V4(_) => own.extend(interfaces.iter().filter(|ip| ip.is_ipv4())),
        }
    }
    own.sort_unstable();
    own.dedup();
    own
}

/// The addresses of this machine's interfaces. None when the system does not tell; the configuration can.
pub(super) fn interface_addresses() -> Vec<IpAddr> {
    let interfaces = match getifaddrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::warn!(%error, "the addresses of this machine can't be read");
            return Vec::new();
        }
    };
    let ip = |address: nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()).to_canonical()))
    };
    interfaces.filter_map(|interface| interface.address.and_then(ip)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_is_where_mail_is_taken() {
        let interfaces: Vec<IpAddr> = ["127.0.0.1", "192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap()).to_vec();
        let own = |listeners: &[&str]| {
            let listeners: Vec<Endpoint> = listeners.iter().map(|at| Endpoint(at.parse().unwrap())).collect();
            own_addresses(&listeners, &interfaces).iter().map(IpAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(own(&["[::]:25"]), ["127.0.0.1", "192.0.2.1", "2001:db8::1"]);
        assert_eq!(own(&["0.0.0.0:25", "192.0.2.1:26"]), ["127.0.0.1", "192.0.2.1"]);
        assert_eq!(own(&["192.0.2.9:25"]), ["192.0.2.9"]);
        assert_eq!(own(&[]), [""; 0]);
    }

    #[test]
    fn the_machine_has_loopback() {
        assert!(interface_addresses().iter().any(IpAddr::is_loopback), "{:?}", interface_addresses());
    }
}
