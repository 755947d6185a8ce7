"""How good a model is on labelled text: what it tells apart, whom it accuses wrongly, and how sure that is.

Everything is measured on what `Detector.score_many` answers, so on what a user gets. What is left out, and
counted: texts that the model learnt from, texts on which it abstains, and paraphrases in which fewer than a
tenth of the words were replaced. Texts that are `unfamiliar` have no score, and count against the model where it says
so.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from unspun.model.verdict import KINDS, LABELS, ModelInfo, Reason, Verdict
from unspun.training.classifier.matrix import maker_name
from unspun.training.corpora.corpus import LabelledText, domain_group, text_keys
from unspun.training.reporting.metrics import auroc, auroc_interval, tpr_at_fpr, wilson_interval
from unspun.training.reporting.plots import plot_roc, plot_scores

BARELY_CHANGED = 0.10
"""Share of words replaced below which a paraphrase does not count as one."""

LENGTH_BANDS = (0, 60, 80, 150, 300, 600)
"""Judged words from which each band of length reaches to the next."""

TARGET_WORDS = 80
"""Words from which false positives are promised to be rare."""

RESAMPLES = 400
"""Bootstrap samples behind an interval: enough for its two shown decimals."""

_CHUNK = 512
_REASONS: tuple[str, ...] = get_args(Reason)

Strings = NDArray[np.str_]
Mask = NDArray[np.bool_]


class Learnt(Protocol):
    """What evaluation needs of a bundle: the sorted keys of the texts that it learnt from."""

    @property
    def seen(self) -> NDArray[np.uint64]:
        """Return the keys, as of `training.corpora.text_keys`."""
        ...


class Judge(Protocol):
    """What evaluation needs of a `model.detector.Detector`."""

    @property
    def bundle(self) -> Learnt:
        """Return the model's bundle."""
        ...

    @property
    def model(self) -> ModelInfo:
        """Return which model it is."""
        ...

    def score_many(self, texts: Sequence[str], *, depth: str = "auto", evidence: bool = True) -> list[Verdict]:
        """Return a verdict for each text, in order."""
        ...


@dataclass(frozen=True, eq=False)
class Answers:
    """N labelled texts and what the model says of them, each array of shape (N,).

    `verdicts`, `kinds` and `reasons` hold words, empty where there is none; `scores`, and `kind_scores` (N, 3) of each
    kind, are NaN where no verdict was given; `changed` is the share of words replaced, NaN where it is not known.
    """

    labels: Strings
    sources: Strings
    tools: Strings
    domains: Strings
    changed: NDArray[np.float64]
    scores: NDArray[np.float64]
    kind_scores: NDArray[np.float64]
    words: NDArray[np.int64]
    verdicts: Strings
    kinds: Strings
    reasons: Strings

    @classmethod
    def of(cls, texts: Sequence[LabelledText], verdicts: Sequence[Verdict]) -> Answers:
        """Put texts and their verdicts side by side."""
        changed = [np.nan if text.changed_frac is None else text.changed_frac for text in texts]
        return cls(
            labels=_strings([text.label for text in texts]),
            sources=_strings([text.source for text in texts]),
            tools=_strings([maker_name(text) for text in texts]),
            domains=_strings([domain_group(text) for text in texts]),
            changed=np.array(changed, dtype=np.float64),
            scores=np.array([_number(verdict.score) for verdict in verdicts], dtype=np.float64),
            kind_scores=np.array(
                [[_number((verdict.kinds or {}).get(kind)) for kind in KINDS] for verdict in verdicts], dtype=np.float64
            ).reshape(-1, len(KINDS)),
            words=np.array([verdict.words for verdict in verdicts], dtype=np.int64),
            verdicts=_strings([verdict.verdict for verdict in verdicts]),
            kinds=_strings([verdict.kind or "" for verdict in verdicts]),
            reasons=_strings([verdict.reason or "" for verdict in verdicts]),
        )

    @property
    def judged(self) -> Mask:
        """Which texts got a verdict that is not `abstained`."""
        return np.asarray(self.verdicts != "abstained")

    @property
    def unfamiliar(self) -> Mask:
        """Which texts got no verdict since they are too unlike all that the model was calibrated on."""
        return np.asarray(self.reasons == "unfamiliar")

    @property
    def counted(self) -> Mask:
        """Which texts the model could have judged: all but those that are too short, not English or not prose."""
        return np.asarray(self.judged | self.unfamiliar)

    @property
    def human(self) -> Mask:
        """Which texts people wrote, and got a verdict."""
        return np.asarray(self.judged & (self.labels == "human"))

    @property
    def barely_changed(self) -> Mask:
        """Which paraphrases are hardly any."""
        return np.asarray(np.isin(self.labels, KINDS) & (self.changed < BARELY_CHANGED))

    @property
    def paraphrased(self) -> Mask:
        """Which texts are machine-paraphrased, in earnest."""
        return np.isin(self.labels, KINDS) & ~self.barely_changed

    @property
    def machine(self) -> Mask:
        """Which texts are machine-paraphrased, in earnest, and got a verdict."""
        return self.judged & self.paraphrased


