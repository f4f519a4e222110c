//! The networks around an address.

use std::net::IpAddr;

use mail::Prefix;

/// A place and the networks of one customer's and one provider's size around it, from the narrow to the wide.
pub(crate) fn around(address: IpAddr) -> [Prefix; 3] {
    let wider = if address.to_canonical().is_ipv4() { [26, 21] } else { [48, 32] };
    let [neighbourhood, region] = wider.map(|bits| Prefix::of(address, bits));
    [Prefix::place(address), neighbourhood, region]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_two_networks_around_it() {
        let around = |ip: &str| around(ip.parse().unwrap()).map(|one| one.to_string());
        assert_eq!(around("198.51.100.77"), ["198.51.100.77", "198.51.100.64/26", "198.51.96.0/21"]);
        assert_eq!(around("::ffff:198.51.100.77")[0], "198.51.100.77");
        assert_eq!(around("2001:db8:1:2:3::4"), ["2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"]);
    }
}
