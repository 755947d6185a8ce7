"""What the files of a bundle may contain. All is checked before it is used, since a bundle may come from anywhere.

Loading a bundle executes nothing that is in it: it holds numbers, words and two ONNX graphs. Numbers that are used as
positions are checked against what they point to, and graphs against a list of operations.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.ngrams import LEVEL_BITS
from unspun.model.onnx_graph import GraphError, check_graph
from unspun.model.signals import context, phrasing, quick, style, substitutions
from unspun.model.signals.known_phrases import MAX_WORDS
from unspun.model.tiers.trees import MOST_LEAVES
from unspun.model.verdict import KINDS

K = len(KINDS)
MOST_LAYERS = 16
LARGEST = 1e6
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class Layout:
    """The type and the shape of an array, and the range of its numbers.

    A letter in `shape` is a size that several arrays share. `most` is the largest number, or the letter of the size
    that all numbers are below. Floating-point numbers are finite, and at most LARGEST; with `gaps`, some may be missing
    (NaN).
    """

    dtype: str
    shape: tuple[int | str, ...]
    least: float = -math.inf
    most: float | str = math.inf
    gaps: bool = False


REFERENCE = {
    "reference_levels": Layout("float32", ("f", "B")),
    "reference_bins": Layout("uint8", ("f", "r"), 0, "B"),
    "reference_log_odds": Layout("float32", ("r", K)),
    "reference_deep": Layout("float32", ("r", K), gaps=True),
    "reference_codes": Layout("int32", (6, "r"), 0),
    "reference_unfamiliar": Layout("float32", ("r",)),
    "reference_changed": Layout("float16", ("r",), gaps=True),
    "reference_house": Layout("bool", ("r",)),
    "reference_keys": Layout("uint64", ("r",)),
}
"""The arrays that training keeps in a bundle (`training.calibration.reference`). A bundle may have none of them."""
ARRAYS = {
    "unigram": Layout("float32", ("V",)),
    "backoff": Layout("float32", ("V",)),
    "ngram_slots": Layout("uint16", ("S",)),
    "ngram_levels": Layout("float32", (1 << LEVEL_BITS,)),
    "alternatives": Layout("uint16", ("V", "A"), 0, "V"),
    "alternatives_prior": Layout("float32", ("A",)),
    "ranking_weights": Layout("float32", (len(substitutions.INPUTS),)),
    "vectors": Layout("int8", ("V", "E")),
    "vectors_scale": Layout("float32", ("E",)),
    "phrase_keys": Layout("uint64", ("P",)),
    "phrase_lengths": Layout("int8", ("P",), 1, MAX_WORDS),
    "phrase_weights": Layout("float32", ("P",)),
    "phrase_in_context": Layout("bool", ("P",)),
    "phrase_ends": Layout("int32", ("P", 4), 0, "V"),
    "phrasing": Layout("int8", (K, phrasing.BUCKETS)),
    "context_table": Layout("uint8", (context.ROWS + 1, "C")),
    "context_capital": Layout("uint8", ("C",)),
    "context_scale": Layout("float64", (2 * K,)),
    "context_bias": Layout("float64", (K,)),
    "deep_embeddings": Layout("int8", ("N", "D")),
    "deep_embeddings_scale": Layout("float32", ("N",)),
    "deep_bias": Layout("float32", ("N",)),
    "deep_judge": Layout("float32", ("D", "J")),
    "deep_judge_bias": Layout("float32", ("J",)),
    "deep_judged": Layout("float32", (K, "H")),
    "deep_judged_bias": Layout("float32", (K,)),
    "seen": Layout("uint64", ("T",)),
    "tagger_centre": Layout("float32", ("n",)),
    "tagger_spread": Layout("float32", ("n",), TINY),
    **REFERENCE,
}
"""The arrays of a bundle. Those of the tagger's layers are checked by `Arrays.layers`."""
OF_KIND = {
    "columns": Layout("int64", ("c",), 0),
    "style_bias": Layout("float64", ()),
    "style_weights": Layout("float32", (style.BUCKETS,)),
    "trees.baseline": Layout("float64", ()),
    "trees.feature": Layout("int64", ("s", "t"), 0, "c"),
    "trees.threshold": Layout("float64", ("s", "t")),
    "trees.stays": Layout("uint64", ("s", "t")),
    "trees.values": Layout("float64", ("t", "l")),
}
"""Arrays of the classifier of each kind. The letters are sizes of one kind."""
OF_ALL = {
    "quick": Layout("float64", (len(quick.SIGNALS), K)),
    "unfamiliarity.columns": Layout("int64", ("u",), 0),
    "unfamiliarity.centre": Layout("float32", ("u",)),
    "unfamiliarity.spread": Layout("float32", ("u",), TINY),
    "unfamiliarity.sign": Layout("float32", ("u",), -1, 1),
    "correction.centre": Layout("float32", ("F",)),
    "correction.spread": Layout("float32", ("F",), TINY),
    "correction.weights": Layout("float64", ("F", K)),
    "correction.bias": Layout("float64", (K,)),
    "correction.domain_weights": Layout("float64", ("F",)),
    "correction.domain_bias": Layout("float64", ()),
}
"""The other arrays of the classifier."""


class LayoutError(ValueError):
    """A file of a bundle does not have the layout that it must have. The message names the file."""


