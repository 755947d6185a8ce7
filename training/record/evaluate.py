"""How good a model is on labelled text: what it finds, whom it accuses wrongly, and how certain these figures are.

Everything is measured on the verdicts of `Detector.score_many`, which are what a user gets. Three groups of texts are
left out and counted: those that the model learnt from, those on which it abstains, and paraphrases in which fewer than
a tenth of the words were replaced. `unfamiliar` texts have no score; figures that count them against the model say so.
Texts that the first tier settled have no score, either; they rank below all others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from unspun.model.verdict import KINDS, LABELS, ModelInfo, Reason, Verdict
from unspun.model.wording import is_settled
from unspun.training.classifier.classify import BARELY_SPUN
from unspun.training.classifier.matrix import maker_name
from unspun.training.corpora.corpus import LabelledText, domain_group, text_keys
from unspun.training.reporting.metrics import auroc, auroc_interval, share_with_interval, tpr_at_fpr
from unspun.training.reporting.plots import plot_roc, plot_scores
from unspun.training.rows import rows_by_name

LENGTH_BANDS = (0, 60, 80, 150, 300, 600)
"""Words of prose at which each band of lengths starts."""

TARGET_WORDS = 80
"""Length in words from which false positives are promised to be rare."""

RESAMPLES = 400
"""Bootstrap samples for an interval: enough for the decimals that are shown."""

SETTLED_SCORE = -1.0
"""Stands for the score of a text that the first tier settled: below every other score."""

_CHUNK = 512
_REASONS: tuple[str, ...] = get_args(Reason)

Strings = NDArray[np.str_]
Mask = NDArray[np.bool_]


class SeenTexts(Protocol):
    """The part of a bundle that evaluation needs: the sorted keys of the texts that the model learnt from."""

    @property
    def seen(self) -> NDArray[np.uint64]:
        """The keys, as `training.corpora.corpus.text_keys` returns them."""


class VerdictSource(Protocol):
    """The part of a `model.detector.Detector` that evaluation needs."""

    @property
    def bundle(self) -> SeenTexts:
        """The model's bundle."""

    @property
    def model(self) -> ModelInfo:
        """The name, version and sha256 of the model."""

    def score_many(self, texts: Sequence[str], *, depth: str = "auto", evidence: bool = True) -> list[Verdict]:
        """Return a verdict for each text, in order."""