@dataclass(frozen=True, slots=True)
class Separation:
    """How well paraphrases are told from human text.

    `texts` got a verdict, `unfamiliar` did not. `auroc` is that of the score; `kind_auroc` that of the entry of `kinds`
    for the kind that the texts are, where they are of one. `tpr_1` and `tpr_05` are the shares found where at most 1 %
    and 0.5 % of the human texts measured here are flagged, `tpr_1_with_unfamiliar` the same with unfamiliar texts
    counted as missed. `suspect_share` and `paraphrased_share` are at the model's own thresholds, the former with both
    words. None where there is nothing to tell apart.
    """

    name: str
    texts: int
    unfamiliar: int = 0
    auroc: float | None = None
    auroc_low: float | None = None
    auroc_high: float | None = None
    kind_auroc: float | None = None
    tpr_1: float | None = None
    tpr_1_with_unfamiliar: float | None = None
    tpr_05: float | None = None
    suspect_share: float | None = None
    paraphrased_share: float | None = None


@dataclass(frozen=True, slots=True)
class FalsePositives:
    """How many human texts are called `paraphrased`, and at least `suspect`, with 95 % Wilson intervals.

    `texts` got a verdict, `unfamiliar` did not; `suspect_or_unfamiliar_rate` counts them against the model.
    """

    name: str
    texts: int
    unfamiliar: int
    paraphrased: int
    paraphrased_rate: float
    paraphrased_rate_low: float
    paraphrased_rate_high: float
    suspect_rate: float
    suspect_rate_low: float
    suspect_rate_high: float
    suspect_or_unfamiliar_rate: float


