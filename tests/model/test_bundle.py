"""model/bundle.py: a loaded bundle equals the saved one, and nothing is deserialised before it has been checked."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests import deep as tiny_deep
from tests import tables as tiny
from unspun.model import bundle
from unspun.model.bundle import BundleError
from unspun.model.detector import Detector
from unspun.model.signals.features import FeatureExtractor
from unspun.model.tiers.stored import arrays_of
from unspun.model.verdict import KINDS

DECISIONS = (None, {}, [], {**tiny.decision("fast"), "tiers": {}}, tiny.decision("deep"))
"""Entries of a manifest that are not a decision."""
BLEND = asdict(tiny_deep.BLEND)
DEEP_FILES = (
    *("deep_embeddings.npy", "deep_embeddings_scale.npy", "deep_bias.npy"),
    *(bundle.DEEP_GRAPH, bundle.DEEP_PIECES),
)


@pytest.fixture(params=["tiny_bundle", "deep_bundle"], ids=["fast", "deep"])
def folder(request: pytest.FixtureRequest) -> Path:
    """Return the tiny model's bundle, without and with a deep tier."""
    return Path(request.getfixturevalue(request.param))


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny bundle that a test may damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture
def deep_copy(deep_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny bundle with a deep tier that a test may damage."""
    return Path(shutil.copytree(deep_bundle, tmp_path / "deep"))


@pytest.fixture
def nothing_deserialised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if a classifier is loaded."""

    def refuse(*args: Any, **options: Any) -> None:
        pytest.fail("a classifier was loaded")

    monkeypatch.setattr(bundle, "classifier_of", refuse)


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / bundle.MANIFEST).read_text("utf-8"))
    return manifest


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = manifest_of(folder)
    change(manifest)
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest), "utf-8")


def put_classifier(folder: Path, name: str, content: bytes) -> None:
    """Write a file of a bundle, with its hash in the manifest."""
    (folder / name).write_bytes(content)
    edit(folder, lambda manifest: manifest["files"].update({name: hashlib.sha256(content).hexdigest()}))


def message(folder: Path) -> str:
    """Return the error for a bundle that cannot be loaded: one line that names the folder."""
    with pytest.raises(BundleError) as raised:
        Detector.load(folder)
    text = str(raised.value)
    assert str(folder) in text
    assert "\n" not in text
    return text


def test_a_loaded_bundle_scores_like_the_saved_one(tiny_bundle: Path) -> None:
    loaded = Detector.load(tiny_bundle)
    extractor = FeatureExtractor(tiny.tables(), tiny.tagger())
    features, style = extractor.transform_with_style([tiny.ARTICLE])
    expected = tiny.classifier().log_odds(features, style)
    assert loaded.measure([tiny.ARTICLE], depth="fast").fast == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("model", "saved"), [(tiny, "tiny_bundle"), (tiny_deep, "deep_bundle")], ids=["fast", "deep"])
