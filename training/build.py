"""Builds the model that ships.

    python -m unspun.training.build ../shared/corpora --lexicons ../shared/lexicons --work work --output model/default

Trains the fast tier on the texts with the role `train`, takes the encoder from the last checkpoint of
`training.encoder.distil`, gathers the evidence of both in texts with the role `calibrate`, and fits the decision to
it. Texts with the role `test` are never used. Each result is kept in the work folder; rerun the command to resume.
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
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.calibration.explaining import add_explanations
from unspun.training.calibration.fit import Sample, fit_decision, human_weights, makers_of, quantiles, simplex
from unspun.training.calibration.reference import ReferenceTexts, kept_texts
from unspun.training.classifier.fast_tier import SOURCES, FastTier, Recipe, Stages, train_fast_tier
from unspun.training.classifier.matrix import crop
from unspun.training.command import add_workers, labelled_parser
from unspun.training.corpora.corpus import LabelledText, fingerprint, read_labelled, text_keys
from unspun.training.corpora.roles import default_roles, sample
from unspun.training.reporting import metrics
from unspun.training.reporting.card import write_card

MINIMUM_WORDS = 50
CALIBRATION_TEXTS = 100
"""Texts of each calibration source and maker."""
SHORT_TEXTS, SHORT_WORDS = 25, (50, 110)
"""Passages of each calibration source that serve as short texts, and their length in words."""
LONG_WORDS = (1000, 3000, 8000, 20_000)
BLEND_TEXTS = 25
"""Texts of each real spinner, and of each human source, that the blend of the two taggers is fitted on."""
LEAST_FAMILIAR = 0.005
"""Share of the human calibration texts, with every source counted once, that is too unfamiliar for a verdict."""
FAST_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""Weights of the fast tier's evidence to try, in standard deviations of the encoder's evidence."""
SENT = 0.2
"""Share of the human calibration texts that `auto` may send to the deep tier."""


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


