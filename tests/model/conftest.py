"""Fixtures of the engine's tests: the development corpora, and the tiny model."""

import gzip
import itertools
import json
import os
from pathlib import Path

import pytest

from tests import deep as tiny_deep
from tests import tables as tiny
from unspun.model.detector import Detector
from unspun.model.signals.features import FeatureExtractor, Signals

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


@pytest.fixture(scope="session")
def signals() -> Signals:
    return tiny.signals()


@pytest.fixture(scope="session")
def extractor() -> FeatureExtractor:
    return tiny.extractor()


@pytest.fixture(scope="session")
def detector(tiny_bundle: Path) -> Detector:
    return Detector.load(tiny_bundle)


@pytest.fixture(scope="session")
def deep_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundle of the tiny model with a deep tier; tests that change it work on a copy."""
    return tiny_deep.save_bundle(tmp_path_factory.mktemp("deep") / "bundle")


@pytest.fixture(scope="session")
def deep_detector(deep_bundle: Path) -> Detector:
    """Return the detector of the tiny model with a deep tier. Depth `auto` uses the deep tier for every text."""
    return Detector.load(deep_bundle)
