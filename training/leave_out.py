"""How a model fares on tools and domains that it has never met: they are left out, and it is trained again.

Only the classifier and its calibration are trained again. The tables and the tagger are the bundle's, learnt
from human text and from our own paraphrasers: no text of a tool that is left out has a part in them. A domain
that is left out does have one: human text of it stays in the tables. Every table says so in its note.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from model.fast import MACHINE_KINDS, FastClassifier
from model.verdict import KINDS
from training.classify import fit_classifier
from training.evaluate import BARELY_CHANGED, RESAMPLES
from training.matrix import LabelledMatrix
from training.metrics import auroc, auroc_interval, threshold_at_fpr, wilson_interval
from training.saved_features import OWN_PARAPHRASERS

SHORTEST = 60
"""Judged words below which a text is not tested on."""

FEWEST = 10
"""Texts of a tool or source below which nothing can be said of it."""

FEWEST_HUMAN = 50
"""Human texts of a domain below which nothing is compared with them alone."""

FALSE_POSITIVE_RATE = 0.005
"""The rate at which a threshold is set on some domains and tried on another."""

_WILD = "wild-"  # what the names of spinners begin with whose phrases are in the lexicon
_LEXICON = "known_phrase."  # and those of the columns that look phrases up

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


class LeaveOutError(ValueError):
    """A table cannot be made; the message says why and what to do, in one line."""


class Fit(Protocol):
    """Fits a classifier on a matrix; `training.classify.fit_classifier` unless a test brings its own."""

    def __call__(self, matrix: LabelledMatrix, *, seed: int) -> FastClassifier:
        """Return the classifier, which has seen nothing but the matrix."""
        ...


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How paraphrases of one kind fare where their tool, or domain, was left out.

    `auroc` and the true-positive rates are against held-out human text of all domains (where a domain is left
    out: of the others); `same_domain_auroc` is against held-out human text of the paraphrase's own domain,
    for those of `same_domain_texts` that have one with 50 human texts. The score is 1 - P(human).
    """

    name: str
    kind: str
    texts: int
    auroc: float
    auroc_low: float
    auroc_high: float
    tpr_1: float
    tpr_05: float
    same_domain_auroc: float | None
    same_domain_texts: int


@dataclass(frozen=True, slots=True)
class Alarms:
    """How many held-out human texts of a domain are flagged, at the threshold that flags 0.5 % elsewhere."""

    domain: str
    texts: int
    flagged: int
    flagged_rate: float
    flagged_rate_low: float
    flagged_rate_high: float


@dataclass(frozen=True, slots=True)
class ToolsLeftOut:
    """The leave-one-tool-out table. `sources` are spun sources, each with all its tools left out at once."""

    human_texts: int
    tools: tuple[LeftOut, ...]
    sources: tuple[LeftOut, ...]
    not_measured: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain JSON types, laid out for `training.tables`."""
        return {
            "note": _TOOLS_NOTE,
            "human_texts": self.human_texts,
            "mean_auroc_of_spun_tools": _mean_auroc(row for row in self.tools if row.kind == "spun"),
            "mean_auroc_of_spun_sources": _mean_auroc(self.sources),
            "not_measured": list(self.not_measured),
            "tools": {"rows": _rows("tool", self.tools)},
            "spun_sources": {"rows": _rows("source", self.sources)},
        }


@dataclass(frozen=True, slots=True)
class DomainsLeftOut:
    """The leave-one-domain-out table."""

    domains: tuple[LeftOut, ...]
    alarms: tuple[Alarms, ...]
    not_measured: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain JSON types, laid out for `training.tables`."""
        return {
            "note": _DOMAINS_NOTE,
            "not_measured": list(self.not_measured),
            "domains": {"rows": _rows("domain", self.domains)},
            "false_positives": {
                "note": _ALARMS_NOTE,
                "rows": [_plain(dataclasses.asdict(row)) for row in self.alarms],
            },
        }


