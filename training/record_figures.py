"""The figures of the public record: what each depth finds, whom it accuses, and how far it is from its aims.

All are taken from `Sample`: answers to texts of 60 words and more, paraphrases in which fewer than a tenth of the words
were replaced left out. Rows are dictionaries of plain types, laid out for `training.tables`; a figure has a column for
each depth that there are answers of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.fast import MACHINE_KINDS
from model.verdict import Thresholds
from training.answers import DEPTHS, DepthAnswers
from training.corpora import LABELS
from training.evaluate import BARELY_CHANGED, TARGET_WORDS
from training.leave_out import FEWEST_HUMAN, SHORTEST
from training.metrics import Interval, auroc, expected_calibration_error, tpr_at_fpr, wilson_interval
from training.saved_features import OWN_PARAPHRASERS
from training.tables import NOTHING, cell

FEWEST = 20
"""Texts below which nothing is said of a tool, a source or a length."""
FEWEST_OF_SOURCE = 100
"""Human texts of a source from which it can be the worst one."""
LENGTHS = (SHORTEST, 80, 150, 300)
"""Judged words from which each band of length reaches to the next."""
WILD_SPUN, WILD_HUMAN = "wild_spun_train", "wild_human_train"
LEARNERS = "ellipse_learners"
PASSAGE, ARTICLE = "passage", "article-"
"""The source of articles with a spun passage, and what the ids of all articles begin with that training.deep_cases
puts together from several texts."""
WRITERS = {
    "learners of English, and pupils": ("ellipse_learners", "asap_essays"),
    "students": ("outfox_native_essays",),
    "novelists": ("english_novels",),
    "amateur storytellers": ("writingprompts_stories",),
    "scientists": ("acl_abstracts", "keyphrase_abstracts", "pubmed_abstracts", "scitldr_abstracts"),
    "newswire": ("reuters21578", "abc_news", "bbc_news", "xsum_bbc_news", "kpcrowd_news"),
    "bloggers": ("blogs_2004", "gov_blogs", WILD_HUMAN),
    "reviewers": ("imdb_reviews", "yelp_reviews"),
    "speeches": ("us_presidential_speeches",),
    "encyclopaedists": ("wikipedia_paragraphs",),
}
"""Who wrote the human texts, by their sources."""
OTHERS = "others"

REACHED, REQUIRED, MISSED = "✓✓", "✓", "✗"
"""Marks of a figure: what is aimed at is reached, what is required, neither."""

Mask: TypeAlias = NDArray[np.bool_]
Strings: TypeAlias = NDArray[np.str_]
Row: TypeAlias = dict[str, Any]
ByDepth: TypeAlias = dict[str, float]


@dataclass(frozen=True, eq=False)
class Sample:
    """N answers, and for each depth the word that each text gets, shape (N,)."""

    answers: DepthAnswers
    verdicts: Mapping[str, Strings]

    @classmethod
    def of(cls, answers: DepthAnswers, manifest: Mapping[str, Any]) -> Sample:
        """Return the answers with the words of the model's thresholds. Raises ValueError where it has none."""
        fast, deep = _thresholds(manifest)
        everywhere = np.ones(len(answers), dtype=np.bool_)
        by_fast = {"fast": everywhere, "deep": ~everywhere, "auto": answers.settled}
        return cls(answers, {depth: _words(answers, depth, by_fast[depth], fast, deep) for depth in answers.depths})

    def __len__(self) -> int:
        return len(self.answers)

    def take(self, rows: Mask) -> Sample:
        """Return the texts that a mask selects."""
        return Sample(self.answers.take(rows), {depth: words[rows] for depth, words in self.verdicts.items()})

    @property
    def depths(self) -> tuple[str, ...]:
        """Return the depths that there are answers of."""
        return self.answers.depths

    @property
    def human(self) -> Mask:
        """Which texts people wrote."""
        return np.asarray(self.answers.labels == "human")

    @property
    def machine(self) -> Mask:
        """Which texts are machine-paraphrased."""
        return np.isin(self.answers.labels, MACHINE_KINDS)

    def of_kind(self, kind: str) -> Mask:
        """Return which texts are of a kind of machine."""
        return np.asarray(self.answers.labels == kind)


