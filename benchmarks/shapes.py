"""Measure whether the verdict on a text depends on the shape that the text arrives in.

    python -m benchmarks.shapes [--depth fast] [--only capitals] [--role test]

Scores paraphrases and texts by people untouched and in each shape of `benchmarks.transformations`: other letters, other
layouts, more boilerplate, and the edits that people let tools make in texts of their own (`--only innocent`). Prints
for each shape how many of the paraphrases that were found are lost, how many texts by people are false positives before
and after, and how many become so, with 95 % intervals. A shape that keeps the words and their order may lose one found
text in 20; it, and an innocent edit, may add one false positive in 50. The exit status is 1 if one does more.

The paraphrases are by makers that the model was not trained on, and found when they are untouched: spun texts first,
then translated and rewritten ones. Texts are cut to their paragraphs of running prose, because a list or a program is
no longer one in another layout. While you change the code, use the role `calibrate`; nothing may be tuned by the texts
of the role `test`. Without the corpora, the example articles are used.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    EXAMPLES,
    SEED,
    BenchmarkError,
    add_corpora,
    by_maker,
    drawn,
    is_spun,
    load_detector,
    make_parser,
    run_main,
    unseen,
)
from benchmarks.innocent import TRANSFORMATIONS
from benchmarks.transformations import Transformation, paragraphs
from unspun.model.detector import Detector
from unspun.model.verdict import Verdict
from unspun.training.corpora.corpus import LabelledText, by_source, read_labelled
from unspun.training.corpora.roles import ROLES, Role, default_roles
from unspun.training.machines.round_trips import shortened
from unspun.training.record.accuracy import held_out
from unspun.training.reporting.metrics import wilson_interval

TEXTS = 200
PREFERRED, LONGEST = 150, 400
"""Words that a text should have, and words at which it is cut."""
LEAST = 80
"""Words that a text must have."""
CANDIDATES = 4
"""Paraphrases that are scored, for each one that is wanted. Not all are found."""
MOST_LOST, MOST_ADDED = 1 / 20, 1 / 50
FOUND = ("suspect", "paraphrased")

_PROSE = re.compile(r"[^<>{}|=_\\`#*~\[\]]*[.!?][\"'”’)]*")
"""A paragraph that ends like a sentence and has none of the signs of code and markup."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and its verdict when it is untouched."""

    text: str
    verdict: Verdict

    @property
    def found(self) -> bool:
        """Whether the untouched text is found."""
        return self.verdict.verdict in FOUND


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit status."""
    parser = make_parser("benchmarks.shapes", __doc__, "--depth", "--model", "--json")
    add_corpora(parser)
    parser.add_argument(
        "--role",
        action="append",
        choices=ROLES[1:],
        help="role of the texts (can be repeated; default: calibrate)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=sorted({*TRANSFORMATIONS, *(one.group for one in TRANSFORMATIONS.values())}),
        metavar="NAME",
        help="measure only this shape or group of shapes (can be repeated)",
    )
    parser.add_argument(
        "--texts", type=int, default=TEXTS, metavar="N", help="texts of each label (default: %(default)s)"
    )
    parser.add_argument("--people", type=int, metavar="N", help="texts by people (default: as many as --texts says)")
    parser.add_argument("--list", action="store_true", help="list the shapes and stop")
    options = parser.parse_args(arguments)
    options.role = options.role or ["calibrate"]
    if options.list:
        for name, one in TRANSFORMATIONS.items():
            print(f"{name:38} {one.group:12} {one.words:12} {(one.change.__doc__ or '').strip().splitlines()[0]}")
        return 0
    return run_main(options, measure, show)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of each shape, and which of them exceed the bounds."""
    detector = load_detector(options.model)
    spun, human = choose(options, detector)
    chosen = {
        name: one
        for name, one in TRANSFORMATIONS.items()
        if not options.only or name in options.only or one.group in options.only
    }
    rows = []
    for number, (name, one) in enumerate(chosen.items(), 1):
        start = time.monotonic()
        try:
            row = measure_one(detector, name, one, spun, human, options.depth)
        except BenchmarkError as error:  # its tool is missing
            if options.only:
                raise
            print(f"{number}/{len(chosen)} {name}: left out: {error}", file=sys.stderr, flush=True)
            continue
        rows.append(row)
        done = f"{row['lost']} of {row['found before']} lost, {row['added']} of {row['clear before']} added"
        took = f"{time.monotonic() - start:.1f} s"
        print(f"{number}/{len(chosen)} {name}: {done}, {took}", file=sys.stderr, flush=True)
    return {
        "depth": options.depth,
        "role": " and ".join(options.role) if options.corpus.exists() else "examples",
        "texts": {
            "paraphrases": len(spun),
            "found untouched": sum(pair.found for pair in spun),
            "human": len(human),
            "false positives untouched": sum(pair.found for pair in human),
        },
        "shapes": rows,
        "broken": list(broken(rows)),
    }


