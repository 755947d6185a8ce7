"""Measure how much of the shown evidence is true, and how many of the suggestions are right.

    python -m benchmarks.evidence ../shared/corpora [--role test] [--texts 200] [--depth auto]

Takes paraphrases whose originals are known, by tools that no part of the model was trained on, and aligns each with its
original. Prints for each tool, over the texts that are suspect or paraphrased: the pieces of evidence per text; the
share of them where the tool really changed something; and how many suggestions are exactly the original words, for
those that are called probable and for the others, with 95 % intervals. Half of the probable ones should be right.

Then it looks for evidence in texts by people, clear ones included: how many get some, and how often a phrase in them
passes for one of spinners, per million words.

While you change the code, use the role `calibrate`, on which the thresholds of `model.decision.evidence` were chosen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.common import SHORTEST, drawn, load_detector, make_parser, sample, unseen
from unspun.model.comparing.align import align
from unspun.model.detector import Detector
from unspun.model.verdict import Evidence, Verdict
from unspun.training.classifier.classify import is_barely_spun
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import ROLES, Roles, default_roles
from unspun.training.record.accuracy import held_out
from unspun.training.reporting.metrics import wilson_interval

FOUND = ("suspect", "paraphrased")
CHUNK = 64


def main() -> None:
    """Print the tables."""
    parser = make_parser("benchmarks.evidence", __doc__, "paths", "--depth", "--model")
    parser.add_argument("--role", choices=ROLES[1:], default="calibrate", help="role of the texts (default: calibrate)")
    parser.add_argument("--texts", type=int, default=200, help="texts by each tool (default: 200)")
    options = parser.parse_args()
    detector, roles = load_detector(options.model), default_roles()
    texts = unseen(held_out(read_labelled(options.paths), roles, options.role), detector)
    rows, total = [], Counter[str]()
    for (label, maker), chosen in _by_tool(texts, roles, options.texts).items():
        counts = judge(detector, chosen, options.depth)
        rows.append(_row(f"{label}: {maker}", counts))
        total += counts
    human = [text for text in texts if text.label == "human"]
    chosen_human = [text for of in sample(human, options.texts // 10, np.random.default_rng(0)).values() for text in of]
    print(drawn({"paraphrases": [*rows, _row("all", total)], "texts by people": people(detector, chosen_human)}))


def _by_tool(texts: Iterable[LabelledText], roles: Roles, each: int) -> dict[tuple[str, str], list[LabelledText]]:
    """Return up to `each` paraphrases with originals by each tool. Those that are hardly changed are left out."""
    answer: dict[tuple[str, str], list[LabelledText]] = {}
    for text in texts:
        maker = roles.maker(text)
        if text.original and maker and not is_barely_spun(text) and len(text.text.split()) >= SHORTEST:
            answer.setdefault((text.label, maker), []).append(text)
    rng = np.random.default_rng(0)
    return {tool: [of[i] for i in rng.permutation(len(of))[:each].tolist()] for tool, of in sorted(answer.items())}


def judge(detector: Detector, texts: list[LabelledText], depth: str) -> Counter[str]:
    """Return counts over paraphrases: texts, those that are found, and of their evidence, what is true and right."""
    counts = Counter(texts=len(texts))
    for text, verdict in _scored(detector, texts, depth):
        if verdict.verdict not in FOUND:
            continue
        counts["found"] += 1
        changes = [pair for pair in align(text.original or "", text.text) if pair.change != "equal"]
        for item in verdict.evidence or ():
            hits = [pair for pair in changes if pair.start < item.end and pair.end > item.start]
            counts["shown"] += 1
            counts["true"] += bool(hits)
            if item.suggestion is not None:
                name = "probable" if item.probable else "instance"
                counts[name] += 1
                counts[f"{name}_right"] += _is_right(item, [pair.original_text for pair in hits])
    return counts


def _is_right(item: Evidence, originals: list[str]) -> bool:
    suggestion = (item.suggestion or "").lower()
    return suggestion in {one.lower() for one in (*originals, " ".join(originals))}


def people(detector: Detector, texts: list[LabelledText]) -> dict[str, str | int]:
    """Return figures of texts by people, when the evidence of clear texts is requested, too."""
    counts: Counter[str] = Counter(texts=len(texts))
    for _, verdict in _scored(detector, texts, "auto", everything=True):
        counts["words"] += verdict.words
        counts["found"] += verdict.verdict in FOUND
        counts["shown"] += len(verdict.evidence or ())
        counts["phrases"] += sum(item.signal == "known_phrase" for item in verdict.evidence or ())
    return {
        "texts": counts["texts"],
        "words": f"{counts['words']:,}",
        "suspect or paraphrased": counts["found"],
        "evidence per text": f"{counts['shown'] / max(counts['texts'], 1):.2f}",
        "known phrases": counts["phrases"],
        "known phrases per million words": f"{1e6 * counts['phrases'] / max(counts['words'], 1):.1f}",
    }


def _scored(
    detector: Detector, texts: list[LabelledText], depth: str, *, everything: bool = False
) -> Iterator[tuple[LabelledText, Verdict]]:
    for start in range(0, len(texts), CHUNK):
        some = texts[start : start + CHUNK]
        evidence = "all" if everything else True
        yield from zip(
            some, detector.score_many([one.text for one in some], depth=depth, evidence=evidence), strict=True
        )


def _row(tool: str, counts: Counter[str]) -> dict[str, Any]:
    return {
        "tool": tool,
        "texts": counts["texts"],
        "found": counts["found"],
        "evidence per text": f"{counts['shown'] / max(counts['found'], 1):.1f}",
        "true": _share(counts["true"], counts["shown"]),
        "probable": _right(counts, "probable"),
        "for instance": _right(counts, "instance"),
    }


def _right(counts: Counter[str], name: str) -> str:
    right, shown = counts[f"{name}_right"], counts[name]
    low, high = wilson_interval(right, shown)
    return f"{right} of {shown} right ({_share(right, shown)}, {100 * low:.0f}-{100 * high:.0f})"


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.0%}"


if __name__ == "__main__":
    main()