def _thresholds(manifest: Mapping[str, Any]) -> tuple[Thresholds, Thresholds]:
    """Return the thresholds of the fast and the deep tier, which are the same where the manifest has no others."""
    try:
        fast = Thresholds.from_manifest(manifest["thresholds"])
        deep = manifest.get("deep", {}).get("thresholds")
        return fast, fast if deep is None else Thresholds.from_manifest(deep)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the manifest has no thresholds that can be read ({error})") from error


def _words(answers: DepthAnswers, depth: str, by_fast: Mask, fast: Thresholds, deep: Thresholds) -> Strings:
    """Return the word that each text gets (N,): at the fast tier's thresholds where that one decided."""
    rows = zip(answers.scores(depth).tolist(), answers.words.tolist(), by_fast.tolist(), strict=True)
    return np.array([(fast if alone else deep).word(score, words) for score, words, alone in rows], dtype=np.str_)


class Parts(NamedTuple):
    """What is told of apart.

    `unseen`: texts of real tools, and human texts, scored by models that had not met their tool or source; `own`: those
    of our own paraphrasers, with the same human texts; `articles`: several texts in one, with a spun passage or
    without; `known`: held-out texts that the shipped model scored; `llm`: by language models, paraphrased by nobody.
    """

    unseen: Sample
    own: Sample
    articles: Sample
    known: Sample
    llm: Sample


_PART_NAMES = {
    "unseen": "tool or source never seen",
    "articles": "articles put together",
    "known": "held out, tool and source known",
    "llm": "by language models",
}


def left_out(sample: Sample) -> dict[str, Mask]:
    """Return which texts (N,) nothing is told of, by the reason."""
    answers = sample.answers
    short = answers.words < SHORTEST
    barely = ~short & sample.machine & (answers.changed < BARELY_CHANGED)
    learnt = ~short & ~barely & ~answers.unseen & ~answers.held_out & (answers.labels != "llm")
    return {f"shorter than {SHORTEST} words": short, "barely changed": barely, "learnt from": learnt}


def divide(sample: Sample) -> Parts:
    """Return the parts that the record tells of."""
    answers = sample.answers
    told = ~np.logical_or.reduce(list(left_out(sample).values()))
    own = np.char.startswith(answers.tools, OWN_PARAPHRASERS)
    article = np.char.startswith(answers.ids, ARTICLE) | (answers.sources == PASSAGE)
    llm = answers.labels == "llm"
    plain = told & ~llm & ~article
    return Parts(
        unseen=sample.take(plain & answers.unseen & ~own),
        own=sample.take(plain & answers.unseen & (own | sample.human)),
        articles=sample.take(told & article),
        known=sample.take(plain & ~answers.unseen & ~own),
        llm=sample.take(told & llm),
    )


def counts(parts: Parts) -> list[Row]:
    """Return how many texts of each label are told of, part by part."""
    told = {name: getattr(parts, part).answers for part, name in _PART_NAMES.items()}
    told[_OWN] = parts.own.take(parts.own.machine).answers  # its human texts are those of `unseen`
    rows = []
    for label in LABELS:
        sizes = {name: int((answers.labels == label).sum()) for name, answers in told.items()}
        sources = [answers.sources[answers.labels == label] for answers in told.values()]
        if any(sizes.values()):
            rows.append({"label": label, "sources": len(np.unique(np.concatenate(sources))), **sizes})
    return rows


_OWN = "by our own paraphrasers"


# What is told apart: positives against human text.


def separations(sample: Sample, machine: Mask, human: Mask) -> Row:
    """Return AUROC and true-positive rates of the positives against the human texts, a column each and depth."""
    row: Row = {"texts": int(machine.sum())}
    row |= _columns("AUROC", "auroc", aurocs(sample, machine, human))
    for name, rate in (("TPR at 1 %", 0.01), ("TPR at 0.5 %", 0.005)):
        row |= _columns(name, "share", recalls(sample, machine, human, rate))
    return row