@dataclass(frozen=True, slots=True)
class Shares:
    """What share of some texts gets which answer: the three verdicts, and the kind of those not clear."""

    name: str
    texts: int
    clear_share: float
    suspect_share: float
    paraphrased_share: float
    spun_share: float
    translated_share: float
    rewritten_share: float


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What became of the texts of one source and label."""

    source: str
    label: str
    texts: int
    learnt_from: int
    abstained: int
    barely_changed: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model is worth on some labelled texts. `answers` is behind it all, and not saved."""

    model: ModelInfo
    answers: Answers
    texts: int
    learnt_from: int
    counts: tuple[SourceCount, ...]
    overall: tuple[Separation, ...]
    by_tool: tuple[Separation, ...]
    by_source: tuple[Separation, ...]
    false_positives: tuple[FalsePositives, ...]
    false_positives_by_source: tuple[FalsePositives, ...]
    false_positives_by_source_from_80_words: tuple[FalsePositives, ...]
    false_positives_by_domain: tuple[FalsePositives, ...]
    false_positives_by_length: tuple[FalsePositives, ...]
    kinds: tuple[Shares, ...]
    llm: tuple[Shares, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain JSON types, laid out for `training.tables`."""
        return {
            "model": self.model.to_dict(),
            "texts": self._texts(),
            "abstentions": {"rows": _abstentions(self.answers)},
            "machine_against_human": _section(_SEPARATION_NOTE, "kind", self.overall),
            "by_tool": _section("", "tool", self.by_tool),
            "by_source": _section("", "source", self.by_source),
            "false_positives": _section(_FALSE_POSITIVE_NOTE, "human texts", self.false_positives),
            "false_positives_by_source": _section("", "source", self.false_positives_by_source),
            f"false_positives_by_source_from_{TARGET_WORDS}_words": _section(
                "", "source", self.false_positives_by_source_from_80_words
            ),
            "false_positives_by_domain": _section("", "domain", self.false_positives_by_domain),
            "false_positives_by_length": _section("", "words", self.false_positives_by_length),
            "kinds": _section(_KINDS_NOTE, "truth", self.kinds),
            "llm": _section(_LLM_NOTE, "source", self.llm),
            "counts": {"rows": [_plain(dataclasses.asdict(count)) for count in self.counts]},
        }

    def to_json(self) -> str:
        """Return all figures as indented JSON, a line end at the end."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> list[Path]:
        """Write `evaluation.json`, and where there is text of both classes `roc.png` and `scores.png`.

        The folder is made where it is not there. Returns the files' paths. Raises OSError, and
        training.plots.PlotError where matplotlib is not installed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / "evaluation.json"]
        written[0].write_text(self.to_json(), encoding="utf-8")
        answers, human = self.answers, self.answers.human
        curves = {
            name: (answers.machine[rows], answers.scores[rows])
            for name, rows in _by_kind(answers)
            if (rows & human).any() and (rows & answers.machine).any()
        }
        if curves:
            written += [folder / "roc.png", folder / "scores.png"]
            plot_roc(curves, written[1], title="Machine-paraphrased against human")
            plot_scores(*curves[_ALL], written[2])
        return written

    def _texts(self) -> dict[str, Any]:
        answers = self.answers
        return {
            "read": self.texts,
            "left_out_since_learnt_from": self.learnt_from,
            "left_out_since_abstained": int((~answers.judged).sum()),
            "left_out_since_barely_changed": int((answers.judged & answers.barely_changed).sum()),
            "human": int(answers.human.sum()),
            "machine_paraphrased": int(answers.machine.sum()),
            "llm": int((answers.judged & (answers.labels == "llm")).sum()),
        }


_ALL = "all"
_SEPARATION_NOTE = (
    "Paraphrases against all human texts measured here. AUROC: of the score, with a 95 % bootstrap interval. Kind "
    "AUROC: of the entry of `kinds` for the kind that the texts are. TPR: share found where at most 1 % (0.5 %) of "
    "these human texts are flagged; `with unfamiliar` counts texts that are too unfamiliar for a verdict as missed. "
    "Suspect and paraphrased share: at the model's own thresholds; the former counts both words. Paraphrases with less "
    f"than {100 * BARELY_CHANGED:.0f} % of their words replaced are left out."
)
_FALSE_POSITIVE_NOTE = (
    "Human texts that got a verdict, with 95 % Wilson intervals. The suspect rate counts both words, `suspect` and "
    "`paraphrased`; `suspect or unfamiliar` also counts texts that are too unfamiliar for a verdict."
)
_KINDS_NOTE = "What texts of each label are told to be; kinds are those of `suspect` and `paraphrased` together."
_LLM_NOTE = "Written by a language model and paraphrased by nobody: neither human text nor a paraphrase."


def evaluate(
    judge: Judge,
    texts: Sequence[LabelledText],
    *,
    depth: str = "auto",
    include_training: bool = False,
    progress: bool = False,
) -> Evaluation:
    """Score labelled texts, at a depth, and measure the answers.

    Texts that the model learnt from are left out and counted, unless `include_training`. `progress` shows a
    bar on standard error.
    """
    learnt = np.zeros(len(texts), dtype=np.bool_)
    if not include_training:
        learnt = np.isin(text_keys([text.text for text in texts]), judge.bundle.seen)
    chosen = [text for text, known in zip(texts, learnt.tolist(), strict=True) if not known]
    answers = Answers.of(chosen, _score(judge, chosen, depth, progress))
    human = answers.counted & (answers.labels == "human")
    long = human & (answers.words >= TARGET_WORDS)
    overall = {"all": human, f"{TARGET_WORDS} words and more": long}
    return Evaluation(
        model=judge.model,
        answers=answers,
        texts=len(texts),
        learnt_from=int(learnt.sum()),
        counts=_counts(texts, learnt, answers),
        overall=tuple(_separation(answers, name, rows) for name, rows in _by_kind(answers)),
        by_tool=_separations(answers, answers.tools),
        by_source=_separations(answers, answers.sources),
        false_positives=tuple(_false_positives(answers, name, rows) for name, rows in overall.items()),
        false_positives_by_source=_false_positives_by(answers, answers.sources, human),
        false_positives_by_source_from_80_words=_false_positives_by(answers, answers.sources, long),
        false_positives_by_domain=_false_positives_by(answers, answers.domains, human),
        false_positives_by_length=tuple(_false_positives(answers, name, rows) for name, rows in _by_length(answers)),
        kinds=tuple(_shares(answers, name, rows) for name, rows in _by_label(answers)),
        llm=tuple(
            _shares(answers, name, rows)
            for name, rows in _each(answers.sources, answers.judged & (answers.labels == "llm"))
        ),
    )


def _score(judge: Judge, texts: Sequence[LabelledText], depth: str, progress: bool) -> list[Verdict]:
    starts = range(0, len(texts), _CHUNK)
    bar = track(starts, description="scoring", console=Console(stderr=True), transient=True, disable=not progress)
    verdicts: list[Verdict] = []
    for start in bar:
        chunk = [text.text for text in texts[start : start + _CHUNK]]
        verdicts += judge.score_many(chunk, depth=depth, evidence=False)
    return verdicts


def _each(names: Strings, rows: Mask) -> Iterator[tuple[str, Mask]]:
    """Yield every name among the chosen rows, in order, and its rows."""
    for name in np.unique(names[rows]).tolist():
        yield name, rows & (names == name)


def _by_kind(answers: Answers) -> Iterator[tuple[str, Mask]]:
    """Yield all paraphrases and those of each kind, each with all human texts beside them."""
    paraphrased = answers.counted & answers.paraphrased
    yield _ALL, paraphrased | answers.human
    for kind in KINDS:
        rows = paraphrased & (answers.labels == kind)
        if rows.any():
            yield kind, rows | answers.human


def _by_label(answers: Answers) -> Iterator[tuple[str, Mask]]:
    for label in LABELS:
        rows = answers.judged & (answers.labels == label) & ~answers.barely_changed
        if rows.any():
            yield label, rows


def _by_length(answers: Answers) -> Iterator[tuple[str, Mask]]:
    """Yield the human texts of each band of length that has any."""
    human = answers.counted & (answers.labels == "human")
    for low, high in zip(LENGTH_BANDS, (*LENGTH_BANDS[1:], None), strict=True):
        rows = human & (answers.words >= low)
        name = f"{low}-{high - 1}" if high is not None else f"{low}+"
        if high is not None:
            rows &= answers.words < high
        if rows.any():
            yield f"<{high}" if low == 0 else name, rows


def _separations(answers: Answers, names: Strings) -> tuple[Separation, ...]:
    paraphrased = answers.counted & answers.paraphrased
    return tuple(_separation(answers, name, rows | answers.human) for name, rows in _each(names, paraphrased))


def _separation(answers: Answers, name: str, rows: Mask) -> Separation:
    """Measure how the paraphrases among the rows are told from the human texts among them."""
    unfamiliar = int((rows & answers.unfamiliar).sum())
    rows = rows & answers.judged
    truth, scores = answers.machine[rows], answers.scores[rows]
    texts = int(truth.sum())
    if texts in (0, len(truth)):
        return Separation(name, texts, unfamiliar)
    verdicts = answers.verdicts[rows][truth]
    interval = auroc_interval(truth, scores, resamples=RESAMPLES)
    tpr_1 = tpr_at_fpr(truth, scores, 0.01)
    return Separation(
        name=name,
        texts=texts,
        unfamiliar=unfamiliar,
        auroc=auroc(truth, scores),
        auroc_low=interval.low,
        auroc_high=interval.high,
        kind_auroc=_kind_auroc(answers, rows),
        tpr_1=tpr_1,
        tpr_1_with_unfamiliar=tpr_1 * texts / (texts + unfamiliar),
        tpr_05=tpr_at_fpr(truth, scores, 0.005),
        suspect_share=float((verdicts != "clear").mean()),
        paraphrased_share=float((verdicts == "paraphrased").mean()),
    )


def _kind_auroc(answers: Answers, rows: Mask) -> float | None:
    """Return the AUROC of the paraphrases' own kind's entry of `kinds`, None where they are of several kinds."""
    kinds = np.unique(answers.labels[rows & answers.machine])
    if len(kinds) != 1:
        return None
    return auroc(answers.machine[rows], answers.kind_scores[rows, KINDS.index(str(kinds[0]))])


def _false_positives_by(answers: Answers, names: Strings, rows: Mask) -> tuple[FalsePositives, ...]:
    return tuple(_false_positives(answers, name, chosen) for name, chosen in _each(names, rows))


def _false_positives(answers: Answers, name: str, rows: Mask) -> FalsePositives:
    verdicts = answers.verdicts[rows & answers.judged]
    texts, unfamiliar = len(verdicts), int((rows & answers.unfamiliar).sum())
    paraphrased = int((verdicts == "paraphrased").sum())
    suspect = paraphrased + int((verdicts == "suspect").sum())
    return FalsePositives(
        name,
        texts,
        unfamiliar,
        paraphrased,
        paraphrased / max(texts, 1),
        *wilson_interval(paraphrased, texts),
        suspect / max(texts, 1),
        *wilson_interval(suspect, texts),
        (suspect + unfamiliar) / max(texts + unfamiliar, 1),
    )


def _shares(answers: Answers, name: str, rows: Mask) -> Shares:
    verdicts, kinds = answers.verdicts[rows], answers.kinds[rows]
    words = ("clear", "suspect", "paraphrased")
    told = [float((verdicts == word).mean()) for word in words]
    told += [float((kinds == kind).mean()) for kind in KINDS]
    return Shares(name, len(verdicts), *told)


def _counts(texts: Sequence[LabelledText], learnt: Mask, answers: Answers) -> tuple[SourceCount, ...]:
    """Count the texts of each source and label, and what became of them."""
    sources = _strings([text.source for text in texts])
    labels = _strings([text.label for text in texts])
    counts: list[SourceCount] = []
    for source, of_source in _each(sources, np.ones(len(texts), dtype=np.bool_)):
        for label, rows in _each(labels, of_source):
            answered = (answers.sources == source) & (answers.labels == label)
            abstained = int((answered & ~answers.judged).sum())
            barely = int((answered & answers.judged & answers.barely_changed).sum())
            counts.append(SourceCount(source, label, int(rows.sum()), int((rows & learnt).sum()), abstained, barely))
    return tuple(counts)


def _abstentions(answers: Answers) -> list[dict[str, Any]]:
    """Count by label how often the model abstains, and why."""
    rows: list[dict[str, Any]] = []
    for label, of_label in _each(answers.labels, np.ones(len(answers.labels), dtype=np.bool_)):
        reasons = {reason: int((of_label & (answers.reasons == reason)).sum()) for reason in _REASONS}
        rows.append({"label": label, "texts": int(of_label.sum()), **reasons})
    return rows


Row = TypeVar("Row", Separation, FalsePositives, Shares)


def _section(note: str, key: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return rows as dictionaries, their names under `key`, and what they are."""
    named = [{key: row.name, **_plain(dataclasses.asdict(row))} for row in rows]
    for row in named:
        del row["name"]
    return {"note": note, "rows": named} if note else {"rows": named}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with figures of six decimals: more would be noise in a saved file."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}


def _strings(values: Sequence[str]) -> Strings:
    return np.array(values, dtype=np.str_)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
