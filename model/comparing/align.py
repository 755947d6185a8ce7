"""Word alignment of a text with its paraphrase: which words replace which.

The two texts must be in the same order, as spinners leave them. Runs of three words that occur once in each text anchor
the alignment (patience diff); `difflib` matches the words between them. What remains, such as "up to" and "as much as",
is cut into the likeliest pairs of phrases by dynamic programming over word classes, stems and spelling. Case,
punctuation, hyphens, curly quotes and contractions make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

Change = Literal["equal", "replaced", "inflected", "inserted", "deleted", "rewritten"]
"""`inflected`: another form of the same word. `rewritten`: a passage too different to pair its words."""

_MAX_BLOCK_WORDS = 30
"""Words in a row without one in common, above which the passage was rewritten rather than its words replaced."""
_MAX_UNEVEN_WORDS = 12
"""The same limit if one side is more than one and a half times as long as the other."""


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """A run of words in the original and the run of words that replaces it in the paraphrase.

    Spans are character offsets: `original_text == original[original_start:original_end]` and
    `text == paraphrase[start:end]`. An insertion has an empty span in the original, a deletion in the paraphrase.
    """

    original_start: int
    original_end: int
    original_text: str
    start: int
    end: int
    text: str
    change: Change


def align(original: str, paraphrase: str) -> list[AlignedPair]:
    """Return the alignment in order. Every word of both texts is in exactly one pair.

    A run of equal words is one pair. Texts without words have no pairs.
    """
    left, right = _words(original), _words(paraphrase)
    pairs: list[AlignedPair] = []
    for change, left_start, left_end, right_start, right_end in _segments(left, right):
        original_start, original_end = _span(left, left_start, left_end)
        start, end = _span(right, right_start, right_end)
        pairs.append(
            AlignedPair(
                original_start,
                original_end,
                original[original_start:original_end],
                start,
                end,
                paraphrase[start:end],
                change,
            )
        )
    return pairs


def substitutions(
    original: str, paraphrase: str, *, max_words: int = 4, inflections: bool = False
) -> list[AlignedPair]:
    """Return the replaced words and phrases, in order, without insertions, deletions and rewritten passages.

    Pairs with more than `max_words` words on either side are left out, and so are mere changes of inflection unless
    `inflections` is true.
    """
    wanted = ("replaced", "inflected") if inflections else ("replaced",)
    return [
        pair
        for pair in align(original, paraphrase)
        if pair.change in wanted
        and max(len(_words(pair.original_text)), len(_words(pair.text))) <= max_words
        and not is_contraction(pair)
    ]


# --- words ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Word:
    """A word: its folded form, which is compared; its offsets; and whether punctuation precedes it (`parted`)."""

    folded: str
    start: int
    end: int
    parted: bool = False


# One word each: U.S., letters with inner apostrophes, and 1,000.5.
# Accents may be separate combining characters, which `\w` does not match.
_LETTERS = r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*"
_WORD = re.compile(rf"(?:[^\W\d_]\.){{2,}}|{_LETTERS}(?:['’]{_LETTERS})*|\d+(?:[.,]\d+)*")
_PARTING = re.compile(r"[^\s\w'’-]")
_SUFFIX = re.compile(r"(n['’]t|['’](?:s|re|ll|ve|m|d))$", re.IGNORECASE)
_SUFFIX_WORDS = {"n't": "not", "'re": "are", "'ll": "will", "'ve": "have", "'m": "am"}
_SHORT_STEMS = {"ca": "can", "wo": "will", "sha": "shall"}  # can't, won't, shan't
_CONTRACTED = ({"'s", "is"}, {"'s", "has"}, {"'s", "us"}, {"'d", "had"}, {"'d", "would"})


def _words(text: str) -> list[_Word]:
    """Split a text into words, and contractions into two words ("hasn't" into "has" and "not")."""
    words: list[_Word] = []
    last = 0
    for match in _WORD.finditer(text):
        parted = _PARTING.search(text, last, match.start()) is not None
        words.extend(_contraction(match[0], match.start(), parted))
        last = match.end()
    return words


def _contraction(word: str, start: int, parted: bool) -> Iterator[_Word]:
    folded = _fold(word)
    suffix = _SUFFIX.search(word)
    if suffix and suffix.start() > 0:
        stem, ending = _fold(word[: suffix.start()]), _fold(suffix[0])
        cut = start + suffix.start()
        yield _Word(_SHORT_STEMS.get(stem, stem) if ending == "n't" else stem, start, cut, parted)
        yield _Word(_SUFFIX_WORDS.get(ending, ending), cut, start + len(word))
    elif folded == "cannot":
        yield _Word("can", start, start + 3, parted)
        yield _Word("not", start + 3, start + len(word))
    else:
        yield _Word(folded, start, start + len(word), parted)


def _fold(word: str) -> str:
    if not word.isascii():
        word = unicodedata.normalize("NFC", word)
    return word.casefold().replace("’", "'").replace(".", "" if word[:1].isalpha() else ".")


def is_contraction(pair: AlignedPair) -> bool:
    """Return whether a pair only contracts or expands a word: "there's" and "there is"."""
    return {_fold(pair.original_text), _fold(pair.text)} in _CONTRACTED


def _span(words: Sequence[_Word], first: int, end: int) -> tuple[int, int]:
    """Return the span of words first:end in characters. If there are none, the span is empty, before word `first`."""
    if first < end:
        return words[first].start, words[end - 1].end
    position = words[first].start if first < len(words) else (words[-1].end if words else 0)
    return position, position


# --- segments of words ----------------------------------------------------------------------------

_Segment = tuple[Change, int, int, int, int]  # change, first and end word in the original, in the paraphrase


def _segments(left: Sequence[_Word], right: Sequence[_Word]) -> list[_Segment]:
    """Return the alignment as ranges of words, with neighbouring equal ranges joined."""
    left_words = [word.folded for word in left]
    right_words = [word.folded for word in right]
    segments: list[_Segment] = []
    for segment in _matched(left_words, right_words):
        last = segments[-1] if segments else None
        if last is not None and last[0] == segment[0] == "equal":
            segments[-1] = ("equal", last[1], segment[2], last[3], segment[4])
        elif segment[0] == "replaced":
            segments.extend(_split_block(left, right, segment))
        else:
            segments.append(segment)
    return segments


def _matched(left: Sequence[str], right: Sequence[str]) -> Iterator[_Segment]:
    """Yield equal, inserted, deleted and replaced ranges in order. Replaced ranges are still whole."""
    names: dict[str, Change] = {
        "replace": "replaced",
        "insert": "inserted",
        "delete": "deleted",
        "equal": "equal",
    }
    left_at = right_at = 0
    for left_anchor, right_anchor in [*_anchors(left, right), (len(left), len(right))]:
        matcher = SequenceMatcher(None, left[left_at:left_anchor], right[right_at:right_anchor], autojunk=False)
        for tag, a, b, c, d in matcher.get_opcodes():
            yield names[tag], left_at + a, left_at + b, right_at + c, right_at + d
        left_at, right_at = left_anchor, right_anchor


def _anchors(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Return the positions of anchors: runs of three words that occur once in each text, in the same order."""
    left_runs, right_runs = _unique_runs(left), _unique_runs(right)
    shared = [(at, right_runs[run]) for run, at in left_runs.items() if run in right_runs]
    # Find the longest chain that ascends in both texts; `shared` already ascends in the left one.
    tails: list[int] = []
    chain: list[int] = []
    previous = [-1] * len(shared)
    for index, (_, at) in enumerate(shared):
        place = bisect_left(tails, at)
        tails[place : place + 1] = [at]
        chain[place : place + 1] = [index]
        previous[index] = chain[place - 1] if place else -1
    anchors: list[tuple[int, int]] = []
    index = chain[-1] if chain else -1
    while index >= 0:
        anchors.append(shared[index])
        index = previous[index]
    return anchors[::-1]