_COMMON_NOTE = (
    f"Tested on paraphrases of {SHORTEST} words and more in which {100 * BARELY_CHANGED:.0f} % or more of the words "
    "are replaced, or it is not known how many, against held-out human text. No text of the same original is "
    "trained on. Language statistics and tagger are the bundle's, learnt from human text and our own "
    "paraphrasers; the command keeps the bundle's calibration, 28 numbers, too"
)
_LEXICON_NOTE = (
    "The lists of known phrases and of alternatives hold substitutions of the spinners found in the wild "
    "(`wild-`): the signal of known phrases is blanked where those are left out, the alternatives are not."
)
_TOOLS_NOTE = (
    "The classifier is trained and calibrated again without each tool. "
    f"{_COMMON_NOTE}: no text of a tool listed here has a part in them, though a tool may draw on a "
    f"thesaurus that ours draw on too (PWWS on WordNet). {_LEXICON_NOTE} Of a source made by several tools, "
    "all are left out. Same domain: against human text of the paraphrase's own domain alone."
)
_DOMAINS_NOTE = (
    "The classifier is trained and calibrated again without each domain, human text and paraphrases alike. "
    f"{_COMMON_NOTE}: they have seen human text of every domain, though none of what is tested on. "
    f"{_LEXICON_NOTE} AUROC and TPR: against the other domains. Same domain: against human text of the "
    "domain itself."
)
_ALARMS_NOTE = (
    "Held-out human text of a domain that the classifier never met, at the threshold that flags "
    f"{100 * FALSE_POSITIVE_RATE:g} % of held-out human text of the other domains; 95 % Wilson intervals."
)


def leave_one_tool_out(
    matrix: LabelledMatrix,
    *,
    seed: int = 0,
    learnt: Mask | None = None,
    fit: Fit = fit_classifier,
    progress: bool = False,
) -> ToolsLeftOut:
    """Train again without each tool, and test on all that it made.

    `learnt` (N,) marks texts that the tables or the tagger have seen: human texts among them are not tested
    on. Rows of our own paraphrasers (tools named `unspun:...`) are trained on and not tested on. `progress`
    shows a bar on standard error. Raises LeaveOutError where there is too little to train on or to test
    against.
    """
    trained = _Retrained(matrix, learnt, fit, seed)
    plan = [("tool", *row) for row in _tools(matrix, trained.paraphrases)]
    plan += [("source", *row) for row in _spun_sources(matrix, trained.paraphrases)]
    measured: dict[str, list[LeftOut]] = {"tool": [], "source": []}
    missing: list[str] = []
    for what, name, rows in _with_bar(plan, progress):
        scores = trained.without(np.isin(matrix.tools, np.unique(matrix.tools[rows])))
        if scores is None:
            missing.append(name)
        else:
            measured[what].append(_left_out(matrix, name, rows, trained.humans, scores))
    return ToolsLeftOut(int(trained.humans.sum()), tuple(measured["tool"]), tuple(measured["source"]), tuple(missing))


def leave_one_domain_out(
    matrix: LabelledMatrix,
    *,
    seed: int = 0,
    learnt: Mask | None = None,
    fit: Fit = fit_classifier,
    progress: bool = False,
) -> DomainsLeftOut:
    """Train again without each domain, and test on its paraphrases and its human text.

    The arguments are those of `leave_one_tool_out`. A domain with fewer than 10 paraphrases of any kind and
    fewer than 50 human texts to test on is passed over.
    """
    trained = _Retrained(matrix, learnt, fit, seed)
    domains: list[LeftOut] = []
    alarms: list[Alarms] = []
    missing: list[str] = []
    for domain, kinds in _with_bar(_domains(matrix, trained), progress):
        inside = matrix.domains == domain
        scores = trained.without(inside)
        elsewhere = trained.humans & ~inside
        if scores is None or not elsewhere.any():
            missing.append(domain)
            continue
        for rows in kinds:
            domains.append(_left_out(matrix, domain, rows, elsewhere, scores, trained.humans & inside))
        if (trained.humans & inside).sum() >= FEWEST_HUMAN:
            alarms.append(_alarms(domain, scores[trained.humans & inside], scores[elsewhere]))
    return DomainsLeftOut(tuple(domains), tuple(alarms), tuple(missing))