@dataclass(frozen=True, eq=False)
class LabelledVerdicts:
    """N labelled texts and the model's verdicts on them, each array of shape (N,).

    `verdicts`, `kinds` and `reasons` hold words, "" for none; `scores`, and `kind_scores` (N, 3) of each kind, are NaN
    for texts without a verdict, and below all scores for those that the first tier settled without one; `changed` is
    the share of words replaced, NaN if unknown.
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
    def of(cls, texts: Sequence[LabelledText], verdicts: Sequence[Verdict]) -> LabelledVerdicts:
        """Put texts and their verdicts side by side."""
        return cls(
            labels=_strings([text.label for text in texts]),
            sources=_strings([text.source for text in texts]),
            tools=_strings([maker_name(text) for text in texts]),
            domains=_strings([domain_group(text) for text in texts]),
            # numpy reads None as NaN.
            changed=np.array([text.changed_frac for text in texts], dtype=np.float64),
            scores=np.array(
                [SETTLED_SCORE if is_settled(verdict) else verdict.score for verdict in verdicts], dtype=np.float64
            ),
            kind_scores=np.array([_kind_scores(verdict) for verdict in verdicts], dtype=np.float64).reshape(
                -1, len(KINDS)
            ),
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
        """Which texts got no verdict because they are too unlike the text that the model was calibrated on."""
        return np.asarray(self.reasons == "unfamiliar")

    @property
    def counted(self) -> Mask:
        """Which texts the model could have judged: all but those that are too short, not English or not prose."""
        return np.asarray(self.judged | self.unfamiliar)

    @property
    def human(self) -> Mask:
        """Which texts were written by people and got a verdict."""
        return np.asarray(self.judged & (self.labels == "human"))

    @property
    def barely_changed(self) -> Mask:
        """Which paraphrases do not count because too few of their words were replaced."""
        return np.asarray(np.isin(self.labels, KINDS) & (self.changed < BARELY_SPUN))

    @property
    def paraphrased(self) -> Mask:
        """Which texts count as machine-paraphrased."""
        return np.isin(self.labels, KINDS) & ~self.barely_changed

    @property
    def machine(self) -> Mask:
        """Which texts count as machine-paraphrased and got a verdict."""
        return self.judged & self.paraphrased


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How accurate a model is on some labelled texts.

    `texts` were given, `learnt_from` of them left out. `sections` are the figures in the order and layout that
    `training.reporting.tables` shows: {name: {"note": ..., "rows": [...]}}. `answers` are the verdicts they come from.
    """

    model: ModelInfo
    answers: LabelledVerdicts
    texts: int
    learnt_from: int
    sections: dict[str, dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain JSON types."""
        answers = self.answers
        counts = {
            "read": self.texts,
            "left_out_since_learnt_from": self.learnt_from,
            "left_out_since_abstained": int((~answers.judged).sum()),
            "left_out_since_barely_changed": int((answers.judged & answers.barely_changed).sum()),
            "human": int(answers.human.sum()),
            "machine_paraphrased": int(answers.machine.sum()),
            "llm": int((answers.judged & (answers.labels == "llm")).sum()),
        }
        return {"model": self.model.to_dict(), "texts": counts, **self.sections}

    def to_json(self) -> str:
        """Return all figures as indented JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> list[Path]:
        """Write `evaluation.json`, and plots if there are texts of both classes; return the paths.

        The folder is created as needed. Raises OSError, and training.reporting.plots.PlotError without matplotlib.
        """
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / "evaluation.json"]
        written[0].write_text(self.to_json(), encoding="utf-8")
        answers = self.answers
        curves = {
            name: (answers.machine[rows], answers.scores[rows])
            for name, rows in _by_kind(answers)
            if (rows & answers.human).any() and (rows & answers.machine).any()
        }
        if curves:
            written += [folder / "roc.png", folder / "scores.png"]
            plot_roc(curves, written[1], title="Machine-paraphrased against human")
            plot_scores(*curves[_ALL], written[2])
        return written


def _kind_scores(verdict: Verdict) -> list[float | None]:
    if is_settled(verdict):
        return [SETTLED_SCORE] * len(KINDS)
    return [(verdict.kinds or {}).get(kind) for kind in KINDS]


_ALL = "all"
_SEPARATION_NOTE = (
    "Paraphrases against all human texts measured here. AUROC: of the score, with a 95 % bootstrap interval. Kind "
    "AUROC: of the entry in `kinds` for the texts' own kind. TPR: the share found when at most 1 % (0.5 %) of "
    "these human texts are flagged; `with unfamiliar` counts texts that are too unfamiliar for a verdict as missed. "
    "Suspect and paraphrased share: at the model's own thresholds; the former counts both verdicts. Paraphrases with "
    f"less than {100 * BARELY_SPUN:.0f} % of their words replaced are left out."
)
_FALSE_POSITIVE_NOTE = (
    "Human texts that got a verdict, with 95 % Wilson intervals. The suspect rate counts both verdicts, `suspect` and "
    "`paraphrased`; `suspect or unfamiliar` also counts texts that are too unfamiliar for a verdict."
)
_KINDS_NOTE = "The verdicts on texts of each label; kinds are those of `suspect` and `paraphrased` texts together."
_LLM_NOTE = "Written by a language model and paraphrased by nobody: neither human text nor a paraphrase."


