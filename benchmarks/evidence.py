"""How much of the shown evidence is true, on spun texts whose originals are known.

    python -m benchmarks.evidence ../shared/corpora/paraphrased [--texts 60]

Prints for each source: texts, pieces of evidence a text, the share that stands where the tool really changed something
(found by aligning the text with its original), and the share of suggestions that are the original word itself. The
tagger has learnt from our own paraphrasers alone, so every tool is new to it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from model.detector import Detector
from training.align import substitutions
from training.corpora import LabelledText, read_labelled

SHORTEST = 60
BARELY_SPUN = 0.10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, help="labelled files or folders")
    parser.add_argument("--texts", type=int, default=60, help="texts of each source (default: 60)")
    parser.add_argument("--model", type=Path, help="bundle (default: the one that ships)")
    options = parser.parse_args()
    by_source: dict[str, list[LabelledText]] = defaultdict(list)
    for text in read_labelled(options.paths):
        barely = text.changed_frac is not None and text.changed_frac < BARELY_SPUN
        if text.label == "spun" and text.original and not barely and len(text.text.split()) >= SHORTEST:
            by_source[text.source].append(text)
    detector = Detector.load(options.model)
    print(f"{'source':34s}{'texts':>6s}{'evidence a text':>17s}{'true':>8s}{'original named':>16s}")
    rng = np.random.default_rng(0)
    for source, texts in sorted(by_source.items()):
        chosen = [texts[i] for i in rng.permutation(len(texts))[: options.texts].tolist()]
        shown, true, named = judge(detector, chosen)
        rates = f"{true / max(shown, 1):8.0%}{named / max(true, 1):16.0%}"
        print(f"{source:34s}{len(chosen):6d}{shown / len(chosen):17.1f}{rates}")


def judge(detector: Detector, texts: list[LabelledText]) -> tuple[int, int, int]:
    """Return the pieces of evidence shown, those that are true, and true ones whose suggestion is the original."""
    shown = true = named = 0
    for text, verdict in zip(texts, detector.score_many([text.text for text in texts]), strict=True):
        changes = substitutions(text.original or "", text.text, inflections=True)
        for item in verdict.evidence or ():
            hits = [pair for pair in changes if pair.start < item.end and pair.end > item.start]
            shown += 1
            true += bool(hits)
            named += any(pair.original_text.lower() == (item.suggestion or "").lower() for pair in hits)
    return shown, true, named


if __name__ == "__main__":
    main()