def measure_one(
    detector: Detector, name: str, one: Transformation, spun: Sequence[Pair], human: Sequence[Pair], depth: str
) -> dict[str, Any]:
    """Return the figures of one shape."""
    pairs = [*spun, *human]
    changed = [one.change(pair.text) for pair in pairs]
    places = [i for i, pair in enumerate(pairs) if changed[i] != pair.text]
    after = [pair.verdict for pair in pairs]
    scored = detector.score_many([changed[i] for i in places], depth=depth, evidence=False)
    for i, verdict in zip(places, scored, strict=True):
        after[i] = verdict
    of_spun, of_human = after[: len(spun)], after[len(spun) :]
    found = [verdict for pair, verdict in zip(spun, of_spun, strict=True) if pair.found]
    clear = [verdict for pair, verdict in zip(human, of_human, strict=True) if not pair.found]
    lost = sum(verdict.verdict not in FOUND for verdict in found)
    added = sum(verdict.verdict in FOUND for verdict in clear)
    flagged = sum(verdict.verdict in FOUND for verdict in of_human)
    return {
        "shape": name,
        "group": one.group,
        "words": one.words,
        "found before": len(found),
        "found after": sum(verdict.verdict in FOUND for verdict in of_spun),
        "lost": lost,
        "lost_interval": wilson_interval(lost, len(found)),
        "false positives before": len(human) - len(clear),
        "false positives before_interval": wilson_interval(len(human) - len(clear), len(human)),
        "false positives after": flagged,
        "false positives after_interval": wilson_interval(flagged, len(human)),
        "human": len(human),
        "human changed": sum(i >= len(spun) for i in places),
        "clear before": len(clear),
        "added": added,
        "added_interval": wilson_interval(added, len(clear)),
        "spun abstained": sum(verdict.verdict == "abstained" for verdict in found),
        "human abstained": sum(verdict.verdict == "abstained" for verdict in clear),
    }


def broken(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield what exceeds the bounds, among the shapes that count."""
    for row in rows:
        one = TRANSFORMATIONS[row["shape"]]
        if one.counts and row["lost"] > MOST_LOST * row["found before"]:
            yield f"{row['shape']}: {row['lost']} of {row['found before']} found texts lost"
        if one.counts_for_people and row["added"] > MOST_ADDED * row["clear before"]:
            yield f"{row['shape']}: {row['added']} of {row['clear before']} clear texts became false positives"


def show(results: dict[str, Any]) -> str:
    """Return the figures as tables."""

    def share(row: dict[str, Any], name: str, of: str) -> str:
        low, high = row[f"{name}_interval"]
        return f"{row[name]} ({100 * row[name] / max(row[of], 1):.1f} %, {100 * low:.1f}-{100 * high:.1f})"

    beyond = {line.partition(":")[0] for line in results["broken"]}
    rows = [
        {
            "shape": row["shape"] + (" !" if row["shape"] in beyond else ""),
            "words": row["words"],
            "found": f"{row['found before']} > {row['found after']}",
            "lost": share(row, "lost", "found before"),
            "abstained ": str(row["spun abstained"]),
            "changed": f"{row['human changed']}",
            "false positives": share(row, "false positives before", "human"),
            "after": share(row, "false positives after", "human"),
            "added": share(row, "added", "clear before"),
            "abstained": str(row["human abstained"]),
        }
        for row in results["shapes"]
    ]
    counted = [row for row in results["shapes"] if TRANSFORMATIONS[row["shape"]].counts]
    summary = {
        "depth": results["depth"],
        "role": results["role"],
        **results["texts"],
        "shapes that count": len(counted),
    }
    return drawn({"texts": summary, "shapes": rows, "beyond the bounds": {"shapes": len(beyond)}})


# --- texts ------------------------------------------------------------------------------------------------------------


def choose(options: argparse.Namespace, detector: Detector) -> tuple[list[Pair], list[Pair]]:
    """Return the paraphrases, those that are found untouched first, and the texts by people.

    Raises BenchmarkError if there are none.
    """
    if options.corpus.exists():
        spun, human = _from_corpora(options.corpus, options.role, detector)
    else:
        spun, human = (
            [path.read_text("utf-8") for path in sorted((EXAMPLES / label).glob("*.txt"))]
            for label in ("spun", "human")
        )
    if not spun or not human:
        raise BenchmarkError(f"{options.corpus}: no paraphrases, or no texts by people, with the role")
    pairs = _judge(detector, spun[: CANDIDATES * options.texts], options.depth)
    pairs.sort(key=lambda pair: not pair.found)
    return pairs[: options.texts], _judge(detector, human[: options.people or options.texts], options.depth)


def _judge(detector: Detector, texts: Sequence[str], depth: str) -> list[Pair]:
    verdicts = detector.score_many(texts, depth=depth, evidence=False)
    return [Pair(text, verdict) for text, verdict in zip(texts, verdicts, strict=True)]


def _from_corpora(folder: Path, wanted: Sequence[Role], detector: Detector) -> tuple[list[str], list[str]]:
    """Return paraphrases, from each maker in turn, and texts by people, from each source in turn."""
    roles = default_roles()
    everything = list(read_labelled([folder]))
    texts = [text for role in wanted for text in held_out(everything, roles, role)]
    texts = unseen(texts, detector)
    spun = by_maker((text for text in texts if is_spun(text, LEAST)), roles)
    others = by_maker((text for text in texts if text.label in ("translated", "rewritten")), roles)
    human = by_source(text for text in texts if text.label == "human")
    return [*_in_turn(spun.values()), *_in_turn(others.values())], _in_turn(human.values())


def _in_turn(groups: Iterable[Sequence[LabelledText]]) -> list[str]:
    """Return the running prose of a text of each group, then of another one, ... ; longer texts first in each."""
    rng = np.random.default_rng(SEED)
    columns = []
    for group in groups:
        prose = [_running_prose(group[i].text) for i in rng.permutation(len(group)).tolist()]
        long_enough = [text for text in prose if len(text.split()) >= LEAST]
        columns.append(sorted(long_enough, key=lambda text: len(text.split()) < PREFERRED))
    return [text for text in chain.from_iterable(zip_longest(*columns)) if text is not None]


def _running_prose(text: str) -> str:
    """Return the paragraphs of a text that are sentences, each on one line, up to LONGEST words."""
    return shortened("\n\n".join(part for part in paragraphs(text) if _PROSE.fullmatch(part)), LONGEST)


if __name__ == "__main__":
    sys.exit(main())
