"""A model on disk: a folder with a manifest, memory-mapped arrays, word lists and the classifier.

Nothing is read until the format and the sha256 of every file have been checked, and nothing in a bundle is executed:
model/layout.py and model/onnx_graph.py say what it may contain. Bundles can be signed (model/signing.py).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import Decision
from unspun.model.decision.observations import Usual, read_usual
from unspun.model.decision.sentences import SentenceScale, read_scales
from unspun.model.language.ngrams import MAX_PROBES, LanguageModel, NgramTable
from unspun.model.language.topics import PackedVectors, Topics
from unspun.model.language.vocabulary import SPECIALS, Vocabulary
from unspun.model.layout import ARRAYS, REFERENCE, Arrays, LayoutError, check_classifier, finite, no_objects, require
from unspun.model.quoting import quoted, shortened
from unspun.model.regular import open_regular, read_regular
from unspun.model.signals.context import INPUTS, ContextNetwork
from unspun.model.signals.features import Tables
from unspun.model.signals.known_phrases import PhraseTable
from unspun.model.signals.phrasing import NgramWeights
from unspun.model.signals.quick import SIGNALS as QUICK_SIGNALS
from unspun.model.signals.quick import QuickSignals
from unspun.model.signals.substitutions import Alternatives
from unspun.model.signals.tagger import Tagger, TaggerInputs
from unspun.model.signing import SIGNATURE, SignatureError, TrustedKey, TrustedKeys, TrustError
from unspun.model.tiers.deep import (
    ENCODER_INPUTS,
    ENCODER_OUTPUTS,
    SENTENCE_OUTPUTS,
    Blend,
    DeepEncoder,
    DeepTier,
    EncoderWeights,
    WindowHead,
)
from unspun.model.tiers.fast import FastClassifier
from unspun.model.tiers.first import FirstTier
from unspun.model.tiers.stored import arrays_of, classifier_of
from unspun.model.tiers.wordpieces import check_pieces
from unspun.model.verdict import KINDS, ModelInfo

FORMAT = 2
"""Version of the bundle's layout. Bundles of other versions are refused."""
LIBRARIES = ("scikit-learn", "numpy", "joblib")
"""Libraries whose versions a bundle records."""
MANIFEST = "manifest.json"
CLASSIFIER = "classifier.npz"
PICKLED = "classifier.joblib"
"""The classifier in bundles of older versions: a pickle, which could execute anything, so it is never loaded."""
MOST_MANIFEST_BYTES = 64_000_000
MOST_NAME = 500
"""Most characters of a model's name and of its version, which every verdict repeats."""
MOST_CLASSIFIER_BYTES = 256_000_000
"""Most bytes of the classifier's arrays, uncompressed. Those of the model that ships have 400,000."""
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
SHIPPED_SHA256 = "a2e87c96682b3e7fe9a1de6276ed9716d5730333dc39c037f22b48af4b18cf35"
"""sha256 of the manifest of the model that ships, which lists those of all its files. A test keeps it up to date."""
PERMIT = "let this user read it, or use an account that may"
SHIPPED = "default"
"""The word that names the model that ships, wherever a model is named."""


