"""Measure how verdicts change if many words of a text are allowed terms, which should not matter to the other words.

    python -m benchmarks.allowed ../shared/corpora [--texts 400] [--depth auto] [--stand-in 5] [--role calibrate]

For each text, words that occur in it are allowed until they make up a share of it: rare ones (not among the 6,000
commonest), or middling ones (among these, but not among the 1,000 commonest). Prints the share of human and of
paraphrased texts called `suspect` or `paraphrased`, without a list and with one, and how many texts are called so only
with it, or only without. Human texts should not be called so more often. Paraphrased ones are found less often by
as much as the allowed words were the evidence. `--stand-in` is the word piece that the deep tier sees for a term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.common import SHORTEST, drawn, load_detector, make_parser, sample
from unspun.model.detector import Detector
from unspun.model.text.allowed import MOST_ALLOWED, Allowed, AllowedError
from unspun.model.text.document import Documents, TokenClass
from unspun.model.tiers import wordpieces
from unspun.model.verdict import Verdict
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import ROLES, default_roles

SHARES = (0.01, 0.05, 0.15)
BANDS = {"rare": (6000, np.inf), "middling": (1000, 6000)}
"""Ranks of the words in the model's vocabulary, by name."""
LONGEST = 1500
LEAST_LETTERS = 3
CALLED = ("suspect", "paraphrased")


def main() -> None:
    """Print the table."""
    parser = make_parser("benchmarks.allowed", __doc__, "paths", "--depth", "--model")
    parser.add_argument("--texts", type=int, default=400, help="human texts, and paraphrased ones (default: 400)")
    parser.add_argument("--stand-in", metavar="PIECE", help="word piece that the deep tier sees (default: a number)")
    parser.add_argument("--role", choices=ROLES, default="calibrate", help="role of the texts (default: calibrate)")
    options = parser.parse_args()
    if options.stand_in is not None:
        wordpieces.STAND_IN = options.stand_in
    detector = load_detector(options.model)
    texts = choose(options.paths, options.role, options.texts)
    called = {
        name: flags(detector.score_many(some, depth=options.depth, evidence=False)) for name, some in texts.items()
    }
    rows = []
    for band in BANDS:
        for share in SHARES:
            row = {"words": band, "allowed": f"{share:.0%}"}
            for name, some in texts.items():
                lists = [terms(detector, text, band, share) for text in some]
                found = [
                    detector.allowing(allowed).score(text, depth=options.depth, evidence=False)
                    for text, allowed in zip(some, lists, strict=True)
                ]
                before, after = called[name], flags(found)
                row |= {
                    f"{name}: before": f"{before.mean():.1%}",
                    "after" if name == "human" else "found after": f"{after.mean():.1%}",
                    "more" if name == "human" else "found more": int((after & ~before).sum()),
                    "less" if name == "human" else "found less": int((before & ~after).sum()),
                }
            rows.append(row)
    print(drawn(rows))
    print(", ".join(f"{len(some)} {name} texts" for name, some in texts.items()))


def choose(paths: Sequence[str], role: str, most: int) -> dict[str, list[str]]:
    """Return human and paraphrased texts of a role, from all sources alike."""
    roles, rng = default_roles(), np.random.default_rng(0)
    texts = [
        text
        for text in read_labelled(paths)
        if roles.role(text) == role and SHORTEST <= len(text.text.split()) <= LONGEST and text.label != "llm"
    ]
    answer = {}
    for name, human in (("human", True), ("paraphrased", False)):
        chosen = [text for text in texts if (text.label == "human") == human]
        answer[name] = _spread(chosen, most, rng)
    return answer


def _spread(texts: Iterable[LabelledText], most: int, rng: np.random.Generator) -> list[str]:
    found = [text.text for some in sample(texts, max(most // 10, 1), rng).values() for text in some]
    return [found[i] for i in rng.permutation(len(found))[:most].tolist()]


def terms(detector: Detector, text: str, band: str, share: float) -> Allowed:
    """Return words of a text, in random order, that make up a share of it."""
    documents = Documents.parse([text])
    prose = documents.token_prose & (documents.token_class == TokenClass.WORD)
    words = documents.words()
    counts = Counter(words[i] for i in np.flatnonzero(prose).tolist())
    ranks = detector.bundle.tables.vocabulary.ids_of_words
    low, high = BANDS[band]
    usable = [
        word
        for word in sorted(counts)
        if low <= (ranks.get(word) or np.inf) and (ranks.get(word) or np.inf) <= high
        if len(word) >= LEAST_LETTERS and word.isalpha() and _may_be_term(word)
    ]
    chosen, size = [], 0
    for i in np.random.default_rng(len(text)).permutation(len(usable)).tolist():
        word = usable[i]
        if size < share * prose.sum() and size + counts[word] <= MOST_ALLOWED * prose.sum():
            chosen.append(word)
            size += counts[word]
    return Allowed(chosen)


def _may_be_term(word: str) -> bool:
    try:
        return len(Allowed([word])) > 0
    except AllowedError:
        return False


def flags(verdicts: Sequence[Verdict]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which verdicts are `suspect` or `paraphrased`."""
    return np.array([verdict.verdict in CALLED for verdict in verdicts], dtype=bool)


if __name__ == "__main__":
    main()