def _columns(name: str, key: str, values: ByDepth) -> Row:
    return {f"{name}, {depth}": cell(key, value) for depth, value in values.items()}


def aurocs(sample: Sample, machine: Mask, human: Mask) -> ByDepth:
    """Return the AUROC of each depth; empty where one of the classes is."""
    return _against(sample, machine, human, auroc)


def recalls(sample: Sample, machine: Mask, human: Mask, rate: float) -> ByDepth:
    """Return the share of positives found where a share `rate` of the human texts is flagged, for each depth."""
    return _against(sample, machine, human, lambda truth, scores: tpr_at_fpr(truth, scores, rate))


def _against(
    sample: Sample, machine: Mask, human: Mask, figure: Callable[[Mask, NDArray[np.float64]], float]
) -> ByDepth:
    if not (machine.any() and human.any()):
        return {}
    chosen = machine | human
    return {depth: figure(machine[chosen], sample.answers.scores(depth)[chosen]) for depth in sample.depths}


def same_domain_aurocs(sample: Sample, machine: Mask) -> ByDepth:
    """Return the AUROC of each depth against human text of the positives' own domains, the mean over the positives.

    Those of domains with fewer than 50 human texts do not count.
    """
    found: list[ByDepth] = []
    sizes: list[int] = []
    for _, inside in _large(sample.answers.domains, machine, 1):
        human = sample.human & (sample.answers.domains == sample.answers.domains[inside][0])
        if human.sum() >= FEWEST_HUMAN:
            found.append(aurocs(sample, inside, human))
            sizes.append(int(inside.sum()))
    return _mean(found, sizes)


def _mean(found: Sequence[ByDepth], weights: Sequence[int] | None = None) -> ByDepth:
    """Return the means for each depth, of those that are not empty."""
    full = [values for values in found if values]
    return {
        depth: float(np.average([values[depth] for values in full], weights=weights))
        for depth in (full[0] if full else ())
    }


def _large(names: Strings, rows: Mask, fewest: int = FEWEST) -> Iterator[tuple[str, Mask]]:
    """Yield each name that has enough of the rows, in order, and those rows."""
    found, sizes = np.unique(names[rows], return_counts=True)
    for name in found[sizes >= fewest].tolist():
        yield name, rows & (names == name)


def cells(sample: Sample, rows: Mask) -> Iterator[tuple[str, str, Mask]]:
    """Yield each tool and source with enough of the rows, and those rows."""
    for tool, of_tool in _large(sample.answers.tools, rows, 1):
        for source, of_both in _large(sample.answers.sources, of_tool):
            yield tool, source, of_both


def by_tool(sample: Sample, rows: Mask) -> list[Row]:
    """Return a row for each tool and source of the chosen paraphrases, against all human text."""
    human = sample.human
    return [
        {"tool": tool, "source": source, **separations(sample, chosen, human)}
        for tool, source, chosen in cells(sample, rows)
        if human.any()
    ]


def by_kind(sample: Sample) -> list[Row]:
    """Return a row for each kind of machine, against all human text."""
    human = sample.human
    return [
        {"kind": kind, **separations(sample, rows, human)} for kind, rows in kinds(sample) if rows.any() and human.any()
    ]


def kinds(sample: Sample) -> Iterator[tuple[str, Mask]]:
    """Yield the kinds of machine and their rows."""
    for kind in MACHINE_KINDS:
        yield kind, sample.of_kind(kind)


def bands(sample: Sample) -> Iterator[tuple[str, Mask]]:
    """Yield the bands of length and their rows."""
    words = sample.answers.words
    for low, high in zip(LENGTHS, (*LENGTHS[1:], None), strict=True):
        if high is None:
            yield f"{low} and more", np.asarray(words >= low)
        else:
            yield f"{low}-{high - 1}", np.asarray((words >= low) & (words < high))


def separation_by_length(sample: Sample) -> list[Row]:
    """Return the AUROC of each kind in each band of length, against human text of that band."""
    rows = []
    for kind, of_kind in kinds(sample):
        for name, inside in bands(sample):
            machine, human = of_kind & inside, sample.human & inside
            if min(machine.sum(), human.sum()) >= FEWEST:
                found = _columns("AUROC", "auroc", aurocs(sample, machine, human))
                rows.append({"kind": kind, "words": name, "texts": int(machine.sum()), **found})
    return rows


