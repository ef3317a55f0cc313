//! Code decks: of a request, compared with what prost decodes, and of the catalogue.

use aggcore::{CodeDeck, CodeDeckLimits, CodeDeckRequest, Error};
use proptest::prelude::*;
use prost::Message;

use crate::cases::{check, decode};
use crate::damage::{arbitrary, damaged};

const LIMITS: CodeDeckLimits = CodeDeckLimits { entry_count: 1_000, text_bytes: 64, bad_entry_count: 4 };

/// `CodeDeckEntry` of the contract.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, optional, tag = "1")]
    code: Option<String>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(string, optional, tag = "3")]
    country: Option<String>,
}

/// `PutCodeDeckRequest` of the contract.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(int64, optional, tag = "1")]
    id: Option<i64>,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<Entry>,
}

fn texts() -> impl Strategy<Value = [String; 3]> {
    ("[0-9]{1,33}|[0-9a\\PC]{0,3}", "\\PC{0,9}", "[A-Z]{0,2}").prop_map(|(code, name, country)| [code, name, country])
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    (any::<Option<i64>>(), prop::collection::vec(texts(), 0..9)).prop_map(|(id, entries)| {
        let entry = |texts: [String; 3]| {
            let [code, name, country] = texts.map(Some);
            Entry { code, name, country }
        };
        Request { id, entries: entries.into_iter().map(entry).collect() }.encode_to_vec()
    })
}

/// Checks a request; where both readers accept it, they read the same.
pub fn check_request(bytes: Vec<u8>) {
    let ours = match decode(bytes.len(), 0, || CodeDeckRequest::from_wire(&bytes, LIMITS)) {
        Ok(ours) => ours,
        Err(Error::MalformedRequest(_)) => return,
        Err(other) => panic!("{other}"),
    };
    let Ok(theirs) = Request::decode(bytes.as_slice()) else { return };
    assert_eq!((ours.id, ours.entry_count), (theirs.id, theirs.entries.len()));
    if ours.bad_entry_count > 0 {
        return assert!(ours.deck.is_empty() && !ours.bad_entries.is_empty());
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    for (index, entry) in theirs.entries.iter().enumerate() {
        let found = ours.deck.entry(index);
        assert_eq!([found.code, found.name, found.country], [&entry.code, &entry.name, &entry.country].map(text));
        assert_eq!(ours.deck.find(found.code), Some(index));
    }
}

/// Checks the text of a deck of the catalogue; one that is accepted survives a round trip.
pub fn check_json(json: Vec<u8>) {
    let Ok(deck) = decode(json.len(), 0, || CodeDeck::from_json(&json)) else { return };
    let again = CodeDeck::from_json(deck.json_piece(0..deck.len()).as_bytes());
    // An empty deck is not stored.
    let again = if deck.is_empty() { CodeDeck::default() } else { again.unwrap() };
    assert_eq!(again.len(), deck.len());
    for index in 0..deck.len() {
        assert_eq!(again.entry(index), deck.entry(index));
        deck.find(deck.entry(index).code);
    }
}

fn json() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(texts(), 0..9).prop_map(|entries| {
        let quoted = |text: String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let entries = entries.into_iter().map(|texts| format!("[{}]", texts.map(quoted).join(", ")));
        format!("[{}]", entries.collect::<Vec<_>>().join(", ")).into_bytes()
    })
}

#[test]
fn a_code_deck_of_a_request_is_what_prost_decodes() {
    check(200, prop_oneof![1 => arbitrary(), 4 => damaged(request())], check_request);
}

#[test]
fn a_code_deck_of_the_catalogue_survives_a_round_trip() {
    check(200, prop_oneof![1 => arbitrary(), 4 => damaged(json())], check_json);
}
