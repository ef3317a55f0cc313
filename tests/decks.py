"""Code decks, as the core makes them of requests."""

import json

from pegcount import core
from pegcount.config import Config
from pegcount.v1 import admin_pb2

Entry = tuple[str, str, str]
"""Code, name and country."""


def decode(request: admin_pb2.PutCodeDeckRequest, config: Config | None = None) -> core.CodeDeckRequest:
    config = config or Config()
    return core.decode_code_deck(
        request.SerializeToString(),
        entry_count_max=config.code_deck_entry_count_max,
        text_bytes_max=config.filter_text_bytes_max,
        bad_entry_count_max=config.violation_count_max,
    )


def deck_of(*entries: Entry) -> core.CodeDeck:
    """Builds a deck of valid entries."""
    names = ("code", "name", "country")
    messages = [admin_pb2.CodeDeckEntry(**dict(zip(names, entry, strict=True))) for entry in entries]
    decoded = decode(admin_pb2.PutCodeDeckRequest(id=1, entries=messages))
    assert decoded.bad_entry_count == 0
    return decoded.deck


def entries_of(deck: core.CodeDeck | None) -> list[Entry]:
    assert deck is not None
    return [(code, name, country) for code, name, country in json.loads(deck.json_piece(0, deck.entry_count))]
