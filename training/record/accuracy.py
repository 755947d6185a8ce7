"""Measures a model on texts that no part of it was fitted on, and writes the accuracy page.

    python -m unspun.training.record.accuracy ../shared/corpora --model model/default --output docs/accuracy.md

`--role calibrate` measures on the texts that thresholds and choices come from; use it for development, never for the
page. `--baseline NAME=COMMAND` measures another program on the same texts: the command reads JSON lines with `id` and
`text` from standard input and writes a verdict for each.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from unspun.model.detector import DEPTHS, Detector
from unspun.model.verdict import KINDS
from unspun.training.calibration.fit import contests_joined
from unspun.training.command import add_workers, labelled_parser
from unspun.training.corpora.corpus import LabelledText, read_labelled, text_keys
from unspun.training.corpora.roles import ROLES, Role, Roles, default_roles
from unspun.training.record.cases import Case, cases
from unspun.training.record.evaluate import SETTLED_SCORE
from unspun.training.reporting import metrics
from unspun.training.reporting.templates import load_template
from unspun.training.rows import rows_by_name

CHUNK = 40
LIMIT = 150
"""Texts of each source and maker to score."""
LEAST_SOURCE, LEAST_MAKER = 60, 15
"""Texts that a source needs to be listed as the worst, and a maker to have a row."""
LENGTHS = ((50, 80), (80, 150), (150, 300), (300, 600), (600, 2000))

VERDICTS = ("clear", "suspect", "paraphrased", "abstained")
PARAPHRASED, SUSPECT = ("paraphrased",), ("paraphrased", "suspect")
TEMPLATE = Path(__file__).with_name("accuracy.md.jinja")

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ProgramVerdicts:
    """One program's verdicts on N texts.

    `score` and `kinds` (N, 3) are NaN for texts that it abstains from, and below all scores for those without one.
    """

    verdict: NDArray[np.str_]
    reason: NDArray[np.str_]
    depth: NDArray[np.str_]
    score: NDArray[np.float64]
    kinds: NDArray[np.float64]
    words: NDArray[np.int64]

    @classmethod
    def of(cls, verdicts: Sequence[Mapping[str, Any]]) -> ProgramVerdicts:
        """Read verdicts. Those of unspun 1.x are probabilities; each kind is taken relative to human."""
        kinds = np.full((len(verdicts), len(KINDS)), np.nan)
        score = np.full(len(verdicts), np.nan)
        for row, one in enumerate(verdicts):
            if one["verdict"] == "abstained":
                continue
            if one["score"] is None:  # the first tier settled it
                kinds[row] = score[row] = SETTLED_SCORE
                continue
            human = one["kinds"].get("human")
            for column, kind in enumerate(KINDS):
                value = float(one["kinds"][kind])
                kinds[row, column] = value if human is None else value / max(value + human, 1e-12)
            score[row] = one["score"]
        return cls(
            np.array([one["verdict"] for one in verdicts]),
            np.array([one["reason"] or "" for one in verdicts]),
            np.array([one["depth"] for one in verdicts]),
            score,
            kinds,
            np.array([one["words"] for one in verdicts], dtype=np.int64),
        )


def score_with(model: Path | None, some: Sequence[Case], depth: str, jobs: int) -> ProgramVerdicts:
    """Score cases with a bundle.

    At depth `auto`, texts that the first tier settled get the score that they have with all evidence.
    """
    chunks = [some[start : start + CHUNK] for start in range(0, len(some), CHUNK)]
    found = Parallel(n_jobs=jobs)(delayed(_score)(model, [c.text.text for c in chunk], depth) for chunk in chunks)
    return ProgramVerdicts.of([verdict for chunk in found for verdict in chunk])


_LOADED: dict[Path | None, Detector] = {}


def _score(model: Path | None, texts: Sequence[str], depth: str) -> list[dict[str, Any]]:
    if model not in _LOADED:  # once for each process
        _LOADED[model] = Detector.load(model)
    detector = _LOADED[model]
    found = [one.to_dict() for one in detector.score_many(texts, depth=depth, evidence=False)]
    if depth == "auto":
        settled = [row for row, one in enumerate(found) if one["depth"] == "first"]
        scored = detector.score_many([texts[row] for row in settled], evidence="all")
        for row, one in zip(settled, scored, strict=True):
            found[row] |= {"score": one.score, "kinds": one.kinds}
    return found


def score_by(command: str, some: Sequence[Case]) -> ProgramVerdicts:
    """Score cases with another program. Raises RuntimeError if it fails."""
    lines = "".join(f"{json.dumps({'id': str(i), 'text': case.text.text})}\n" for i, case in enumerate(some))
    done = subprocess.run(shlex.split(command), input=lines, capture_output=True, text=True, check=False)
    found = {one["id"]: one for one in map(json.loads, done.stdout.splitlines())}
    if len(found) != len(some):
        raise RuntimeError(f"{command}: {len(found)} of {len(some)} texts scored: {done.stderr.strip()[-300:]}")
    return ProgramVerdicts.of([found[str(i)] for i in range(len(some))])


@dataclass(frozen=True, eq=False)
class AccuracyRecord:
    """Cases as arrays (N,), with the verdicts of each program."""

    labels: NDArray[np.str_]
    sources: NDArray[np.str_]
    makers: NDArray[np.str_]
    shapes: NDArray[np.str_]
    lengths: NDArray[np.int64]
    years: NDArray[np.str_]
    programs: Mapping[str, ProgramVerdicts]

    def human(self) -> Mask:
        """Return which rows are whole human texts."""
        answer: Mask = (self.labels == "human") & (self.shapes == "whole")
        return answer

    def made_by(self, kind: str) -> dict[str, Mask]:
        """Return the rows of each maker of a kind, whole texts only; all systems of the WMT contests are one maker."""
        names = contests_joined(self.makers)
        rows = (self.labels == kind) & (self.shapes == "whole")
        return {name: own for name, own in rows_by_name(names, rows) if own.sum() >= LEAST_MAKER}


def separation(values: NDArray[np.float64], machine: Mask, human: Mask) -> dict[str, float]:
    """Return AUROC, and recall at 1 % and 0.5 % false positives; texts without a verdict are left out."""
    judged = ~np.isnan(values)
    rows = (machine | human) & judged
    if not (machine & judged).any() or not (human & judged).any():
        return {"auroc": float("nan"), "at 1 %": float("nan"), "at 0.5 %": float("nan")}
    truth, value = machine[rows], values[rows]
    return {
        "auroc": metrics.auroc(truth, value),
        "at 1 %": metrics.tpr_at_fpr(truth, value, 0.01),
        "at 0.5 %": metrics.tpr_at_fpr(truth, value, 0.005),
    }


def share(one: ProgramVerdicts, rows: Mask, words: Sequence[str], *, unfamiliar: bool = False) -> tuple[int, int]:
    """Return how many of the rows have one of the verdicts, and how many rows count.

    Texts that are too short, not English or not prose do not count. With `unfamiliar`, texts that are too unfamiliar
    for a verdict count as having it.
    """
    judged = rows & ((one.verdict != "abstained") | (one.reason == "unfamiliar"))
    hit = np.isin(one.verdict, words) | (unfamiliar & (one.reason == "unfamiliar"))
    return int((judged & hit).sum()), int(judged.sum())


def worst_source(record: AccuracyRecord, one: ProgramVerdicts, words: Sequence[str]) -> tuple[str, int, int]:
    """Return the human source with the largest share of the verdicts, among those with LEAST_SOURCE texts or more."""
    found = [("", 0, 1)]
    for source, rows in rows_by_name(record.sources, record.human()):
        hit, total = share(one, rows, words)
        if total >= LEAST_SOURCE:
            found.append((source, hit, total))
    return max(found, key=lambda row: row[1] / row[2])


def summary(record: AccuracyRecord, one: ProgramVerdicts, roles: Roles) -> list[tuple[str, str]]:
    """Return the rows of the first table: a description and a figure."""
    human = record.human()
    rows: list[tuple[str, str]] = []

    def add(name: str, hit: int, total: int) -> None:
        low, high = metrics.wilson_interval(hit, total)
        rows.append((name, f"{_percent(hit, total)} ({100 * low:.2f}-{100 * high:.2f}) of {total}" if total else "-"))

    add("human texts called `paraphrased`", *share(one, human, PARAPHRASED))
    name, hit, total = worst_source(record, one, PARAPHRASED)
    rows.append(("the same, worst source", f"{_percent(hit, total)} ({name})" if name else "-"))
    add("human texts called `suspect` or worse", *share(one, human, SUSPECT))
    add("the same, with `unfamiliar` counted too", *share(one, human, SUSPECT, unfamiliar=True))
    name, hit, total = worst_source(record, one, SUSPECT)
    rows.append(("`suspect` or worse, worst source", f"{_percent(hit, total)} ({name})" if name else "-"))
    for writers, sources in roles.fairness.items():
        add(f"{writers} called `paraphrased`", *share(one, human & np.isin(record.sources, sources), PARAPHRASED))
    for shape, title in (("long", "long human texts"), ("anthology", "anthologies of human texts")):
        long = record.shapes == shape
        add(f"{title} called `suspect` or worse", *share(one, long, SUSPECT))
        add(f"{title} called `paraphrased`", *share(one, long, PARAPHRASED))
    for kind in KINDS:
        column = KINDS.index(kind)
        makers = record.made_by(kind)
        own = [separation(one.kinds[:, column], made, human) for made in makers.values()]
        whole = [separation(one.score, made, human) for made in makers.values()]
        for title, found, figure in (
            (f"{kind}, mean of {len(makers)} makers: AUROC of `kinds.{kind}`", own, "auroc"),
            (f"{kind}: AUROC of `score`", whole, "auroc"),
            (f"{kind}: recall at 1 % false positives, by `score`", whole, "at 1 %"),
            (f"{kind}: recall at 1 % false positives, by `kinds.{kind}`", own, "at 1 %"),
        ):
            if found:
                rows.append((title, f"{np.nanmean([values[figure] for values in found]):.3f}"))
        hits = [share(one, made, SUSPECT) for made in makers.values()]
        if hits:
            mean = np.mean([hit / max(total, 1) for hit, total in hits])
            rows.append((f"{kind}: called `suspect` or worse", f"{100 * mean:.1f} %"))
    inside, without = record.shapes == "passage", record.shapes == "no passage"
    if inside.any():
        value = separation(one.kinds[:, 0], inside, without)["auroc"]
        rows.append(("a spun passage of 150 words in an article of 1,000: AUROC", f"{value:.3f}"))
    machine = np.isin(record.labels, KINDS) & (record.shapes == "whole")
    for title, mask in (("human", human), ("machine", machine)):
        add(f"{title} texts that are `unfamiliar`", *share(one, mask, (), unfamiliar=True))
    deep = human & (one.depth == "deep")
    settled = human & (one.depth == "first")
    rows.append(("human texts that the first tier settled", _percent(int(settled.sum()), int(human.sum()))))
    rows.append(("human texts that the deep tier read", _percent(int(deep.sum()), int(human.sum()))))
    return rows


def _percent(hit: int, total: int) -> str:
    return f"{100 * hit / max(total, 1):.2f} %"


def false_positive_table(record: AccuracyRecord, groups: Iterable[tuple[str, Mask]]) -> list[list[str]]:
    """Return a row for each group, worst first: texts, `paraphrased`, `suspect` or worse, by program."""
    found = []
    for name, rows in groups:
        cells = [name, str(int(rows.sum()))]
        order = 0.0
        for one in record.programs.values():
            hit, total = share(one, rows, PARAPHRASED)
            low, high = metrics.wilson_interval(hit, total)
            more, _ = share(one, rows, SUSPECT)
            cells += [f"{_percent(hit, total)} ({100 * low:.1f}-{100 * high:.1f})", _percent(more, total)]
            order = order or (hit + 0.01 * more) / max(total, 1)
        found.append((order, cells))
    return [cells for _, cells in sorted(found, key=lambda row: (-row[0], row[1]))]


def recall_table(record: AccuracyRecord) -> list[list[str]]:
    """Return a row for each maker: kind, maker, texts, and by program AUROC of the kind and of `score`, recall."""
    table = []
    human = record.human()
    for column, kind in enumerate(KINDS):
        for maker, rows in record.made_by(kind).items():
            cells = [kind, maker, str(int(rows.sum()))]
            for one in record.programs.values():
                own = separation(one.kinds[:, column], rows, human)
                whole = separation(one.score, rows, human)
                hit, total = share(one, rows, SUSPECT)
                cells += [
                    f"{own['auroc']:.3f}",
                    f"{whole['auroc']:.3f}",
                    f"{100 * own['at 0.5 %']:.0f} %",
                    f"{100 * hit / max(total, 1):.0f} %",
                ]
            table.append(cells)
    return table


def language_model_table(record: AccuracyRecord) -> list[list[str]]:
    """Return a row for each program: the verdicts on text that a language model wrote from nothing."""
    rows = record.labels == "llm"
    total = int(rows.sum())
    return [
        [name, str(total), *(_percent(int((rows & (one.verdict == word)).sum()), total) for word in VERDICTS)]
        for name, one in record.programs.items()
        if total
    ]


def markdown(record: AccuracyRecord, roles: Roles, role: str, command: str, limit: int = LIMIT) -> str:
    """Return the record as a page."""
    programs = list(record.programs)
    summaries = [dict(summary(record, one, roles)) for one in record.programs.values()]
    human = record.human()
    words = next(iter(record.programs.values())).words
    lengths = [(f"{low} to {high}", human & (words >= low) & (words < high)) for low, high in LENGTHS]
    lengths += [
        (f"{length} ({shape})", (record.lengths == length) & (record.shapes == shape))
        for length in np.unique(record.lengths[record.lengths > 0])
        for shape in ("long", "anthology")
    ]
    decades = np.array([f"{year[:3]}0s" if year[:4].isdigit() else "unknown" for year in record.years])
    groups = (
        ("source, worst first", "source", rows_by_name(record.sources, human)),
        ("length in words", "words", [group for group in lengths if group[1].any()]),
        ("year", "decade", rows_by_name(decades, human)),
    )
    page = load_template(TEMPLATE).render(
        command=command,
        role=role,
        limit=limit,
        programs=programs,
        summary=[[name, *(found.get(name, "-") for found in summaries)] for name in summaries[0]],
        rates=[f"{program}: {title}" for program in programs for title in ("`paraphrased`", "`suspect` or worse")],
        false_positives=[(title, first, false_positive_table(record, own)) for title, first, own in groups],
        recalls=[
            f"{program}: {title}"
            for program in programs
            for title in ("AUROC by kind", "AUROC by `score`", "recall at 0.5 %, by kind", "`suspect` or worse")
        ],
        recall=recall_table(record),
        verdicts=list(VERDICTS),
        language_models=language_model_table(record),
    )
    return page.strip() + "\n"


def held_out(texts: Iterable[LabelledText], roles: Roles, role: Role) -> list[LabelledText]:
    """Return the texts of a role, and those by language models.

    Texts that also occur in a source with another role, a few in a thousand, are left out.
    """
    everything = list(texts)
    keys = text_keys([text.text for text in everything])
    chosen = np.array([roles.role(text) == role or text.label == "llm" for text in everything])
    again = np.isin(keys, keys[~chosen])
    return [everything[i] for i in np.flatnonzero(chosen & ~again).tolist()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--model", type=Path, help="folder of the bundle (default: the shipped model)")
    parser.add_argument("--role", choices=ROLES, default="test", help="role of the texts to score (default: test)")
    parser.add_argument("--depth", action="append", choices=DEPTHS, help="can be repeated (default: auto)")
    parser.add_argument(
        "--baseline", action="append", default=[], metavar="NAME=COMMAND", help="another program to measure"
    )
    parser.add_argument("--limit", type=int, default=LIMIT, help=f"texts of each source and maker (default: {LIMIT})")
    parser.add_argument("--output", type=Path, help="page to write (default: standard output)")
    add_workers(parser, 1)
    options = parser.parse_args(arguments)
    roles = default_roles()
    texts = held_out(read_labelled(options.labelled), roles, options.role)
    some = cases(texts, options.limit)
    print(f"{len(some)} texts", file=sys.stderr, flush=True)
    programs: dict[str, ProgramVerdicts] = {}
    for depth in options.depth or ["auto"]:
        programs[depth] = score_with(options.model, some, depth, options.workers)
    for baseline in options.baseline:
        name, _, command = baseline.partition("=")
        programs[name] = score_by(command, some)
    record = AccuracyRecord(
        labels=np.array([case.text.label for case in some]),
        sources=np.array([case.text.source for case in some]),
        makers=np.array([roles.maker(case.text) or "" for case in some]),
        shapes=np.array([case.shape for case in some]),
        lengths=np.array([case.length for case in some]),
        years=np.array([case.text.year or "" for case in some]),
        programs=programs,
    )
    command = f"python -m unspun.training.record.accuracy {shlex.join(arguments or sys.argv[1:])}"
    page = markdown(record, roles, options.role, command, options.limit)
    if options.output is None:
        print(page)
    else:
        options.output.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