class BundleError(Exception):
    """A bundle cannot be used. The message says, in one line, which bundle, why, and what to do.

    The middle of a long message is left out, because a message may quote what a stranger wrote.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message))


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
        first: the first tier, or None if the bundle has none, such as one trained on a user's texts.
        deep: the deep tier, or None if the bundle has none.
        sentences: how the evidence of single sentences is judged, by tier; empty if the bundle has none.
        usual: what observations about a text compare it with, or None if the bundle has none.
        signed_by: the trusted key that signed the bundle, or None if no signature was needed.
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
    signed_by: TrustedKey | None = None


def find(model: str | Path | None) -> Path:
    """Return the folder of a model: the one that ships for None and for the word `default`, else the path itself.

    A folder that is called `default` itself is named by another path to it, such as `./default`.
    """
    if model is None or str(model) == SHIPPED:
        return DEFAULT
    path = Path(model)
    return path.absolute() if str(path) == SHIPPED else path


def load(path: str | Path | None = None, *, trusted: TrustedKeys | None = None) -> Bundle:
    """Load a bundle, by default or as `default` the one that ships.

    With `trusted`, a bundle needs a signature by one of these keys, except the one that ships, whose hash is part of
    this program. Raises BundleError if the bundle cannot be used.
    """
    folder, manifest, info, key = _checked(path, trusted)
    with _explained(folder):
        return replace(_assemble(folder, manifest, info), signed_by=key)


def check(path: str | Path | None = None, *, trusted: TrustedKeys | None = None) -> tuple[ModelInfo, dict[str, Any]]:
    """Check a bundle's versions, the hashes of all its files and, with `trusted`, its signature.

    Returns its identity and its manifest. Nothing else is read. Raises BundleError if a check fails.
    """
    _, manifest, info, _ = _checked(path, trusted)
    return info, manifest


def sha256_of(folder: Path) -> str:
    """Return the sha256 of the manifest in a folder, without checking anything. Raises OSError."""
    return hashlib.sha256(read_regular(folder / MANIFEST, MOST_MANIFEST_BYTES)).hexdigest()


def trusted(path: str | Path | None = None) -> TrustedKeys | None:
    """Return the keys in a file, by default in the one that UNSPUN_TRUSTED_KEYS names; None if there is no such file.

    Raises BundleError if the file cannot be used, because then no bundle can be trusted.
    """
    try:
        return TrustedKeys.from_environment() if path is None else TrustedKeys.read(Path(path))
    except TrustError as error:
        raise BundleError(str(error)) from error


def check_signature(folder: Path, digest: str, trusted: TrustedKeys | None) -> TrustedKey | None:
    """Return the trusted key that signed the manifest with this sha256, None if no signature is needed.

    Without trusted keys, none is, and the model that ships never needs one. Raises BundleError if none of the trusted
    keys signed the manifest.
    """
    if trusted is None or digest == SHIPPED_SHA256:
        return None
    try:
        return trusted.verify(folder, digest)[0]
    except SignatureError as error:
        raise BundleError(f"{folder}: {error}") from error


def check_features(loaded: Bundle, features: int, token_values: int) -> None:
    """Raise BundleError unless a model fits these numbers of document features and of token values."""
    classifier = loaded.classifier
    used = [head.columns for head in classifier.heads] + [classifier.unfamiliarity.columns]
    fits = all(not columns.size or columns.max() < features for columns in used)
    fits &= classifier.correction is None or len(classifier.correction.centre) == features
    fits &= classifier.quick is None or loaded.tables.quick is not None
    if not fits or len(loaded.tagger.centre) != token_values:
        raise BundleError(
            f"{loaded.folder}: the model was made for other signals than those of this version of unspun; train it "
            "again with `unspun train`"
        )


def _checked(
    path: str | Path | None, trusted: TrustedKeys | None
) -> tuple[Path, dict[str, Any], ModelInfo, TrustedKey | None]:
    """Return a bundle's folder, manifest and identity, and the trusted key that signed it."""
    folder = _followed(find(path))
    manifest, digest = _read_manifest(folder)
    key = check_signature(folder, digest, trusted)
    _check_versions(folder, manifest)
    _check_entries(folder, manifest)
    _check_files(folder, manifest)
    return folder, manifest, ModelInfo(manifest["name"], manifest["version"], digest), key


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
        data = read_regular(file, MOST_MANIFEST_BYTES)
    except PermissionError as error:
        raise BundleError(f"{file}: {error.strerror}; {PERMIT}") from error
    except OSError as error:
        advice = "give the folder that `unspun train --output` wrote"
        if isinstance(error, FileNotFoundError) and (folder / "current").is_symlink():
            advice = f"this is a folder of models; the one in use is {folder / 'current'}"
        raise BundleError(f"{folder}: no model bundle here ({MANIFEST}: {error.strerror}); {advice}") from error
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
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
        raise BundleError(f"{folder}: bundle format {quoted(found)}, but this unspun reads format {FORMAT}; {advice}")


