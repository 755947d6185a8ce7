"""Adds hard negatives with mirrors: human texts that look like a machine's, each beside a machine version of it.

    python -m unspun.training.encoder.mining ../shared/corpora --checkpoint work/encoder/checkpoint.pt \\
        --lexicons ../shared/lexicons --output work/lessons/mined-1.npz

Pangram (arXiv 2402.14873) calls this hard negative mining with synthetic mirrors. Texts with the role `train` alone are
scored. Repeat it as training goes on, with another name and seed each time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unspun.model.text.document import Documents
from unspun.model.text.repair import repair
from unspun.model.tiers.deep import DeepEncoder
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles, sample
from unspun.training.encoder.export import quantised
from unspun.training.encoder.fine_tune import trained
from unspun.training.encoder.lessons import KINDS, LEAST_CHANGES, Lesson, prepare
from unspun.training.machines.engines import Apertium, Bergamot
from unspun.training.machines.round_trips import shortened
from unspun.training.machines.spinning import PARAPHRASERS, spin

TEXTS = 100
"""Texts of each source that are scored."""
LONGEST = 120
"""Words of a text that are scored and mirrored: about a window."""
HARDEST = 0.05
"""Share of the scored texts that are taken for each kind."""
BATCH = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labelled", type=Path, nargs="+", help="labelled files or folders")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists")
    parser.add_argument("--output", type=Path, required=True, help="shard to write")
    parser.add_argument("--texts", type=int, default=TEXTS, help=f"texts of each source (default: {TEXTS})")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    roles = default_roles()
    texts = [text for text in read_labelled(options.labelled) if roles.role(text) == "train" and text.label == "human"]
    rng = np.random.default_rng(options.seed)
    shuffled = [texts[i] for i in rng.permutation(len(texts)).tolist()]
    chosen = sample(shuffled, options.texts)
    passages = [repair(shortened(text.text, LONGEST)).text for text in chosen]
    scores = window_scores(DeepEncoder(quantised(trained(options.checkpoint))), passages)
    hard = hardest(scores, HARDEST)
    lessons = mirrored(chosen, passages, hard, options.lexicons, options.seed)
    prepare(lessons).save(options.output)
    print(f"{len(passages)} texts scored, {len(hard)} taken, {len(lessons)} lessons", file=sys.stderr)
    return 0


def window_scores(encoder: DeepEncoder, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the strongest log odds of each kind in any window of each text (N, 3); -inf for texts without prose."""
    scores = np.full((len(texts), len(KINDS) - 1), -np.inf)
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        reading = encoder.read(Documents.parse(some), range(len(some)))
        np.maximum.at(scores, start + reading.window_document, reading.windows.astype(np.float64))
    return scores


def hardest(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]], share: float) -> list[int]:
    """Return the places of the texts that are among the highest `share` of any kind, in order."""
    count = max(1, round(share * len(scores)))
    places = [np.argsort(-scores[:, kind], kind="stable")[:count] for kind in range(scores.shape[1])]
    return sorted(set(np.concatenate(places).tolist()))


def mirrored(
    chosen: Sequence[LabelledText], passages: Sequence[str], hard: Sequence[int], lexicons: Path | None, seed: int
) -> list[Lesson]:
    """Return a spun and two translated versions of each hard text, each with the text itself as its original."""
    originals = [passages[i] for i in hard]
    sources = [chosen[i].source for i in hard]
    lessons = []
    for source, original, one in zip(
        sources, originals, spin(originals, PARAPHRASERS, seed=seed, lexicons=lexicons), strict=True
    ):
        if len(one.substitutions) >= LEAST_CHANGES:
            lessons.append(Lesson(one.text, "spun", source, f"mined:{one.paraphraser}", one.substitutions, original))
    bergamot = Bergamot()
    apertium = Apertium("spa" if seed % 2 else "cat").translate_many(originals)
    for source, original, ruled in zip(sources, originals, apertium, strict=True):
        lessons.append(Lesson(bergamot.translate(original), "translated", source, "mined:bergamot", None, original))
        lessons.append(Lesson(ruled, "translated", source, "mined:apertium", None, original))
    return lessons


if __name__ == "__main__":
    sys.exit(main())
