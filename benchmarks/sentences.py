"""Measure whether the sentences that are marked in a suspicious text are those that a machine paraphrased.

    python -m benchmarks.sentences [--role test] [--depth auto] [--texts 100]

Makes texts that are half human: one half of a paraphrase joined to the other half of its original. Prints for each
maker, over the mixed texts that unspun calls `suspect` or `paraphrased`: their number, the number of sentences, the
probability (AUROC) that a sentence by the machine has a higher score than one by a person, and the shares of both with
a score of 0.9 or more. Sentences that the machine left as they were do not count. The makers are new to the model; its
scale of sentences was fitted to human texts with the role `calibrate`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.common import (
    SEED,
    BenchmarkError,
    add_corpora,
    by_maker,
    drawn,
    load_detector,
    make_parser,
    run_main,
    unseen,
)
from unspun.model.verdict import KINDS
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import ROLES, default_roles
from unspun.training.record.accuracy import held_out
from unspun.training.reporting.metrics import auroc

SHORTEST, LONGEST = 80, 600
"""Words of a paraphrase."""
STRONG = 0.9
FEWEST_SENTENCES = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit status."""
    parser = make_parser("benchmarks.sentences", __doc__, "--depth", "--model", "--json")
    add_corpora(parser)
    parser.add_argument("--role", choices=ROLES[1:], default="calibrate", help="role of the texts (default: calibrate)")
    parser.add_argument("--texts", type=int, default=100, metavar="N", help="texts of each maker (default: 100)")
    return run_main(parser.parse_args(arguments), measure, drawn)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each maker. Raises BenchmarkError if there are no texts."""
    if not options.corpus.exists():
        raise BenchmarkError(f"{options.corpus}: not found; give the folder of the corpora with --corpus")
    detector = load_detector(options.model)
    roles = default_roles()
    texts = [
        text
        for text in held_out(list(read_labelled([options.corpus])), roles, options.role)
        if text.original and text.label in KINDS and SHORTEST <= len(text.text.split()) <= LONGEST
    ]
    rng = np.random.default_rng(SEED)
    rows = []
    for maker, some in by_maker(unseen(texts, detector), roles).items():
        mixed = [made for i in rng.permutation(len(some))[: options.texts].tolist() if (made := mix(some[i], rng))]
        verdicts = detector.score_many([text for text, _, _ in mixed], depth=options.depth)
        found = [
            pair
            for (text, machine, original), verdict in zip(mixed, verdicts, strict=True)
            for pair in judge(text, machine, original, verdict)
        ]
        suspicious = sum(verdict.kind is not None for verdict in verdicts)
        rows.append(
            {"maker": maker, "kind": some[0].label, "mixed": len(mixed), "suspicious": suspicious, **_of(found)}
        )
    return rows


def mix(text: LabelledText, rng: np.random.Generator) -> tuple[str, tuple[int, int], str] | None:
    """Return a text that is half paraphrase and half original, the machine's span, and the original.

    Returns None if a text has too few sentences.
    """
    machine, human = _sentences(text.text), _sentences(text.original or "")
    if min(len(machine), len(human)) < FEWEST_SENTENCES:
        return None
    at = rng.uniform(0.35, 0.65)
    cut, cut_human = round(at * len(machine)), round(at * len(human))
    if rng.random() < 0.5:
        first, second = " ".join(human[:cut_human]), " ".join(machine[cut:])
        span = len(first) + 1, len(first) + 1 + len(second)
    else:
        first, second = " ".join(machine[:cut]), " ".join(human[cut_human:])
        span = 0, len(first)
    return f"{first} {second}", span, " ".join(human)


def judge(text: str, machine: tuple[int, int], original: str, verdict: Any) -> Iterator[tuple[bool, float]]:
    """Yield for each sentence whether the machine made it, and its score."""
    for sentence in verdict.sentences or ():
        made = machine[0] <= sentence.start < machine[1]
        if not (made and text[sentence.start : sentence.end] in original):
            yield made, sentence.score


def _of(found: Sequence[tuple[bool, float]]) -> dict[str, str | int]:
    made = np.array([one for one, _ in found], dtype=bool)
    scores = np.array([score for _, score in found])
    both = made.any() and not made.all()
    return {
        "sentences": len(found),
        "AUROC": f"{auroc(made, scores):.3f}" if both else "",
        "machine's marked": f"{(scores[made] >= STRONG).mean():.0%}" if made.any() else "",
        "people's marked": f"{(scores[~made] >= STRONG).mean():.0%}" if len(found) and not made.all() else "",
    }


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+", " ".join(text.split()))


if __name__ == "__main__":
    sys.exit(main())
