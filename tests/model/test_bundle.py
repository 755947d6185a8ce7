"""model/bundle.py: what was saved is what is loaded, and nothing is deserialised that is not proven whole."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from tests import deep as tiny_deep
from tests import tables as tiny
from unspun.model import bundle
from unspun.model.bundle import BundleError
from unspun.model.detector import Detector
from unspun.model.signals.features import FeatureExtractor
from unspun.model.tiers.fast import FastClassifier
from unspun.model.verdict import KINDS


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny bundle to spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture
def deep_copy(deep_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny bundle with a deep tier to spoil."""
    return Path(shutil.copytree(deep_bundle, tmp_path / "deep"))


@pytest.fixture
def nothing_deserialised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test where the classifier is unpickled."""

    def refuse(*args: Any, **options: Any) -> None:
        pytest.fail("joblib.load was called")

    monkeypatch.setattr(joblib, "load", refuse)


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a bundle's manifest."""
    file = folder / bundle.MANIFEST
    manifest = json.loads(file.read_text("utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), "utf-8")


def message(folder: Path) -> str:
    """Return why a bundle is refused: one line that names it."""
    with pytest.raises(BundleError) as refused:
        Detector.load(folder)
    text = str(refused.value)
    assert str(folder) in text
    assert "\n" not in text
    return text


def test_what_is_loaded_judges_as_what_was_saved(tiny_bundle: Path) -> None:
    loaded = Detector.load(tiny_bundle)
    extractor = FeatureExtractor(tiny.tables(), tiny.tagger())
    features, style = extractor.transform_with_style([tiny.ARTICLE])
    expected = tiny.classifier().log_odds(features, style)
    assert loaded.measure([tiny.ARTICLE], depth="fast").fast == pytest.approx(expected, abs=1e-9)


def test_saving_again_gives_the_same_files(tiny_bundle: Path, tmp_path: Path) -> None:
    again = tiny.save_bundle(tmp_path / "again")
    names = sorted(file.name for file in tiny_bundle.iterdir())
    assert names == sorted(file.name for file in again.iterdir())
    assert all((tiny_bundle / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_a_loaded_bundle_saved_again_is_the_same(tiny_bundle: Path, tmp_path: Path) -> None:
    loaded = bundle.load(tiny_bundle)
    bundle.save(tmp_path / "again", loaded.manifest, loaded.tables, loaded.tagger, loaded.classifier, loaded.seen)
    first, second = (
        json.loads((folder / bundle.MANIFEST).read_text("utf-8"))["files"]
        for folder in (tiny_bundle, tmp_path / "again")
    )
    del first[bundle.CLASSIFIER], second[bundle.CLASSIFIER]  # pickles differ in what they share
    assert first == second


def test_arrays_are_memory_mapped(tiny_bundle: Path) -> None:
    tables = bundle.load(tiny_bundle).tables
    large = (tables.language.table.slots, tables.alternatives.ids, tables.vectors.values, tables.phrases.keys)
    assert all(isinstance(values, np.memmap) or isinstance(values.base, np.memmap) for values in large)


def test_arrays_cannot_be_written_to(tiny_bundle: Path) -> None:
    assert not bundle.load(tiny_bundle).tables.language.table.slots.flags.writeable


def test_the_manifest_lists_every_file(tiny_bundle: Path) -> None:
    listed = json.loads((tiny_bundle / bundle.MANIFEST).read_text("utf-8"))["files"]
    assert sorted([*listed, bundle.MANIFEST]) == sorted(file.name for file in tiny_bundle.iterdir())


def test_a_save_that_fails_leaves_the_old_bundle_whole(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(joblib, "dump", fail)
    with pytest.raises(OSError, match="no space"):
        tiny.save_bundle(copy)
    bundle.load(copy)


def test_a_full_disk_is_told_by_the_folder(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy says only how much it could not write."""

    def fail(*args: Any, **options: Any) -> None:
        raise OSError("11720448 requested and 6549376 written")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="No space left on device") as raised:
        tiny.save_bundle(copy)
    assert raised.value.filename == str(copy)


@pytest.mark.usefixtures("nothing_deserialised")
class TestRefused:
    """Each of these is a BundleError that says what to do, before anything is deserialised."""

    def test_no_folder(self, tmp_path: Path) -> None:
        assert "no model bundle here" in message(tmp_path / "none")

    def test_a_file_for_a_folder(self, tmp_path: Path) -> None:
        file = tmp_path / "model.zip"
        file.write_bytes(b"PK")
        assert "give the folder" in message(file)

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert "unspun train --output" in message(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"model: 1"])
    def test_a_manifest_that_is_not_json(self, copy: Path, content: bytes) -> None:
        (copy / bundle.MANIFEST).write_bytes(content)
        assert "not JSON" in message(copy)

    @pytest.mark.parametrize("content", ["[]", "null", '"bundle"', "1"])
    def test_a_manifest_that_is_no_object(self, copy: Path, content: str) -> None:
        (copy / bundle.MANIFEST).write_text(content)
        assert "not a manifest" in message(copy)

    def test_a_newer_format(self, copy: Path) -> None:
        edit(copy, lambda manifest: manifest.update(format=bundle.FORMAT + 1))
        assert "update unspun" in message(copy)

    @pytest.mark.parametrize("found", [0, None, "1", []])
    def test_an_older_or_no_format(self, copy: Path, found: Any) -> None:
        edit(copy, lambda manifest: manifest.update(format=found))
        assert "train the model again" in message(copy)

    def test_a_bundle_of_1_x_is_told_why(self, copy: Path) -> None:
        edit(copy, lambda manifest: manifest.update(format=1))
        assert "unspun 1.x made it, whose scores have another scale; train the model again" in message(copy)

    @pytest.mark.parametrize("trained", ["0.24.1", "99.1.0", "", None])
    def test_another_scikit_learn(self, copy: Path, trained: str | None) -> None:
        edit(copy, lambda manifest: manifest["libraries"].update({"scikit-learn": trained}))
        assert "pip install scikit-learn" in message(copy)

    @pytest.mark.parametrize("libraries", [None, [], "1.9"])
    def test_libraries_that_are_no_table(self, copy: Path, libraries: Any) -> None:
        edit(copy, lambda manifest: manifest.update(libraries=libraries))
        assert "train" in message(copy)

    @pytest.mark.parametrize("name", ["unigram.npy", bundle.CLASSIFIER, bundle.WORDS])
    def test_a_changed_file(self, copy: Path, name: str) -> None:
        data = bytearray((copy / name).read_bytes())
        data[-1] ^= 1
        (copy / name).write_bytes(bytes(data))
        text = message(copy)
        assert name in text
        assert "restore the bundle" in text

    @pytest.mark.parametrize("name", ["vectors.npy", bundle.CLASSIFIER, bundle.ORIGINALS])
    def test_a_missing_file(self, copy: Path, name: str) -> None:
        (copy / name).unlink()
        text = message(copy)
        assert name in text
        assert "incomplete" in text

    @pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "folder/unigram.npy"])
    def test_a_file_outside_the_bundle(self, copy: Path, name: str) -> None:
        edit(copy, lambda manifest: manifest["files"].update({name: "00"}))
        assert "outside the bundle" in message(copy)

    @pytest.mark.parametrize("name", ["..", ".", "", "unigram\0.npy"])
    def test_a_name_that_is_no_file(self, copy: Path, name: str) -> None:
        edit(copy, lambda manifest: manifest["files"].update({name: "00"}))
        message(copy)

    @pytest.mark.parametrize("files", [None, [], {}, "all"])
    def test_a_manifest_without_files(self, copy: Path, files: Any) -> None:
        edit(copy, lambda manifest: manifest.update(files=files))
        assert "lists no files" in message(copy)

    @pytest.mark.parametrize("name", [bundle.CLASSIFIER, "ngram_slots.npy", bundle.WORDS])
    def test_a_file_that_the_manifest_does_not_vouch_for(self, copy: Path, name: str) -> None:
        edit(copy, lambda manifest: manifest["files"].pop(name))
        message(copy)

    @pytest.mark.parametrize(
        "key", ["decision", "doubt", "tagger_prior_log_odds", "ngram_probes", "tagger_layers", "name"]
    )
    def test_a_manifest_without_an_entry(self, copy: Path, key: str) -> None:
        edit(copy, lambda manifest: manifest.pop(key))
        message(copy)

    @pytest.mark.parametrize("decision", [None, {}, [], {**tiny.decision("fast"), "tiers": {}}, tiny.decision("deep")])
    def test_a_decision_that_is_none(self, copy: Path, decision: Any) -> None:
        edit(copy, lambda manifest: manifest.update(decision=decision))
        message(copy)

    def test_thresholds_out_of_order(self, copy: Path) -> None:
        edit(copy, lambda manifest: manifest["decision"]["tiers"]["fast"].update(suspect=0.001))
        message(copy)

    @pytest.mark.parametrize("doubt", [None, {}, 0.5, {"spun": 0.1}, dict.fromkeys(KINDS, "often")])
    def test_rates_of_doubt_that_are_none(self, copy: Path, doubt: Any) -> None:
        edit(copy, lambda manifest: manifest.update(doubt=doubt))
        message(copy)


class TestDeepTier:
    """A bundle may hold the deep tier: five files more, an entry of the manifest, and its thresholds."""

    FILES = (
        *("deep_embeddings.npy", "deep_embeddings_scale.npy", "deep_bias.npy"),
        *(bundle.DEEP_GRAPH, bundle.DEEP_PIECES),
    )

    def test_what_is_loaded_judges_as_what_was_saved(self, deep_bundle: Path) -> None:
        loaded = bundle.load(deep_bundle)
        texts = [tiny.ARTICLE, tiny_deep.SPUN_ARTICLE, "The vessel was late."]
        saved = Detector(replace(loaded, deep=tiny_deep.tier()))
        assert Detector(loaded).score_many(texts, depth="deep") == saved.score_many(texts, depth="deep")

    def test_a_bundle_without_it_has_none(self, tiny_bundle: Path) -> None:
        assert bundle.load(tiny_bundle).deep is None

    def test_its_files_are_added(self, tiny_bundle: Path, deep_bundle: Path) -> None:
        names = [{file.name for file in folder.iterdir()} for folder in (tiny_bundle, deep_bundle)]
        assert names[1] - names[0] == set(self.FILES)

    def test_the_manifest_lists_every_file(self, deep_bundle: Path) -> None:
        listed = json.loads((deep_bundle / bundle.MANIFEST).read_text("utf-8"))["files"]
        assert sorted([*listed, bundle.MANIFEST]) == sorted(file.name for file in deep_bundle.iterdir())

    def test_a_bundle_saved_over_it_without_it_leaves_no_file_behind(self, tmp_path: Path) -> None:
        folder = tiny_deep.save_bundle(tmp_path / "model")
        (folder / "notes.txt").write_text("the user's own", "utf-8")
        seen = np.array([1, 2, 3], dtype=np.uint64)
        bundle.save(folder, tiny.manifest(), tiny.tables(), tiny.tagger(), tiny.classifier(), seen)
        left = {file.name for file in folder.iterdir()}
        assert not left & set(self.FILES)
        assert "notes.txt" in left

    def test_saving_again_gives_the_same_files(self, deep_bundle: Path, tmp_path: Path) -> None:
        again = tiny_deep.save_bundle(tmp_path / "again")
        assert all((file.read_bytes() == (again / file.name).read_bytes()) for file in deep_bundle.iterdir())

    def test_embeddings_are_memory_mapped(self, deep_bundle: Path) -> None:
        deep = bundle.load(deep_bundle).deep
        assert deep is not None
        values = deep.encoder.weights.embeddings
        assert isinstance(values, np.memmap) or isinstance(values.base, np.memmap)

    def test_a_loaded_tier_goes_to_another_process(self, deep_bundle: Path) -> None:
        loaded = bundle.load(deep_bundle)
        sent = pickle.loads(pickle.dumps(loaded))
        first, second = (Detector(one).score(tiny_deep.SPUN_ARTICLE, depth="deep") for one in (loaded, sent))
        assert first == second

    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.usefixtures("nothing_deserialised")
    def test_a_changed_file_is_refused(self, deep_copy: Path, name: str) -> None:
        data = bytearray((deep_copy / name).read_bytes())
        data[-1] ^= 1
        (deep_copy / name).write_bytes(bytes(data))
        text = message(deep_copy)
        assert name in text
        assert "restore the bundle" in text

    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.usefixtures("nothing_deserialised")
    def test_a_missing_file_is_refused(self, deep_copy: Path, name: str) -> None:
        (deep_copy / name).unlink()
        text = message(deep_copy)
        assert name in text
        assert "incomplete" in text

    @pytest.mark.parametrize("name", sorted({*FILES} - {bundle.DEEP_GRAPH}))
    @pytest.mark.usefixtures("nothing_deserialised")
    def test_a_file_that_the_manifest_does_not_vouch_for_is_refused(self, deep_copy: Path, name: str) -> None:
        edit(deep_copy, lambda manifest: manifest["files"].pop(name))
        assert name in message(deep_copy)

    @pytest.mark.parametrize("weights", [None, {}, 0.5, {"spun": 0.1}, dict.fromkeys(KINDS, "much")])
    def test_weights_of_the_fast_tier_that_are_none_are_refused(self, deep_copy: Path, weights: Any) -> None:
        edit(deep_copy, lambda manifest: manifest["deep"].update(fast_weights=weights))
        message(deep_copy)

    def test_a_manifest_without_the_tiers_thresholds_is_refused(self, deep_copy: Path) -> None:
        edit(deep_copy, lambda manifest: manifest.update(decision=tiny.decision("fast")))
        assert "no thresholds of the deep tier" in message(deep_copy)

    @pytest.mark.parametrize("entry", [None, [], "deep", {}])
    def test_a_manifest_whose_entry_is_none_is_refused(self, deep_copy: Path, entry: Any) -> None:
        edit(deep_copy, lambda manifest: manifest.update(deep=entry))
        message(deep_copy)

    @pytest.mark.parametrize("blend", [{}, {"deep": 1.0}, {**asdict(tiny_deep.BLEND), "slow": 1.0}, {"deep": "x"}, [1]])
    def test_a_blend_that_is_none_is_refused(self, deep_copy: Path, blend: Any) -> None:
        edit(deep_copy, lambda manifest: manifest["deep"].update(blend=blend))
        message(deep_copy)


def test_a_classifier_that_cannot_be_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> FastClassifier:
        raise ModuleNotFoundError("No module named 'sklearn.old'")

    monkeypatch.setattr(joblib, "load", fail)
    assert "train it again" in message(copy)


def test_the_shipped_bundle_is_whole(shipped: Detector) -> None:
    assert shipped.bundle.info.name == "default"


def test_the_shipped_manifest_names_the_columns(shipped: Detector) -> None:
    extractor = FeatureExtractor(shipped.bundle.tables, shipped.bundle.tagger)
    assert shipped.bundle.manifest["features"] == extractor.get_feature_names_out().tolist()


def test_the_shipped_bundle_holds_no_text(shipped: Detector) -> None:
    # Words, originals of known phrases and numbers: the data's fingerprint counts texts, and has none.
    assert set(shipped.bundle.manifest["data"]) == {"texts", "sources", "sha256"}