def evaluate(
    judge: VerdictSource,
    texts: Sequence[LabelledText],
    *,
    depth: str = "auto",
    include_training: bool = False,
    progress: bool = False,
) -> Evaluation:
    """Score labelled texts at a depth and measure the verdicts.

    Texts that the model learnt from are left out and counted, unless `include_training` is set. `progress` shows a bar
    on standard error.
    """
    learnt = np.zeros(len(texts), dtype=np.bool_)
    if not include_training:
        learnt = np.isin(text_keys([text.text for text in texts]), judge.bundle.seen)
    chosen = [text for text, known in zip(texts, learnt.tolist(), strict=True) if not known]
    answers = LabelledVerdicts.of(chosen, _score(judge, chosen, depth, progress))
    human = answers.counted & (answers.labels == "human")
    long = human & (answers.words >= TARGET_WORDS)
    paraphrased = answers.counted & answers.paraphrased
    llm = answers.judged & (answers.labels == "llm")

    def separations(key: str, groups: Iterable[tuple[str, Mask]], note: str = "") -> dict[str, Any]:
        return _section(key, groups, partial(_separation, answers), note)

    def false_positives(key: str, groups: Iterable[tuple[str, Mask]], note: str = "") -> dict[str, Any]:
        return _section(key, groups, partial(_false_positives, answers), note)

    by_tool, by_source = rows_by_name(answers.tools, paraphrased), rows_by_name(answers.sources, paraphrased)
    sections = {
        "abstentions": {"rows": _abstentions(answers)},
        "machine_against_human": separations("kind", _by_kind(answers), _SEPARATION_NOTE),
        "by_tool": separations("tool", ((name, rows | answers.human) for name, rows in by_tool)),
        "by_source": separations("source", ((name, rows | answers.human) for name, rows in by_source)),
        "false_positives": false_positives(
            "human texts", ((_ALL, human), (f"{TARGET_WORDS} words and more", long)), _FALSE_POSITIVE_NOTE
        ),
        "false_positives_by_source": false_positives("source", rows_by_name(answers.sources, human)),
        f"false_positives_by_source_from_{TARGET_WORDS}_words": false_positives(
            "source", rows_by_name(answers.sources, long)
        ),
        "false_positives_by_domain": false_positives("domain", rows_by_name(answers.domains, human)),
        "false_positives_by_length": false_positives("words", _by_length(answers)),
        "kinds": _section("truth", _by_label(answers), partial(_shares, answers), _KINDS_NOTE),
        "llm": _section("source", rows_by_name(answers.sources, llm), partial(_shares, answers), _LLM_NOTE),
        "counts": {"rows": _counts(texts, learnt, answers)},
    }
    return Evaluation(judge.model, answers, len(texts), int(learnt.sum()), sections)


def _section(
    key: str, groups: Iterable[tuple[str, Mask]], measure: Callable[[Mask], dict[str, Any]], note: str
) -> dict[str, Any]:
    """Return a row of figures for each group, with its name under `key`; six decimals, since more would be noise."""
    rows = [
        {key: name, **{k: round(v, 6) if isinstance(v, float) else v for k, v in measure(chosen).items()}}
        for name, chosen in groups
    ]
    return {"note": note, "rows": rows} if note else {"rows": rows}


def _score(judge: VerdictSource, texts: Sequence[LabelledText], depth: str, progress: bool) -> list[Verdict]:
    starts = range(0, len(texts), _CHUNK)
    bar = track(starts, description="scoring", console=Console(stderr=True), transient=True, disable=not progress)
    verdicts: list[Verdict] = []
    for start in bar:
        chunk = [text.text for text in texts[start : start + _CHUNK]]
        verdicts += judge.score_many(chunk, depth=depth, evidence=False)
    return verdicts


def _by_kind(answers: LabelledVerdicts) -> Iterator[tuple[str, Mask]]:
    """Yield all paraphrases and those of each kind, each together with all human texts."""
    paraphrased = answers.counted & answers.paraphrased
    yield _ALL, paraphrased | answers.human
    for kind in KINDS:
        rows = paraphrased & (answers.labels == kind)
        if rows.any():
            yield kind, rows | answers.human


def _by_label(answers: LabelledVerdicts) -> Iterator[tuple[str, Mask]]:
    for label in LABELS:
        rows = answers.judged & (answers.labels == label) & ~answers.barely_changed
        if rows.any():
            yield label, rows


def _by_length(answers: LabelledVerdicts) -> Iterator[tuple[str, Mask]]:
    """Yield the human texts of each band of length that has any."""
    human = answers.counted & (answers.labels == "human")
    for low, high in zip(LENGTH_BANDS, (*LENGTH_BANDS[1:], None), strict=True):
        rows = human & (answers.words >= low)
        if high is not None:
            rows &= answers.words < high
        if rows.any():
            yield f"{low}+" if high is None else f"{low}-{high - 1}" if low else f"<{high}", rows