def test_saving_again_gives_the_same_files(
    model: Any, saved: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    again = model.save_bundle(tmp_path / "again")
    assert tiny.digests(again) == tiny.digests(request.getfixturevalue(saved))


def test_saving_a_loaded_bundle_gives_the_same_files(tiny_bundle: Path, tmp_path: Path) -> None:
    loaded = bundle.load(tiny_bundle)
    bundle.save(tmp_path / "again", loaded.manifest, loaded.tables, loaded.tagger, loaded.classifier, loaded.seen)
    first, second = (manifest_of(folder)["files"] for folder in (tiny_bundle, tmp_path / "again"))
    assert first == second


def test_large_arrays_are_memory_mapped(deep_bundle: Path) -> None:
    loaded = bundle.load(deep_bundle)
    tables, deep = loaded.tables, loaded.deep
    assert deep is not None
    large = (
        *(tables.language.table.slots, tables.alternatives.ids, tables.vectors.values, tables.phrases.keys),
        deep.encoder.weights.embeddings,
    )
    assert all(isinstance(values, np.memmap) or isinstance(values.base, np.memmap) for values in large)


def test_arrays_cannot_be_written_to(tiny_bundle: Path) -> None:
    assert not bundle.load(tiny_bundle).tables.language.table.slots.flags.writeable


def test_the_manifest_lists_every_file(folder: Path) -> None:
    assert {*manifest_of(folder)["files"], bundle.MANIFEST} == {file.name for file in folder.iterdir()}


def test_a_failed_save_leaves_the_old_bundle_intact(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="no space"):
        tiny.save_bundle(copy)
    bundle.load(copy)


def test_the_error_for_a_full_disk_names_the_folder(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left on device") as raised:
        tiny.save_bundle(copy)
    assert raised.value.filename == str(copy)


@pytest.mark.usefixtures("nothing_deserialised")
class TestRefused:
    """Bundles that raise a BundleError with advice, before anything is deserialised."""

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        assert "no model bundle here" in message(tmp_path / "none")

    def test_a_file_instead_of_a_folder(self, tmp_path: Path) -> None:
        file = tmp_path / "model.zip"
        file.write_bytes(b"PK")
        assert "give the folder" in message(file)

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert "unspun train --output" in message(tmp_path)

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            *((content, "not JSON") for content in (b"", b"{", b"\xff\xfe", b"model: 1")),
            *((content, "not a manifest") for content in (b"[]", b"null", b'"bundle"', b"1")),
        ],
    )
    def test_a_manifest_that_is_not_a_json_object(self, copy: Path, content: bytes, expected: str) -> None:
        (copy / bundle.MANIFEST).write_bytes(content)
        assert expected in message(copy)

    @pytest.mark.parametrize(
        ("entries", "expected"),
        [
            ({"format": bundle.FORMAT + 1}, "update unspun"),
            *(({"format": found}, "train the model again") for found in (0, None, "1", [])),
            ({"format": 1}, "it is from unspun 1.x, whose scores have a different scale; train it again"),
            *(({"files": files}, "lists no files") for files in (None, [], {}, "all")),
            *(({"decision": decision}, "") for decision in DECISIONS),
            *(({"doubt": doubt}, "") for doubt in (None, {}, 0.5, {"spun": 0.1}, dict.fromkeys(KINDS, "often"))),
        ],
    )
    def test_a_manifest_with_an_invalid_entry(self, copy: Path, entries: dict[str, Any], expected: str) -> None:
        edit(copy, lambda manifest: manifest.update(entries))
        assert expected in message(copy)

    @pytest.mark.parametrize(
        "key", ["decision", "doubt", "tagger_prior_log_odds", "ngram_probes", "tagger_layers", "name"]
    )
    def test_a_manifest_with_a_missing_entry(self, copy: Path, key: str) -> None:
        edit(copy, lambda manifest: manifest.pop(key))
        message(copy)

    def test_thresholds_out_of_order(self, copy: Path) -> None:
        edit(copy, lambda manifest: manifest["decision"]["tiers"]["fast"].update(suspect=0.001))
        message(copy)

    @pytest.mark.parametrize("name", ["unigram.npy", bundle.CLASSIFIER, bundle.WORDS, *DEEP_FILES])
    def test_a_changed_file(self, deep_copy: Path, name: str) -> None:
        data = bytearray((deep_copy / name).read_bytes())
        data[-1] ^= 1
        (deep_copy / name).write_bytes(data)
        text = message(deep_copy)
        assert name in text
        assert "restore the bundle" in text

    @pytest.mark.parametrize("name", ["vectors.npy", bundle.CLASSIFIER, bundle.ORIGINALS, *DEEP_FILES])
    def test_a_missing_file(self, deep_copy: Path, name: str) -> None:
        (deep_copy / name).unlink()
        text = message(deep_copy)
        assert name in text
        assert "incomplete" in text

    @pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "folder/unigram.npy"])
    def test_a_file_outside_the_bundle(self, copy: Path, name: str) -> None:
        edit(copy, lambda manifest: manifest["files"].update({name: "00"}))
        assert "outside the bundle" in message(copy)

    @pytest.mark.parametrize("name", ["..", ".", "", "unigram\0.npy"])
    def test_an_invalid_file_name(self, copy: Path, name: str) -> None:
        edit(copy, lambda manifest: manifest["files"].update({name: "00"}))
        message(copy)

    @pytest.mark.parametrize("name", [bundle.CLASSIFIER, "ngram_slots.npy", bundle.WORDS])
    def test_a_file_that_the_manifest_does_not_list(self, copy: Path, name: str) -> None:
        edit(copy, lambda manifest: manifest["files"].pop(name))
        message(copy)


def test_a_classifier_that_cannot_be_read(copy: Path) -> None:
    put_classifier(copy, bundle.CLASSIFIER, b"not an archive")
    assert "train it again" in message(copy)


@pytest.mark.parametrize("name", ["spun.columns", "unfamiliarity.centre", "translated.trees.baseline"])
def test_a_classifier_without_one_of_its_arrays(copy: Path, name: str) -> None:
    arrays = arrays_of(tiny.classifier())
    del arrays[name]
    content = io.BytesIO()
    np.savez(content, **arrays)
    put_classifier(copy, bundle.CLASSIFIER, content.getvalue())
    assert name in message(copy)


