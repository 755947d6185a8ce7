"""Measure how much of the shown evidence is true, on spun texts whose originals are known.

    python -m benchmarks.evidence ../shared/corpora/paraphrased [--texts 60] [--depth auto]

Prints for each source: the number of texts; pieces of evidence per text; the share of evidence where the tool really
changed something, found by aligning the text with its original; and the shares of true evidence that names the original
first, and among the first three. The fast tier's tagger learnt from our own paraphrasers alone, so every tool is new to
it; the deep tier's has met other texts by these tools. Texts that the model learnt from are skipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.common import drawn, is_spun, load_detector, make_parser, read_unseen, sample
from unspun.model.comparing.align import substitutions
from unspun.model.detector import Detector
from unspun.training.corpora.corpus import LabelledText


def main() -> None:
    """Print the table."""
    parser = make_parser("benchmarks.evidence", __doc__, "paths", "--depth", "--model")
    parser.add_argument("--texts", type=int, default=60, help="texts from each source (default: 60)")
    options = parser.parse_args()
    detector = load_detector(options.model)
    spun = (text for text in read_unseen(options.paths, detector) if text.original and is_spun(text))
    rows, texts, totals = [], 0, np.zeros(4)
    for source, chosen in sample(spun, options.texts, np.random.default_rng(0)).items():
        counts = np.array(judge(detector, chosen, options.depth))
        rows.append(_row(source, len(chosen), *counts.tolist()))
        texts, totals = texts + len(chosen), totals + counts
    print(drawn([*rows, _row("all", texts, *totals.tolist())]))


def _row(source: str, texts: int, shown: float, true: float, first: float, three: float) -> dict[str, Any]:
    return {
        "source": source,
        "texts": texts,
        "evidence per text": f"{shown / max(texts, 1):.1f}",
        "true": f"{true / max(shown, 1):.0%}",
        "named first": f"{first / max(true, 1):.0%}",
        "among three": f"{three / max(true, 1):.0%}",
    }


def judge(detector: Detector, texts: list[LabelledText], depth: str) -> tuple[int, int, int, int]:
    """Return counts of evidence: shown; true; true with the original named first; and with it among the first three."""
    shown = true = first = three = 0
    verdicts = detector.score_many([text.text for text in texts], depth=depth)
    for text, verdict in zip(texts, verdicts, strict=True):
        changes = substitutions(text.original or "", text.text, inflections=True)
        for item in verdict.evidence or ():
            hits = [pair for pair in changes if pair.start < item.end and pair.end > item.start]
            shown += 1
            true += bool(hits)
            originals = {pair.original_text.lower() for pair in hits}
            first += (item.suggestion or "").lower() in originals
            three += any((word or "").lower() in originals for word in (item.suggestion, *item.alternatives))
    return shown, true, first, three


if __name__ == "__main__":
    main()