_SEPARATION = (
    "auroc",
    "auroc_low",
    "auroc_high",
    "kind_auroc",
    "tpr_1",
    "tpr_1_with_unfamiliar",
    "tpr_05",
    "suspect_share",
    "paraphrased_share",
)


def _separation(answers: LabelledVerdicts, rows: Mask) -> dict[str, Any]:
    """Measure how well the scores separate paraphrases from human texts; None if either is missing."""
    unfamiliar = int((rows & answers.unfamiliar).sum())
    rows = rows & answers.judged
    truth, scores = answers.machine[rows], answers.scores[rows]
    texts = int(truth.sum())
    counts = {"texts": texts, "unfamiliar": unfamiliar}
    if texts in (0, len(truth)):
        return {**counts, **dict.fromkeys(_SEPARATION)}
    verdicts = answers.verdicts[rows][truth]
    interval = auroc_interval(truth, scores, resamples=RESAMPLES)
    tpr_1 = tpr_at_fpr(truth, scores, 0.01)
    kinds = np.unique(answers.labels[rows & answers.machine]).tolist()
    figures = (
        auroc(truth, scores),
        interval.low,
        interval.high,
        auroc(truth, answers.kind_scores[rows, KINDS.index(kinds[0])]) if len(kinds) == 1 else None,
        tpr_1,
        tpr_1 * texts / (texts + unfamiliar),
        tpr_at_fpr(truth, scores, 0.005),
        float((verdicts != "clear").mean()),
        float((verdicts == "paraphrased").mean()),
    )
    return {**counts, **dict(zip(_SEPARATION, figures, strict=True))}


def _false_positives(answers: LabelledVerdicts, rows: Mask) -> dict[str, Any]:
    """Measure how often human texts are called `paraphrased`, and at least `suspect`."""
    verdicts = answers.verdicts[rows & answers.judged]
    texts, unfamiliar = len(verdicts), int((rows & answers.unfamiliar).sum())
    paraphrased = int((verdicts == "paraphrased").sum())
    suspect = paraphrased + int((verdicts == "suspect").sum())
    return {
        "texts": texts,
        "unfamiliar": unfamiliar,
        "paraphrased": paraphrased,
        **share_with_interval("paraphrased_rate", paraphrased, texts),
        **share_with_interval("suspect_rate", suspect, texts),
        "suspect_or_unfamiliar_rate": (suspect + unfamiliar) / max(texts + unfamiliar, 1),
    }


def _shares(answers: LabelledVerdicts, rows: Mask) -> dict[str, Any]:
    """Return the share of each verdict, and of each kind among the texts that are not clear."""
    verdicts, kinds = answers.verdicts[rows], answers.kinds[rows]
    words = {f"{word}_share": float((verdicts == word).mean()) for word in ("clear", "suspect", "paraphrased")}
    return {"texts": len(verdicts), **words, **{f"{kind}_share": float((kinds == kind).mean()) for kind in KINDS}}


def _counts(texts: Sequence[LabelledText], learnt: Mask, answers: LabelledVerdicts) -> list[dict[str, Any]]:
    """Count the texts of each source and label, and those that were left out."""
    sources = _strings([text.source for text in texts])
    labels = _strings([text.label for text in texts])
    counts = []
    for source, of_source in rows_by_name(sources, np.ones(len(texts), dtype=np.bool_)):
        for label, rows in rows_by_name(labels, of_source):
            answered = (answers.sources == source) & (answers.labels == label)
            counts.append(
                {
                    "source": source,
                    "label": label,
                    "texts": int(rows.sum()),
                    "learnt_from": int((rows & learnt).sum()),
                    "abstained": int((answered & ~answers.judged).sum()),
                    "barely_changed": int((answered & answers.judged & answers.barely_changed).sum()),
                }
            )
    return counts


def _abstentions(answers: LabelledVerdicts) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for label, of_label in rows_by_name(answers.labels, np.ones(len(answers.labels), dtype=np.bool_)):
        reasons = {reason: int((of_label & (answers.reasons == reason)).sum()) for reason in _REASONS}
        rows.append({"label": label, "texts": int(of_label.sum()), **reasons})
    return rows


def _strings(values: Sequence[str]) -> Strings:
    return np.array(values, dtype=np.str_)
