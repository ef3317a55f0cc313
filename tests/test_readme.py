"""The example call in the README returns the answer that the README shows."""

import json
import re
import shlex
import subprocess
from functools import partial
from pathlib import Path

from pegcount import calendar, core
from pegcount.config import Config
from pegcount.importers import ImportOptions, PreparedFile, RejectsFile, import_file
from service import Service

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_readme_call_returns_the_readme_answer(tmp_path: Path) -> None:
    call, answer = _call_and_answer()
    utc = calendar.zone("UTC")
    assert utc is not None
    with Service(tmp_path / "data") as service, RejectsFile(tmp_path / "rejects.csv") as rejects:
        options = ImportOptions("demo", utc)
        import_file(
            PreparedFile(ROOT / "samples/pegcount.csv"),
            "pegcount-csv",
            options,
            partial(service.store.submit, cancel_token=core.CancelToken(None)),
            rejects,
            lambda *_: None,
            Config(),
        )
        call = [part.replace("127.0.0.1:50051", service.address) for part in call]
        printed = subprocess.run(
            call, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        ).stdout
    assert _without_generated_at(json.loads(printed)) == _without_generated_at(answer)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def _call_and_answer() -> tuple[list[str], dict[str, object]]:
    match = re.search(
        r"^(    \.venv/bin/grpcurl .*?)\n\n(    \{\n.*?\n    \})\n", README, re.DOTALL | re.MULTILINE
    )
    assert match is not None
    return shlex.split(match[1]), json.loads(match[2])


def _without_generated_at(answer: dict[str, object]) -> dict[str, object]:
    """Drops `generatedAt`, which differs on each call."""
    resolved = answer["range"]
    assert isinstance(resolved, dict)
    return {**answer, "range": {name: value for name, value in resolved.items() if name != "generatedAt"}}
