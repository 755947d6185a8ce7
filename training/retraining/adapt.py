"""Retrains a model on a house's own texts: `unspun train`.

Starts from a bundle that carries the numbers of its reference texts (training.reference): its tables, tagger, heads and
deep tier stay as they are, and a correction is fitted to the new texts beside the reference (training.correction). What
it is worth is measured by cross-validation that parts the texts by source, against the model that it starts from, on
the same texts.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

from unspun.model import bundle
from unspun.model.bundle import Bundle
from unspun.model.decision.abstention import reasons
from unspun.model.detector import Detector
from unspun.model.text.document import Documents
from unspun.model.text.repair import repair
from unspun.model.verdict import KINDS
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.calibration.reference import ARRAY, ReferenceTexts
from unspun.training.classifier.classify import BARELY_SPUN, LABELS
from unspun.training.classifier.fast_tier import Report, TrainingError
from unspun.training.corpora.corpus import LabelledText, assign_groups, fingerprint, text_keys
from unspun.training.reporting import metrics
from unspun.training.reporting.card import CARD, render_card
from unspun.training.retraining.correction import LARGEST_FALL, LEAST_TEXTS, FittedCorrection, Fitter, area, called

FEWEST = 10
"""Texts of people, and of one kind of machine, without which nothing is learnt."""
FEW = 30
"""Texts of a kind below which what is measured says little."""
FOLDS = 5
DEEP_TEXTS = 600
"""Texts that the deep tier reads at most: it serves to compare the models, not to fit."""
NOISE = 0.002
"""Fall of AUROC that a pair of texts in another order makes, and that is no reason to call a model worse."""
SWAPPED, SURELY_SWAPPED = 0.2, 0.1
"""AUROC below which, before and after, labels are the wrong way round and not hard to tell; and below which the model
in use alone tells so, whatever the new one made of them."""
LEAST_CHANGES = 2
"""Words that our own paraphrasers must replace for their text to be of a machine."""
_HOUSE = "house"
"""The source and tool of all of a house's texts in a bundle, which is to tell no names of files."""


@dataclass(frozen=True, slots=True)
class House:
    """Whose model it is: `name` and `version` of the new model; the same `seed` gives the same model."""

    name: str = "custom"
    version: str = "1.0.0"
    seed: int = 0
    jobs: int = 2
    lexicons: Path | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The texts that are learnt from, and what was left out: messages for people, and counts by reason."""

    texts: list[LabelledText]
    told: list[str]
    dropped: dict[str, int]


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """Answers to a house's texts by models that had not seen them: scores (N,) by tier, of the model in use (`before`)
    and of the retrained one (`after`). `unfamiliar` is how many texts more get no verdict.
    """

    rows: ReferenceTexts
    before: dict[str, NDArray[np.float64]]
    after: dict[str, NDArray[np.float64]]
    unfamiliar: int = 0


@dataclass(frozen=True, eq=False)
class Retrained:
    """A written model: its manifest, and what was measured on the way."""

    manifest: dict[str, Any]
    answers: CrossValidated

    @property
    def worse(self) -> bool:
        """Whether it tells the house's texts less well than the model that it started from."""
        return bool(self.manifest["comparison"]["worse"])

    @property
    def swapped(self) -> bool:
        """Whether human and machine texts seem to have been given the wrong way round."""
        return bool(self.manifest["comparison"].get("swapped"))


