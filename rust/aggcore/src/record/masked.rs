//! What descriptions of rejected records show of numbers and addresses of parties.

const KEPT_DIGITS: usize = 3;

/// Characters up to which a text shows none of its digits: three of them would be nearly all of it.
const HIDDEN_LENGTH: usize = 4;

/// Returns a number or name of a party, of which the first three digits and ASCII separators stay.
///
/// All other characters become `*`, and so does a text of 4 characters or fewer altogether. Python has the same rule
/// (`python/pegcount/masked.py`).
pub fn masked(text: &str) -> String {
    let length = text.chars().count();
    if length <= HIDDEN_LENGTH {
        return "*".repeat(length);
    }
    let mut digits = 0;
    let shown = |letter: char| {
        digits += usize::from(letter.is_ascii_digit());
        let is_kept = if letter.is_ascii_digit() { digits <= KEPT_DIGITS } else { !letter.is_ascii_alphabetic() };
        if letter.is_ascii() && is_kept { letter } else { '*' }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_separators_stay() {
        for (text, shown) in [
            ("", ""),
            ("112", "***"),
            ("+112", "****"),
            ("+15550100", "+155*****"),
            ("+1 555 0100", "+1 55* ****"),
            ("sip:anna@192.0.2.7:5060", "***:****@192.*.*.*:****"),
            ("4.42079E+11", "4.42****+**"),
            ("Anna Müller", "**** ******"),
            ("١١١١١", "*****"),
            ("+1555–0100", "+155******"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }
}
