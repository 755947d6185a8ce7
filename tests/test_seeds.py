"""The five seed documents get the verdicts in `seeds/manifest.toml`, and 001 gets its verdict for the right reasons.

They are other people's news articles, so they are not in this repository. Without them, these tests are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unspun.training.corpora import seeds

if TYPE_CHECKING:
    from unspun.model.detector import Detector
    from unspun.model.verdict import Evidence, Verdict

DOCUMENTS = seeds.manifest()
SPUN = next(document for document in DOCUMENTS if document.original is not None)
PAIRS = seeds.read_substitutions()

pytestmark = pytest.mark.seeds


@pytest.fixture(scope="module")
def folder() -> Path:
    found = seeds.find_folder()
    if found is None:
        pytest.skip("no seed documents; set UNSPUN_SEEDS or put them into ../shared/seeds or seeds/documents")
    return found


@pytest.fixture(scope="module")
def spun(folder: Path, shipped: Detector) -> Verdict:
    return shipped.score(text_of(SPUN, folder))


def text_of(document: seeds.SeedDocument, folder: Path) -> str:
    if not (folder / document.file).is_file():
        pytest.skip(f"{document.file} is not in {folder}")
    return seeds.read(document, folder)


def fold(phrase: str) -> str:
    return " ".join(re.findall(r"\w+(?:'\w+)*", phrase.casefold().replace("’", "'")))


def is_true(evidence: Evidence) -> bool:
    """Return whether evidence is a substitution that the tool made, or contains one, or is part of one.

    Whole words are compared. A phrase of up to three letters must be the whole evidence, because words such as "on" are
    in many phrases.
    """
    shown = fold(evidence.text)
    return any(
        shown == phrase
        or (len(shown) > 3 and f" {shown} " in f" {phrase} ")
        or (len(phrase) > 3 and f" {phrase} " in f" {shown} ")
        for phrase in (fold(spun) for spun, _ in PAIRS)
    )


def suggestions(evidence: Iterable[Evidence]) -> set[tuple[str, str]]:
    return {(fold(item.text), fold(item.suggestion)) for item in evidence if item.suggestion is not None}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.file[:3])
def test_the_document_has_the_hash_in_the_manifest(document: seeds.SeedDocument, folder: Path) -> None:
    assert text_of(document, folder)  # raises SeedError if the sha256 differs


KNOWN_FAILURES = {
    "000": "a fluent translation is clear",
    "003": "a text by people is suspect, by its phrasing",
    "004": "a fluent round trip is clear",
}


def known_failures(documents: Iterable[seeds.SeedDocument]) -> list[Any]:
    """Mark the documents that the model gets wrong. Remove a mark as soon as the verdict is right."""
    return [
        pytest.param(
            document,
            marks=pytest.mark.xfail(reason=KNOWN_FAILURES[name], strict=True) if name in KNOWN_FAILURES else (),
            id=name,
        )
        for document in documents
        for name in [document.file[:3]]
    ]


@pytest.mark.parametrize("document", known_failures(DOCUMENTS))
def test_verdict(document: seeds.SeedDocument, folder: Path, shipped: Detector) -> None:
    verdict = shipped.score(text_of(document, folder))
    assert verdict.verdict in document.verdicts, f"{document.what}: {verdict.kinds}"
    assert verdict.kind == document.kind, f"{document.what}: {verdict.kinds}"


def test_the_spun_seed_shows_25_true_substitutions(spun: Verdict) -> None:
    assert spun.evidence is not None
    assert sum(map(is_true, spun.evidence)) >= 25


def test_at_least_70_percent_of_the_spun_seeds_evidence_is_true(spun: Verdict) -> None:
    assert spun.evidence
    false = [item.text for item in spun.evidence if not is_true(item)]
    assert len(false) <= 0.3 * len(spun.evidence), false


@pytest.mark.parametrize(("phrase", "original"), [("imaginative and prescient", "vision"), ("vitality", "energy")])
def test_the_best_known_substitutions_are_shown(phrase: str, original: str, spun: Verdict) -> None:
    assert spun.evidence is not None
    assert (phrase, original) in suggestions(spun.evidence)


def test_the_listed_substitutions_are_those_of_the_aligner(folder: Path) -> None:
    text_of(SPUN, folder)
    assert seeds.aligned_substitutions(folder) == PAIRS


def test_substitutions_are_phrases_not_running_text() -> None:
    assert max(len(phrase.split()) for pair in PAIRS for phrase in pair) <= 4
