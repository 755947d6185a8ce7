"""What the tests of the surfaces share: cases from data files, texts, a finished run."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "service"

SPUN = "The mayor shared his imaginative and prescient and the vitality of the town."
SUSPECT = "The mayor talked of the vitality of the town for an hour."
CLEAR = "The mayor talked of the energy of the town for an hour."


def cases(name: str) -> list[dict[str, Any]]:
    """Return the cases of a data file."""
    return list(tomllib.loads((DATA / name).read_text("utf-8"))["case"])


def why(case: dict[str, Any]) -> str:
    """Return a case's name."""
    return str(case["why"])


@dataclass(frozen=True)
class Run:
    """What came of a command: exit status, standard output, lines of standard error."""

    status: int
    out: str
    errors: list[str]

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def ids(self) -> list[str]:
        return [verdict["id"] for verdict in self.verdicts]
