"""A model on disk: a folder with a manifest, arrays that are memory-mapped, word lists and the classifier.

Nothing is deserialised before the manifest's format, the library versions and the sha256 of every file are found right.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyUnpickler
from numpy.typing import NDArray

from unspun.model.decision.decision import Decision
from unspun.model.language.ngrams import LanguageModel, NgramTable
from unspun.model.language.topics import PackedVectors, Topics
from unspun.model.language.vocabulary import Vocabulary
from unspun.model.signals.features import Tables
from unspun.model.signals.known_phrases import PhraseTable
from unspun.model.signals.substitutions import Alternatives
from unspun.model.signals.tagger import Tagger, TaggerInputs
from unspun.model.tiers.deep import Blend, DeepEncoder, DeepTier, EncoderWeights
from unspun.model.tiers.fast import FastClassifier
from unspun.model.verdict import KINDS, ModelInfo

FORMAT = 2
"""Version of the bundle's layout; another one is refused."""
LIBRARIES = ("scikit-learn", "numpy", "joblib")
"""Libraries whose versions a bundle records. The classifier is scikit-learn's and needs its minor version."""
MANIFEST = "manifest.json"
CLASSIFIER = "classifier.joblib"
MOVED = {"model.fast": "unspun.model.tiers.fast", "model.house": "unspun.model.tiers.house"}
"""Where the classes in bundles of version 2.0.0 live now, by the module that those bundles name."""
WORDS = "words.txt"
ORIGINALS = "originals.txt"
DEEP_GRAPH = "deep.onnx"
DEEP_PIECES = "deep_pieces.txt"
WRITTEN = ("format", "libraries", "ngram_probes", "ranking_bias", "tagger_layers", "files")
"""What `save` itself puts into a manifest."""
DEFAULT = Path(__file__).with_name("default")


class BundleError(Exception):
    """A bundle cannot be used; the message says which, why and what to do, in one line."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded model.

    `manifest` is the content of manifest.json; `training.card` renders it as a card. `deep` is None in a bundle without
    the deep tier. `doubt` (3,) are the rates of the kinds above which the fast tier's answer is final. `seen` (S,)
    holds the keys of the texts that the model learnt from, in rising order, so that it is never judged on them.
    `folder` is where it lies.
    """

    folder: Path
    info: ModelInfo
    manifest: dict[str, Any]
    tables: Tables
    tagger: Tagger
    classifier: FastClassifier
    seen: NDArray[np.uint64]
    decision: Decision
    doubt: NDArray[np.float64]
    deep: DeepTier | None = None


def load(path: str | Path | None = None) -> Bundle:
    """Load a bundle, by default the one that ships; raises BundleError where it cannot be used."""
    folder, manifest, digest = _checked(path)
    try:
        return _assemble(folder, manifest, digest)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, EOFError) as error:
        raise BundleError(
            f"{folder}: the model cannot be read ({type(error).__name__}: {error}); train it again with `unspun train`"
        ) from error


def check(path: str | Path | None = None) -> tuple[ModelInfo, dict[str, Any]]:
    """Return who a bundle is, and its manifest, where its versions and the hashes of all its files are right.

    Nothing is deserialised. Raises BundleError.
    """
    folder, manifest, digest = _checked(path)
    try:
        return ModelInfo(str(manifest["name"]), str(manifest["version"]), digest), manifest
    except KeyError as error:
        raise BundleError(f"{folder}: the manifest has no {error}; train it again with `unspun train`") from error


def _checked(path: str | Path | None) -> tuple[Path, dict[str, Any], str]:
    folder = _followed(Path(path)) if path is not None else DEFAULT
    manifest, digest = _read_manifest(folder)
    _check_versions(folder, manifest)
    _check_entries(folder, manifest)
    _check_files(folder, manifest)
    return folder, manifest, digest


