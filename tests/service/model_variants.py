"""Variants of a bundle, and the errors of commands that read them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests import tables as tiny
from tests.service.support import Run
from unspun.model import bundle


def variant(source: Path, target: Path, **changes: Any) -> Path:
    """Copy a bundle, with changes to its manifest; return the copy."""
    shutil.copytree(source, target)
    file = target / bundle.MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")
    return target


def decision(*, minimum_words: int = 40, **tier: float) -> dict[str, Any]:
    """Return a manifest's decision for the fast tier; `tier` is the centre of human evidence and the thresholds."""
    return {**tiny.decision("fast"), "minimum_words": minimum_words, "tiers": {"fast": tiny.tier(**tier)}}


def line(run: Run) -> str:
    """Return the only line of output of a command that failed with status 1."""
    assert (run.status, run.out, len(run.errors)) == (1, "", 1), run
    return run.errors[0]