class Sizes:
    """Compares arrays with their layouts, and remembers the sizes that arrays share. Raises LayoutError."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def match(self, name: str, values: NDArray[Any], layout: Layout) -> None:
        """Check an array."""
        require(values.dtype == np.dtype(layout.dtype), name, f"type {values.dtype}, instead of {layout.dtype}")
        require(len(values.shape) == len(layout.shape), name, f"shape {values.shape}")
        for found, wanted in zip(values.shape, layout.shape, strict=True):
            size = self.known.setdefault(wanted, found) if isinstance(wanted, str) else wanted
            require(found == size, name, f"shape {values.shape}")
        if values.dtype.kind == "f" and name.rpartition(".")[2] != "threshold":  # a split that is not used is infinite
            # NaN fails as well, unless there may be gaps. Beyond this, sums of products overflow.
            fine = np.abs(values) <= np.float64(LARGEST)
            if layout.gaps:
                fine |= np.isnan(values)
            require(bool(fine.all()), name, "numbers, some of them not finite or too large")
        if isinstance(layout.most, str):
            require(layout.most in self.known, name, "numbers: the array that they point to is missing")
        most = self.known[layout.most] - 1 if isinstance(layout.most, str) else layout.most
        if values.size and (math.isfinite(layout.least) or math.isfinite(most)):
            require(values.min() >= layout.least and values.max() <= most, name, "numbers, some of them out of range")


class Arrays:
    """The arrays of a bundle's folder, checked as they are read. Raises LayoutError, OSError and ValueError.

    `listed` are the files that the manifest lists.
    """

    def __init__(self, folder: Path, listed: Collection[str]) -> None:
        self._folder = folder
        self._listed = listed
        self._sizes = Sizes()

    def __call__(self, name: str) -> NDArray[Any]:
        """Return an array of ARRAYS, memory-mapped."""
        return self._read(name, ARRAYS[name])

    def layers(self, inputs: int, count: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield the weights and the biases of the tagger's layers, the last of which has one output."""
        require(0 < count <= MOST_LAYERS, "tagger_layers", f"number {count}")
        for i in range(count):
            biases = self._read(f"tagger_biases_{i}", Layout("float32", (f"tagger {i}",) if i < count - 1 else (1,)))
            weights = self._read(f"tagger_weights_{i}", Layout("float16", (inputs, len(biases))))
            yield weights.astype(np.float32), biases.astype(np.float32)
            inputs = len(biases)

    def has(self, name: str) -> bool:
        """Return whether the manifest lists a file."""
        return name in self._listed

    def file(self, name: str) -> Path:
        """Return the path of a file. Raises LayoutError if the manifest does not list it."""
        if name not in self._listed:
            raise LayoutError(f"{name} is not in the manifest")
        return self._folder / name

    def graph(self, name: str, inputs: Collection[str], outputs: Collection[str]) -> bytes:
        """Return an ONNX model that has these inputs and outputs, and only operations that are allowed."""
        data = self.file(name).read_bytes()
        try:
            check_graph(data, inputs, outputs)
        except GraphError as error:
            raise LayoutError(f"{name}: {error}") from error
        return data

    def lines(self, name: str, size: str) -> tuple[str, ...]:
        """Return the lines of a file, as many as the `size` that this letter has in ARRAYS."""
        lines = tuple(self.file(name).read_text("utf-8").split("\n"))
        count = self._sizes.known[size]
        # An empty list and a list of one empty line are the same file.
        require(len(lines) == count or (lines == ("",) and not count), name, f"number of lines {len(lines)}")
        return lines

    def _read(self, name: str, layout: Layout) -> NDArray[Any]:
        file = self.file(f"{name}.npy")
        with no_objects(file.name):
            values = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
        self._sizes.match(name, values, layout)
        return values


def check_classifier(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Check the arrays of a classifier (`tiers.stored`). Raises LayoutError if they do not fit together."""
    shared = Sizes()
    for name in OF_ALL.keys() & arrays.keys():
        shared.match(name, arrays[name], OF_ALL[name])
    for kind in KINDS:
        sizes = Sizes()
        _ = arrays[f"{kind}.columns"]  # all other arrays of a kind may be missing
        for name, layout in OF_KIND.items():
            if f"{kind}.{name}" in arrays:
                sizes.match(f"{kind}.{name}", arrays[f"{kind}.{name}"], layout)
        if f"{kind}.trees.stays" in arrays:
            # A text's leaf is the first one that no split rules out. If all splits together leave one, so do some.
            stays, leaves = arrays[f"{kind}.trees.stays"], arrays[f"{kind}.trees.values"].shape[1]
            left = np.bitwise_and.reduce(stays, axis=0, initial=np.uint64(2 ** min(leaves, MOST_LEAVES) - 1))
            require(0 < leaves <= MOST_LEAVES and stays.size and left.all(), f"{kind}.trees.stays", "splits")


@contextmanager
def no_objects(name: str) -> Iterator[None]:
    """Turn numpy's refusal of Python objects into LayoutError: its text says how to load them anyway."""
    try:
        yield
    except ValueError as error:
        if "allow_pickle" not in str(error) and "Python objects" not in str(error):
            raise LayoutError(f"{name}: {error}") from error
        raise LayoutError(f"{name}: holds Python objects, or something else that is not numbers") from None


def require(holds: Any, name: str, what: str) -> None:
    """Raise LayoutError unless a condition holds. `name` is the part of the bundle, and `what` is wrong with it."""
    if not holds:
        raise LayoutError(f"{name}: invalid {what}")


def finite(value: Any, name: str) -> float:
    """Return an entry of the manifest as a finite number. Raises LayoutError, TypeError and ValueError."""
    number = float(value)
    require(math.isfinite(number), name, f"number {number}")
    return number
