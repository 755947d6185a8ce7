"""Spin the example articles with our own spinners.

Reads FOLDER/human and writes FOLDER/spun. Each article is spun once; the spinners take turns. The same articles and
spinners always give the same files.

Example:
    python -m unspun.training.machines.examples seeds/tutorial
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from unspun.training.command import stage_parser
from unspun.training.machines.base import Machine, Paraphrase
from unspun.training.machines.spinners import build_spinners

EXAMPLES = Path(__file__).resolve().parents[2] / "seeds" / "examples"
SEED = 20221114

_CHANGED_SHARES = (0.12, 0.4)  # of the words: fewer show nothing in a demo, more are hard to read
_ATTEMPTS = 200


class ExampleError(RuntimeError):
    """The examples cannot be made. The message says why."""


def spin(text: str, machine: Machine, seed: tuple[int, ...]) -> Paraphrase:
    """Return the first of 200 paraphrases that changes between 12 and 40 % of the words.

    Raises ExampleError if there is none.
    """
    low, high = _CHANGED_SHARES
    words = len(text.split())
    for attempt in range(_ATTEMPTS):
        paraphrase = machine.paraphrase(text, np.random.default_rng((*seed, attempt)))
        changed = sum(len(substitution.original.split()) for substitution in paraphrase.substitutions)
        if low * words <= changed <= high * words:
            return paraphrase
    raise ExampleError(f"{machine.name} does not change between {low:.0%} and {high:.0%} of the words")


def write_examples(machines: Mapping[str, Machine], folder: Path = EXAMPLES) -> list[Path]:
    """Write `spun/NAME.MACHINE.txt` for every `human/NAME.txt`, remove all other files there, and return the paths."""
    articles = sorted((folder / "human").glob("*.txt"))
    if not articles:
        raise ExampleError(f"{folder / 'human'}: no articles (.txt files)")
    spun = folder / "spun"
    spun.mkdir(exist_ok=True)
    for old in spun.glob("*.txt"):
        old.unlink()
    written: list[Path] = []
    for number, article in enumerate(articles):
        machine = list(machines.values())[number % len(machines)]
        paraphrase = spin(article.read_text(encoding="utf-8"), machine, (SEED, number))
        path = spun / f"{article.stem}.{machine.name}.txt"
        path.write_text(paraphrase.text, encoding="utf-8")
        written.append(path)
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = stage_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=EXAMPLES, help="default: seeds/examples")
    options = parser.parse_args(arguments)
    try:
        for path in write_examples(build_spinners(), options.folder):
            print(path)
    except (RuntimeError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