def _unique_runs(words: Sequence[str]) -> dict[tuple[str, ...], int]:
    """Return the position of every run of three words that occurs exactly once."""
    runs = list(zip(words, words[1:], words[2:], strict=False))
    count = Counter(runs)
    return {run: at for at, run in enumerate(runs) if count[run] == 1}


# --- replaced blocks ------------------------------------------------------------------------------

_SHAPES = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1), (2, 2), (2, 3), (3, 2), (1, 0), (0, 1))
"""Number of words of the original that can be paired with a number of words of the paraphrase."""

_PRONOUNS = "i you he she it we they me him her us them who whom someone anyone everyone itself"
_DETERMINERS = (
    "a an the this that these those my your his its our their some any each every no another other different same such"
)
_AUXILIARIES = (
    "can could may might must ought shall should will would do does did is are was were be been being am "
    "have has had not"
)
_LINKS = (
    "of in on at by to for from with about into onto over under against between through during before after "
    "below since until unless while because although though and or but yet nor so if as than then when where "
    "which"
)
_WORD_CLASSES = {
    **dict.fromkeys(_PRONOUNS.split(), "pronoun"),
    **dict.fromkeys(_DETERMINERS.split(), "determiner"),
    **dict.fromkeys(_AUXILIARIES.split(), "auxiliary"),
    **dict.fromkeys(_LINKS.split(), "link"),
}
_ARTICLES = frozenset(("a", "an", "the"))
_FIXED = (
    "each other, one another, according to, in line with, a number of, a lot of, as well as, in order to, because of, "
    "due to, such as, at least, of course, in spite of, instead of, for example"
)
_FIXED_PHRASES = frozenset(tuple(phrase.split()) for phrase in _FIXED.split(", "))
"""Phrases that are never replaced word by word."""


