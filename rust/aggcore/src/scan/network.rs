//! CIDR blocks of IP addresses.
//!
//! An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2) counts as the IPv4 address that
//! it holds, in blocks and in the addresses that are compared with them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Bits of an IPv6 address before the IPv4 address that is mapped into it.
const MAPPED_PREFIX_BITS: u8 = 96;

/// A block of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`, IPv4 or IPv6. Without `/BITS`, the block is one address. Bits of
    /// the address after the prefix are ignored.
    ///
    /// Returns `None` if the text is not a block.
    ///
    /// ```
    /// use aggcore::Network;
    /// assert_eq!(Network::parse("10.1.2.3/8"), Network::parse("10.0.0.0/8"));
    /// assert_eq!(Network::parse("::ffff:10.1.2.3"), Network::parse("10.1.2.3/32"));
    /// assert_eq!(Network::parse("010.1.2.3"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix_bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        // `IpNet` has a parser too, but one that reads leading zeros of an octet, which `IpAddr` rejects as
        // ambiguous.
        let address: IpAddr = address.parse().ok()?;
        let block = match prefix_bits {
            Some(bits) => IpNet::new(address, bits).ok()?,
            None => IpNet::from(address),
        };
        Some(Self(unmapped(block).trunc()))
    }

    /// Whether a text is an address of the block; false if it is not an address.
    pub(super) fn contains(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address: IpAddr| self.0.contains(&address.to_canonical()))
    }
}

/// The IPv4 block of a block of IPv4-mapped addresses; any other block as it is.
fn unmapped(block: IpNet) -> IpNet {
    let mapped = || {
        let IpNet::V6(block) = block else { return None };
        let bits = block.prefix_len().checked_sub(MAPPED_PREFIX_BITS)?;
        Ipv4Net::new(block.addr().to_ipv4_mapped()?, bits).ok()
    };
    mapped().map_or(block, IpNet::V4)
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
            // A mapped address is an IPv4 one. A block that ends before its prefix stays one of IPv6
            // addresses.
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
