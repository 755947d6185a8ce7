"""Retrains a model on a user's own texts ("the house's"): `unspun train`.

The base is a bundle with the numbers of its reference texts (`calibration.reference`). Its tables, tagger, heads and
deep tier stay as they are; a correction is fitted to the new texts (`retraining.correction`). The first tier is left
out, because it would settle texts by tools that only the correction knows. Cross-validation that keeps each source in
one fold measures the new model against the base, on the same texts.
"""

from __future__ import annotations

import dataclasses
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
from unspun.model.text.allowed import Allowed
from unspun.model.text.document import Documents
from unspun.model.text.repair import repair
from unspun.model.verdict import KINDS
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.calibration.reference import ARRAY, ReferenceTexts
from unspun.training.classifier.classify import BARELY_SPUN, LABELS, is_barely_spun
from unspun.training.classifier.fast_tier import Report, TrainingError
from unspun.training.corpora.corpus import LabelledText, assign_groups, counts_by_path, fingerprint, text_keys
from unspun.training.reporting.card import write_card
from unspun.training.reporting.metrics import rank_auroc, share_with_interval
from unspun.training.retraining.correction import LARGEST_FALL, LEAST_TEXTS, FittedCorrection, Fitter, called
from unspun.training.rows import spread_evenly

FEWEST = 10
"""Human texts, and texts of one kind of machine, that are needed to learn anything."""
FEW = 30
"""Texts of a kind that make a measurement meaningful."""
FOLDS = 5
DEEP_TEXTS = 600
"""Most texts that the deep tier reads: it is used to compare the models, not to fit."""
NOISE = 0.002
"""Fall of AUROC that is too small to call a model worse: a single pair of texts in another order can cause it."""
SWAPPED, SURELY_SWAPPED = 0.2, 0.1
"""AUROC of both models below which the labels must be swapped; and AUROC of the base alone below which they are."""
LEAST_CHANGES = 2
"""Words that our own paraphrasers must replace for the result to count as machine text."""
_HOUSE = "house"
"""The source and tool of all the house's texts in a bundle, which must not reveal file names."""


@dataclass(frozen=True, slots=True)
class House:
    """Settings of the new model: its `name` and `version`; the same `seed` gives the same model.

    Terms that are `allowed` are never evidence. Use the model with the same list.
    """

    name: str = "custom"
    version: str = "1.0.0"
    seed: int = 0
    jobs: int = 2
    lexicons: Path | None = None
    allowed: Allowed | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The texts to learn from, a message about each group that was left out, and counts by reason."""

    texts: list[LabelledText]
    messages: list[str]
    dropped: dict[str, int]


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """Scores of the house's texts by models that had not seen them, (N,) by tier: of the base (`before`) and of the
    retrained model (`after`). `unfamiliar` more texts got no verdict.
    """

    rows: ReferenceTexts
    before: dict[str, NDArray[np.float64]]
    after: dict[str, NDArray[np.float64]]
    unfamiliar: int = 0


@dataclass(frozen=True, eq=False)
class Retrained:
    """A model that was written: its manifest and the cross-validated scores."""

    manifest: dict[str, Any]
    answers: CrossValidated

    @property
    def worse(self) -> bool:
        """Whether the model is less accurate than the base on the house's texts."""
        return bool(self.manifest["comparison"]["worse"])

    @property
    def swapped(self) -> bool:
        """Whether the human and the machine texts seem to be swapped."""
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
    """Retrain a model on labelled texts and write the bundle. The same texts, base and `house` give the same bundle.

    If all texts are human, our own paraphrasers make the machine texts. `warn` receives messages about texts that are
    left out, `report` all others. Raises TrainingError, and writes nothing, if the texts or the base cannot be used.
    """
    known, earlier = _reference(base)
    chosen = choose(texts, house.allowed)
    for line in chosen.messages:
        (warn or report)(line)
    # One thread, so that sums are added in the same order in this process and in its workers.
    with threadpool_limits(limits=1), parallel_config("loky", inner_max_num_threads=1):
        learnt = chosen.texts
        _check_human(learnt, texts)
        if learnt and all(text.label == "human" for text in learnt):
            made = paraphrased(learnt, seed=house.seed, lexicons=house.lexicons, jobs=house.jobs, report=report)
            learnt = [*learnt, *made]
        _check_machine(learnt, texts, report)
        folds, unit = split(learnt, FOLDS)
        report(f"measuring {len(learnt):,} texts ...")
        rows = measure_house(base, learnt, jobs=house.jobs, allowed=house.allowed)
        new = ~np.isin(rows.keys, earlier.keys)
        earlier = earlier.take(~np.isin(earlier.keys, rows.keys))
        fitter = Fitter(base, known)
        report("cross-validating ...")
        answers = cross_validate(fitter, rows, folds, earlier, new)
        if answers.unfamiliar:
            report(
                f"{answers.unfamiliar:,} texts are too unfamiliar for a verdict; they are learnt from but not measured"
            )
        report("fitting the model ...")
        everything = earlier.followed_by(rows)
        fitted = fitter.fit(everything)
    comparison = compare(base, answers, fitted, unit, chosen.dropped)
    manifest = _manifest(base, learnt, house, comparison)
    classifier = dataclasses.replace(base.classifier, correction=fitted.correction)
    arrays, manifest["reference"] = known.followed_by(everything).pack()
    seen = np.union1d(base.seen, rows.keys)
    bundle.save(output, manifest, base.tables, base.tagger, classifier, seen, base.deep, extra=arrays)
    written = write_card(output)
    if base.first is not None:
        report("left out the first tier, which does not know what the model has learnt; depth auto takes longer now")
    report(f"wrote {output}")
    return Retrained(written, answers)