def retrain(
    base: Bundle,
    texts: Sequence[LabelledText],
    output: Path,
    house: House,
    *,
    report: Report = lambda line: None,
    warn: Report | None = None,
) -> Retrained:
    """Retrain a model on labelled texts of a house and write the bundle. The same texts, base and `house` give the same
    bundle.

    Where all texts are human, our own paraphrasers make the positives of them. `warn` is told of texts that are left
    out, `report` of all else. Raises TrainingError where the texts or the base will not do; nothing is written then.
    """
    known, earlier = _reference(base)
    chosen = choose(texts)
    for line in chosen.told:
        (warn or report)(line)
    # The same sums in the same order, in this process and in those that help it.
    with threadpool_limits(limits=1), parallel_config("loky", inner_max_num_threads=1):
        learnt = _with_positives(chosen.texts, house, report)
        _check(learnt, texts, report)
        folds, unit = split(learnt, FOLDS)
        report(f"measuring {len(learnt):,} texts ...")
        rows = measure_house(base, learnt, jobs=house.jobs)
        new = ~np.isin(rows.keys, earlier.keys)
        fitter = Fitter(base, known)
        report("cross-validating ...")
        answers = cross_validate(fitter, rows, folds, earlier.take(~np.isin(earlier.keys, rows.keys)), new)
        if answers.unfamiliar:
            report(f"{answers.unfamiliar:,} texts are too unfamiliar to be judged: they only serve to learn from")
        report("fitting the model ...")
        everything = earlier.take(~np.isin(earlier.keys, rows.keys)).followed_by(rows)
        fitted = fitter.fit(everything)
    comparison = compare(base, answers, fitted, unit, chosen.dropped)
    manifest = _manifest(base, learnt, house, comparison)
    classifier = dataclasses.replace(base.classifier, correction=fitted.correction)
    arrays, manifest["reference"] = known.followed_by(everything).pack()
    seen = np.union1d(base.seen, rows.keys)
    bundle.save(output, manifest, base.tables, base.tagger, classifier, seen, base.deep, extra=arrays)
    written = json.loads((output / bundle.MANIFEST).read_text("utf-8"))
    (output / CARD).write_text(render_card(written), "utf-8")
    report(f"wrote {output}")
    return Retrained(written, answers)


def _reference(base: Bundle) -> tuple[ReferenceTexts, ReferenceTexts]:
    """Return the numbers that the base was made with, and those of a house that it was already retrained on."""
    entry = base.manifest.get("reference")
    if not isinstance(entry, dict):
        raise TrainingError(
            f"the model {base.info.name} {base.info.version} does not carry the numbers of its training texts: "
            "start from one that does (--base; the model that ships does), or train with --from-scratch"
        )
    try:
        whole = ReferenceTexts.unpack(bundle.read_extra(base, ARRAY), entry)
    except (OSError, LookupError, ValueError, TypeError) as error:
        raise TrainingError(f"the numbers of the base's training texts cannot be read ({error}): restore it") from error
    return whole.take(~whole.house), whole.take(whole.house)


def choose(texts: Sequence[LabelledText]) -> Chosen:
    """Leave out what cannot be learnt from: texts given twice, under two labels, too short, not English or no prose."""
    keys = text_keys([" ".join(text.text.lower().split()) for text in texts])
    labels: dict[int, set[str]] = {}
    for key, text in zip(keys.tolist(), texts, strict=True):
        labels.setdefault(key, set()).add(text.label)
    kept: list[LabelledText] = []
    dropped: dict[str, list[str]] = {}
    taken: set[int] = set()
    why = reasons_of([text.text for text in texts])
    for key, text, reason in zip(keys.tolist(), texts, why, strict=True):
        if text.label not in LABELS:
            dropped.setdefault(f"labelled {text.label}, which is no kind that a model tells apart", []).append(text.id)
        elif len(labels[key]) > 1:
            names = " and ".join(sorted(labels[key]))
            dropped.setdefault(f"the same text is labelled {names}: mend the labels", []).append(text.id)
        elif key in taken:
            dropped.setdefault("given twice", []).append(text.id)
        elif reason is not None:
            dropped.setdefault(_REASONS[reason], []).append(text.id)
        elif text.changed_frac is not None and text.changed_frac < BARELY_SPUN:
            dropped.setdefault("hardly a word of it is changed (changed_frac)", []).append(text.id)
        else:
            taken.add(key)
            kept.append(text)
    told = [f"left out {len(ids):,}: {name} ({_some(ids)})" for name, ids in dropped.items()]
    return Chosen(kept, told, {name: len(ids) for name, ids in dropped.items()})


