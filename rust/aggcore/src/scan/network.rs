//! A block of IP addresses.

use std::net::IpAddr;

/// A block of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    mask: u128,
    v4: bool,
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`, IPv4 or IPv6; an IPv4-mapped IPv6 address counts as the IPv4 one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let written: IpAddr = address.parse().ok()?;
        let width = if written.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Some(width), |bits| bits.parse().ok()).filter(|&bits| bits <= width)?;
        let (first, bits, width) = match (written, written.to_canonical()) {
            (_, IpAddr::V4(address)) if bits + 32 >= width => (u128::from(u32::from(address)), bits + 32 - width, 32),
            (IpAddr::V6(address), _) => (u128::from(address), bits, 128),
            (IpAddr::V4(_), _) => return None,
        };
        let v4 = width == 32;
        let mask = if bits == 0 { 0 } else { (!0u128 >> (128 - width)) & (!0u128 << (width - bits)) };
        Some(Self { first: first & mask, mask, v4 })
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address: IpAddr| {
            let (address, v4) = number(address);
            v4 == self.v4 && address & self.mask == self.first
        })
    }
}

fn number(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(u32::from(address)), true),
        IpAddr::V6(address) => (u128::from(address), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fall_within_their_blocks() {
        let cases = [
            ("198.51.100.0/24", "198.51.100.255", true),
            ("198.51.100.0/24", "198.51.101.0", false),
            ("198.51.100.7", "198.51.100.7", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.9", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::ffff:198.51.100.0/120", "198.51.100.9", true),
            ("198.51.100.0/24", "::ffff:198.51.100.9", true),
            ("::ffff:0:0/90", "::ffc0:1:2", true),
            ("::ffff:0:0/90", "198.51.100.9", false),
            ("198.51.100.0/24", "not an address", false),
        ];
        for (network, address, inside) in cases {
            assert_eq!(Network::parse(network).map(|n| n.contains(address)), Some(inside), "{address} in {network}");
        }
        for text in ["", "198.51.100.0/33", "198.51.100.0/x", "198.51.100", "2001:db8::/129", "/8"] {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
    }
}
