"""training/calibration/evidence.py: evidence in labelled texts, gathered, selected, joined and saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import deep as tiny_deep
from tests import tables as tiny
from tests.training.references import labelled_evidence
from unspun.model.detector import Detector
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import sample
from unspun.training.rows import Runs

TEXTS = [
    LabelledText("h0", "human", "news", tiny.ARTICLE, group="page 1"),
    LabelledText("h1", "human", "news", "Too short."),
    LabelledText("s0", "spun", "wild", tiny_deep.SPUN_ARTICLE, tool="Acme"),
    LabelledText("h2", "human", "essays", " ".join(tiny.SENTENCES * 3)),
    LabelledText("t0", "translated", "web", "", tool="Google Translate, en-fr-en"),
]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector.load(tiny_deep.save_bundle(tmp_path_factory.mktemp("deep") / "bundle"))


@pytest.fixture(scope="module")
def evidence(detector: Detector) -> LabelledEvidence:
    return gather_evidence(detector, TEXTS)


def numbered(*windows: int) -> LabelledEvidence:
    """Return texts with these numbers of windows, and twice as many sections; each value is the number of its text."""
    size = len(windows)
    column = np.arange(size)
    owner = np.repeat(column, windows)

    def rows(owner: np.ndarray) -> np.ndarray:
        return np.repeat(owner[:, None].astype(np.float32), 3, axis=1)

    twice = np.repeat(owner, 2)
    return labelled_evidence(
        size,
        windows=Runs.of(rows(owner), owner, size),
        sections=Runs.of(rows(twice), twice, size),
        features=Runs.of(rows(twice), twice, size),
        words=100 * (column + 1),
        unfamiliar=column.astype(np.float64),
        **{name: [f"{name}{i}" for i in column] for name in ("reasons", "labels", "sources", "makers")},
        groups=[f"g{i}" for i in column],
        ids=[str(i) for i in column],
    )


def assert_same(first: LabelledEvidence, second: LabelledEvidence) -> None:
    for name, values in first.arrays().items():
        np.testing.assert_array_equal(values, second.arrays()[name])


def of_windows(evidence: LabelledEvidence) -> list[list[float]]:
    """Return the first number of each text's windows."""
    return [part[:, 0].tolist() for part in np.split(evidence.windows.values, evidence.windows.starts[1:-1])]


def of_sections(evidence: LabelledEvidence) -> list[list[float]]:
    """Return the first number of each text's sections."""
    return [part[:, 0].tolist() for part in np.split(evidence.sections.values, evidence.sections.starts[1:-1])]


SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=6)


class TestGather:
    def test_a_row_describes_its_text(self, evidence: LabelledEvidence) -> None:
        assert evidence.ids.tolist() == [text.id for text in TEXTS]
        assert evidence.labels.tolist() == [text.label for text in TEXTS]
        assert evidence.makers.tolist() == ["human", "human", "acme", "human", "google"]
        assert evidence.groups.tolist() == ["page 1", "", "", "", ""]

    def test_the_reason_for_no_verdict_is_kept(self, evidence: LabelledEvidence) -> None:
        assert evidence.reasons.tolist() == ["", "too_short", "", "", "too_short"]

    def test_the_evidence_is_that_of_the_detector(self, detector: Detector, evidence: LabelledEvidence) -> None:
        found = detector.measure([text.text for text in TEXTS], depth="deep")
        assert found.deep is not None
        assert evidence.deep() == pytest.approx(found.deep, abs=1e-5, nan_ok=True)
        assert evidence.fast() == pytest.approx(found.fast, abs=1e-5)
        assert evidence.words.tolist() == found.words.tolist()

    def test_chunks_do_not_matter(
        self, detector: Detector, evidence: LabelledEvidence, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("unspun.training.calibration.evidence.CHUNK", 2)
        again = gather_evidence(detector, TEXTS)
        assert_same(again, evidence)

    def test_without_a_deep_tier_there_are_no_windows(self, detector: Detector) -> None:
        found = gather_evidence(Detector(replace(detector.bundle, deep=None)), TEXTS, depth="fast")
        assert found.windows.values.shape == (0, 3)
        assert found.windows.starts.tolist() == [0] * (len(TEXTS) + 1)
        assert np.isnan(found.deep()).all()

    def test_no_text_is_kept(self, evidence: LabelledEvidence, tmp_path: Path) -> None:
        evidence.save(tmp_path / "evidence.npz")
        with np.load(tmp_path / "evidence.npz", allow_pickle=False) as arrays:
            kept = {str(value) for name in arrays.files if arrays[name].dtype.kind == "U" for value in arrays[name]}
        assert not any("ferry" in value for value in kept)


class TestTake:
    @given(SIZES, st.data())
    def test_texts_keep_their_windows(self, sizes: list[int], data: st.DataObject) -> None:
        places = data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=8))
        taken = numbered(*sizes).take(np.array(places))
        assert of_windows(taken) == [[float(place)] * sizes[place] for place in places]
        assert of_sections(taken) == [[float(place)] * sizes[place] * 2 for place in places]
        assert taken.ids.tolist() == [str(place) for place in places]
        assert taken.words.tolist() == [100 * (place + 1) for place in places]

    def test_a_mask_takes_texts(self) -> None:
        taken = numbered(1, 2, 0, 3).take(np.array([True, False, True, True]))
        assert of_windows(taken) == [[0.0], [], [3.0] * 3]

    def test_no_rows_can_be_taken(self) -> None:
        assert len(numbered(1, 2).take(np.zeros(2, dtype=bool))) == 0


