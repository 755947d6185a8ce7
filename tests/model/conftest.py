"""The development corpora for the engine's tests: the first texts of each file."""

import gzip
import itertools
import json
import os
from pathlib import Path

import pytest

CORPORA = Path(os.environ.get("UNSPUN_CORPORA", Path(__file__).parents[3] / "shared" / "corpora"))
TEXTS_PER_FILE = 60


@pytest.fixture(scope="session")
def corpora() -> dict[str, dict[str, list[str]]]:
    """Return the first texts of each corpus, by folder ("human", "paraphrased", "llm") and file name."""
    if not CORPORA.is_dir():
        pytest.skip(f"no corpora in {CORPORA} (set UNSPUN_CORPORA)")
    texts: dict[str, dict[str, list[str]]] = {}
    for file in sorted(CORPORA.glob("*/*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            first = [json.loads(line)["text"] for line in itertools.islice(lines, TEXTS_PER_FILE)]
        texts.setdefault(file.parent.name, {})[file.name] = first
    return texts
