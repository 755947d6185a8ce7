"""Bundles that differ a little, and what commands on them tell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from model import bundle
from tests.service.support import Run


def variant(source: Path, target: Path, **changes: Any) -> Path:
    """Copy a bundle, with changes to its manifest; return the copy."""
    shutil.copytree(source, target)
    file = target / bundle.MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")
    return target


def thresholds(suspect: float, paraphrased: float, minimum_words: int = 40) -> dict[str, Any]:
    """Return a manifest's thresholds, the same for all lengths."""
    band = {"words": minimum_words, "suspect": suspect, "paraphrased": paraphrased}
    return {"minimum_words": minimum_words, "bands": [band]}


def line(run: Run) -> str:
    """Return the one line that a command that failed has told."""
    assert (run.status, run.out, len(run.errors)) == (1, "", 1), run
    return run.errors[0]
