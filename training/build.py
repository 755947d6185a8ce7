"""Builds the model that ships.

    python -m unspun.training.build ../shared/corpora --lexicons ../shared/lexicons --work work --output model/default

Trains the fast tier on the texts with the role `train`, takes the encoder from the last checkpoint of
`training.encoder.fine_tune`, gathers the evidence of all tiers in texts with the role `calibrate`, and fits the
decision to it. Texts with the role `test` are never used. Each result is kept in the work folder; rerun the command to
resume.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from unspun.model import bundle
from unspun.model.comparing.align import substitutions
from unspun.model.decision.decision import Decision, Tail, TierDecision
from unspun.model.detector import Detector
from unspun.model.signals.context import ContextNetwork
from unspun.model.signals.quick import QuickSignals
from unspun.model.text.allowed import Allowed
from unspun.model.tiers.deep import (
    LEAST_MISFIT,
    NOT_READ,
    Blend,
    DeepEncoder,
    DeepTier,
    EncoderWeights,
    judged_words,
)
from unspun.model.verdict import KINDS, ModelInfo
from unspun.training.calibration.cascade import MINIMUM_WORDS, Cascade, fit_cascade
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.calibration.explaining import add_explanations
from unspun.training.calibration.reference import ReferenceTexts, kept_texts
from unspun.training.classifier.fast_tier import SOURCES, FastTier, Recipe, Stages, train_fast_tier
from unspun.training.classifier.matrix import crop
from unspun.training.classifier.phrasing import fit_ngrams
from unspun.training.command import add_workers, labelled_parser
from unspun.training.corpora.corpus import LabelledText, fingerprint, read_labelled, text_keys
from unspun.training.corpora.roles import default_roles, sample
from unspun.training.reporting.card import write_card

CALIBRATION_TEXTS = 100
"""Texts of each calibration source and maker."""
SHORT_TEXTS, SHORT_WORDS = 25, (50, 110)
"""Passages of each calibration source that serve as short texts, and their length in words."""
RANGE_TEXTS = 5
"""Texts of each source and maker that show the range of the context network's units."""
BLEND_TEXTS = 25
"""Texts of each real spinner, and of each human source, that the blend of the two taggers is fitted on."""


