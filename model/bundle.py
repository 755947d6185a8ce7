"""A model on disk: a folder with a manifest, memory-mapped arrays, word lists and the classifier.

Nothing is read until the format and the sha256 of every file have been checked. Bundles before version 2.2.0 hold a
pickle with objects of scikit-learn, for which the version of that library is checked as well.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import Decision
from unspun.model.decision.observations import Usual, read_usual
from unspun.model.decision.sentences import SentenceScale, read_scales
from unspun.model.language.ngrams import LanguageModel, NgramTable
from unspun.model.language.topics import PackedVectors, Topics
from unspun.model.language.vocabulary import Vocabulary
from unspun.model.signals.context import ContextNetwork
from unspun.model.signals.features import Tables
from unspun.model.signals.known_phrases import PhraseTable
from unspun.model.signals.phrasing import NgramWeights
from unspun.model.signals.quick import SIGNALS as QUICK_SIGNALS
from unspun.model.signals.quick import QuickSignals
from unspun.model.signals.substitutions import Alternatives
from unspun.model.signals.tagger import Tagger, TaggerInputs
from unspun.model.tiers.deep import Blend, DeepEncoder, DeepTier, EncoderWeights, WindowHead
from unspun.model.tiers.fast import FastClassifier
from unspun.model.tiers.first import FirstTier
from unspun.model.tiers.stored import arrays_of, classifier_of
from unspun.model.verdict import KINDS, ModelInfo

FORMAT = 2
"""Version of the bundle's layout. Bundles of other versions are refused."""
LIBRARIES = ("scikit-learn", "numpy", "joblib")
"""Libraries whose versions a bundle records."""
MANIFEST = "manifest.json"
CLASSIFIER = "classifier.npz"
PICKLED = "classifier.joblib"
"""The classifier of bundles before version 2.2.0. It needs the same minor version of scikit-learn."""
WORDS = "words.txt"
ORIGINALS = "originals.txt"
PHRASING = ("scale", "per_root", "bias")
"""Numbers of `NgramWeights` that are in the manifest, by kind."""
CONTEXT_GRAPH = "context.onnx"
CONTEXT = ("table", "capital", "scale", "bias")
"""Arrays of `ContextNetwork`."""
DEEP_GRAPH = "deep.onnx"
DEEP_PIECES = "deep_pieces.txt"
DEEP_HEAD = ("deep_judge", "deep_judge_bias", "deep_judged", "deep_judged_bias")
WRITTEN = ("format", "libraries", "ngram_probes", "ranking_bias", "tagger_layers", "phrasing", "first", "files")
"""The manifest's entries that `save` adds."""
DEFAULT = Path(__file__).with_name("default")
"""The folder of the model that ships."""
SHIPPED = "default"
"""The word that names the model that ships, wherever a model is named."""
UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, EOFError),
    *(zlib.error, zipfile.BadZipFile, pickle.UnpicklingError),
)
"""Errors that a damaged or incompatible bundle causes while it is loaded."""


