//! Networks that nobody bans by a slip: so wide that a good part of the world is in them, or those that one's own people and programs come
//! from.

use mail::Prefix;

use crate::limits::{BANNED_IPV4_BITS_MIN, BANNED_IPV6_BITS_MIN};

/// Why a ban needs a second thought, as the end of a sentence; `None`: it needs none.
pub(crate) fn reach(prefix: &Prefix) -> Option<String> {
    let least = if prefix.first().is_ipv4() { BANNED_IPV4_BITS_MIN } else { BANNED_IPV6_BITS_MIN };
    if prefix.bits() < least {
        return Some(format!("is wider than a /{least}: many that have done nothing would be kept out"));
    }
    let overlaps = |own: &Prefix| own.has(prefix.first()) || prefix.has(own.first());
    if known(&LOOPBACK).any(|own| overlaps(&own)) {
        return Some("is this machine itself: its own programs would be kept out".to_owned());
    }
    let network = prefix.is_network() && known(&PRIVATE).any(|own| overlaps(&own));
    network.then(|| "is a private network: people and programs of your own may come from there".to_owned())
}

fn known(networks: &[&'static str]) -> impl Iterator<Item = Prefix> {
    networks.iter().filter_map(|text| text.parse().ok())
}

/// RFC 1122 §3.2.1.3, RFC 4291 §2.5.3.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

/// RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6.
const PRIVATE: [&str; 7] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wide_or_ones_own_needs_a_second_thought() {
        let told = |text: &str| reach(&text.parse().unwrap()).unwrap_or_default();
        for wide in ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2.0.0.0/7", "2000::/3", "2a00::/15"] {
            assert!(told(wide).starts_with("is wider than a /"), "{wide}: {}", told(wide));
        }
        for own in ["127.0.0.1", "127.0.0.0/8", "127.3.0.0/16", "::1", "::/64"] {
            assert!(told(own).starts_with("is this machine itself"), "{own}: {}", told(own));
        }
        for private in ["10.0.0.0/8", "10.1.2.0/24", "192.168.0.0/16", "172.20.0.0/16", "fd00:1::/32", "fe80::/48"] {
            assert!(told(private).starts_with("is a private network"), "{private}: {}", told(private));
        }
        for plain in ["198.51.100.7", "203.0.113.0/24", "9.0.0.0/8", "2001:db8::/32", "2a00::/16", "192.168.1.77"] {
            assert_eq!(told(plain), "", "{plain}");
        }
        // Each of them can be read.
        assert_eq!(known(&LOOPBACK).chain(known(&PRIVATE)).count(), 9);
    }
}