def _split_block(left: Sequence[_Word], right: Sequence[_Word], block: _Segment) -> list[_Segment]:
    """Cut a replaced block into the cheapest sequence of phrase pairs."""
    _, left_start, left_end, right_start, right_end = block
    rows, columns = left_end - left_start, right_end - right_start
    longer, shorter = max(rows, columns), min(rows, columns)
    if longer > _MAX_BLOCK_WORDS or (longer > _MAX_UNEVEN_WORDS and longer > 1.5 * shorter):
        return [("rewritten", left_start, left_end, right_start, right_end)]
    a = [(" " if word.parted else "") + word.folded for word in left[left_start:left_end]]
    b = [(" " if word.parted else "") + word.folded for word in right[right_start:right_end]]
    cost = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    shape: list[list[tuple[int, int]]] = [[(0, 0)] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows + 1):
        for j in range(columns + 1):
            if i or j:
                cost[i][j], shape[i][j] = min(
                    (cost[i - m][j - n] + _phrase_cost(tuple(a[i - m : i]), tuple(b[j - n : j])), (m, n))
                    for m, n in _SHAPES
                    if m <= i and n <= j
                )
    segments: list[_Segment] = []
    i, j = rows, columns
    while i or j:
        m, n = shape[i][j]
        change = _change(a[i - m : i], b[j - n : j])
        segments.append((change, left_start + i - m, left_start + i, right_start + j - n, right_start + j))
        i, j = i - m, j - n
    return segments[::-1]


def _change(left: Sequence[str], right: Sequence[str]) -> Change:
    left, right = [word.strip() for word in left], [word.strip() for word in right]
    if not left:
        return "inserted"
    if not right:
        return "deleted"
    if left == right:
        return "equal"
    if len(left) == len(right) == 1 and _same_stem(left[0], right[0]):
        return "inflected"
    return "replaced"


@lru_cache(maxsize=8192)
def _phrase_cost(left: tuple[str, ...], right: tuple[str, ...]) -> float:
    """Return how unlikely it is that `right` replaces `left`. Two unrelated content words cost 1.

    A word that follows punctuation begins with a space.

    The costs are set by hand, so that a phrase stays whole if its words do not match one by one ("curious about" for
    "interested in", "in line with" for "according to") and is cut if they do ("speaking factors" for "talking points").
    """
    longer, shorter = max(len(left), len(right)), min(len(left), len(right))
    if shorter == 0:
        return 1.2
    parted = sum(word.startswith(" ") for word in (*left[1:], *right[1:]))
    left, right = tuple(word.strip() for word in left), tuple(word.strip() for word in right)
    if longer == 1:
        return _word_cost(left[0], right[0])
    fixed = (left in _FIXED_PHRASES) + (right in _FIXED_PHRASES)
    if fixed == 2 or (fixed and shorter == 1):
        return 1.2
    left_classes, right_classes = [word_class(word) for word in left], [word_class(word) for word in right]
    if shorter == 1:
        # In "should" and "ought to", both sides have a modal verb; the "to" belongs to it.
        mood = "auxiliary" in left_classes and "auxiliary" in right_classes
        mood = mood and set(left_classes + right_classes) == {"auxiliary", "link"}
        cost = 1.0 + 0.4 * (longer - 1) - 0.3 * mood
    else:
        cost = 2.2 if "link" in left_classes + right_classes else 2.9
    # A phrase that ends in an article or contains a comma was cut in the wrong place.
    return cost + 0.4 * (left[-1] in _ARTICLES) + 0.4 * (right[-1] in _ARTICLES) + 0.5 * parted


def _word_cost(left: str, right: str) -> float:
    if left == right:
        return 0.0
    if _same_stem(left, right):
        return 0.3
    left_class, right_class = word_class(left), word_class(right)
    if left_class != right_class:
        return 1.4
    base = {"content": 1.0, "link": 1.3}.get(left_class, 0.7)
    return base - 0.3 * _likeness(left, right)


def word_class(word: str) -> str:
    """Return a folded word's class: `content`, or `pronoun`, `determiner`, `auxiliary` or `link` for function words."""
    return _WORD_CLASSES.get(word, "content")


def _likeness(left: str, right: str) -> float:
    """Return the share (0 to 1) of the longer word that is a common beginning or a common ending."""
    shorter, longer = sorted((left, right), key=len)
    begin = next((i for i, letter in enumerate(shorter) if letter != longer[i]), len(shorter))
    rest = len(shorter) - begin
    end = next((i for i in range(rest) if shorter[-1 - i] != longer[-1 - i]), rest)
    return (begin + end) / len(longer)


_ENDINGS = re.compile(r"(?:ies|ied|ing|ings|ers|er|ed|es|ly|s|d|e|y)$")


def _same_stem(left: str, right: str) -> bool:
    """Return whether two words are forms of the same word, such as "ship" and "shipped". Misses irregular forms."""
    return stem(left) == stem(right)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return a word without its inflection. Stems need not be words; they only have to be equal for related words."""
    stem = _ENDINGS.sub("", word, count=1) if len(word) > 3 else word
    if len(stem) < 3:
        return word
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "sl":
        stem = stem[:-1]  # shipped, shipping
    return stem.removesuffix("e")