class BundleError(Exception):
    """A bundle cannot be used. The message says, in one line, which bundle, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded model.

    Attributes:
        folder: where the bundle is.
        info: name, version and hash, as verdicts show them.
        manifest: the content of manifest.json.
        tables, tagger, classifier: what the fast tier needs.
        seen: (S,) sorted keys of the texts that the model was trained on, so that it is never evaluated on them.
        decision: how evidence becomes a verdict.
        doubt: (3,) rate of each kind above which the fast tier's verdict is final at depth `auto`.
        first: the first tier; bundles before version 2.2.0, and those trained on a user's texts, have none.
        deep: the deep tier, or None if the bundle has none.
        sentences: how the evidence of single sentences is judged, by tier; bundles before version 2.1.0 have none.
        usual: what observations about a text compare it with; bundles before version 2.1.0 have none.
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
    sentences: Mapping[str, SentenceScale] = field(default_factory=dict)
    usual: Usual | None = None
    first: FirstTier | None = None


def find(model: str | Path | None) -> Path:
    """Return the folder of a model: the one that ships for None and for the word `default`, else the path itself.

    A folder that is called `default` itself is named by another path to it, such as `./default`.
    """
    if model is None or str(model) == SHIPPED:
        return DEFAULT
    path = Path(model)
    return path.absolute() if str(path) == SHIPPED else path


def load(path: str | Path | None = None) -> Bundle:
    """Load a bundle, by default or as `default` the one that ships. Raises BundleError if it cannot be used."""
    folder, manifest, digest = _checked(path)
    try:
        return _assemble(folder, manifest, digest)
    except UNREADABLE as error:
        raise BundleError(
            f"{folder}: the model cannot be read ({type(error).__name__}: {error}); train it again with `unspun train`"
        ) from error


def check(path: str | Path | None = None) -> tuple[ModelInfo, dict[str, Any]]:
    """Check a bundle's versions and the hashes of all its files; return its identity and its manifest.

    Nothing is deserialised. Raises BundleError if a check fails.
    """
    folder, manifest, digest = _checked(path)
    try:
        return ModelInfo(str(manifest["name"]), str(manifest["version"]), digest), manifest
    except KeyError as error:
        raise BundleError(f"{folder}: the manifest has no {error}; train it again with `unspun train`") from error


def _checked(path: str | Path | None) -> tuple[Path, dict[str, Any], str]:
    folder = _followed(find(path))
    manifest, digest = _read_manifest(folder)
    _check_versions(folder, manifest)
    _check_entries(folder, manifest)
    _check_files(folder, manifest)
    return folder, manifest, digest


def _followed(folder: Path) -> Path:
    """Resolve links, so that a link that changes during loading does not mix two bundles."""
    real = os.path.realpath(folder)
    with suppress(OSError):  # reading the manifest reports the error
        if folder.is_symlink() and not folder.exists():
            raise BundleError(
                f"{folder}: links to {real}, which does not exist; "
                "choose another model with `unspun models rollback` or `unspun models promote`"
            )
    return folder if real == str(folder.absolute()) else Path(real)  # messages show the name as given, if possible


def _read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    file = folder / MANIFEST
    try:
        data = file.read_bytes()
    except OSError as error:
        advice = "give the folder that `unspun train --output` wrote"
        if isinstance(error, FileNotFoundError) and (folder / "current").is_symlink():
            advice = f"this is a folder of models; the one in use is {folder / 'current'}"
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
            advice = "it is from unspun 1.x, whose scores have a different scale; train it again with `unspun train`"
        else:
            advice = "train the model again with `unspun train`"
        raise BundleError(f"{folder}: bundle format {found!r}, but this unspun reads format {FORMAT}; {advice}")
    files, libraries = manifest.get("files"), manifest.get("libraries")
    if not isinstance(files, dict) or PICKLED not in files:
        return
    trained = str(libraries.get("scikit-learn", "unknown") if isinstance(libraries, dict) else "unknown")
    installed = version("scikit-learn")
    if trained.split(".")[:2] != installed.split(".")[:2]:
        raise BundleError(
            f"{folder}: trained with scikit-learn {trained}, but {installed} is installed; "
            f"run `pip install scikit-learn=={trained}` or train the model again with `unspun train`"
        )


def _check_entries(folder: Path, manifest: dict[str, Any]) -> None:
    """Check the types of the entries that every manifest has. No hash covers the manifest, because it lists them."""
    for name, kind in {"name": str, "version": str, "decision": dict}.items():
        if not isinstance(manifest.get(name), kind):
            problem = f"an invalid {name!r}" if name in manifest else f"no {name!r}"
            raise BundleError(f"{folder}: the manifest has {problem}; restore the bundle or train it again")


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    files = manifest.get("files")
    if not isinstance(files, dict) or not {CLASSIFIER, PICKLED} & files.keys():
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
                "the bundle is incomplete; restore it or train it again"
            ) from error
        if found != expected:
            raise BundleError(
                f"{folder / name}: the content does not match the manifest (sha256 {found[:12]}..., expected "
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
    if "phrasing" in manifest:
        numbers = (np.array([float(manifest["phrasing"][name][kind]) for kind in KINDS]) for name in PHRASING)
        context = None
        if CONTEXT_GRAPH in manifest["files"]:
            arrays = {name: array(f"context_{name}") for name in CONTEXT}
            context = ContextNetwork(**arrays, graph=listed(CONTEXT_GRAPH).read_bytes())
        tables = replace(tables, quick=QuickSignals(NgramWeights(array("phrasing"), *numbers), context))
    layers = range(int(manifest["tagger_layers"]))
    tagger = Tagger(
        inputs=TaggerInputs(Topics.of(tables.vectors)),
        weights=tuple(array(f"tagger_weights_{i}").astype(np.float32) for i in layers),
        biases=tuple(array(f"tagger_biases_{i}").astype(np.float32) for i in layers),
        centre=array("tagger_centre"),
        spread=array("tagger_spread"),
    )
    info = ModelInfo(str(manifest["name"]), str(manifest["version"]), digest)
    decision = Decision.from_manifest(manifest["decision"])
    float(manifest["tagger_prior_log_odds"])  # checked here, used by the detector
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
            head=WindowHead(*(array(name) for name in DEEP_HEAD))
            if f"{DEEP_HEAD[0]}.npy" in manifest["files"]
            else None,
        )
        encoder = DeepEncoder(weights)
        blend = Blend(**{name: float(value) for name, value in manifest["deep"]["blend"].items()})
        weights_of_fast = np.array([float(manifest["deep"]["fast_weights"][kind]) for kind in KINDS])
        deep = DeepTier(encoder, blend, weights_of_fast)
        if "deep" not in decision.tiers:
            raise ValueError("the manifest has no thresholds for the deep tier")
    classifier = _load_classifier(folder, manifest)
    scales, usual = read_scales(manifest), read_usual(manifest)
    first = None
    if "first" in manifest:
        limits = np.array([float(manifest["first"]["doubt"][kind]) for kind in KINDS])
        weights_of_quick = np.array(
            [[float(manifest["first"][signal][kind]) for kind in KINDS] for signal in QUICK_SIGNALS]
        )
        if tables.quick is None or "first" not in decision.tiers:
            raise ValueError("the manifest has no weights or no thresholds for the first tier")
        first = FirstTier(weights_of_quick, limits)
    return Bundle(folder, info, manifest, tables, tagger, classifier, seen, decision, doubt, deep, scales, usual, first)


def _load_classifier(folder: Path, manifest: dict[str, Any]) -> FastClassifier:
    if CLASSIFIER in manifest["files"]:
        with np.load(folder / CLASSIFIER, allow_pickle=False) as arrays:
            return classifier_of(dict(arrays))
    from unspun.model.pickled import load_classifier  # slow to import, as is the scikit-learn that it needs

    return load_classifier(folder / PICKLED)


def read_extra(bundle: Bundle, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with `prefix`, by name. Raises OSError or ValueError if one is unreadable."""
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
    first: FirstTier | None = None,
    extra: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a bundle, replacing one that is already there.

    Each file is written to a temporary folder and then moved, so that processes that have the old file mapped keep it.
    The old manifest is deleted before the other files are moved, and the new one is moved last: a folder without a
    manifest is not a bundle, so a half-written bundle is never loaded.

    Args:
        folder: where to write; it is created if necessary.
        manifest: completed with the format, the library versions and the sha256 of every file.
        tables, tagger, classifier: the fast tier.
        seen: (S,) sorted keys of the texts that the model was trained on (`training.corpora`).
        deep: the deep tier, if the model has one.
        first: the first tier, if the model has one.
        extra: further arrays for training, by name (see `read_extra`); the engine ignores them.

    Raises:
        OSError: if a file cannot be written. The error names the folder even if the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.", suffix=".part") as made:
        part = Path(made)
        try:
            names = _write(part, manifest, tables, tagger, classifier, seen, deep, first, extra or {})
        except OSError as error:
            if error.errno is None or error.filename is not None:
                raise
            # A failed write does not say which file it was; the temporary one would mean nothing to the user anyway.
            raise OSError(error.errno, os.strerror(error.errno), str(folder)) from error
        folder.mkdir(exist_ok=True)
        old = _listed_files(folder)
        (folder / MANIFEST).unlink(missing_ok=True)
        for name in names:
            (part / name).replace(folder / name)
    for name in old.difference(names):  # the old bundle may have had more files
        (folder / name).unlink(missing_ok=True)


