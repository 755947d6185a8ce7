"""Lists the common words of English with the case that they have in the middle of a sentence.

Counts the human texts of role `train` and writes `model/text/common_words.txt`.

Example:
    python -m unspun.training.language.common_words ../shared/corpora
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from unspun.model.atomic import atomic_write
from unspun.model.text.document import Documents, Shape, TokenClass
from unspun.model.text.wordlists import CASES, COMMON_WORDS
from unspun.training.command import labelled_parser
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles

FEWEST_SOURCES = 3
"""Sources that must use a word, so that the names of one source are not learned."""
MOST_WORDS = 100_000
"""Words to keep of each case."""
USUAL = 0.8
"""Share of a word's occurrences in the middle of a sentence that must have the same case."""
BATCH = 200

Counts = dict[str, Counter[str]]


def count(texts: Iterable[LabelledText]) -> tuple[Counts, dict[str, set[str]]]:
    """Return the number of times that each word has each case, and the sources that use it."""
    counts: Counts = {name: Counter() for name in CASES[:3]}
    sources: dict[str, set[str]] = {}
    batch: list[LabelledText] = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            _count_batch(batch, counts, sources)
            batch.clear()
    if batch:
        _count_batch(batch, counts, sources)
    return counts, sources


def _count_batch(batch: list[LabelledText], counts: Counts, sources: dict[str, set[str]]) -> None:
    documents = Documents.parse([text.text for text in batch])
    shape, words = documents.token_shape, documents.words()
    inside = (documents.token_class == TokenClass.WORD) & documents.token_prose & (shape & Shape.SENTENCE_START == 0)
    # Words after a quotation mark or a colon may start a sentence.
    inside[1:] &= documents.token_class[:-1] == TokenClass.WORD
    inside[:1] = False
    inside &= ~np.array(["case" in repairs for repairs in documents.repairs])[documents.token_document]
    for token in np.flatnonzero(inside).tolist():
        name = (
            "capitals" if shape[token] & Shape.ALL_CAPITALS else "capital" if shape[token] & Shape.CAPITAL else "lower"
        )
        counts[name][words[token]] += 1
        sources.setdefault(words[token], set()).add(batch[documents.token_document[token]].source)


def choose(counts: Counts, sources: dict[str, set[str]]) -> dict[str, list[str]]:
    """Return the words to keep for each case, the commonest first."""
    total = sum(counts.values(), Counter[str]())
    chosen: dict[str, list[str]] = {name: [] for name in CASES}
    for word, number in total.most_common():
        if len(sources[word]) >= FEWEST_SOURCES and (len(word) > 1 or word in "ai") and word.replace("'", "").isalpha():
            usual = next((name for name in counts if counts[name][word] >= USUAL * number), "either")
            if len(chosen[usual]) < MOST_WORDS:
                chosen[usual].append(word)
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = labelled_parser(__doc__).parse_args(arguments)
    roles = default_roles()
    texts = (text for text in read_labelled(options.labelled) if text.label == "human" and roles.role(text) == "train")
    chosen = choose(*count(texts))
    lines = [f"# Written by python -m {__spec__.name}, from the human texts of role `train` in ../shared/corpora."]
    for name, words in chosen.items():
        lines += ["", f"[{name}]", *words]
    with atomic_write(COMMON_WORDS) as file:
        file.write(("\n".join(lines) + "\n").encode())
    print(", ".join(f"{len(words):,} words in {name}" for name, words in chosen.items()), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
