"""Mine hard negatives: human texts that the encoder takes for a machine's, each with machine versions of it.

Pangram (arXiv 2402.14873) calls this hard negative mining with synthetic mirrors. Only texts with the role `train` are
scored. Repeat it during training, each time with another output file and seed.

Example:
    python -m unspun.training.encoder.mining ../shared/corpora --checkpoint work/encoder/checkpoint.pt \\
        --lexicons ../shared/lexicons --output work/lessons/mined-1.npz
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.document import Documents
from unspun.model.text.repair import repair
from unspun.model.tiers.deep import DeepEncoder
from unspun.model.verdict import KINDS
from unspun.training.command import labelled_parser
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import read_training_texts, sample
from unspun.training.encoder.export import quantised
from unspun.training.encoder.fine_tune import trained
from unspun.training.encoder.lessons import LEAST_CHANGES, Lesson, prepare
from unspun.training.machines.engines import ENGINES
from unspun.training.machines.round_trips import shortened
from unspun.training.machines.spinning import spin

TEXTS = 100
"""Texts per source that are scored."""
LONGEST = 120
"""Words of a text that are scored and paraphrased: about one window."""
HARDEST = 0.05
"""Share of the scored texts that are selected for each kind."""
BATCH = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="encoder to score the texts with")
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists for our own spinners")
    parser.add_argument("--output", type=Path, required=True, help="shard to write (.npz)")
    parser.add_argument("--texts", type=int, default=TEXTS, help=f"maximum texts per source (default: {TEXTS})")
    parser.add_argument("--seed", type=int, default=0, help="selects the texts and paraphrases (default: 0)")
    options = parser.parse_args(arguments)
    texts = [text for text in read_training_texts(options.labelled) if text.label == "human"]
    order = np.random.default_rng(options.seed).permutation(len(texts))
    chosen = sample([texts[i] for i in order.tolist()], options.texts)
    passages = [repair(shortened(text.text, LONGEST)).text for text in chosen]
    scores = window_scores(DeepEncoder(quantised(trained(options.checkpoint))), passages)
    hard = hardest(scores, HARDEST)
    lessons = mirrored(chosen, passages, hard, options.lexicons, options.seed)
    prepare(lessons).save(options.output)
    print(f"{len(passages)} texts scored, {len(hard)} selected, {len(lessons)} lessons", file=sys.stderr)
    return 0


def window_scores(encoder: DeepEncoder, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the highest log odds of each kind in any window of each text (N, 3); -inf for texts without prose."""
    scores = np.full((len(texts), len(KINDS)), -np.inf)
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        reading = encoder.read(Documents.parse(some), range(len(some)))
        np.maximum.at(scores, start + reading.window_document, reading.windows.astype(np.float64))
    return scores


def hardest(scores: NDArray[np.float64], share: float) -> list[int]:
    """Return the indices of the texts among the highest `share` of scores (N, 3) for any kind, in order."""
    count = max(1, round(share * len(scores)))
    places = np.argsort(-scores, axis=0, kind="stable")[:count]
    return [int(place) for place in np.unique(places)]


def mirrored(
    chosen: Sequence[LabelledText], passages: Sequence[str], hard: Sequence[int], lexicons: Path | None, seed: int
) -> list[Lesson]:
    """Return a spun and two translated versions of each hard text, with the text itself as their original."""
    originals = [passages[i] for i in hard]
    sources = [chosen[i].source for i in hard]
    lessons = []
    for source, original, one in zip(sources, originals, spin(originals, seed=seed, lexicons=lexicons), strict=True):
        if len(one.substitutions) >= LEAST_CHANGES:
            lessons.append(Lesson(one.text, "spun", source, f"mined:{one.paraphraser}", one.substitutions, original))
    rng = np.random.default_rng(seed)
    engines = [ENGINES[name]() for name in ("bergamot", "spa" if seed % 2 else "cat")]
    trips = [engine.paraphrase_many(originals, rng) for engine in engines]
    for source, original, *versions in zip(sources, originals, *trips, strict=True):
        for engine, version in zip(engines, versions, strict=True):
            maker = f"mined:{engine.name.partition('-')[0]}"
            lessons.append(Lesson(version.text, engine.kind, source, maker, None, original))
    return lessons


if __name__ == "__main__":
    sys.exit(main())
