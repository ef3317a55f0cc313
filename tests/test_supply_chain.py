"""What the project is built from and installed with is pinned."""

import re
import tomllib
from pathlib import Path

import pytest
from test_tidy import CORE, ROOT, name_of

REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"[\w.-]+(?:\[[\w,.-]+\])?==[^\s;]+(?: ; .*)?(?: --hash=sha256:[0-9a-f]{64})+")
TAG = re.compile(r"[\w./-]+:\d+\.\d+[\w.-]*(?:@sha256:[0-9a-f]{64})?")


def requirements(text: str) -> list[str]:
    """The requirements of a file, each in one line."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=name_of)
def test_each_requirement_has_a_version_and_hashes(path: Path) -> None:
    found = requirements(path.read_text(encoding="utf-8"))
    assert found
    assert [line for line in found if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "numpy==2.0", "numpy==2.0 --hash=sha256:00"])
def test_a_requirement_without_them_is_found(line: str) -> None:
    assert not PINNED.fullmatch(line)


def test_each_source_has_its_requirements() -> None:
    sources = {path.stem for path in (ROOT / "requirements").glob("*.in")}
    assert {path.stem for path in REQUIREMENTS} == sources


def test_each_crate_comes_from_the_registry_with_a_checksum() -> None:
    packages = tomllib.loads((CORE / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    foreign = [each for each in packages if each["name"] != "aggcore"]
    assert len(foreign) > 100
    assert [each["name"] for each in foreign if "checksum" not in each] == []


def test_each_image_has_a_version() -> None:
    """Digests are arguments of the build: they differ between registries that copy images."""
    text = (ROOT / "ops" / "Dockerfile").read_text(encoding="utf-8")
    images = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    assert {name: image for name, image in images.items() if not TAG.fullmatch(image)} == {}
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert {base.strip("${}") for base in bases} == set(images)


def test_the_image_fetches_only_through_package_managers() -> None:
    text = (ROOT / "ops" / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"https?://|\bcurl\b|\bwget\b|^ADD\b", text, re.MULTILINE) == []


@pytest.mark.parametrize("tool", [r"go install", r"\$\(CARGO\) install"])
def test_each_program_that_is_installed_has_a_version(tool: str) -> None:
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "ops/Dockerfile"))
    lines = [line for line in text.splitlines() if re.search(tool, line)]
    assert lines
    assert [line for line in lines if "@" not in line] == []
