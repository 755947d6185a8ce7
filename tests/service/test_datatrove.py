"""service/datatrove.py: the filter in a pipeline. tests/test_engines.py runs one in two processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN, SUSPECT
from unspun.service import rows

pytest.importorskip("datatrove", reason="pip install 'unspun[datatrove]'")
parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'unspun[parquet]'")

from datatrove.data import Document  # noqa: E402
from datatrove.pipeline.writers import ParquetWriter  # noqa: E402

from unspun.service.datatrove import UnspunFilter  # noqa: E402

SHORT = "Short."


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDetector:
    detector = FakeDetector()
    monkeypatch.setattr(rows, "_loaded", lambda bundle, process: detector)
    return detector


def documents(*texts: str) -> list[Document]:
    return [Document(text=text, id=f"d{number}") for number, text in enumerate(texts)]


def kept(keeping: UnspunFilter, *texts: str) -> list[str]:
    return [document.text for document in keeping.run(iter(documents(*texts)))]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [SUSPECT, CLEAR, SHORT]),
        ({"drop": ("suspect", "paraphrased")}, [CLEAR, SHORT]),
        ({"drop": "abstained"}, [SPUN, SUSPECT, CLEAR]),
        ({"drop": ()}, [SPUN, SUSPECT, CLEAR, SHORT]),
        ({"kinds": ("translated", "rewritten")}, [SPUN, SUSPECT, CLEAR, SHORT]),
        ({"batch_size": 1}, [SUSPECT, CLEAR, SHORT]),
    ],
    ids=str,
)
def test_documents_are_dropped_by_their_verdict(options: dict[str, Any], expected: list[str]) -> None:
    assert kept(UnspunFilter(**options), SPUN, SUSPECT, CLEAR, SHORT) == expected


def test_every_document_has_its_verdict_in_its_metadata() -> None:
    spun, short = UnspunFilter(drop=(), keep_json=True, evidence=True).run(iter(documents(SPUN, SHORT)))
    found = {name: spun.metadata[f"unspun_{name}"] for name in ("verdict", "kind", "reason", "score")}
    assert found == {"verdict": "paraphrased", "kind": "spun", "reason": "", "score": 0.97}
    assert spun.metadata["unspun_json"] == FakeDetector().score(SPUN, id="d0").to_json()
    assert (short.metadata["unspun_verdict"], short.metadata["unspun_reason"]) == ("abstained", "too_short")


def test_dropped_documents_are_written_and_counted_with_their_reason(tmp_path: Path) -> None:
    dropping = UnspunFilter(drop=("paraphrased", "abstained"), exclusion_writer=ParquetWriter(str(tmp_path)))
    assert kept(dropping, SHORT, CLEAR, SPUN) == [CLEAR]
    [file] = tmp_path.glob("*.parquet")
    assert {row["id"]: row["metadata"]["filter_reason"] for row in parquet.read_table(file).to_pylist()} == {
        "d0": "abstained_too_short",
        "d2": "paraphrased_spun",
    }
    counts = json.loads(dropping.stats.to_json())["stats"]
    assert counts["dropped_paraphrased_spun"] == counts["dropped_abstained_too_short"] == counts["forwarded"] == 1


def test_verdicts_of_all_sorts_fit_into_one_parquet_file(tmp_path: Path) -> None:
    """The writer takes the types from the first document: were its kind null, no other kind could follow."""
    with ParquetWriter(str(tmp_path)) as writer:
        for document in UnspunFilter(drop=()).run(iter(documents(SHORT, CLEAR, SPUN))):
            writer.write(document)
    [file] = tmp_path.glob("*.parquet")
    found = [row["metadata"]["unspun_kind"] for row in parquet.read_table(file).to_pylist()]
    assert found == ["", "", "spun"]


def test_documents_are_scored_in_batches(fake: FakeDetector) -> None:
    kept(UnspunFilter(batch_size=4), *[CLEAR] * 10)
    assert fake.calls == [4, 4, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ("spun",)}, "unknown verdict 'spun'; use paraphrased, suspect, clear, abstained"),
        ({"kinds": ("copied",)}, "unknown kind 'copied'; use spun, translated, rewritten"),
        ({"depth": "quick"}, "unknown depth 'quick'; use first, auto, fast, deep"),
    ],
    ids=str,
)
def test_unknown_words_are_refused_with_the_known_ones(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UnspunFilter(**options)