_REASONS = {
    "too_short": "fewer than 50 words of prose",
    "not_english": "not in English",
    "not_prose": "no running prose",
}
_READ_AT_ONCE = 64


def reasons_of(texts: Sequence[str]) -> list[str | None]:
    """Return why no verdict is given on each text, None where one is."""
    answer: list[str | None] = []
    for start in range(0, len(texts), _READ_AT_ONCE):
        answer += reasons(Documents.parse(texts[start : start + _READ_AT_ONCE]), 50)
    return answer


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")


def _with_positives(texts: list[LabelledText], house: House, report: Report) -> list[LabelledText]:
    """Return the texts, with a paraphrase of each where all are human; none of a text that they can do nothing with."""
    if not texts or any(text.label != "human" for text in texts):
        return texts
    report("no text of a machine is given: our own paraphrasers spin the human ones")
    return [*texts, *paraphrased(texts, seed=house.seed, lexicons=house.lexicons, jobs=house.jobs)]


def paraphrased(texts: Sequence[LabelledText], *, seed: int, lexicons: Path | None, jobs: int) -> list[LabelledText]:
    """Return a paraphrase of each text by our own paraphrasers; none of a text that they can do nothing with."""
    from unspun.training.machines.spinning import spin

    plain = [repair(text.text).text for text in texts]
    spun = spin(plain, seed=seed, lexicons=lexicons, jobs=jobs)
    return [
        dataclasses.replace(
            text,
            id=f"{text.id} ({one.paraphraser})",
            text=one.text,
            label="spun",
            tool=f"unspun:{one.paraphraser}",
            original=text.text,
        )
        for text, one in zip(texts, spun, strict=True)
        if len(one.substitutions) >= LEAST_CHANGES
    ]


def _check(texts: Sequence[LabelledText], given: Sequence[LabelledText], report: Report) -> None:
    counts: Counter[str] = Counter(text.label for text in texts)
    before: Counter[str] = Counter(text.label for text in given)
    if counts["human"] < FEWEST:
        raise TrainingError(
            f"{counts['human']} usable human texts of {before['human']} given: at least {FEWEST} are needed, better "
            f"{FEW}, of the same kind of writing as the others (--human)"
        )
    most = max(KINDS, key=lambda kind: counts[kind])
    if counts[most] < FEWEST:
        usable = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]) or "none"
        raise TrainingError(
            f"too few usable texts of a machine ({usable}) of {sum(before[kind] for kind in KINDS)} given: at "
            f"least {FEWEST} of one kind are needed, better {FEW} (--spun, --translated, --rewritten), or none at all, "
            "in which case our own paraphrasers make them"
        )
    for kind in KINDS:
        if 0 < counts[kind] < LEAST_TEXTS:
            report(f"{counts[kind]} {kind} texts are too few to learn from: they only serve to judge the model")


def measure_house(base: Bundle, texts: Sequence[LabelledText], *, jobs: int) -> ReferenceTexts:
    """Return the numbers of a house's texts, and what both tiers of a model say of them without any correction."""
    plain = dataclasses.replace(base.classifier, correction=None)
    detector = Detector(dataclasses.replace(base, classifier=plain))
    read = _spread_evenly([text.label for text in texts], DEEP_TEXTS if base.deep is not None else 0)
    rest = sorted(set(range(len(texts))).difference(read))
    parts = [
        gather_evidence(detector, [texts[i] for i in places], depth=depth, jobs=jobs)
        for places, depth in ((read, "deep"), (rest, "fast"))
        if places
    ]
    answers = LabelledEvidence.concatenated(parts).take(np.argsort([*read, *rest]))
    rows = ReferenceTexts.of(answers, detector.feature_names, keys=text_keys([text.text for text in texts]))
    return dataclasses.replace(
        rows,
        sources=np.full(len(texts), _HOUSE),
        tools=np.where(rows.labels == "human", "human", _HOUSE),
        groups=assign_groups(texts),
    )


