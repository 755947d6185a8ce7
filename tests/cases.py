"""The cases of table-driven tests, from data files."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


def cases(file: str, table: str = "case") -> list[Any]:
    """Return a table of a data file, given its path in `tests/data`; a JSON file may also be a plain list."""
    text = (DATA / file).read_text("utf-8")
    content = json.loads(text) if file.endswith(".json") else tomllib.loads(text)
    return list(content if isinstance(content, list) else content[table])


def why(case: dict[str, Any]) -> str:
    """Return a case's name."""
    return str(case["why"])