def _reference(base: Bundle) -> tuple[ReferenceTexts, ReferenceTexts]:
    """Return the reference texts of the base, and the house's texts that it was already retrained on."""
    entry = base.manifest.get("reference")
    if not isinstance(entry, dict):
        raise TrainingError(
            f"the model {base.info.name} {base.info.version} does not contain the data that retraining needs; "
            "start from one that does, such as the shipped model (--model default), or train with --from-scratch"
        )
    try:
        whole = ReferenceTexts.unpack(bundle.read_extra(base, ARRAY), entry)
    except (OSError, LookupError, ValueError, TypeError) as error:
        raise TrainingError(
            f"cannot read the retraining data of {base.info.name} {base.info.version} ({error}); restore the model"
        ) from error
    return whole.take(~whole.house), whole.take(whole.house)


def choose(texts: Sequence[LabelledText], allowed: Allowed | None = None) -> Chosen:
    """Leave out duplicates, contradictory labels, and texts that are too short, not English or not prose."""
    keys = text_keys([" ".join(text.text.lower().split()) for text in texts])
    labels: dict[int, set[str]] = {}
    for key, text in zip(keys.tolist(), texts, strict=True):
        labels.setdefault(key, set()).add(text.label)
    kept: list[LabelledText] = []
    dropped: dict[str, list[str]] = {}
    taken: set[int] = set()
    why = reasons_of([text.text for text in texts], allowed)
    for key, text, reason in zip(keys.tolist(), texts, why, strict=True):
        if text.label not in LABELS:
            dropped.setdefault(f"labelled {text.label}, which models do not learn", []).append(text.id)
        elif len(labels[key]) > 1:
            names = " and ".join(sorted(labels[key]))
            dropped.setdefault(f"the same text is labelled {names}; correct the labels", []).append(text.id)
        elif key in taken:
            dropped.setdefault("duplicates", []).append(text.id)
        elif reason is not None:
            dropped.setdefault(_REASONS[reason], []).append(text.id)
        elif is_barely_spun(text):
            dropped.setdefault(f"changed_frac below {BARELY_SPUN:g}", []).append(text.id)
        else:
            taken.add(key)
            kept.append(text)
    messages = [f"left out {len(ids):,}: {name} ({_some(ids)})" for name, ids in dropped.items()]
    return Chosen(kept, messages, {name: len(ids) for name, ids in dropped.items()})