def _followed(folder: Path) -> Path:
    """Return where a folder really is: a link to it may lead elsewhere before the last file is read."""
    real = os.path.realpath(folder)
    with suppress(OSError):  # told when the manifest is read
        if folder.is_symlink() and not folder.exists():
            raise BundleError(
                f"{folder}: leads to {real}, which is not there; `unspun models rollback` or `promote` sets it right"
            )
    return folder if real == str(folder.absolute()) else Path(real)  # named as it was given, if it may be


def _read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    file = folder / MANIFEST
    try:
        data = file.read_bytes()
    except OSError as error:
        advice = "give the folder that `unspun train --output` wrote"
        if isinstance(error, FileNotFoundError) and (folder / "current").is_symlink():
            advice = f"it is a folder of models, of which {folder / 'current'} is in use"
        raise BundleError(f"{folder}: no model bundle here ({MANIFEST}: {error.strerror}); {advice}") from error
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{file}: not JSON ({error}); restore the bundle or train it again") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{file}: not a manifest; restore the bundle or train it again")
    return manifest, hashlib.sha256(data).hexdigest()


def _check_versions(folder: Path, manifest: dict[str, Any]) -> None:
    found = manifest.get("format")
    if found != FORMAT:
        if isinstance(found, int) and found > FORMAT:
            advice = "update unspun"
        elif found == 1:
            advice = "unspun 1.x made it, whose scores have another scale; train the model again with `unspun train`"
        else:
            advice = "train the model again with `unspun train`"
        raise BundleError(f"{folder}: bundle format {found!r}, this unspun reads {FORMAT}; {advice}")
    libraries = manifest.get("libraries")
    trained = str(libraries.get("scikit-learn", "unknown") if isinstance(libraries, dict) else "unknown")
    installed = version("scikit-learn")
    if trained.split(".")[:2] != installed.split(".")[:2]:
        raise BundleError(
            f"{folder}: trained with scikit-learn {trained}, installed is {installed}; "
            f"`pip install scikit-learn=={trained}` or train the model again with `unspun train`"
        )


