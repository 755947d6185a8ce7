"""How much of the shown evidence is true, on spun texts whose originals are known.

    python -m benchmarks.evidence ../shared/corpora/paraphrased [--texts 60] [--depth auto]

Prints for each source: texts, pieces of evidence a text, the share that stands where the tool really changed something
(found by aligning the text with its original), and of these how often the original itself is named first, and among the
first three. The fast tier's tagger has learnt from our own paraphrasers alone, so every tool is new to it; the deep
tier's has met other texts of them. Texts that the model learnt from are left out.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unspun.model.comparing.align import substitutions
from unspun.model.detector import Detector
from unspun.training.corpora.corpus import LabelledText, read_labelled, text_keys

SHORTEST = 60
BARELY_SPUN = 0.10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, help="labelled files or folders")
    parser.add_argument("--texts", type=int, default=60, help="texts of each source (default: 60)")
    parser.add_argument("--depth", choices=("auto", "fast", "deep"), default="auto")
    parser.add_argument("--model", type=Path, help="bundle (default: the one that ships)")
    options = parser.parse_args()
    by_source: dict[str, list[LabelledText]] = defaultdict(list)
    detector = Detector.load(options.model)
    texts = list(read_labelled(options.paths))
    new = ~np.isin(text_keys([text.text for text in texts]), detector.bundle.seen)
    for text in (text for text, unseen in zip(texts, new.tolist(), strict=True) if unseen):
        barely = text.changed_frac is not None and text.changed_frac < BARELY_SPUN
        if text.label == "spun" and text.original and not barely and len(text.text.split()) >= SHORTEST:
            by_source[text.source].append(text)
    print(f"{'source':34s}{'texts':>6s}{'evidence a text':>17s}{'true':>8s}{'named first':>13s}{'in three':>10s}")
    totals = np.zeros(4)
    rng = np.random.default_rng(0)
    for source, texts in sorted(by_source.items()):
        chosen = [texts[i] for i in rng.permutation(len(texts))[: options.texts].tolist()]
        counts = np.array(judge(detector, chosen, options.depth))
        totals += counts
        print(_line(source, len(chosen), counts))
    print(_line("all evidence together", sum(len(texts[: options.texts]) for texts in by_source.values()), totals))


def _line(name: str, texts: int, counts: NDArray[np.float64]) -> str:
    shown, true, first, three = counts.tolist()
    rates = f"{true / max(shown, 1):8.0%}{first / max(true, 1):13.0%}{three / max(true, 1):10.0%}"
    return f"{name:34s}{texts:6d}{shown / max(texts, 1):17.1f}{rates}"


def judge(detector: Detector, texts: list[LabelledText], depth: str) -> tuple[int, int, int, int]:
    """Return the pieces of evidence shown, those that are true, and true ones of which the original is named first, and
    among the first three.
    """
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