_REASONS = {
    "too_short": "fewer than 50 words of prose",
    "not_english": "not in English",
    "verse": "poems and songs",
    "not_prose": "not running prose",
    "allowed_terms": "more than a fifth of the words are allowed terms",
}
_READ_AT_ONCE = 64


def reasons_of(texts: Sequence[str], allowed: Allowed | None = None) -> list[str | None]:
    """Return why each text gets no verdict, None if it gets one."""
    answer: list[str | None] = []
    for start in range(0, len(texts), _READ_AT_ONCE):
        answer += reasons(Documents.parse(texts[start : start + _READ_AT_ONCE], allowed=allowed), 50)
    return answer


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")


def paraphrased(
    texts: Sequence[LabelledText], *, seed: int, lexicons: Path | None, jobs: int, report: Report
) -> list[LabelledText]:
    """Return paraphrases of texts by our own paraphrasers, except of those in which they find nothing to replace."""
    from unspun.training.machines.spinning import spin

    report("no machine texts given; our own paraphrasers will make them from the human texts")
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


def _check_human(usable: Sequence[LabelledText], given: Sequence[LabelledText]) -> None:
    count, before = (sum(text.label == "human" for text in texts) for texts in (usable, given))
    if count < FEWEST:
        raise TrainingError(
            f"too few human texts: {count} of {before} can be used{counts_by_path(usable, given, ['human'])}; give at "
            f"least {FEWEST}, better {FEW}, of the same kind of writing as the machine texts (--human)"
            f"{_one_each(given, ['human'])}"
        )


def _one_each(given: Sequence[LabelledText], labels: Sequence[str]) -> str:
    """Return advice if a single file was read as one text."""
    single = [text for text in given if text.label in labels and text.path == text.id]
    return f"; {single[0].path} counts as one text: separate its texts, one per file or per JSON line" if single else ""


def _check_machine(texts: Sequence[LabelledText], given: Sequence[LabelledText], report: Report) -> None:
    counts: Counter[str] = Counter(text.label for text in texts)
    before: Counter[str] = Counter(text.label for text in given)
    most = max(KINDS, key=lambda kind: counts[kind])
    if counts[most] < FEWEST:
        usable = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]) or "none"
        raise TrainingError(
            f"too few of {sum(before[kind] for kind in KINDS)} machine texts can be used: "
            f"{usable}{counts_by_path(texts, given, KINDS)}; give at least {FEWEST} of one kind, better {FEW} (--spun, "
            "--translated, --rewritten), or none at all, and our own paraphrasers will make them"
            f"{_one_each(given, KINDS)}"
        )
    for kind in KINDS:
        if 0 < counts[kind] < LEAST_TEXTS:
            report(f"{counts[kind]} {kind} texts are too few to learn from; they are only used to measure the model")