class _Retrained:
    """Classifiers trained without some rows, and their scores of what they are tested on."""

    def __init__(self, matrix: LabelledMatrix, learnt: Mask | None, fit: Fit, seed: int) -> None:
        self._matrix, self._fit, self._seed = matrix, fit, seed
        self._own = np.char.startswith(matrix.tools, OWN_PARAPHRASERS)
        self._scores: dict[bytes, Floats | None] = {}
        long = matrix.words >= SHORTEST
        self.humans = (matrix.labels == "human") & matrix.held_out & long
        if learnt is not None:
            self.humans &= ~learnt
        in_earnest = ~(matrix.changed < BARELY_CHANGED)  # not known counts as in earnest
        self.paraphrases = np.isin(matrix.labels, MACHINE_KINDS) & ~self._own & long & in_earnest
        self._check()

    def _check(self) -> None:
        lacking = [kind for kind in KINDS if not (self._matrix.labels == kind).any()]
        if lacking:
            raise LeaveOutError(f"training needs texts of every kind; there are none that are {', '.join(lacking)}")
        if not self.humans.any():
            raise LeaveOutError(
                f"no human text of {SHORTEST} words and more is left to test on: the model learnt from all "
                "of it, or none fell into the fifth that is held out; give the files it was trained on"
            )

    def without(self, left_out: Mask) -> Floats | None:
        """Return scores (N,), NaN where not tested, by a classifier that saw nothing of `left_out`.

        None where too little is left to train on.
        """
        key = left_out.tobytes()
        if key not in self._scores:
            self._scores[key] = self._score(left_out)
        return self._scores[key]

    def _score(self, left_out: Mask) -> Floats | None:
        matrix = self._matrix
        tested = (self.paraphrases & left_out) | self.humans
        same_originals = np.isin(matrix.groups, np.unique(matrix.groups[tested]))
        if np.char.startswith(matrix.tools[left_out], _WILD).any():
            matrix = _without_lexicon(matrix)
        train = matrix.take(~matrix.held_out & ~left_out & ~same_originals)
        if not _is_enough(train):
            return None
        classifier = self._fit(train, seed=self._seed)
        scores = np.full(len(matrix), np.nan)
        scores[tested] = 1.0 - classifier.probabilities(matrix.features[tested], matrix.style[tested])[:, 0]
        return scores


def _without_lexicon(matrix: LabelledMatrix) -> LabelledMatrix:
    """Return the matrix with the columns of known phrases blanked."""
    features = matrix.features.copy()
    features[:, [name.startswith(_LEXICON) for name in matrix.names]] = 0.0
    return dataclasses.replace(matrix, features=features)


def _is_enough(train: LabelledMatrix) -> bool:
    """Return whether there are two tools of every kind and two human sources, as calibration needs."""
    human = train.labels == "human"
    makers = [np.unique(train.tools[train.labels == kind]) for kind in MACHINE_KINDS]
    return all(len(names) >= 2 for names in [*makers, np.unique(train.sources[human])])


def _tools(matrix: LabelledMatrix, paraphrases: Mask) -> Iterator[tuple[str, Mask]]:
    """Yield name and rows of every tool with enough texts, kind by kind."""
    for kind in MACHINE_KINDS:
        of_kind = paraphrases & (matrix.labels == kind)
        yield from _large(matrix.tools, of_kind)


