"""docs/recipes.md: all files and names that it mentions exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = (ROOT / "docs" / "recipes.md").read_text("utf-8")
QUOTED = sorted(set(re.findall(r"`([^`]+)`", RECIPES)))
FILES = [
    text
    for text in QUOTED
    if re.fullmatch(r"[\w./]+\.(py|toml|md|json)|[\w/]+/|Makefile|NOTICE", text) and "NAME" not in text
]
NAMES = [
    text for text in QUOTED if re.fullmatch(r"[A-Z_]{5,}|[A-Z][a-z]\w+|[a-z]+_[a-z_]+", text) and text not in FILES
]
CODE = "\n".join(
    file.read_text("utf-8")
    for room in ("model", "reading", "training", "service")
    for file in (ROOT / room).rglob("*.py")
)


@pytest.mark.parametrize("name", FILES)
def test_a_file_exists(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_defined(name: str) -> None:
    assert re.search(rf"^\s*(class |def |)(self\.)?{name}\b\s*[:=(]", CODE, re.MULTILINE)


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 20
    assert {"HEAD_SIGNALS", "SpinnerRecipe", "Record", "document_names"} <= set(NAMES)