def separation_by_domain(sample: Sample) -> list[Row]:
    """Return the AUROC of each kind in each domain, against human text of that domain."""
    rows = []
    for kind, of_kind in kinds(sample):
        for name, machine in _large(sample.answers.domains, of_kind):
            human = sample.human & (sample.answers.domains == name)
            if human.sum() >= FEWEST_HUMAN:
                found = _columns("AUROC", "auroc", aurocs(sample, machine, human))
                rows.append({"kind": kind, "domain": name, "texts": int(machine.sum()), **found})
    return rows


def calibration(sample: Sample) -> list[Row]:
    """Return the expected calibration error of the score, on each kind with all human text, and on all."""
    rows = []
    for name, machine in (("all", sample.machine), *kinds(sample)):
        found = _against(sample, machine, sample.human, expected_calibration_error)
        if found:
            row = {"kind": name, "paraphrases": int(machine.sum()), "human texts": int(sample.human.sum())}
            rows.append(row | _columns("error", "error", found))
    return rows


# Whom it accuses: human text.


def long_human(sample: Sample) -> Mask:
    """Return which human texts are as long as false positives are promised to be rare from."""
    return sample.human & (sample.answers.words >= TARGET_WORDS)


def alarms(sample: Sample, rows: Mask) -> Row:
    """Return how many of the chosen human texts are called `paraphrased`, and at least `suspect`, at each depth."""
    found: Row = {"human texts": int(rows.sum())}
    called = {depth: sample.verdicts[depth][rows] for depth in sample.depths}
    for depth, words in called.items():
        found[f"paraphrased, {depth}"] = _shown(*_share(words == "paraphrased"))
    for depth, words in called.items():
        found[f"suspect, {depth}"] = cell("share", _share(words != "clear")[0])
    return found


def _share(hits: Mask) -> tuple[float, Interval]:
    """Return the share of hits and its Wilson interval."""
    return float(hits.mean()) if len(hits) else 0.0, wilson_interval(int(hits.sum()), len(hits))


def _shown(share: float, interval: Interval) -> str:
    low, high = (cell("share", end).removesuffix(" %") for end in interval)
    return f"{cell('share', share)} ({low}-{high})"


def alarms_by(sample: Sample, name: str, groups: Iterable[tuple[str, Mask]]) -> list[Row]:
    """Return a row of alarms for each group with enough human texts."""
    return [{name: group, **alarms(sample, rows)} for group, rows in groups if rows.sum() >= FEWEST]


def alarms_by_length(sample: Sample) -> list[Row]:
    """Return a row of alarms for each band of length."""
    return alarms_by(sample, "words", ((name, sample.human & inside) for name, inside in bands(sample)))


def alarms_by_source(sample: Sample) -> list[Row]:
    """Return a row of alarms for each source, of the longer human texts."""
    return alarms_by(sample, "source", _large(sample.answers.sources, long_human(sample)))


def alarms_by_domain(sample: Sample) -> list[Row]:
    """Return a row of alarms for each domain, of the longer human texts."""
    return alarms_by(sample, "domain", _large(sample.answers.domains, long_human(sample)))


def alarms_by_writer(sample: Sample) -> list[Row]:
    """Return a row of alarms for each group of writers, of the longer human texts."""
    groups = {source: group for group, sources in WRITERS.items() for source in sources}
    names = np.array([groups.get(source, OTHERS) for source in sample.answers.sources.tolist()], dtype=np.str_)
    human = long_human(sample)
    return alarms_by(sample, "writers", ((name, human & (names == name)) for name in (*WRITERS, OTHERS)))


def worst_sources(sample: Sample) -> dict[str, tuple[str, Mask]]:
    """Return for each depth the source of 100 human texts and more of which most are called `paraphrased`."""
    large = list(_large(sample.answers.sources, long_human(sample), FEWEST_OF_SOURCE))
    worst = {}
    for depth in sample.depths if large else ():
        called = sample.verdicts[depth] == "paraphrased"
        worst[depth] = max(large, key=lambda source: float(called[source[1]].mean()))
    return worst