def _check_entries(folder: Path, manifest: dict[str, Any]) -> None:
    """Check the types of the entries that every manifest has. No hash covers the manifest, because it lists them."""
    for name, kind in {"name": str, "version": str, "decision": dict}.items():
        value = manifest.get(name)
        if not isinstance(value, kind) or (isinstance(value, str) and len(value) > MOST_NAME):
            problem = f"an invalid {name!r}" if name in manifest else f"no {name!r}"
            raise BundleError(f"{folder}: the manifest has {problem}; restore the bundle or train it again")


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    files = manifest.get("files")
    if isinstance(files, dict) and PICKLED in files:
        raise BundleError(
            f"{folder}: an older version of unspun wrote this bundle. It contains a pickle ({PICKLED}), which could "
            "execute anything when it is loaded, so it is not read; train the model again with `unspun train`"
        )
    if not isinstance(files, dict) or CLASSIFIER not in files:
        raise BundleError(f"{folder}: the manifest lists no files; restore the bundle or train it again")
    for name, expected in files.items():
        if Path(name).name != name:
            raise BundleError(f"{folder}: the manifest names a file outside the bundle: {quoted(name)}")
        try:
            with open_regular(folder / name) as handle:
                found = hashlib.file_digest(handle, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            advice = "restore the bundle or train it again"
            if isinstance(error, FileNotFoundError):
                advice = "the bundle is incomplete; restore it or train it again"
            elif isinstance(error, PermissionError):
                advice = PERMIT
            raise BundleError(f"{folder / name}: {getattr(error, 'strerror', error)}; {advice}") from error
        if found != expected:
            raise BundleError(
                f"{folder / name}: the content does not match the manifest (sha256 {found[:12]}..., expected "
                f"{str(expected)[:12]}...); restore the bundle or train it again"
            )


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn any error in reading a bundle's files into BundleError: they may contain anything."""
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, LayoutError) else f"{type(error).__name__}: {error}"
        raise BundleError(
            f"{folder}: the model cannot be read ({shortened(reason, 400)}); train it again with `unspun train`"
        ) from error


def _assemble(folder: Path, manifest: dict[str, Any], info: ModelInfo) -> Bundle:
    array = Arrays(folder, manifest["files"])
    tables = _tables(array, manifest)
    inputs = TaggerInputs(Topics.of(tables.vectors))
    centre, spread = array("tagger_centre"), array("tagger_spread")
    layers = tuple(array.layers(inputs.size(len(centre)), int(manifest["tagger_layers"])))
    tagger = Tagger(inputs, tuple(one for one, _ in layers), tuple(one for _, one in layers), centre, spread)
    decision = Decision.from_manifest(manifest["decision"])
    finite(manifest["tagger_prior_log_odds"], "tagger_prior_log_odds")  # used by the detector
    doubt, seen = _by_kind(manifest["doubt"], "doubt"), array("seen")
    deep = None
    if DEEP_GRAPH in manifest["files"]:
        deep = _deep_tier(array, manifest["deep"])
        if "deep" not in decision.tiers:
            raise ValueError("the manifest has no thresholds for the deep tier")
    classifier = _classifier(array.file(CLASSIFIER))
    scales, usual = read_scales(manifest), read_usual(manifest)
    first = None
    if "first" in manifest:
        limits = _by_kind(manifest["first"]["doubt"], "doubt")
        weights = np.array([_by_kind(manifest["first"][signal], signal) for signal in QUICK_SIGNALS])
        if tables.quick is None or "first" not in decision.tiers:
            raise ValueError("the manifest has no weights or no thresholds for the first tier")
        first = FirstTier(weights, limits)
    for name in REFERENCE:  # only training uses them, but it should not fail after hours of work
        if array.has(f"{name}.npy"):
            array(name)
    return Bundle(folder, info, manifest, tables, tagger, classifier, seen, decision, doubt, deep, scales, usual, first)