def measure_house(
    base: Bundle, texts: Sequence[LabelledText], *, jobs: int, allowed: Allowed | None = None
) -> ReferenceTexts:
    """Return the numbers of the house's texts, and the evidence that both tiers find without a correction."""
    plain = dataclasses.replace(base.classifier, correction=None)
    detector = Detector(dataclasses.replace(base, classifier=plain), allowed)
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
    """Return the positions of at most `most` texts, in order and spread evenly over labels and over their texts."""
    labels = np.array(given, dtype=np.str_)
    if len(labels) <= most:
        return list(range(len(labels)))
    names = np.unique(labels)
    chosen: list[int] = []
    for name in names:
        chosen += spread_evenly(np.flatnonzero(labels == name), most // len(names)).tolist()
    return sorted(chosen)


def split(texts: Sequence[LabelledText], folds: int) -> tuple[NDArray[np.int64], str]:
    """Return the fold (N,) of each text, and the unit that is kept in one fold: `source`, or `text` if too few sources
    have human or machine text.

    Versions of one original are always in one fold, and the folds have about as many texts of each label. Raises
    TrainingError if the texts are versions of too few originals.
    """
    groups = assign_groups(texts).astype(np.int64)
    labels = np.array([text.label == "human" for text in texts])
    originals = min(len(np.unique(groups[labels])), len(np.unique(groups[~labels])))
    if originals < folds:
        raise TrainingError(
            f"the texts are too similar: the human or the machine texts are versions of only {originals} originals, "
            f"but at least {folds} are needed to learn from some and measure on the others"
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
    """Move one unit if all texts of a side are in one fold, which would leave none to learn from.

    The other side keeps at least two folds if it has them. Such a unit always exists, since each side has two or more.
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
    """Return numbers (N,) that are equal for texts that share either number, directly or through other texts."""
    size = int(first.max(initial=-1)) + 1
    nodes = size + int(second.max(initial=-1)) + 1
    links = coo_array((np.ones(len(first), np.int8), (first, second + size)), shape=(nodes, nodes))
    answer: NDArray[np.int64] = connected_components(links, directed=False)[1][first].astype(np.int64)
    return answer


def cross_validate(
    fitter: Fitter, rows: ReferenceTexts, folds: NDArray[np.int64], earlier: ReferenceTexts, new: NDArray[np.bool_]
) -> CrossValidated:
    """Score each of the house's rows (N,) with a correction that was fitted without its fold.

    `earlier` rows are always fitted on; only rows that are `new` (N,) to the base are scored.
    """
    added = np.zeros((len(rows), len(KINDS)))
    for fold in np.unique(folds):
        out = folds == fold
        correction = fitter.fit(earlier.followed_by(rows.take(~out))).correction
        if correction is not None:
            added[out] = correction.log_odds(rows.features[out])
    used = fitter.bundle.classifier.correction
    before = np.zeros_like(added) if used is None else used.log_odds(rows.features)
    # A model with a deep tier is measured on the texts that it has read.
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
    """Return the manifest's entry `comparison`: the retrained model against the base."""
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
            "largest_fall_of_auroc": fitted.effect.fall,
            "where": fitted.effect.part,
            "allowed": LARGEST_FALL,
            "more_human_texts_called": fitted.effect.rise,
        },
    }


def _both(answers: CrossValidated, tier: str, machine: NDArray[np.bool_], human: NDArray[np.bool_]) -> dict[str, float]:
    values = ((when, getattr(answers, when)[tier]) for when in ("before", "after"))
    return {f"auroc_{when}": round(rank_auroc(scores[machine], scores[human]), 4) for when, scores in values}


def _called(answers: CrossValidated, tier: str) -> list[dict[str, Any]]:
    """Return how many human and machine texts are suspect or worse, and paraphrased, before and after."""
    rows = []
    for name, chosen in (("human", answers.rows.labels == "human"), ("machine", answers.rows.labels != "human")):
        for word in ("suspect", "paraphrased") if chosen.any() else ():
            before, after = (
                int(called(scores[tier][chosen], word).sum()) for scores in (answers.before, answers.after)
            )
            total = int(chosen.sum())
            share = share_with_interval("share", after, total, digits=4)
            del share["share"]
            rows.append({"texts": name, "called": word, "of": total, "before": before, "after": after, **share})
    return rows


_NOT_INHERITED = (*bundle.WRITTEN, "reference", "calibration", "calibrated_from", "allowed")
"""Entries of the base's manifest that do not apply to the new model, such as a proven target."""


def _manifest(base: Bundle, texts: Sequence[LabelledText], house: House, comparison: dict[str, Any]) -> dict[str, Any]:
    nameless = [dataclasses.replace(text, id="", source=_HOUSE) for text in texts]
    return {
        **{name: value for name, value in base.manifest.items() if name not in _NOT_INHERITED},
        "name": house.name,
        "version": house.version,
        "decision": base.decision.without("first").to_manifest(),
        "retrained_from": base.info.to_dict(),
        "house": {"seed": house.seed, "data": fingerprint(nameless)},
        "comparison": comparison,
        **({} if house.allowed is None else {"allowed": house.allowed.to_manifest()}),
    }
