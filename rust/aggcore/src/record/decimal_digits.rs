//! The decimal digits of all scripts.

/// The zeros of all scripts but ASCII, ascending: the nine characters after each are the other digits (Unicode 17, the
/// characters of the category Nd).
const ZEROS: [char; 74] = [
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{ff10}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{10d40}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{112f0}',
    '\u{11450}',
    '\u{114d0}',
    '\u{11650}',
    '\u{116c0}',
    '\u{116d0}',
    '\u{116da}',
    '\u{11730}',
    '\u{118e0}',
    '\u{11950}',
    '\u{11bf0}',
    '\u{11c50}',
    '\u{11d50}',
    '\u{11da0}',
    '\u{11de0}',
    '\u{11f50}',
    '\u{16a60}',
    '\u{16ac0}',
    '\u{16b50}',
    '\u{1ccf0}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1e140}',
    '\u{1e2f0}',
    '\u{1e4f0}',
    '\u{1e5f1}',
    '\u{1e950}',
    '\u{1fbf0}',
];

/// Returns the ASCII digit that has the value of a decimal digit; another character as it is.
pub fn folded_digit(each: char) -> char {
    if each.is_ascii() {
        return each;
    }
    let zero = ZEROS[..ZEROS.partition_point(|&zero| zero <= each)].last();
    zero.and_then(|&zero| char::from_digit(u32::from(each) - u32::from(zero), 10)).unwrap_or(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_digit_has_its_value() {
        for zero in ZEROS {
            let digits = (0..10).filter_map(|value| char::from_u32(u32::from(zero) + value));
            assert!(digits.clone().all(char::is_numeric), "{zero:?}");
            assert_eq!(digits.map(folded_digit).collect::<String>(), "0123456789");
        }
    }

    #[test]
    fn zeros_ascend_and_no_two_scripts_share_a_digit() {
        assert!(ZEROS.windows(2).all(|pair| u32::from(pair[0]) + 10 <= u32::from(pair[1])));
    }

    #[test]
    fn other_characters_stay() {
        for each in ['0', 'a', '\u{b2}', '\u{65f}', '\u{66a}', '\u{2460}', '\u{2168}', '\u{1d800}', '\u{10ffff}'] {
            assert_eq!(folded_digit(each), each);
        }
    }
}
