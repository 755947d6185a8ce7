"""A bundle from a stranger, with the right hashes: at worst it is refused, before anything in it is executed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import deep as tiny_deep
from tests import first as tiny_first
from tests import tables as tiny
from tests.service.support import without_override
from unspun.model import bundle
from unspun.model.bundle import BundleError
from unspun.model.detector import Detector, MissingTierError
from unspun.model.onnx_graph import OPERATIONS, GraphError, check_graph
from unspun.model.tiers.stored import arrays_of
from unspun.model.verdict import TIERS

TEXTS = (tiny.ARTICLE, tiny_deep.SPUN_ARTICLE, "The vessel was late.")


class Payload:
    """Executes something when it is unpickled: it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.file), "w")


@pytest.fixture
def victim(tiny_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny bundle for a test to attack."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "victim"))


@pytest.fixture
def deep_victim(deep_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny bundle with a deep tier."""
    return Path(shutil.copytree(deep_bundle, tmp_path / "deep"))


def put(folder: Path, name: str, content: bytes) -> None:
    """Write a file of a bundle, and its hash into the manifest, as an attacker would."""
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit(folder, lambda manifest: manifest["files"].update({name: digest}))


def put_array(folder: Path, name: str, values: NDArray[Any], **options: Any) -> None:
    content = io.BytesIO()
    np.save(content, values, **options)
    put(folder, f"{name}.npy", content.getvalue())


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((folder / bundle.MANIFEST).read_text("utf-8"))
    change(manifest)
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest), "utf-8")


def refusal(folder: Path) -> str:
    """Return the message with which a bundle is refused: one line that names its folder."""
    with pytest.raises(BundleError) as raised:
        Detector.load(folder)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value)


class TestPickles:
    """No file of a bundle is unpickled, whatever it is called."""

    def test_the_classifier_of_an_old_bundle_is_refused_with_advice(self, victim: Path, tmp_path: Path) -> None:
        put(victim, bundle.PICKLED, pickle.dumps(Payload(tmp_path / "executed")))
        assert "contains a pickle" in refusal(victim)
        assert "train the model again" in refusal(victim)
        assert not (tmp_path / "executed").exists()

    @pytest.mark.parametrize("name", [bundle.CLASSIFIER, "unigram.npy", bundle.WORDS, "reference_keys.npy"])
    def test_a_pickle_in_the_place_of_another_file(self, victim: Path, tmp_path: Path, name: str) -> None:
        put(victim, name, pickle.dumps(Payload(tmp_path / "executed")))
        assert "cannot be read" in refusal(victim)
        assert "allow_pickle" not in refusal(victim)  # numpy says how to load it anyway
        assert not (tmp_path / "executed").exists()

    def test_an_array_of_objects(self, victim: Path, tmp_path: Path) -> None:
        put_array(victim, "unigram", np.array([Payload(tmp_path / "executed")], dtype=object), allow_pickle=True)
        assert "Python objects" in refusal(victim)
        assert not (tmp_path / "executed").exists()

    def test_an_array_of_objects_in_the_classifier(self, victim: Path, tmp_path: Path) -> None:
        arrays: dict[str, Any] = arrays_of(tiny.classifier())
        content = io.BytesIO()
        np.savez(content, **{**arrays, "spun.columns": np.array([Payload(tmp_path / "executed")], dtype=object)})
        put(victim, bundle.CLASSIFIER, content.getvalue())
        assert "classifier.npz: holds Python objects" in refusal(victim)
        assert not (tmp_path / "executed").exists()


class TestArrays:
    """Every array has the type, the shape and the range that the engine relies on."""

    @pytest.mark.parametrize(
        ("name", "values", "expected"),
        [
            ("unigram", np.zeros(3, np.float32), "backoff: invalid shape"),
            ("unigram", np.zeros(3, np.float64), "unigram: invalid type float64"),
            ("ngram_slots", np.zeros(1000, np.uint16), "ngram_slots: invalid number of slots"),
            ("ngram_levels", np.full(32, np.nan, np.float32), "not finite"),
            ("phrase_ends", np.zeros((2, 4), np.int32), "phrase_ends: invalid shape"),
            ("tagger_spread", np.zeros(17, np.float32), "tagger_spread: invalid"),
            ("tagger_weights_0", np.zeros((5, 6), np.float16), "tagger_weights_0: invalid shape"),
            ("seen", np.zeros((1, 1), np.uint64), "seen: invalid shape"),
        ],
    )
    def test_one_with_another_layout(self, victim: Path, name: str, values: NDArray[Any], expected: str) -> None:
        put_array(victim, name, values)
        assert expected in refusal(victim)

    @pytest.mark.parametrize(
        ("arrays", "expected"),
        [
            ({"reference_keys": np.zeros(3, np.int64)}, "reference_keys: invalid type int64"),
            ({"reference_keys": np.zeros(3, "u8"), "reference_house": np.zeros(4, bool)}, "invalid shape"),
            ({"reference_log_odds": np.full((3, 3), np.nan, "f4")}, "not finite"),
            ({"reference_codes": np.full((6, 3), -1, "i4")}, "out of range"),
            ({"reference_levels": np.zeros((1, 4), "f4"), "reference_bins": np.full((1, 3), 4, "u1")}, "out of range"),
            ({"reference_bins": np.zeros((1, 3), "u1")}, "array that they point to is missing"),
        ],
    )
    def test_those_that_only_training_uses(self, victim: Path, arrays: dict[str, NDArray[Any]], expected: str) -> None:
        for name, values in arrays.items():
            put_array(victim, name, values)
        assert expected in refusal(victim)

    def test_they_may_have_gaps_where_a_text_was_not_measured(self, victim: Path) -> None:
        put_array(victim, "reference_deep", np.full((3, 3), np.nan, "f4"))
        assert Detector.load(victim)

    def test_a_phrase_longer_than_any(self, victim: Path) -> None:
        put_array(victim, "phrase_lengths", np.full_like(np.load(victim / "phrase_lengths.npy"), 100))
        assert "phrase_lengths: invalid numbers, some of them out of range" in refusal(victim)

    def test_a_position_beyond_the_end_of_the_words(self, victim: Path) -> None:
        ids = np.load(victim / "alternatives.npy")
        ids[0, 0] = len(np.load(victim / "unigram.npy"))
        put_array(victim, "alternatives", ids)
        assert "alternatives: invalid numbers" in refusal(victim)

    @pytest.mark.parametrize(
        ("name", "change", "expected"),
        [
            ("spun.columns", lambda values: values + 10_000, "other signals"),
            ("spun.columns", lambda values: -values - 1, "out of range"),
            ("spun.trees.feature", lambda values: values + 10_000, "out of range"),
            ("spun.trees.stays", np.zeros_like, "spun.trees.stays: invalid splits"),
            ("spun.trees.values", lambda values: values * np.nan, "not finite"),
            ("spun.trees.threshold", lambda values: values[:1], "spun.trees.threshold: invalid shape"),
            ("unfamiliarity.spread", np.zeros_like, "out of range"),
            ("unfamiliarity.centre", lambda values: values[:0], "invalid shape"),
        ],
    )
    def test_a_classifier_whose_parts_do_not_fit(
        self, victim: Path, name: str, change: Callable[[NDArray[Any]], NDArray[Any]], expected: str
    ) -> None:
        arrays = arrays_of(tiny.classifier())
        content = io.BytesIO()
        np.savez(content, **{**arrays, name: change(arrays[name])})  # type: ignore[arg-type]
        put(victim, bundle.CLASSIFIER, content.getvalue())
        assert expected in refusal(victim)

    @pytest.mark.parametrize(("name", "kind"), [("unigram.npy", "<f4"), ("reference_keys.npy", "<u8")])
    def test_an_array_that_claims_to_be_larger_than_the_memory(self, victim: Path, name: str, kind: str) -> None:
        content = io.BytesIO()
        header = {"descr": kind, "fortran_order": False, "shape": (10**14,)}
        np.lib.format.write_array_header_1_0(content, header)  # type: ignore[arg-type]
        put(victim, name, content.getvalue())
        assert "cannot be read" in refusal(victim)
        assert name in refusal(victim)

    def test_one_that_is_spoilt_after_loading_is_refused_when_a_model_is_written(self, victim: Path) -> None:
        put_array(victim, "reference_keys", np.zeros(3, "u8"))
        loaded = bundle.load(victim)
        (victim / "reference_keys.npy").write_bytes(b"junk")
        with pytest.raises(BundleError, match=r"reference_keys\.npy"):
            bundle.read_extra(loaded, "reference")

    def test_a_classifier_that_unpacks_to_more_than_the_memory(self, victim: Path) -> None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
            for _ in range(300):
                member.write(bytes(1_000_000))
        assert len(content.getvalue()) < 1_000_000
        put(victim, bundle.CLASSIFIER, content.getvalue())
        assert "invalid size: 300,000,000 bytes" in refusal(victim)


class TestManifest:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"ngram_probes": 10**9}, "ngram_probes: invalid number"),
            ({"tagger_layers": 10**9}, "tagger_layers: invalid number"),
            ({"tagger_layers": 0}, "tagger_layers: invalid number"),
            ({"ranking_bias": float("nan")}, "ranking_bias: invalid number"),
            ({"tagger_prior_log_odds": float("inf")}, "tagger_prior_log_odds: invalid number"),
            ({"doubt": {"spun": 10**400, "translated": 1, "rewritten": 1}}, "too large"),
        ],
    )
    def test_numbers_that_cannot_be_right(self, victim: Path, change: dict[str, Any], expected: str) -> None:
        edit(victim, lambda manifest: manifest.update(change))
        assert expected in refusal(victim)

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"format": "A" * 2_000_000}, "bundle format 'AAA"),
            ({"format": [["A" * 20_000] * 10] * 10}, "bundle format [["),
            ({"name": "A" * 2_000_000}, "invalid 'name'"),
            ({"version": "A" * 2_000_000}, "invalid 'version'"),
            ({"ranking_bias": "A" * 2_000_000}, "could not convert"),
            ({"ngram_probes": "9" * 2_000_000}, "cannot be read"),
            ({"files": {"A" * 2_000_000: "", bundle.CLASSIFIER: ""}}, "File name too long"),
            ({"files": {"../" * 700_000: "", bundle.CLASSIFIER: ""}}, "outside the bundle"),
        ],
    )
    def test_a_long_text_is_cut_in_the_message(self, victim: Path, change: dict[str, Any], expected: str) -> None:
        edit(victim, lambda manifest: manifest.update(change))
        text = refusal(victim)
        assert len(text) < 1100
        assert expected in text
        assert "train" in text or "outside" in text  # the advice at the end stays

    def test_a_file_without_permission_to_read_it(self, victim: Path) -> None:
        (victim / "unigram.npy").chmod(0)
        with without_override():
            text = refusal(victim)
        assert "unigram.npy: Permission denied; let this user read it" in text

    def test_brackets_inside_each_other_without_end(self, victim: Path) -> None:
        (victim / bundle.MANIFEST).write_text('{"format": ' + "[" * 200_000, "utf-8")
        assert "not JSON" in refusal(victim)

    def test_a_manifest_that_is_too_large(self, victim: Path) -> None:
        with (victim / bundle.MANIFEST).open("r+b") as file:
            file.truncate(bundle.MOST_MANIFEST_BYTES + 1)
        assert "Larger than 64,000,000 bytes" in refusal(victim)

    @pytest.mark.parametrize("name", [bundle.MANIFEST, "unigram.npy"])
    def test_a_pipe_in_the_place_of_a_file(self, victim: Path, name: str) -> None:
        (victim / name).unlink()
        os.mkfifo(victim / name)
        assert "Not a regular file" in refusal(victim)

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
    def test_a_link_to_a_file_without_an_end(self, victim: Path) -> None:
        (victim / "unigram.npy").unlink()
        (victim / "unigram.npy").symlink_to("/dev/zero")
        assert "Not a regular file" in refusal(victim)


class TestGraphs:
    """ONNX graphs have only the operations of our own encoders, and refer to no other file."""

    def test_the_shipped_ones_are_allowed(self) -> None:
        for file in bundle.DEFAULT.glob("*.onnx"):
            check_graph(file.read_bytes(), (), ())

    @pytest.mark.parametrize(
        ("case", "expected"),
        [
            ("loop", "the operation Loop, which is not allowed"),
            ("nested loop", "the operation Loop, which is not allowed"),
            ("other domain", "the operation evil.Add, which is not allowed"),
            ("function", "functions of its own"),
            ("external", "its weights are in another file"),
            ("external constant", "its weights are in another file"),
            ("sparse", "sparse tensors"),
            ("too deep", "nested too deeply"),
            ("no graph", "0 graphs"),
            ("not a model", "not an ONNX model"),
            ("cut off", "cut off"),
            ("no input", "no input 'embedded'"),
        ],
    )
    def test_others_are_refused(self, deep_victim: Path, case: str, expected: str) -> None:
        put(deep_victim, bundle.DEEP_GRAPH, hostile_graph(case))
        text = refusal(deep_victim)
        assert bundle.DEEP_GRAPH in text
        assert expected in text

    @given(st.binary(max_size=200))
    def test_any_bytes_are_checked_or_refused(self, data: bytes) -> None:
        with pytest.raises(GraphError):
            check_graph(data, ("embedded",), ("window",))


@pytest.fixture(scope="module")
def first_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_first.save_bundle(tmp_path_factory.mktemp("first") / "bundle")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_an_array_is_refused_or_harmless(first_bundle: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Scoring with it gives verdicts, or the bundle is refused; it never fails in the middle of a text."""
    names = sorted(json.loads((first_bundle / bundle.MANIFEST).read_text("utf-8"))["files"])
    name = data.draw(st.sampled_from([name for name in names if name.endswith(".npy")]))
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)
    copy = Path(shutil.copytree(first_bundle, tmp_path / "copy"))
    values = np.load(copy / name).copy()
    extremes = [0, 1, *((np.iinfo(values.dtype).min, np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else ())]
    change = data.draw(st.sampled_from(["one", "all", "shorter", "longer", "bits"]))
    if change == "one" and values.size:
        values.reshape(-1)[data.draw(st.integers(0, values.size - 1))] = data.draw(st.sampled_from(extremes))
    elif change == "all":
        values[...] = data.draw(st.sampled_from(extremes))
    elif change == "bits" and values.size:
        content = bytearray(values.tobytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        values = np.frombuffer(bytes(content), values.dtype).reshape(values.shape)
    else:
        values = values[: len(values) // 2] if change == "shorter" else np.concatenate([values, values])
    put_array(copy, name.removesuffix(".npy"), values)
    try:
        detector = Detector.load(copy)
    except BundleError:
        return
    for depth in TIERS:
        try:
            verdicts = detector.score_many(TEXTS, depth=depth, evidence="all")
        except MissingTierError:
            continue
        assert all(verdict.score is None or 0 <= verdict.score <= 1 for verdict in verdicts)


# --- a few Protocol Buffers by hand, so that the tests need no package to write them


def hostile_graph(case: str) -> bytes:
    """Return an ONNX model that is hostile in one way."""
    io_names = [
        field(11, field(1, b"embedded")),
        *(field(12, field(1, name)) for name in (b"replaced", b"window", b"before")),
    ]
    add = node("Add")
    external = field(13, field(1, b"location") + field(2, b"/etc/passwd")) + number(14, 1)
    branches = add
    for _ in range(10):
        branches = node("If", field(5, field(6, field(1, branches))))
    parts = {
        "loop": [field(1, node("Loop"))],
        "nested loop": [field(1, node("If", field(5, field(6, field(1, node("Loop"))))))],
        "other domain": [field(1, node("Add", field(7, b"evil")))],
        "external": [field(1, add), field(5, external)],
        "external constant": [field(1, node("Constant", field(5, field(5, external))))],
        "sparse": [field(15, b"")],
        "too deep": [field(1, branches)],
    }
    graph = field(7, b"".join([*parts.get(case, [field(1, add)]), *io_names[case == "no input" :]]))
    whole = {
        "function": graph + field(25, field(1, b"Add")),
        "no graph": number(1, 8),
        "not a model": b"\x07" * 20,
        "cut off": graph[:-10],
    }
    return whole.get(case, graph)


def node(operation: str, more: bytes = b"") -> bytes:
    assert operation in ("Loop", *OPERATIONS[""])
    return field(4, operation.encode()) + more


def field(key: int, content: bytes) -> bytes:
    return varint(key << 3 | 2) + varint(len(content)) + content


def number(key: int, value: int) -> bytes:
    return varint(key << 3) + varint(value)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