def _tables(array: Arrays, manifest: dict[str, Any]) -> Tables:
    language = LanguageModel(
        unigram=array("unigram"),
        backoff=array("backoff"),
        table=NgramTable(array("ngram_slots"), array("ngram_levels"), int(manifest["ngram_probes"])),
    )
    table = language.table
    require(table.slots.size.bit_count() == 1 and table.slots.size >= MAX_PROBES, "ngram_slots", "number of slots")
    require(0 <= table.probes <= MAX_PROBES, "ngram_probes", f"number {table.probes}")
    words = array.lines(WORDS, "V")
    require(words[: len(SPECIALS)] == SPECIALS, WORDS, "beginning")
    phrases = PhraseTable(
        keys=array("phrase_keys"),
        lengths=array("phrase_lengths"),
        weights=array("phrase_weights"),
        in_context=array("phrase_in_context"),
        ends=array("phrase_ends"),
        originals=array.lines(ORIGINALS, "P"),
    )
    alternatives = Alternatives(
        array("alternatives"),
        array("alternatives_prior"),
        array("ranking_weights"),
        np.float32(finite(manifest["ranking_bias"], "ranking_bias")),
    )
    vectors = PackedVectors(array("vectors"), array("vectors_scale"))
    return Tables(
        Vocabulary(words, language.unigram), language, alternatives, vectors, phrases, _quick_signals(array, manifest)
    )


def _quick_signals(array: Arrays, manifest: dict[str, Any]) -> QuickSignals | None:
    if "phrasing" not in manifest:
        return None
    context = None
    if CONTEXT_GRAPH in manifest["files"]:
        graph = array.graph(CONTEXT_GRAPH, INPUTS, ())
        context = ContextNetwork(**{name: array(f"context_{name}") for name in CONTEXT}, graph=graph)
    numbers = (_by_kind(manifest["phrasing"][name], name) for name in PHRASING)
    return QuickSignals(NgramWeights(array("phrasing"), *numbers), context)


def _deep_tier(array: Arrays, entry: dict[str, Any]) -> DeepTier:
    embeddings = array("deep_embeddings")
    head = None
    if array.has(f"{DEEP_HEAD[0]}.npy"):
        head = WindowHead(*map(array, DEEP_HEAD))
        require(head.judge.shape[1] == head.judged.size, DEEP_HEAD[0], f"shape {head.judge.shape}")
    outputs = ENCODER_OUTPUTS if head is None else (*ENCODER_OUTPUTS, *SENTENCE_OUTPUTS)
    weights = EncoderWeights(
        graph=array.graph(DEEP_GRAPH, ENCODER_INPUTS, outputs),
        embeddings=embeddings,
        scale=array("deep_embeddings_scale"),
        bias=array("deep_bias"),
        pieces=array.lines(DEEP_PIECES, "N"),
        head=head,
    )
    check_pieces(weights.pieces)
    blend = Blend(**{name: finite(value, name) for name, value in entry["blend"].items()})
    return DeepTier(DeepEncoder(weights), blend, _by_kind(entry["fast_weights"], "fast_weights"))


def _classifier(file: Path) -> FastClassifier:
    with zipfile.ZipFile(file) as archive:  # its index says how large the arrays are before they are unpacked
        size = sum(entry.file_size for entry in archive.infolist())
    require(size <= MOST_CLASSIFIER_BYTES, CLASSIFIER, f"size: {size:,} bytes")
    with no_objects(CLASSIFIER), np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    check_classifier(arrays)
    return classifier_of(arrays)


def _by_kind(entry: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    return np.array([finite(entry[kind], name) for kind in KINDS])


def read_extra(bundle: Bundle, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the bundle's arrays for training whose names begin with `prefix`, memory-mapped, by name.

    Raises BundleError if one of them is not as `model.layout` says.
    """
    with _explained(bundle.folder):
        array = Arrays(bundle.folder, bundle.manifest["files"])
        return {name: array(name) for name in ARRAYS if name.startswith(prefix) and array.has(f"{name}.npy")}


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
    """Write a bundle, replacing one that is already there, and its signature.

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
        extra: further arrays for training, by name (see `read_extra`), with the layouts that `model.layout` says; the
            engine ignores them.

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
        (folder / SIGNATURE).unlink(missing_ok=True)  # it was for the old bundle
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
