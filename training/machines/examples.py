"""The demo's articles, put through our own paraphrasers.

`python -m unspun.training.machines.examples [FOLDER]` reads `FOLDER/human/` and writes `FOLDER/spun/`, of
`seeds/examples` by default: every article once, by one paraphraser, in turn. The same
articles and paraphrasers give the same files.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unspun.training.machines.spinners import Paraphrase, Paraphraser, paraphrasers

EXAMPLES = Path(__file__).resolve().parents[2] / "seeds" / "examples"
SEED = 20221114

_CHANGED_SHARES = (0.12, 0.4)  # of the words: less shows nothing in a demo, more is no longer readable
_ATTEMPTS = 200


class ExampleError(RuntimeError):
    """The examples cannot be made; the message says why."""


def spin(text: str, paraphraser: Paraphraser, seed: tuple[int, ...]) -> Paraphrase:
    """Return the first paraphrase drawn that changes between an eighth and two fifths of the words.

    Raises ExampleError where none of 200 does.
    """
    low, high = _CHANGED_SHARES
    words = len(text.split())
    for attempt in range(_ATTEMPTS):
        paraphrase = paraphraser.paraphrase(text, np.random.default_rng((*seed, attempt)))
        changed = sum(len(substitution.original.split()) for substitution in paraphrase.substitutions)
        if low * words <= changed <= high * words:
            return paraphrase
    raise ExampleError(f"{paraphraser.name} does not change between {low:.0%} and {high:.0%} of the words")


def write_examples(tools: Mapping[str, Paraphraser], folder: Path = EXAMPLES) -> list[Path]:
    """Write `spun/NAME.TOOL.txt` for every `human/NAME.txt`, and remove what else is there; return the paths.

    The first article goes to the first tool, the second to the second, and so on round.
    """
    articles = sorted((folder / "human").glob("*.txt"))
    if not articles:
        raise ExampleError(f"{folder / 'human'}: no articles")
    spun = folder / "spun"
    spun.mkdir(exist_ok=True)
    for old in spun.glob("*.txt"):
        old.unlink()
    written: list[Path] = []
    for number, article in enumerate(articles):
        tool = list(tools.values())[number % len(tools)]
        paraphrase = spin(article.read_text(encoding="utf-8"), tool, (SEED, number))
        path = spun / f"{article.stem}.{tool.name}.txt"
        path.write_text(paraphrase.text, encoding="utf-8")
        written.append(path)
    return written


def main() -> int:
    """Write the spun examples; return the exit status."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    try:
        for path in write_examples(paraphrasers(), folder):
            print(path)
    except (ExampleError, RuntimeError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