def _check_entries(folder: Path, manifest: dict[str, Any]) -> None:
    """Look whether the manifest says what every manifest says. No hash covers it: it is what lists them."""
    for name, kind in {"name": str, "version": str, "decision": dict}.items():
        if not isinstance(manifest.get(name), kind):
            of_kind = " of the right kind" if name in manifest else ""
            raise BundleError(f"{folder}: the manifest has no {name!r}{of_kind}; restore the bundle or train it again")


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Compare every file with its sha256 in the manifest."""
    files = manifest.get("files")
    if not isinstance(files, dict) or CLASSIFIER not in files:
        raise BundleError(f"{folder}: the manifest lists no files; restore the bundle or train it again")
    for name, expected in files.items():
        if Path(name).name != name:
            raise BundleError(f"{folder}: the manifest names a file outside the bundle: {name!r}")
        try:
            with (folder / name).open("rb") as handle:
                found = hashlib.file_digest(handle, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{folder / name}: {getattr(error, 'strerror', error)}; "
                "the bundle is incomplete, restore it or train it again"
            ) from error
        if found != expected:
            raise BundleError(
                f"{folder / name}: its content is not what the manifest says (sha256 {found[:12]}..., expected "
                f"{str(expected)[:12]}...); restore the bundle or train it again"
            )


def _assemble(folder: Path, manifest: dict[str, Any], digest: str) -> Bundle:
    def listed(name: str) -> Path:
        if name not in manifest["files"]:
            raise ValueError(f"{name} is not in the manifest")
        return folder / name

    def array(name: str) -> NDArray[Any]:
        return np.asarray(np.load(listed(f"{name}.npy"), mmap_mode="r", allow_pickle=False))

    language = LanguageModel(
        unigram=array("unigram"),
        backoff=array("backoff"),
        table=NgramTable(array("ngram_slots"), array("ngram_levels"), int(manifest["ngram_probes"])),
    )
    words = tuple(listed(WORDS).read_text("utf-8").split("\n"))
    tables = Tables(
        vocabulary=Vocabulary(words, language.unigram),
        language=language,
        alternatives=Alternatives(
            array("alternatives"),
            array("alternatives_prior"),
            array("ranking_weights"),
            np.float32(manifest["ranking_bias"]),
        ),
        vectors=PackedVectors(array("vectors"), array("vectors_scale")),
        phrases=PhraseTable(
            keys=array("phrase_keys"),
            lengths=array("phrase_lengths"),
            weights=array("phrase_weights"),
            in_context=array("phrase_in_context"),
            ends=array("phrase_ends"),
            originals=tuple(listed(ORIGINALS).read_text("utf-8").split("\n")),
        ),
    )
    layers = range(int(manifest["tagger_layers"]))
    tagger = Tagger(
        inputs=TaggerInputs(Topics(tables.vectors)),
        weights=tuple(array(f"tagger_weights_{i}").astype(np.float32) for i in layers),
        biases=tuple(array(f"tagger_biases_{i}").astype(np.float32) for i in layers),
        centre=array("tagger_centre"),
        spread=array("tagger_spread"),
    )
    info = ModelInfo(str(manifest["name"]), str(manifest["version"]), digest)
    decision = Decision.from_manifest(manifest["decision"])
    float(manifest["tagger_prior_log_odds"])  # read by the detector
    doubt = np.array([float(manifest["doubt"][kind]) for kind in KINDS])
    seen = array("seen")
    deep = None
    if DEEP_GRAPH in manifest["files"]:
        weights = EncoderWeights(
            graph=listed(DEEP_GRAPH).read_bytes(),
            embeddings=array("deep_embeddings"),
            scale=array("deep_embeddings_scale"),
            bias=array("deep_bias"),
            pieces=tuple(listed(DEEP_PIECES).read_text("utf-8").split("\n")),
        )
        encoder = DeepEncoder(weights)
        blend = Blend(**{name: float(value) for name, value in manifest["deep"]["blend"].items()})
        weights_of_fast = np.array([float(manifest["deep"]["fast_weights"][kind]) for kind in KINDS])
        deep = DeepTier(encoder, blend, weights_of_fast)
        if "deep" not in decision.tiers:
            raise ValueError("no thresholds of the deep tier")
    classifier = _load_classifier(folder / CLASSIFIER)
    return Bundle(folder, info, manifest, tables, tagger, classifier, seen, decision, doubt, deep)


class _Unpickler(NumpyUnpickler):  # type: ignore[misc]
    """Finds classes where they live now, so that bundles written before a module moved can still be loaded."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(MOVED.get(module, module), name)


def _load_classifier(file: Path) -> FastClassifier:
    """Load what `save` wrote with `joblib.dump`. The caller has checked the file's hash."""
    data = io.BytesIO(zlib.decompress(file.read_bytes()))
    classifier: FastClassifier = _Unpickler(str(file), data, ensure_native_byte_order=True).load()
    return classifier


