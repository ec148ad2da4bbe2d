//! Networks, as the addresses that share a prefix.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    /// Parses `ADDRESS/BITS`; an address alone is the network of itself. Bits behind the prefix are refused, because
    /// whoever writes `10.0.0.5/8` may mean one machine and would list sixteen million.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a network, such as 10.0.0.0/8 or fd00::/8");
        let (address, bits) = text.split_once('/').map_or((text, None), |(first, bits)| (first, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= width).ok_or_else(wrong)?
            }
            Some(_) => return Err(wrong()),
            None => width,
        };
        let network = Self { first, bits };
        if network.masked(wide(first)) == wide(first) { Ok(network) } else { Err(wrong()) }
    }

    /// Whether an address is in it. An IPv4 address is the same in its IPv6 form.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        self.masked(wide(address)) == wide(self.first) && self.first.is_ipv4() == is_v4(address)
    }

    fn masked(self, address: u128) -> u128 {
        let bits = if self.first.is_ipv4() { self.bits + 96 } else { self.bits };
        address & u128::MAX.checked_shl(128 - bits).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn is_v4(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => Ipv6Addr::to_ipv4_mapped(&address).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_with_its_bits() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.6", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "::ffff:10.0.0.1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), holds, "{network} {address}");
        }
    }

    #[test]
    fn other_texts_are_no_networks() {
        for text in
            ["", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.1/8", "fd00::1/8", "lan/8", "::/129"]
        {
            assert!(Network::parse(text).is_err(), "{text:?}");
        }
    }
}
