"""Lists the known phrases that people also write, so that they are never shown as a phrase of spinners.

Counts the phrases of the lexicons and of our own list in the human texts of role `train`, and writes those that occur
to `model/language/ordinary_phrases.txt`, with those of READ.

Example:
    python -m unspun.training.language.ordinary ../shared/corpora --lexicons ../shared/lexicons
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from unspun.model.atomic import atomic_write
from unspun.model.signals.known_phrases import ORDINARY, phrase_keys
from unspun.model.text.document import hash_phrase
from unspun.training.command import labelled_parser
from unspun.training.corpora.roles import read_training_texts
from unspun.training.language.phrases import count_phrases, read_lexicons
from unspun.training.machines.phrase_table import read_phrases

READ = (
    *("an ever increasing number of", "assist you to", "available in the marketplace", "by way of contrast"),
    *("from one perspective", "gaining knowledge of", "in the intervening time", "inexperienced persons", "it's miles"),
    *("malignant growth", "needn't bother with", "online media", "permit you to", "put differently", "web index"),
    *("web-based media", "with a purpose to", "with the goal that"),
)
"""Phrases that no human text of role `train` has, but that are ordinary English to a reader."""


def ordinary(phrases: Iterable[str], human: Sequence[str], least: int = 1) -> list[str]:
    """Return the phrases of two and more words that occur in human text at least so often, in alphabetical order."""
    listed: dict[tuple[int, int], str] = {}
    for phrase in phrases:
        hashes = hash_phrase(phrase)
        if len(hashes) > 1:
            listed.setdefault((len(hashes), int(phrase_keys(hashes, len(hashes))[0])), phrase.lower())
    order = sorted(listed)
    keys = np.array([key for _, key in order], dtype=np.uint64)
    lengths = np.array([length for length, _ in order], dtype=np.int8)
    counts, _ = count_phrases(keys, lengths, human)
    return sorted({listed[order[i]] for i in np.flatnonzero(counts >= least).tolist()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--lexicons", type=Path, required=True, help="folder of the lexicons")
    options = parser.parse_args(arguments)
    human = [text.text for text in read_training_texts(options.labelled) if text.label == "human"]
    phrases = [phrase for phrase, _ in read_lexicons(options.lexicons)]
    found = ordinary([*phrases, *(replacement for _, replacement, _ in read_phrases())], human)
    lines = [
        f"# Written by python -m {__spec__.name}: known phrases that people also write,",
        "# counted in the human texts of role `train` in ../shared/corpora.",
        *sorted({*found, *READ}),
    ]
    with atomic_write(ORDINARY) as file:
        file.write(("\n".join(lines) + "\n").encode())
    print(f"{len(lines) - 2:,} phrases", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