def read_extra(bundle: Bundle, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a loaded bundle whose names begin with `prefix`, by name. Raises OSError and ValueError."""
    names = [name for name in bundle.manifest["files"] if name.startswith(prefix) and name.endswith(".npy")]
    return {name.removesuffix(".npy"): np.load(bundle.folder / name, allow_pickle=False) for name in names}


def save(
    folder: Path,
    manifest: dict[str, Any],
    tables: Tables,
    tagger: Tagger,
    classifier: FastClassifier,
    seen: NDArray[np.uint64],
    deep: DeepTier | None = None,
    *,
    extra: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a bundle. The manifest is completed by format, library versions and the sha256 of every file.

    `seen` are the keys (`training.corpora.text_keys`) of the texts that the model learnt from, in rising order. `extra`
    arrays are kept beside those that the engine reads, for training (`read_extra`).

    Each file is written beside its place and moved there, so that a process that has the old one mapped keeps it. The
    manifest goes last, and the old one first: a folder without one is no bundle, and a half-written one is never
    loaded. Raises OSError, which names the folder where the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Gone whatever happens, an interruption as well.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.", suffix=".part") as made:
        part = Path(made)
        try:
            names = _write(part, manifest, tables, tagger, classifier, seen, deep, extra or {})
        except OSError as error:
            # A write does not tell where it failed, and numpy's not even that the disk is full.
            full = error.errno or (errno.ENOSPC if "requested and" in str(error) else None)
            if full is None or error.filename is not None:
                raise
            raise OSError(full, os.strerror(full), str(folder)) from error
        folder.mkdir(exist_ok=True)
        old = _listed_files(folder)
        (folder / MANIFEST).unlink(missing_ok=True)
        for name in names:
            (part / name).replace(folder / name)
    for name in old.difference(names):  # of an earlier bundle with more parts
        (folder / name).unlink(missing_ok=True)


def _write(
    folder: Path,
    manifest: dict[str, Any],
    tables: Tables,
    tagger: Tagger,
    classifier: FastClassifier,
    seen: NDArray[np.uint64],
    deep: DeepTier | None,
    extra: Mapping[str, NDArray[Any]],
) -> list[str]:
    """Write a bundle's files; returns their names, the manifest last."""
    language, phrases = tables.language, tables.phrases
    arrays: dict[str, NDArray[Any]] = {
        "unigram": language.unigram,
        "backoff": language.backoff,
        "ngram_slots": language.table.slots,
        "ngram_levels": language.table.levels,
        "alternatives": tables.alternatives.ids,
        "alternatives_prior": tables.alternatives.log_prior,
        "ranking_weights": tables.alternatives.weights,
        "vectors": tables.vectors.values,
        "vectors_scale": tables.vectors.scale,
        "phrase_keys": phrases.keys,
        "phrase_lengths": phrases.lengths,
        "phrase_weights": phrases.weights,
        "phrase_in_context": phrases.in_context,
        "phrase_ends": phrases.ends,
        "seen": seen,
        "tagger_centre": tagger.centre,
        "tagger_spread": tagger.spread,
        **extra,
    }
    for i, (layer, biases) in enumerate(zip(tagger.weights, tagger.biases, strict=True)):
        arrays[f"tagger_weights_{i}"] = layer.astype(np.float16)
        arrays[f"tagger_biases_{i}"] = biases.astype(np.float32)
    if deep is not None:
        weights = deep.encoder.weights
        arrays |= {
            "deep_embeddings": weights.embeddings,
            "deep_embeddings_scale": weights.scale,
            "deep_bias": weights.bias,
        }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(values), allow_pickle=False)
    (folder / WORDS).write_text("\n".join(tables.vocabulary.words), "utf-8")
    (folder / ORIGINALS).write_text("\n".join(phrases.originals), "utf-8")
    # A pickle depends on what an object shares with others; a copy from a pickle always pickles alike.
    joblib.dump(pickle.loads(pickle.dumps(classifier)), folder / CLASSIFIER, compress=("zlib", 9))
    names = [*(f"{name}.npy" for name in arrays), WORDS, ORIGINALS, CLASSIFIER]
    if deep is not None:
        (folder / DEEP_GRAPH).write_bytes(deep.encoder.weights.graph)
        (folder / DEEP_PIECES).write_text("\n".join(deep.encoder.weights.pieces), "utf-8")
        names += [DEEP_GRAPH, DEEP_PIECES]
    complete = {
        **manifest,
        "format": FORMAT,
        "libraries": {name: version(name) for name in LIBRARIES},
        "ngram_probes": language.table.probes,
        "ranking_bias": float(tables.alternatives.bias),
        "tagger_layers": len(tagger.weights),
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(names)},
    }
    text = json.dumps(complete, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(f"{text}\n", "utf-8")
    return [*names, MANIFEST]


def _listed_files(folder: Path) -> set[str]:
    """Return the files that an earlier bundle in this folder has listed; none where there is no manifest to read."""
    try:
        listed = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {name for name in listed if Path(name).name == name}
    except (OSError, ValueError, LookupError, TypeError):
        return set()
