//! Names that providers give to the lines of their customers: `dyn-192-0-2-7.pool.provider.example`. Mail servers have names of their
//! own.

use std::net::IpAddr;

/// Whether the name of a client looks like that of a customer's line: it has the client's own address in it, or words for such
/// lines. The last two labels are the provider's and are not looked at.
#[must_use]
pub fn looks_dialed_in(name: &str, ip: IpAddr) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    let own = labels.get(..labels.len().saturating_sub(2)).unwrap_or_default().join(".");
    if own.is_empty() {
        return false;
    }
    let words = |among: &[&str]| own.split(|c: char| !c.is_ascii_alphabetic()).any(|word| among.contains(&word));
    match octets_in(&own, ip) {
        Shown::All => true,
        Shown::Half => words(LINES) || words(PERHAPS),
        Shown::None => words(LINES),
    }
}

/// How much of an address a name shows.
enum Shown {
    /// All of it.
    All,
    /// Its last two octets.
    Half,
    /// Nothing that is no chance.
    None,
}

fn octets_in(own: &str, ip: IpAddr) -> Shown {
    let IpAddr::V4(ip) = ip.to_canonical() else {
        // The interface part of an IPv6 address, written out.
        let IpAddr::V6(ip) = ip else { return Shown::None };
        let [.., a, b, c, d] = ip.segments();
        let digits: String = own.chars().filter(char::is_ascii_hexdigit).collect();
        let interface = format!("{a:04x}{b:04x}{c:04x}{d:04x}");
        let telling = interface.trim_start_matches('0').len() >= 8;
        return if telling && digits.contains(&interface) { Shown::All } else { Shown::None };
    };
    let octets = ip.octets();
    let [a, b, c, d] = octets;
    let numbers: Vec<&str> = own.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let values: Vec<Option<u16>> = numbers.iter().map(|number| number.parse().ok()).collect();
    let in_a_row = |wanted: &[u8]| {
        values
            .windows(wanted.len())
            .any(|window| window.iter().zip(wanted).all(|(value, octet)| *value == Some((*octet).into())))
    };
    let whole = |digits: String| numbers.iter().any(|number| **number == digits);
    let hexadecimal = format!("{a:02x}{b:02x}{c:02x}{d:02x}");
    let tokens = || own.split(|c: char| !c.is_ascii_alphanumeric());
    if in_a_row(&octets)
        || in_a_row(&[d, c, b, a])
        || whole(format!("{a:03}{b:03}{c:03}{d:03}"))
        || whole(format!("{d:03}{c:03}{b:03}{a:03}"))
        || tokens().any(|token| token.trim_start_matches("ip").trim_start_matches('x') == hexadecimal)
    {
        return Shown::All;
    }
    if in_a_row(&[c, d]) || in_a_row(&[d, c]) { Shown::Half } else { Shown::None }
}

/// Words for lines that no mail server has.
const LINES: &[&str] = &[
    "adsl",
    "broadband",
    "cable",
    "dhcp",
    "dial",
    "dialin",
    "dialup",
    "dsl",
    "dyn",
    "dynamic",
    "dynamicip",
    "fiber",
    "fibre",
    "ftth",
    "mobile",
    "pool",
    "ppp",
    "pppoe",
    "sdsl",
    "ukdsl",
    "vdsl",
    "wifi",
    "wireless",
    "xdsl",
];

/// Words that say so beside a part of the address.
const PERHAPS: &[&str] = &[
    "abo",
    "client",
    "clients",
    "cpe",
    "cust",
    "customer",
    "customers",
    "home",
    "host",
    "ip",
    "res",
    "residential",
    "static",
    "user",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_customers_are_told_from_servers() {
        for (name, ip, expected) in [
            ("dyn-192-0-2-7.provider.example", "192.0.2.7", true),
            ("7.2.0.192.rev.provider.example", "192.0.2.7", true),
            ("ip192002007.provider.example", "192.0.2.7", false),
            ("192000002007.provider.example", "192.0.2.7", true),
            ("c0000207.provider.example", "192.0.2.7", true),
            ("ipc0000207.provider.example", "192.0.2.7", true),
            ("lfbn-1-223-7.abo.provider.example", "192.0.223.7", true),
            ("host-2-7.provider.example", "192.0.2.7", true),
            ("p5b0c1a2b.dip0.t.provider.example", "192.0.2.7", false),
            ("customer.adsl.provider.example", "192.0.2.7", true),
            ("20010db8000000000211223344556677.provider.example", "2001:db8::211:2233:4455:6677", true),
            // Servers.
            ("mail-wm1-f41.big.example", "192.0.2.41", false),
            ("a8-23.smtp-out.big.example", "192.0.8.23", false),
            ("mail-eopbgr80073.outbound.protection.big.example", "192.0.80.73", false),
            ("mx.example", "192.0.2.7", false),
            ("dsl.example", "192.0.2.7", false),
            ("mail.pool.example", "192.0.2.7", false),
            ("mx2.example.org", "2001:db8::2", false),
            ("", "192.0.2.7", false),
        ] {
            assert_eq!(looks_dialed_in(name, ip.parse().unwrap()), expected, "{name} at {ip}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_makes_trouble(name in "\\PC{0,300}", ip in proptest::prelude::any::<u32>()) {
            let ip = std::net::Ipv4Addr::from_bits(ip).into();
            std::hint::black_box(looks_dialed_in(&name, ip));
        }
    }
}