class TestJoined:
    """Long texts, made of short ones without reading anything again."""

    def test_texts_follow_one_another(self) -> None:
        found = numbered(1, 2, 3).joined([[2, 0], [1]])
        assert of_windows(found) == [[2.0, 2.0, 2.0, 0.0], [1.0, 1.0]]
        assert of_sections(found) == [[2.0] * 6 + [0.0] * 2, [1.0] * 4]

    def test_words_add_up_and_unfamiliarity_is_their_mean(self) -> None:
        found = numbered(1, 2, 3).joined([[0, 2]])
        assert found.words.tolist() == [400]
        assert found.unfamiliar.tolist() == [(100 * 0 + 300 * 2) / 400]

    def test_a_joined_text_is_described_as_its_first_part(self) -> None:
        found = numbered(1, 2, 3).joined([[2, 0, 1]])
        assert (found.ids.tolist(), found.sources.tolist(), found.groups.tolist()) == (["2"], ["sources2"], ["g2"])

    @given(SIZES)
    def test_a_text_joined_with_nothing_is_unchanged(self, sizes: list[int]) -> None:
        evidence = numbered(*sizes)
        again = evidence.joined([[i] for i in range(len(sizes))])
        assert of_windows(again) == of_windows(evidence)
        np.testing.assert_array_equal(again.deep(), evidence.deep())

    def test_copies_of_a_text_have_its_evidence(self, evidence: LabelledEvidence) -> None:
        assert evidence.joined([[0, 0, 0]]).deep()[0] == pytest.approx(evidence.deep()[0])


class TestJoin:
    @given(st.lists(SIZES, min_size=1, max_size=3))
    def test_texts_keep_their_windows(self, parts: list[list[int]]) -> None:
        joined = LabelledEvidence.concatenated([numbered(*sizes) for sizes in parts])
        assert of_windows(joined) == [window for sizes in parts for window in of_windows(numbered(*sizes))]
        assert of_sections(joined) == [section for sizes in parts for section in of_sections(numbered(*sizes))]
        assert len(joined) == sum(len(sizes) for sizes in parts)


def test_saved_evidence_is_loaded_again(evidence: LabelledEvidence, tmp_path: Path) -> None:
    evidence.save(tmp_path / "new" / "evidence.npz")
    again = LabelledEvidence.load(tmp_path / "new" / "evidence.npz")
    assert_same(again, evidence)


class TestSample:
    """A limited number of texts of each source and maker."""

    TEXTS = (
        *(LabelledText(f"n{i}", "human", "news", f"news {i}") for i in range(9)),
        *(LabelledText(f"a{i}", "spun", "news", f"acme {i}", tool="Acme") for i in range(9)),
        *(LabelledText(f"e{i}", "human", "essays", f"essay {i}") for i in range(2)),
    )

    def test_each_source_and_maker_gives_the_same_number(self) -> None:
        found = [text.id[0] for text in sample(self.TEXTS, 3)]
        assert found == ["n"] * 3 + ["a"] * 3 + ["e"] * 2

    def test_the_sample_does_not_depend_on_the_order(self) -> None:
        assert {text.id for text in sample(self.TEXTS, 3)} == {text.id for text in sample(self.TEXTS[::-1], 3)}

    def test_small_sources_are_taken_whole(self) -> None:
        assert sample(self.TEXTS, 100) == list(self.TEXTS)