def _spun_sources(matrix: LabelledMatrix, paraphrases: Mask) -> Iterator[tuple[str, Mask]]:
    yield from _large(matrix.sources, paraphrases & (matrix.labels == "spun"))


def _large(names: NDArray[np.str_], rows: Mask) -> Iterator[tuple[str, Mask]]:
    """Yield each name that has enough of the rows, and those rows."""
    found, counts = np.unique(names[rows], return_counts=True)
    for name in found[counts >= FEWEST].tolist():
        yield name, rows & (names == name)


def _domains(matrix: LabelledMatrix, trained: _Retrained) -> list[tuple[str, list[Mask]]]:
    """Return every domain with enough to test on, and the rows of its paraphrases, kind by kind."""
    plan: list[tuple[str, list[Mask]]] = []
    for domain in np.unique(matrix.domains[trained.paraphrases | trained.humans]).tolist():
        inside = matrix.domains == domain
        kinds = [trained.paraphrases & inside & (matrix.labels == kind) for kind in MACHINE_KINDS]
        kinds = [rows for rows in kinds if rows.sum() >= FEWEST]
        if kinds or (trained.humans & inside).sum() >= FEWEST_HUMAN:
            plan.append((domain, kinds))
    return plan


def _left_out(
    matrix: LabelledMatrix,
    name: str,
    rows: Mask,
    humans: Mask,
    scores: Floats,
    same_domain: Mask | None = None,
) -> LeftOut:
    """Measure paraphrases against `humans`, and against those of their domain among `same_domain`."""
    found, of_humans = scores[rows], scores[humans]
    truth = np.repeat([True, False], [len(found), len(of_humans)])
    both = np.concatenate([found, of_humans])
    interval = auroc_interval(truth, both, resamples=RESAMPLES)
    area, texts = _within_domains(matrix, rows, humans if same_domain is None else same_domain, scores)
    return LeftOut(
        name=name,
        kind=str(matrix.labels[rows][0]),
        texts=len(found),
        auroc=auroc(truth, both),
        auroc_low=interval.low,
        auroc_high=interval.high,
        tpr_1=float((found >= threshold_at_fpr(of_humans, 0.01)).mean()),
        tpr_05=float((found >= threshold_at_fpr(of_humans, 0.005)).mean()),
        same_domain_auroc=area,
        same_domain_texts=texts,
    )


def _within_domains(matrix: LabelledMatrix, rows: Mask, humans: Mask, scores: Floats) -> tuple[float | None, int]:
    """Return how often a paraphrase outscores human text of its own domain, and of how many that is known."""
    total, texts = 0.0, 0
    for domain in np.unique(matrix.domains[rows]).tolist():
        inside = matrix.domains == domain
        if (humans & inside).sum() < FEWEST_HUMAN:
            continue
        chosen = (rows | humans) & inside
        count = int((rows & inside).sum())
        total += count * auroc(rows[chosen], scores[chosen])
        texts += count
    return (total / texts if texts else None), texts


def _alarms(domain: str, inside: Floats, elsewhere: Floats) -> Alarms:
    flagged = int((inside >= threshold_at_fpr(elsewhere, FALSE_POSITIVE_RATE)).sum())
    return Alarms(domain, len(inside), flagged, flagged / len(inside), *wilson_interval(flagged, len(inside)))


Step = TypeVar("Step")


def _with_bar(plan: Sequence[Step], progress: bool) -> Iterable[Step]:
    bar = Console(stderr=True)
    return track(plan, description="training again", console=bar, transient=True, disable=not progress)


def _mean_auroc(rows: Iterable[LeftOut]) -> float | None:
    areas = [row.auroc for row in rows]
    return round(float(np.mean(areas)), 6) if areas else None


def _rows(key: str, rows: Sequence[LeftOut]) -> list[dict[str, Any]]:
    named = [{key: row.name, **_plain(dataclasses.asdict(row))} for row in rows]
    for row in named:
        del row["name"]
    return named


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}
