//! The numbers of parties: which texts mean the same one, and how a text is masked.
//!
//! A number stands for itself in whatever form it was written: with `+` or `00`, spaces and other separators, as the user
//! of a `sip:` or `tel:` URI. A national form lacks the country, and is another number.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::decimal_digits::folded_digit;

/// What takes the place of a digit or a letter that is masked.
const MASK: char = '*';

/// Bits of an IPv6 address that masking keeps: the network of a site.
const IPV6_BITS_KEPT: u32 = 48;

/// Returns the form that all texts of one number or name have in common; "" if a text has neither a digit nor a letter.
///
/// - Of `"A" <sip:+49 30 23125-001@192.0.2.7;user=phone>`, the address in angle brackets counts, without its scheme and
///   parameters.
/// - If its user is a number, it is the digits of that, with `*` and `#`, without one leading `+` or `00`: `493023125001`.
/// - If not, it is the user and the host in lower case.
pub fn canonical_party(text: &str) -> Cow<'_, str> {
    if let Some(number) = plain_number(text) {
        return Cow::Borrowed(number);
    }
    if !has_content(text) {
        return Cow::Borrowed("");
    }
    let address = Some(address_of(text)).filter(|address| has_content(address)).unwrap_or(text.trim());
    let user = address.split_once('@').map_or(address, |(user, _)| user);
    Cow::Owned(number_of(user).unwrap_or_else(|| address.to_lowercase()))
}

/// Masks a number or a name: the first `keep_digits` digits stay, further digits and all letters become `*`. `None` if that
/// changes nothing.
pub fn masked_party(text: &str, keep_digits: usize) -> Option<String> {
    let mut digits = 0;
    let masked: String = text
        .chars()
        .map(|each| {
            digits += usize::from(each.is_numeric());
            if each.is_alphabetic() || each.is_numeric() && digits > keep_digits { MASK } else { each }
        })
        .collect();
    (masked != text).then_some(masked)
}

/// Masks an address: of IPv4 the last byte, of IPv6 the last 80 bits become 0. Another text is masked as one without a digit
/// to keep. `None` if that changes nothing.
pub fn masked_address(text: &str) -> Option<String> {
    let masked = match text.parse() {
        Ok(IpAddr::V4(address)) => IpAddr::V4((u32::from(address) & !0xff).into()).to_string(),
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(_) => Ipv6Addr::from(u128::from(address) & !0xff).to_string(),
            None => Ipv6Addr::from(u128::from(address) & !(u128::MAX >> IPV6_BITS_KEPT)).to_string(),
        },
        Err(_) => return masked_party(text, 0),
    };
    (masked != text).then_some(masked)
}