def test_a_classifier_that_is_not_made_of_trees_cannot_be_saved() -> None:
    other = replace(tiny.classifier().heads[0], estimator=LogisticRegression())
    with pytest.raises(ValueError, match="spun is a LogisticRegression, which cannot be saved"):
        arrays_of(replace(tiny.classifier(), heads=(other, *tiny.classifier().heads[1:])))


def test_a_model_is_loaded_and_used_without_the_libraries_of_training(tiny_bundle: Path) -> None:
    """Their imports take longer than scoring some hundred texts."""
    code = (
        "import sys; from unspun.model.detector import Detector; "
        f"Detector.load({str(tiny_bundle)!r}).score('The mayor told reporters about the bridge. ' * 20); "
        "print([name for name in ('sklearn', 'joblib', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class TestDeepTier:
    """A bundle with a deep tier has five more files, an entry in the manifest, and thresholds."""

    def test_a_loaded_bundle_scores_like_the_saved_one(self, deep_bundle: Path) -> None:
        loaded = bundle.load(deep_bundle)
        texts = [tiny.ARTICLE, tiny_deep.SPUN_ARTICLE, "The vessel was late."]
        saved = Detector(replace(loaded, deep=tiny_deep.tier()))
        assert Detector(loaded).score_many(texts, depth="deep") == saved.score_many(texts, depth="deep")

    def test_a_bundle_without_a_deep_tier(self, tiny_bundle: Path) -> None:
        assert bundle.load(tiny_bundle).deep is None

    def test_five_files_are_added(self, tiny_bundle: Path, deep_bundle: Path) -> None:
        names = [{file.name for file in folder.iterdir()} for folder in (tiny_bundle, deep_bundle)]
        assert names[1] - names[0] == set(DEEP_FILES)

    def test_saving_a_model_without_a_deep_tier_deletes_the_old_files(self, tmp_path: Path) -> None:
        folder = tiny_deep.save_bundle(tmp_path / "model")
        (folder / "notes.txt").write_text("the user's own", "utf-8")
        tiny.save_bundle(folder)
        left = {file.name for file in folder.iterdir()}
        assert not left & set(DEEP_FILES)
        assert "notes.txt" in left

    def test_a_loaded_tier_can_be_pickled(self, deep_bundle: Path) -> None:
        loaded = bundle.load(deep_bundle)
        sent = pickle.loads(pickle.dumps(loaded))
        first, second = (Detector(one).score(tiny_deep.SPUN_ARTICLE, depth="deep") for one in (loaded, sent))
        assert first == second

    @pytest.mark.parametrize("name", sorted({*DEEP_FILES} - {bundle.DEEP_GRAPH}))
    @pytest.mark.usefixtures("nothing_deserialised")
    def test_a_file_that_the_manifest_does_not_list_is_refused(self, deep_copy: Path, name: str) -> None:
        edit(deep_copy, lambda manifest: manifest["files"].pop(name))
        assert name in message(deep_copy)

    def test_missing_thresholds_are_refused(self, deep_copy: Path) -> None:
        edit(deep_copy, lambda manifest: manifest.update(decision=tiny.decision("fast")))
        assert "no thresholds for the deep tier" in message(deep_copy)

    @pytest.mark.parametrize("entry", [None, [], "deep", {}])
    def test_an_invalid_entry_is_refused(self, deep_copy: Path, entry: Any) -> None:
        edit(deep_copy, lambda manifest: manifest.update(deep=entry))
        message(deep_copy)

    @pytest.mark.parametrize(
        ("part", "value"),
        [
            *(("fast_weights", one) for one in (None, {}, 0.5, {"spun": 0.1}, dict.fromkeys(KINDS, "much"))),
            *(("blend", one) for one in ({}, {"deep": 1.0}, {**BLEND, "slow": 1.0}, {"deep": "x"}, [1])),
        ],
    )
    def test_an_invalid_part_of_the_entry_is_refused(self, deep_copy: Path, part: str, value: Any) -> None:
        edit(deep_copy, lambda manifest: manifest["deep"].update({part: value}))
        message(deep_copy)


def test_the_shipped_bundle_loads(shipped: Detector) -> None:
    assert shipped.bundle.info.name == "default"


def test_the_shipped_manifest_names_the_features(shipped: Detector) -> None:
    extractor = FeatureExtractor(shipped.bundle.tables, shipped.bundle.tagger)
    assert shipped.bundle.manifest["features"] == extractor.get_feature_names_out().tolist()


def test_the_shipped_bundle_contains_no_text(shipped: Detector) -> None:
    # Only words, originals of known phrases and numbers; the fingerprint of the data counts texts.
    assert set(shipped.bundle.manifest["data"]) == {"texts", "sources", "sha256"}