def _spread_evenly(given: Sequence[str], most: int) -> list[int]:
    """Return at most so many places, as evenly over the labels and the texts of each as may be, in order."""
    labels = np.array(given, dtype=np.str_)
    if len(labels) <= most:
        return list(range(len(labels)))
    names = np.unique(labels)
    chosen: list[int] = []
    for name in names:
        places = np.flatnonzero(labels == name)
        # From first to last, so that not the first folders alone are judged.
        count = min(most // len(names), len(places))
        chosen += places[np.arange(count) * len(places) // count].tolist()
    return sorted(chosen)


def split(texts: Sequence[LabelledText], folds: int) -> tuple[NDArray[np.int64], str]:
    """Return the fold (N,) of each text, and by what they are parted: `source`, or `text` where too few sources hold
    both human and machine text to part them.

    Texts of one origin, and versions of one original, are in one fold; the folds have about as many of each label.
    Raises TrainingError where the texts are versions of too few originals.
    """
    groups = assign_groups(texts).astype(np.int64)
    labels = np.array([text.label == "human" for text in texts])
    originals = min(len(np.unique(groups[labels])), len(np.unique(groups[~labels])))
    if originals < folds:
        raise TrainingError(
            f"the texts are all alike: those of people or of a machine are versions of {originals} originals, and "
            f"{folds} at least are needed to learn on some and judge on others"
        )
    sources = np.unique([f"{text.site or ''}|{text.source}" for text in texts], return_inverse=True)[1]
    units = _joined(groups, sources)
    unit = "source"
    if min(len(np.unique(units[labels])), len(np.unique(units[~labels]))) < folds:
        units, unit = groups, "text"
    answer = np.zeros(len(texts), dtype=np.int64)
    filled = np.zeros((folds, 2))
    names, counts = np.unique(units, return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")]:
        own = units == name
        size = np.array([labels[own].sum(), (~labels[own]).sum()])
        fold = int(np.argmin(((filled + size) ** 2).sum(axis=1) - (filled**2).sum(axis=1)))
        answer[own] = fold
        filled[fold] += size
    for side in (labels, ~labels):
        _spread(answer, units, side, ~side, folds)
    return answer, unit


def _spread(
    answer: NDArray[np.int64],
    units: NDArray[np.int64],
    side: NDArray[np.bool_],
    other: NDArray[np.bool_],
    folds: int,
) -> None:
    """Move one unit where all texts of a side came into one fold: nothing would be left to learn them from.

    The other side stays in two folds at least, if it is; there always is such a unit, as each side has two and more.
    """
    if len(np.unique(answer[side])) > 1:
        return
    needed = min(2, len(np.unique(answer[other])))
    for name in np.unique(units[side]):
        for fold in range(folds):
            moved = np.where(units == name, fold, answer)
            if len(np.unique(moved[side])) > 1 and len(np.unique(moved[other])) >= needed:
                answer[:] = moved
                return


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers (N,) that are equal where either number is, directly or over others."""
    size = int(first.max(initial=-1)) + 1
    nodes = size + int(second.max(initial=-1)) + 1
    links = coo_array((np.ones(len(first), np.int8), (first, second + size)), shape=(nodes, nodes))
    answer: NDArray[np.int64] = connected_components(links, directed=False)[1][first].astype(np.int64)
    return answer


def cross_validate(
    fitter: Fitter, rows: ReferenceTexts, folds: NDArray[np.int64], earlier: ReferenceTexts, new: NDArray[np.bool_]
) -> CrossValidated:
    """Answer each of a house's rows (N,) by a correction that was fitted without its fold. `earlier` are rows that are
    always fitted on; only those that are `new` (N,) to the model in use are answered.
    """
    added = np.zeros((len(rows), len(KINDS)))
    for fold in np.unique(folds):
        out = folds == fold
        correction = fitter.fit(earlier.followed_by(rows.take(~out))).correction
        if correction is not None:
            added[out] = correction.log_odds(rows.features[out])
    used = fitter.bundle.classifier.correction
    before = np.zeros_like(added) if used is None else used.log_odds(rows.features)
    # With a deep tier, of the texts that it has read.
    answered = new & (np.isfinite(rows.deep).all(axis=1) | (fitter.bundle.deep is None))
    judged = rows.unfamiliar <= fitter.bundle.decision.least_familiar
    chosen = rows.take(answered & judged)
    return CrossValidated(
        chosen,
        fitter.scores(chosen, before[answered & judged]),
        fitter.scores(chosen, added[answered & judged]),
        int((answered & ~judged).sum()),
    )


def compare(
    base: Bundle, answers: CrossValidated, fitted: FittedCorrection, unit: str, dropped: dict[str, int]
) -> dict[str, Any]:
    """Return the manifest's `comparison` of a retrained model with the one that it started from."""
    rows = answers.rows
    human = rows.labels == "human"
    tiers: dict[str, Any] = {}
    for tier in answers.before:
        figures = []
        for kind in KINDS:
            machine = rows.labels == kind
            if machine.any() and human.any():
                figures.append({"kind": kind, "texts": int(machine.sum()), **_both(answers, tier, machine, human)})
        tiers[tier] = {
            "kinds": figures,
            "all": _both(answers, tier, ~human, human) if human.any() and not human.all() else None,
            "called": _called(answers, tier),
        }
    overall = tiers["deep" if "deep" in tiers else "fast"]["all"]
    swapped = overall is not None and (
        overall["auroc_before"] < SURELY_SWAPPED or max(overall["auroc_before"], overall["auroc_after"]) < SWAPPED
    )
    worse = overall is not None and overall["auroc_after"] < overall["auroc_before"] - NOISE
    return {
        "with": base.info.to_dict(),
        "worse": bool(worse or swapped),
        "swapped": bool(swapped),
        "texts": {name: int((rows.labels == name).sum()) for name in LABELS if (rows.labels == name).any()},
        "left_out": dropped,
        "unfamiliar": answers.unfamiliar,
        "parted_by": unit,
        "tiers": tiers,
        "strength": fitted.strength,
        "elsewhere": {
            "largest_fall_of_auroc": fitted.held.fall,
            "where": fitted.held.part,
            "allowed": LARGEST_FALL,
            "more_human_texts_called": fitted.held.rise,
        },
    }


def _both(answers: CrossValidated, tier: str, machine: NDArray[np.bool_], human: NDArray[np.bool_]) -> dict[str, float]:
    values = ((when, getattr(answers, when)[tier]) for when in ("before", "after"))
    return {f"auroc_{when}": round(area(scores[machine], scores[human]), 4) for when, scores in values}


def _called(answers: CrossValidated, tier: str) -> list[dict[str, Any]]:
    """Return how many human and machine texts are called suspect or worse, and paraphrased, before and after."""
    rows = []
    for name, chosen in (("human", answers.rows.labels == "human"), ("machine", answers.rows.labels != "human")):
        for word in ("suspect", "paraphrased") if chosen.any() else ():
            before, after = (
                int(called(scores[tier][chosen], word).sum()) for scores in (answers.before, answers.after)
            )
            low, high = metrics.wilson_interval(after, int(chosen.sum()))
            rows.append(
                {
                    "texts": name,
                    "called": word,
                    "of": int(chosen.sum()),
                    "before": before,
                    "after": after,
                    "share_low": round(low, 4),
                    "share_high": round(high, 4),
                }
            )
    return rows


_WRITTEN_ANEW = (*bundle.WRITTEN, "reference", "calibration", "calibrated_from")
"""What of the base's manifest does not hold for the new model: of a calibration, that its target is proven."""


def _manifest(base: Bundle, texts: Sequence[LabelledText], house: House, comparison: dict[str, Any]) -> dict[str, Any]:
    nameless = [dataclasses.replace(text, id="", source=_HOUSE) for text in texts]
    return {
        **{name: value for name, value in base.manifest.items() if name not in _WRITTEN_ANEW},
        "name": house.name,
        "version": house.version,
        "retrained_from": base.info.to_dict(),
        "house": {"seed": house.seed, "data": fingerprint(nameless)},
        "comparison": comparison,
    }
