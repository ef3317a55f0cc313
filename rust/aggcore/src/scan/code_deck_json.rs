//! The form in which the catalogue stores a code deck: a JSON array of `[code, name, country]`, of ASCII alone.

use std::ops::Range;

use super::code_deck::{CodeDeck, CodeDeckEntry};
use crate::error::{Error, Result};

impl CodeDeck {
    /// Returns a piece of the JSON text: some entries, with the brackets if they are the first or the last ones.
    /// A caller that holds a lock while it copies the text can so copy it in pieces.
    pub fn json_piece(&self, entries: Range<usize>) -> String {
        let mut json = String::new();
        for index in entries.start..entries.end.min(self.len()) {
            json.push_str(if index == 0 { "[[" } else { ", [" });
            let CodeDeckEntry { code, name, country } = self.entry(index);
            push_text(code, &mut json);
            for text in [name, country] {
                json.push_str(", ");
                push_text(text, &mut json);
            }
            json.push_str(if index + 1 == self.len() { "]]" } else { "]" });
        }
        json
    }

    /// Reads the whole JSON text.
    ///
    /// # Errors
    /// `Damaged` if it is anything else.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let damaged = |error: serde_json::Error| Error::Damaged { file: "code deck".to_owned(), problem: error.to_string() };
        let entries: Vec<(String, String, String)> = serde_json::from_slice(json).map_err(damaged)?;
        Ok(entries.iter().map(|(code, name, country)| CodeDeckEntry { code, name, country }).collect())
    }
}

/// Appends a text as Python's `json.dumps` does, which wrote the first catalogues: all but printable ASCII is
/// escaped, in UTF-16.
fn push_text(text: &str, json: &mut String) {
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            ' '..='~' => json.push(letter),
            _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| *json += &format!("\\u{unit:04x}")),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_deck_are_one_array_and_read_back() -> Result<()> {
        let texts = ["\"\\\n\r\t\u{8}\u{c}\u{7f}\0", "é 😀 /", ""];
        let entry = |code, name, country| CodeDeckEntry { code, name, country };
        let entries = [entry("4", texts[0], texts[1]), entry("5", texts[2], "DE"), entry("6", "", "")];
        let deck: CodeDeck = entries.into_iter().collect();
        let json = [deck.json_piece(0..2), deck.json_piece(2..4), deck.json_piece(4..6)].concat();
        let expected =
            concat!(r#"[["4", "\"\\\n\r\t\b\f\u007f\u0000", "\u00e9 \ud83d\ude00 /"], "#, r#"["5", "", "DE"], ["6", "", ""]]"#);
        assert_eq!(json, expected);
        let back = CodeDeck::from_json(json.as_bytes())?;
        assert_eq!((0..back.len()).map(|index| back.entry(index)).collect::<Vec<_>>(), entries);
        Ok(())
    }

    #[test]
    fn any_other_text_is_damage() {
        for json in ["", "{}", "[[1, \"\", \"\"]]", "[[\"1\", \"\"]]"] {
            assert!(matches!(CodeDeck::from_json(json.as_bytes()), Err(Error::Damaged { .. })), "{json}");
        }
    }
}
