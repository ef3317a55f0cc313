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

    #[test]
    fn unusual_spellings_of_blocks() {
        let cases = [
            // Leading zeros and a plus sign of the prefix length are ignored, and so are host bits.
            ("198.51.100.7/024", "198.51.100.0", true),
            ("198.51.100.7/0000000000024", "198.51.101.0", false),
            ("198.51.100.0/+24", "198.51.100.255", true),
            ("198.51.100.9/24", "198.51.100.255", true),
            ("2001:DB8::9/32", "2001:db8::1", true),
            // A mapped address is an IPv4 one. A block that ends before its prefix stays one of IPv6 addresses.
            ("::ffff:198.51.100.9", "198.51.100.9", true),
            ("::ffff:198.51.100.9", "::ffff:c633:6409", true),
            ("::ffff:198.51.100.9/128", "198.51.100.8", false),
            ("::ffff:198.51.100.9/97", "127.255.255.255", false),
            ("::ffff:198.51.100.9/96", "203.0.113.9", true),
            ("::ffff:198.51.100.9/96", "::fffe:1:2", false),
            ("::ffff:198.51.100.9/95", "::fffe:1:2", true),
            ("::ffff:198.51.100.9/95", "::ffff:198.51.100.9", false),
            ("::/96", "::198.51.100.9", true),
            ("::/96", "198.51.100.9", false),
            // Addresses that cannot be read.
            ("198.51.100.0/24", " 198.51.100.9", false),
            ("198.51.100.0/24", "198.51.100.09", false),
            ("198.51.100.0/24", "198.51.100.9/32", false),
            ("198.51.100.0/24", "", false),
            ("::/0", "[2001:db8::1]", false),
            ("::/0", "fe80::1%eth0", false),
        ];
        for (network, address, inside) in cases {
            assert_eq!(Network::parse(network).map(|n| n.contains(address)), Some(inside), "{address} in {network}");
        }
        let unreadable = [
            " 198.51.100.0/24",
            "198.51.100.0/24 ",
            "198.51.100.0 /24",
            "198.51.100.0/ 24",
            "198.51.100.0/",
            "198.51.100.0/-1",
            "198.51.100.0/24/24",
            "198.51.100.0/256",
            "198.51.100.0/4294967296",
            "198.051.100.0/24",
            "198.51.100.0/255.255.255.0",
            "0xc6336400/24",
            "[2001:db8::]/32",
            "fe80::1%eth0/64",
            "::ffff:198.51.100.9/129",
            "::ffff:198.51.100.9/x",
            "/",
            "/+8",
        ];
        for text in unreadable {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
        assert_eq!(Network::parse("::ffff:198.51.100.9/120"), Network::parse("198.51.100.0/24"));
    }
}