/// Whether a text has a digit or a letter.
fn has_content(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The digits of a text of nothing else but perhaps a leading `+` or `00`, as most are.
fn plain_number(text: &str) -> Option<&str> {
    let digits = without_prefix(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

fn without_prefix(text: &str) -> &str {
    text.strip_prefix('+').or_else(|| text.strip_prefix("00")).unwrap_or(text)
}

/// User and host of the URI that a text is or has in angle brackets; the trimmed text if it is none.
fn address_of(text: &str) -> &str {
    let is_blank = |each: char| each.is_whitespace() || each.is_control();
    let bracketed = text.rsplit_once('<').map_or(text, |(_, rest)| rest.split_once('>').map_or(rest, |(inside, _)| inside));
    let uri = bracketed.trim_matches(is_blank);
    let after_scheme = ["sip:", "sips:", "tel:"].into_iter().find_map(|scheme| {
        let (start, rest) = uri.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let address = after_scheme.unwrap_or(uri);
    let end = address.find([';', '?']).unwrap_or(address.len());
    address[..end].trim_matches(is_blank)
}

/// The digits of a number without its prefix, with `*` and `#`; `None` if the text has something else.
fn number_of(user: &str) -> Option<String> {
    let unescaped = if user.contains('%') {
        Cow::Owned(user.replace("%2B", "+").replace("%2b", "+").replace("%23", "#"))
    } else {
        Cow::Borrowed(user)
    };
    let folded: String = unescaped.chars().filter(|each| !is_separator(*each)).map(folded).collect();
    let number = without_prefix(&folded);
    let is_number = number.contains(|each: char| each.is_ascii_digit())
        && number.chars().all(|each| each.is_ascii_digit() || each == '*' || each == '#');
    is_number.then(|| number.to_owned())
}

/// Whether people or programs put a character between digits.
fn is_separator(each: char) -> bool {
    each.is_whitespace()
        || each.is_control()
        || matches!(each, '-' | '.' | '/' | '(' | ')' | '[' | ']' | '_' | ',' | '\'' | '~' | '\u{b7}' | '\u{ad}')
        // Dashes.
        || matches!(each, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' | '\u{30fb}')
        // Full-width forms.
        || matches!(each, '\u{ff08}' | '\u{ff09}' | '\u{ff0e}' | '\u{ff0f}')
        // Characters without a width, and marks of the direction of writing.
        || matches!(each, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A decimal digit of any script, or a full-width `+`, `*` or `#`, as the one of ASCII.
fn folded(each: char) -> char {
    match each {
        '\u{ff0b}' => '+',
        '\u{ff0a}' => '*',
        '\u{ff03}' => '#',
        _ => folded_digit(each),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_one_in_all_its_forms() {
        for text in [
            "493023125001",
            "+493023125001",
            "00493023125001",
            "+49 (30) 23125-001",
            "+49.30.23125.001",
            "+49/30/23125_001",
            " \t+49\u{a0}30\u{2009}23125\u{2011}001\0\0",
            "\u{202a}+49 30 23125001\u{202c}",
            "\u{ff0b}\u{ff14}\u{ff19}\u{ff13}\u{ff10}23125001",
            "\u{664}\u{669}\u{663}\u{660}23125001",
            "\u{6f4}\u{6f9}3023125001",
            "+\u{96a}\u{96f} \u{969}\u{966} \u{1d7da}3125001",
            "tel:+49-30-23125-001",
            "TEL:+493023125001;phone-context=example.com",
            "sip:+493023125001@192.0.2.7",
            "SIPS:00493023125001@pbx.example:5061;transport=tls?subject=x",
            "sip:%2B493023125001@pbx.example",
            "sip:493023125001",
            "<sip:+493023125001@192.0.2.7>",
            "\"Ada <x>\" <sip:+49 30 23125001@192.0.2.7;user=phone>;tag=1",
            "Ada <tel:+493023125001",
            "+493023125001@192.0.2.7",
        ] {
            assert_eq!(canonical_party(text), "493023125001", "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_others() {
        for (text, canonical) in [
            ("030 23125 001", "03023125001"),
            ("*21#", "*21#"),
            ("\u{ff0a}21\u{ff03}", "*21#"),
            ("sip:Alice@Example.COM;transport=udp", "alice@example.com"),
            ("Alice@example.com", "alice@example.com"),
            (" Anonymous ", "anonymous"),
            ("\"A\" <sip:anonymous@anonymous.invalid>", "anonymous@anonymous.invalid"),
            ("Å-1", "å-1"),
            ("++49", "++49"),
            ("49x30", "49x30"),
            ("00", "00"),
            ("+00", "00"),
            ("0", "0"),
            ("sip:", "sip:"),
            ("0<->", "0<->"),
            ("", ""),
            ("-", ""),
            ("<>", ""),
            ("****", ""),
            (" \u{200b}\0", ""),
        ] {
            assert_eq!(canonical_party(text), canonical, "{text:?}");
        }
    }

    #[test]
    fn digits_and_letters_beyond_the_kept_ones_are_masked() {
        for (text, keep_digits, masked) in [
            ("+49 (30) 23125-001", 4, Some("+49 (30) *****-***")),
            ("+493023125001", 0, Some("+************")),
            ("110", 3, None),
            ("110", 2, Some("11*")),
            ("sip:Ada1@host2", 1, Some("***:***1@*****")),
            ("Zoë", 9, Some("***")),
            ("\u{664}\u{669}\u{663}", 2, Some("\u{664}\u{669}*")),
            ("+49*", 2, None),
            ("", 0, None),
        ] {
            assert_eq!(masked_party(text, keep_digits).as_deref(), masked, "{text:?}");
        }
    }

    #[test]
    fn an_address_keeps_its_network() {
        for (text, masked) in [
            ("192.0.2.77", Some("192.0.2.0")),
            ("192.0.2.0", None),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1::")),
            ("2001:db8:1::", None),
            ("::ffff:192.0.2.7", Some("::ffff:192.0.2.0")),
            ("192.0.2.77:5060", Some("***.*.*.**:****")),
            ("", None),
        ] {
            assert_eq!(masked_address(text).as_deref(), masked, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic_and_masking_once_is_enough(text in "\\PC{0,20}|[+0-9 ()<>@;:a-zA-Z*#.-]{0,30}", keep_digits in 0..8usize) {
            let canonical = canonical_party(&text).into_owned();
            prop_assert_eq!(canonical.is_empty(), canonical.chars().all(|each| !each.is_alphanumeric()));
            if let Some(masked) = masked_party(&text, keep_digits) {
                prop_assert_eq!(masked_party(&masked, keep_digits), None);
                let digits = masked.chars().filter(|each| each.is_numeric()).count();
                prop_assert!(digits <= keep_digits && !masked.chars().any(char::is_alphabetic));
            }
            if let Some(masked) = masked_address(&text) {
                prop_assert_eq!(masked_address(&masked), None);
            }
        }

        #[test]
        fn separators_change_nothing(digits in "[1-9][0-9]{3,14}", separators in "[ ().\u{2010}/\u{a0}-]{1,5}", at in 0..4usize) {
            let (start, end) = digits.split_at(at);
            for prefix in ["", "+", "00", "sip:+", "tel:00"] {
                let text = format!("{prefix}{start}{separators}{end}");
                prop_assert_eq!(&*canonical_party(&text), &digits, "{}", text);
            }
        }
    }
}