def _write(
    folder: Path,
    manifest: dict[str, Any],
    tables: Tables,
    tagger: Tagger,
    classifier: FastClassifier,
    seen: NDArray[np.uint64],
    deep: DeepTier | None,
    first: FirstTier | None,
    extra: Mapping[str, NDArray[Any]],
) -> list[str]:
    """Write a bundle's files. Return their names, with the manifest last."""
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
    added: dict[str, Any] = {}
    quick = tables.quick
    if quick is not None:
        arrays["phrasing"] = quick.phrasing.weights
        added["phrasing"] = {
            name: dict(zip(KINDS, getattr(quick.phrasing, name).tolist(), strict=True)) for name in PHRASING
        }
        if quick.context is not None:
            arrays |= {f"context_{name}": getattr(quick.context, name) for name in CONTEXT}
    if first is not None:
        entry = {"doubt": first.doubt, **dict(zip(QUICK_SIGNALS, first.weights, strict=True))}
        added["first"] = {name: dict(zip(KINDS, values.tolist(), strict=True)) for name, values in entry.items()}
    if deep is not None:
        weights = deep.encoder.weights
        arrays |= {
            "deep_embeddings": weights.embeddings,
            "deep_embeddings_scale": weights.scale,
            "deep_bias": weights.bias,
        }
        if weights.head is not None:
            head = weights.head
            arrays |= dict(zip(DEEP_HEAD, (head.judge, head.judge_bias, head.judged, head.judged_bias), strict=True))
    for name, values in arrays.items():
        # Through memory: numpy's own writing of a file does not report errno, so a full disk could not be recognised.
        content = io.BytesIO()
        np.save(content, np.ascontiguousarray(values), allow_pickle=False)
        (folder / f"{name}.npy").write_bytes(content.getbuffer())
    (folder / WORDS).write_text("\n".join(tables.vocabulary.words), "utf-8")
    (folder / ORIGINALS).write_text("\n".join(phrases.originals), "utf-8")
    content = io.BytesIO()
    np.savez_compressed(content, **arrays_of(classifier))  # type: ignore[arg-type]  # it takes arrays by any name
    (folder / CLASSIFIER).write_bytes(content.getbuffer())
    names = [*(f"{name}.npy" for name in arrays), WORDS, ORIGINALS, CLASSIFIER]
    if quick is not None and quick.context is not None:
        (folder / CONTEXT_GRAPH).write_bytes(quick.context.graph)
        names.append(CONTEXT_GRAPH)
    if deep is not None:
        (folder / DEEP_GRAPH).write_bytes(deep.encoder.weights.graph)
        (folder / DEEP_PIECES).write_text("\n".join(deep.encoder.weights.pieces), "utf-8")
        names += [DEEP_GRAPH, DEEP_PIECES]
    complete = {
        **manifest,
        **added,
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
    """Return the files that the manifest in a folder lists, or none if there is no readable manifest."""
    try:
        listed = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {name for name in listed if Path(name).name == name}
    except (OSError, ValueError, LookupError, TypeError):
        return set()