def told_of_llm(sample: Sample) -> list[Row]:
    """Return the shares of words, and of kinds among those not clear, by source and depth."""
    rows = []
    answers = sample.answers
    for source, chosen in _large(answers.sources, np.ones(len(sample), dtype=np.bool_)):
        for depth in sample.depths:
            words = sample.verdicts[depth][chosen]
            kind = np.array(MACHINE_KINDS)[answers.probabilities[depth][chosen][:, 1:].argmax(axis=1)]
            shares = {word: float((words == word).mean()) for word in ("clear", "suspect", "paraphrased")}
            shares |= {f"as {name}": float(((kind == name) & (words != "clear")).mean()) for name in MACHINE_KINDS}
            shown = {name: cell("share", share) for name, share in shares.items()}
            rows.append({"source": source, "depth": depth, "texts": len(words), **shown})
    return rows


# What was aimed at.


class Figure(NamedTuple):
    """A figure of one depth, 0-1; `interval`, where there is one, is Wilson's of 95 %."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Aim:
    """Something that was promised of the model, and what each depth makes of it.

    `required` and `aim` are 0-1, None where nothing was promised; of two the better one is `aim`, which says whether
    more is better or less. `share` tells what is shown in per cent.
    """

    name: str
    figures: Mapping[str, Figure]
    required: float | None = None
    aim: float | None = None
    share: bool = False

    def mark(self, value: float) -> str:
        """Return the mark of a figure; none where nothing was promised."""
        if self.required is None or self.aim is None:
            return ""
        sign = 1.0 if self.aim > self.required else -1.0
        if sign * value >= sign * self.aim:
            return REACHED
        return REQUIRED if sign * value >= sign * self.required else MISSED

    def row(self, depths: Sequence[str]) -> Row:
        """Return the aim as a row of the table of aims."""
        row: Row = {"": self.name}
        row |= {depth: self._told(self.figures[depth]) if depth in self.figures else NOTHING for depth in depths}
        return {**row, "required": self._bound(self.required), "aim": self._bound(self.aim)}

    def _told(self, figure: Figure) -> str:
        if figure.interval is not None:
            shown = _shown(figure.value, figure.interval)
        else:
            shown = self._cell(figure.value)
        return f"{shown} {self.mark(figure.value)}".strip()

    def _bound(self, bound: float | None) -> str:
        if bound is None or self.aim is None or self.required is None:
            return NOTHING
        return f"{'≥' if self.aim > self.required else '≤'} {self._cell(bound)}"

    def _cell(self, value: float) -> str:
        return cell("share", value) if self.share else cell("auroc", round(value, 3) + 0.0)  # not -0.000


def aims(sample: Sample) -> list[Aim]:
    """Return all aims that the texts of unseen tools and sources tell anything about."""
    found = [*_spun_aims(sample), *_wild_aims(sample), *_other_aims(sample)]
    found += [*_human_aims(sample), *_cascade_aims(sample)]
    return [aim for aim in found if aim.figures]


def _spun_aims(sample: Sample) -> Iterator[Aim]:
    spun = sample.of_kind("spun")
    units = {
        "tools": [rows for _, rows in _large(sample.answers.tools, spun)],
        "tools in each source": [rows for _, _, rows in cells(sample, spun)],
    }
    for unit, parts in units.items():
        found = _mean([aurocs(sample, rows, sample.human) for rows in parts])
        yield Aim(f"`spun`, AUROC, mean of {len(parts)} {unit}", _figures(found), 0.95, 0.98)
    for unit, parts in units.items():
        found = _mean([recalls(sample, rows, sample.human, 0.01) for rows in parts])
        name = f"`spun`, found at 1 % false positives, mean of {len(parts)} {unit}"
        yield Aim(name, _figures(found), 0.70, 0.88, share=True)


def _figures(found: ByDepth) -> dict[str, Figure]:
    return {depth: Figure(value) for depth, value in found.items()}


def _wild_aims(sample: Sample) -> Iterator[Aim]:
    wild = sample.of_kind("spun") & (sample.answers.sources == WILD_SPUN)
    near = sample.human & (sample.answers.sources == WILD_HUMAN)
    for name, human in ((f"`{WILD_HUMAN}`", near), ("all human text", sample.human)):
        against = f"spun in the wild against {name}"
        yield Aim(f"{against}, AUROC", _figures(aurocs(sample, wild, human)), 0.98, 0.99)
        found = recalls(sample, wild, human, 0.01)
        yield Aim(f"{against}, found at 1 % false positives", _figures(found), 0.85, 0.95, share=True)


def _other_aims(sample: Sample) -> Iterator[Aim]:
    for kind, promised in (("translated", True), ("rewritten", False)):
        parts = [rows for _, rows in _large(sample.answers.tools, sample.of_kind(kind))]
        whole = _figures(_mean([aurocs(sample, rows, sample.human) for rows in parts]))
        same = _figures(_mean([same_domain_aurocs(sample, rows) for rows in parts]))
        name = f"`{kind}`, AUROC, mean of {len(parts)} tools"
        yield Aim(name, whole, 0.90, 0.95) if promised else Aim(name, whole)
        yield Aim(f"{name}, against human text of the same domain", same, 0.90, 0.95)


def _human_aims(sample: Sample) -> Iterator[Aim]:
    human = long_human(sample)
    learners = human & (sample.answers.sources == LEARNERS)
    worst = {depth: rows for depth, (_, rows) in worst_sources(sample).items()}
    name = "human texts called `paraphrased`"
    yield Aim(name, _accused(sample, dict.fromkeys(sample.depths, human)), 0.005, 0.003, share=True)
    yield Aim(f"{name}, worst source", _accused(sample, worst), 0.02, 0.01, share=True)
    yield Aim(
        f"{name}, learners of English",
        _accused(sample, dict.fromkeys(sample.depths, learners)),
        0.01,
        0.005,
        share=True,
    )


def _accused(sample: Sample, chosen: Mapping[str, Mask]) -> dict[str, Figure]:
    """Return the share called `paraphrased` at each depth, of the rows chosen for it."""
    return {
        depth: Figure(*_share(sample.verdicts[depth][rows] == "paraphrased"))
        for depth, rows in chosen.items()
        if rows.any()
    }


def _cascade_aims(sample: Sample) -> Iterator[Aim]:
    """Yield what it costs to leave easy texts to the fast tier, and how many they are."""
    if "auto" not in sample.depths:
        return
    for kind, rows in kinds(sample) if "deep" in sample.depths else ():
        mean = _mean([aurocs(sample, chosen, sample.human) for _, _, chosen in cells(sample, rows)])
        lost = {"auto": Figure(mean["deep"] - mean["auto"])} if mean else {}
        yield Aim(f"`{kind}`, AUROC that `auto` loses against `deep`", lost, 0.005, 0.0)
    if sample.human.any():
        settled = Figure(*_share(sample.answers.settled[sample.human]))
        yield Aim("human texts that the fast tier settles alone", {"auto": settled}, 0.85, 0.95, share=True)


def worst(sample: Sample, rows: Mask, *, highest: bool, count: int = 10, of_source: int = 2) -> list[int]:
    """Return the places of the chosen texts with the highest, or lowest, scores; at most `of_source` of a source.

    Scores are those of the depth that a user gets: `auto`, or the only ones there are.
    """
    scores = sample.answers.scores(shown_depth(sample))
    order = np.flatnonzero(rows)
    order = order[np.lexsort((sample.answers.ids[order], -scores[order] if highest else scores[order]))]
    taken: dict[str, int] = {}
    places = []
    for i in order.tolist():
        source = str(sample.answers.sources[i])
        taken[source] = taken.get(source, 0) + 1
        if taken[source] <= of_source:
            places.append(i)
    return places[:count]


def shown_depth(sample: Sample) -> str:
    """Return the depth whose mistakes are shown: `auto` where there is one."""
    return next(depth for depth in ("auto", *DEPTHS[::-1]) if depth in sample.depths)
