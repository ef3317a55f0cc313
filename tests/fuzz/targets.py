"""The targets by their names, which are those of the folders in corpus/."""

from collections.abc import Callable
from pathlib import Path

from pegcount.importers import FORMATS

from fuzz.call_targets import GROUPS, call_target, metadata_target
from fuzz.credential_targets import key_set_target, token_config_target, token_target
from fuzz.import_targets import human_times_target, import_target, mapping_file_target

CORPUS = Path(__file__).with_name("corpus")
CORE_PREFIX = "core-"
"""Names of the targets of the core begin with it; rust/aggcore/tests/bytes/targets.rs has them."""

Check = Callable[[bytes], None]
"""Takes any bytes; raises if a promise is broken."""
Start = Callable[[], Check]
"""Prepares what a target needs."""

TARGETS: dict[str, Start] = {
    **{name: call_target(methods) for name, methods in GROUPS.items()},
    "metadata": metadata_target,
    "token": token_target,
    "token-config": token_config_target,
    "key-set": key_set_target,
    **{f"import-{name}": import_target(name) for name in FORMATS},
    "mapping-file": mapping_file_target,
    "human-times": human_times_target,
}