def provisional() -> Decision:
    """Return a decision that never finds a text unfamiliar, to gather evidence before the real one is fitted."""
    one = np.array([1.0])
    tail = Tail(one, one, one, (0.0, 0.0), np.array([0.0, 1.0]), np.array([0.0, -1.0]), 0.0)
    tier = TierDecision((tail,) * len(KINDS), np.ones(len(KINDS)), 0.001, 0.01)
    none = (np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    return Decision(MINIMUM_WORDS, 0.001, np.inf, {"fast": tier, "deep": tier}, {"fast": none, "deep": none})


def provisional_detector(fast: FastTier, weights: EncoderWeights | None, allowed: Allowed | None = None) -> Detector:
    """Return a detector whose evidence is final but whose verdicts are not."""
    deep = None if weights is None else DeepTier(DeepEncoder(weights), Blend(1.0, 0.0, 0.0, 0.0), np.zeros(len(KINDS)))
    loaded = bundle.Bundle(
        folder=Path(),
        info=ModelInfo("provisional", "0", ""),
        manifest={"tagger_prior_log_odds": fast.prior_log_odds},
        tables=fast.tables,
        tagger=fast.tagger,
        classifier=fast.classifier,
        seen=np.zeros(0, np.uint64),
        decision=provisional(),
        doubt=np.ones(len(KINDS)),
        deep=deep,
    )
    return Detector(loaded, allowed)


def calibration_texts(texts: Sequence[LabelledText], seed: int) -> list[LabelledText]:
    """Return the texts to calibrate with: a sample of each source and maker, and passages for short texts."""
    chosen = sample([text for text in texts if text.label != "llm"], CALIBRATION_TEXTS)
    rng = np.random.default_rng(seed)
    low, high = SHORT_WORDS
    passages = [
        replace(text, text=crop(text.text, rng, shortest=low, longest=high), id=f"{text.id}#short")
        for text in sample([text for text in texts if text.label == "human"], SHORT_TEXTS)
    ]
    return [*chosen, *passages]


def fit_blend(detector: Detector, texts: Sequence[LabelledText]) -> Blend:
    """Fit the blend of the two taggers on words written by real spinners and by people."""
    some = [text for text in texts if text.label == "human" or (text.label == "spun" and text.original)]
    values, labels = [], []
    for text in sample(some, BLEND_TEXTS):
        found = detector.measure([text.text])
        if found.reading is None:
            continue
        words = judged_words(found.documents, 0)
        words = words[found.reading.replaced[words] > NOT_READ]
        changed = np.zeros(len(words), dtype=bool)
        if text.label == "spun":
            pairs = substitutions(text.original or "", text.text, inflections=True)
            spans = [found.documents.source_span(int(word), int(word)) for word in words]
            changed = np.array([any(p.start < end and p.end > start for p in pairs) for start, end in spans], bool)
        misfit = np.maximum(found.measured.misfit[words], LEAST_MISFIT)
        values.append(np.column_stack([found.reading.replaced[words], misfit]))
        labels.append(changed)
    inputs, truth = np.concatenate(values).astype(np.float64), np.concatenate(labels)
    fitted = LogisticRegression().fit(inputs, truth)
    share = float(truth.mean())
    numbers = (*fitted.coef_[0].tolist(), float(fitted.intercept_[0]), float(np.log(share / (1.0 - share))))
    return Blend(*(round(number, 6) for number in numbers))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists")
    parser.add_argument(
        "--work", type=Path, default=Path("work"), help="folder for intermediate results (default: work)"
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="checkpoint of the encoder (default: WORK/encoder/checkpoint.pt)"
    )
    parser.add_argument("--context", type=Path, help="checkpoint of training.encoder.context (default: none)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the bundle to write")
    parser.add_argument(
        "--version", default="2.2.0", dest="model_version", help="version of the bundle (default: 2.2.0)"
    )
    add_workers(parser, 1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    roles = default_roles()
    by_role = roles.share_out(read_labelled(options.labelled))
    recipe = Recipe(version=options.model_version, seed=options.seed, lexicons=options.lexicons, jobs=options.workers)
    learned = [text for text in by_role["train"] if text.label != "llm"]
    stages = Stages(options.work / "fast", learned, recipe, lambda line: print(line, file=sys.stderr, flush=True))
    fast = train_fast_tier(learned, recipe, stages)
    phrasing = stages.run("phrasing", lambda: fit_ngrams(learned))
    network = context_network(options.context, learned) if options.context else None
    fast = replace(fast, tables=replace(fast.tables, quick=QuickSignals(phrasing, network)))
    checkpoint = options.checkpoint or options.work / "encoder" / "checkpoint.pt"
    weights, step = _encoder(checkpoint, checkpoint.parent)
    texts = calibration_texts(by_role["calibrate"], options.seed)
    file = options.work / "evidence" / evidence_name(step, stages.key, texts)
    detector = provisional_detector(fast, weights)
    if not file.exists():
        print(f"reading {len(texts)} texts ...", file=sys.stderr, flush=True)
        gather_evidence(detector, texts, jobs=options.workers).save(file)
    labelled = LabelledEvidence.load(file)
    blend = fit_blend(detector, by_role["calibrate"])
    build(options.output, fast, weights, blend, labelled, learned, recipe)
    print("reading the texts again, for the sentences ...", file=sys.stderr, flush=True)
    add_explanations(bundle.load(options.output), options.output, by_role["calibrate"])
    return 0


def evidence_name(step: object, key: str, texts: Sequence[LabelledText]) -> str:
    """Return the file name of the evidence, which changes with the encoder, the fast tier and the texts, so that a
    changed role takes effect.
    """
    return f"calibrate-{step}-{key}-{fingerprint(texts)['sha256'][:12]}.npz"


def build(
    output: Path,
    fast: FastTier,
    weights: EncoderWeights | None,
    blend: Blend | None,
    labelled: LabelledEvidence,
    learned: Sequence[LabelledText],
    recipe: Recipe,
    *,
    accuracy: Callable[[Decision], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Fit the decision to evidence in `calibrate` texts and write the bundle with its card; return the manifest.

    `accuracy` measures a decision; its figures become part of the manifest.
    """
    cascade = fit_cascade(labelled, deep=weights is not None)
    names = provisional_detector(fast, weights).feature_names
    manifest: dict[str, Any] = {
        "name": recipe.name,
        "version": recipe.version,
        "seed": recipe.seed,
        "features": list(names),
        **decided(cascade),
        "tagger_prior_log_odds": fast.prior_log_odds,
        "data": fingerprint(learned),
        "fitted_on": fitted_on(learned, labelled, weights is not None),
        "sources": SOURCES,
    }
    if recipe.allowed is not None:
        manifest["allowed"] = recipe.allowed.to_manifest()
    deep = None
    if weights is not None and blend is not None:
        deep = DeepTier(DeepEncoder(weights), blend, cascade.fast_weights)
        manifest["deep"] = deep_entry(deep)
    if accuracy is not None:
        manifest["accuracy"] = accuracy(cascade.decision)
    arrays, manifest["reference"] = reference_of(cascade, names)
    seen = np.unique(text_keys([text.text for text in learned]))
    classifier = replace(fast.classifier, quick=cascade.quick)
    bundle.save(output, manifest, fast.tables, fast.tagger, classifier, seen, deep, first=cascade.first, extra=arrays)
    return write_card(output)


def decided(cascade: Cascade) -> dict[str, Any]:
    """Return the manifest's entries about what each tier decides."""
    doubt = dict(zip(KINDS, cascade.doubt.tolist(), strict=True))
    return {"decision": cascade.decision.to_manifest(), "doubt": doubt}


def reference_of(cascade: Cascade, names: tuple[str, ...]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the reference texts as arrays, and the manifest's entry about them. `names` are the document features."""
    return ReferenceTexts.of(cascade.labelled.take(kept_texts(cascade.labelled)), names).pack()


def deep_entry(tier: DeepTier) -> dict[str, Any]:
    """Return the manifest's entry about how the encoder's answers are combined with the fast tier's."""
    return {
        "blend": asdict(tier.blend),
        "fast_weights": dict(zip(KINDS, tier.fast_weights.tolist(), strict=True)),
    }


def fitted_on(learned: Sequence[LabelledText], labelled: LabelledEvidence, deep: bool) -> dict[str, Any]:
    """Return the role, sources and makers of the texts that each part of the model was fitted on."""
    roles = default_roles()
    human = sorted({text.source for text in learned if text.label == "human"})
    machine = [text for text in learned if text.label != "human"]
    everything = {
        "role": "train",
        "sources": sorted({text.source for text in learned}),
        "makers": sorted({roles.maker(text) or "" for text in machine}),
    }
    people = {"role": "train", "sources": human, "makers": []}
    calibrated = {
        "role": "calibrate",
        "sources": sorted(set(labelled.sources.tolist())),
        "makers": sorted(set(labelled.makers[labelled.labels != "human"].tolist())),
    }
    artefacts = {"tables": people, "tagger": people, "classifier": everything, "decision": calibrated}
    if len(labelled.quick.values):
        artefacts["quick"] = everything
    return {**artefacts, "encoder": everything} if deep else artefacts


def context_network(checkpoint: Path, learned: Sequence[LabelledText]) -> ContextNetwork:
    """Return the network of a checkpoint in 8 bits. Raises ValueError if there is none."""
    from unspun.training.encoder.context import packed, trained

    network: ContextNetwork = packed(trained(checkpoint), [text.text for text in sample(learned, RANGE_TEXTS)])
    return network


def _encoder(checkpoint: Path, work: Path) -> tuple[EncoderWeights, int]:
    """Return the 8-bit weights of a checkpoint, and its training step."""
    from unspun.training.encoder.export import quantised
    from unspun.training.encoder.fine_tune import read_checkpoint, trained

    step = int(read_checkpoint(checkpoint).get("step", 0) or checkpoint.stem.rpartition("-")[2])
    file = work / f"weights-{step:06d}.joblib"
    if not file.exists():
        joblib.dump(quantised(trained(checkpoint)), file)
    weights: EncoderWeights = joblib.load(file)
    return weights, step


if __name__ == "__main__":
    sys.exit(main())