def with_long_texts(labelled: LabelledEvidence, lengths: Sequence[int] = LONG_WORDS) -> LabelledEvidence:
    """Add long human texts: the pages of one source joined, in order, up to each length."""
    rng = np.random.default_rng(0)
    parts: list[list[int]] = []
    whole = ~np.char.endswith(labelled.ids, "#short")
    for source in np.unique(labelled.sources[labelled.labels == "human"]):
        rows = np.flatnonzero((labelled.sources == source) & (labelled.labels == "human") & whole)
        if (labelled.groups[rows] == "").all():  # texts by many writers
            continue
        for length in lengths:
            starts = rng.permutation(len(rows))[: max(1, min(30, 2 * len(rows) * 300 // length))]
            for start in starts.tolist():
                run = np.roll(rows, -start)
                stop = int(np.searchsorted(np.cumsum(labelled.words[run]), length)) + 1
                if stop <= len(run):
                    parts.append(run[:stop].tolist())
    return LabelledEvidence.concatenated([labelled, labelled.joined(parts)]) if parts else labelled


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


def least_familiar(labelled: LabelledEvidence) -> float:
    """Return the unfamiliarity that a share LEAST_FAMILIAR of the human texts exceeds."""
    weights = human_weights(labelled)
    order = np.argsort(-labelled.unfamiliar)
    place = int(np.searchsorted(np.cumsum(weights[order]), LEAST_FAMILIAR))
    return round(float(labelled.unfamiliar[order[min(place, len(order) - 1)]]), 4)


def choose_fast_weights(labelled: LabelledEvidence) -> NDArray[np.float64]:
    """Return the weight of the fast tier's evidence of each kind, relative to the encoder's (3,).

    Chosen so that the mean over makers of AUROC and of recall at 1 % false positives is largest.
    """
    deep, fast = labelled.deep(), labelled.fast()
    human = human_weights(labelled) > 0
    best = np.zeros(len(KINDS))
    for k, kind in enumerate(KINDS):
        ratio = float(np.std(deep[human, k]) / max(np.std(fast[human, k]), 1e-6))
        values = []
        for weight in FAST_WEIGHTS:
            mixed = deep[:, k] + weight * ratio * fast[:, k]
            found = [
                metrics.auroc(rows[rows | human], mixed[rows | human])
                + 0.5 * metrics.tpr_at_fpr(rows[rows | human], mixed[rows | human], 0.01)
                for _, rows in makers_of(labelled, kind)
            ]
            values.append(float(np.mean(found)) if found else 0.0)
        best[k] = round(FAST_WEIGHTS[int(np.argmax(values))] * ratio, 4)
    return best


def choose_doubt(fast: Sample, tier: TierDecision, found: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return the rate of each kind (3,) above which the fast tier's answer is final.

    Texts with a lower rate of any kind go to the deep tier. The rates send a share SENT of the human texts, with every
    source counted once, and among such rates they send the most of the machine texts that the deep tier finds, `found`
    (N,), on average over kinds and makers.
    """
    labelled = fast.labelled
    rates = tier.log_rates(fast.evidence, labelled.words, labelled.unfamiliar)
    weights = human_weights(labelled)
    human = weights > 0
    ranks = np.stack([_ranks(rates[:, k], rates[human, k], weights[human]) for k in range(len(KINDS))], axis=1)
    makers = [[rows if found is None else rows & found for _, rows in makers_of(labelled, kind)] for kind in KINDS]
    best, chosen = -1.0, np.zeros(len(KINDS))
    for allotment in simplex():
        scaled = (ranks / allotment).min(axis=1)
        limit = float(quantiles(scaled[human], weights[human], (SENT,))[0])
        reached = [np.mean([(scaled[rows] < limit).mean() for rows in kind if rows.any()] or [1.0]) for kind in makers]
        if np.mean(reached) > best + 1e-9:
            best, chosen = float(np.mean(reached)), limit * allotment
    limits = [
        quantiles(rates[human, k], weights[human], (min(share, 1.0),))[0] for k, share in enumerate(chosen.tolist())
    ]
    answer: NDArray[np.float64] = np.exp(limits)
    return answer


def _ranks(
    values: NDArray[np.float64], human: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of the human texts whose log rate is below each value (N,)."""
    order = np.argsort(human, kind="stable")
    cumulated = np.concatenate([[0.0], np.cumsum(weights[order])])
    answer: NDArray[np.float64] = cumulated[np.searchsorted(human[order], values)]
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists")
    parser.add_argument(
        "--work", type=Path, default=Path("work"), help="folder for intermediate results (default: work)"
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="checkpoint of the encoder (default: WORK/distilled/checkpoint.pt)"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the bundle to write")
    parser.add_argument(
        "--version", default="2.1.0", dest="model_version", help="version of the bundle (default: 2.1.0)"
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
    checkpoint = options.checkpoint or options.work / "distilled" / "checkpoint.pt"
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
    decision, doubt, fast_weights = fit(labelled, deep=weights is not None)
    names = provisional_detector(fast, weights).feature_names
    manifest: dict[str, Any] = {
        "name": recipe.name,
        "version": recipe.version,
        "seed": recipe.seed,
        "features": list(names),
        "decision": decision.to_manifest(),
        "doubt": dict(zip(KINDS, doubt.tolist(), strict=True)),
        "tagger_prior_log_odds": fast.prior_log_odds,
        "data": fingerprint(learned),
        "fitted_on": fitted_on(learned, labelled, weights is not None),
        "sources": SOURCES,
    }
    if recipe.allowed is not None:
        manifest["allowed"] = recipe.allowed.to_manifest()
    deep = None
    if weights is not None and blend is not None:
        deep = DeepTier(DeepEncoder(weights), blend, fast_weights)
        manifest["deep"] = deep_entry(deep)
    if accuracy is not None:
        manifest["accuracy"] = accuracy(decision)
    kept = labelled.take(kept_texts(labelled))
    arrays, manifest["reference"] = ReferenceTexts.of(kept, names).pack()
    seen = np.unique(text_keys([text.text for text in learned]))
    bundle.save(output, manifest, fast.tables, fast.tagger, fast.classifier, seen, deep, extra=arrays)
    return write_card(output)


def deep_entry(tier: DeepTier) -> dict[str, Any]:
    """Return the manifest's entry about how the encoder's answers are combined with the fast tier's."""
    return {
        "blend": asdict(tier.blend),
        "fast_weights": dict(zip(KINDS, tier.fast_weights.tolist(), strict=True)),
    }


def fit(labelled: LabelledEvidence, *, deep: bool) -> tuple[Decision, NDArray[np.float64], NDArray[np.float64]]:
    """Fit the decision to evidence in `calibrate` texts. Returns it, the `doubt`, and the weights of the fast tier."""
    extended = with_long_texts(labelled)
    samples = {"fast": Sample(extended, extended.fast())}
    fast_weights = np.zeros(len(KINDS))
    if deep:
        fast_weights = choose_fast_weights(labelled)
        samples["deep"] = Sample(extended, extended.deep() + fast_weights * extended.fast())
    decision = fit_decision(samples, minimum_words=MINIMUM_WORDS, least_familiar=least_familiar(labelled))
    found = None
    if deep:
        rates = decision.tiers["deep"].log_rates(samples["deep"].evidence, extended.words, extended.unfamiliar)
        found = rates.min(axis=1) <= np.log(decision.tiers["deep"].suspect)
    return decision, choose_doubt(samples["fast"], decision.tiers["fast"], found), fast_weights


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
    return {**artefacts, "encoder": everything} if deep else artefacts


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
