"""The words of a text as a spinner sees them: which may be replaced, and how a replacement is made to fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from unspun.training.machines.inflection import Tag

Capitals = Literal["kept", "lost", "title"]

TOKENS = re.compile(
    # Skipped: links, addresses, handles, anything with a digit or underscore, the possessive s.
    r"(?P<skip>https?://\S+|www\.\S+|[\w.+-]+@[\w.-]+|[@#]\w+|[^\W\d_]*[\d_]\w*|(?<=\w)['’]s\b)"
    # A word, including inner apostrophes ("don't") except before that s.
    r"|[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*"
)
_SENTENCE_BREAK = re.compile(r"[.!?:\n\"“”]")
_QUOTATION = re.compile(r"“[^”\n]{1,600}”|\"[^\"\n]{1,600}\"")
_TITLES = frozenset(
    ["mr", "mrs", "ms", "dr", "st", "prof", "gen", "sen", "rep", "gov", "lt", "col", "capt", "sgt", "rev", "jr", "sr"]
)


@dataclass(frozen=True, slots=True)
class SpinnableWords:
    """The words of a text: offsets, lower-case spelling, and whether each may be replaced."""

    text: str
    starts: list[int]
    ends: list[int]
    folded: list[str]
    free: list[bool]

    def __len__(self) -> int:
        return len(self.starts)

    def gap_before(self, i: int) -> str:
        """Return the text between word `i` and the word before it."""
        return self.text[self.ends[i - 1] if i else 0 : self.starts[i]]

    def context_before(self, i: int) -> str | None:
        """Return the key of `TAG_FIT` for the word before word `i`, or None if that word gives no hint."""
        if not i or not self.gap_before(i).isspace():
            return None
        before = self.folded[i - 1]
        if before in ("'s", "’s"):
            return "be" if i > 1 and self.folded[i - 2] in _CONTRACTED_WITH_IS else "determiner"
        return _CONTEXT_OF.get(before)


def read_words(text: str, *, names: bool, quotes: bool) -> SpinnableWords:
    """Find the words of a text. Links are never free; names and quotations are if `names` and `quotes` are true."""
    words = SpinnableWords(text, [], [], [], [])
    quoted = [] if quotes else [match.span() for match in _QUOTATION.finditer(text)]
    found_names: set[str] = set()
    sentence_starts: list[int] = []
    before, at_quote = "", 0
    for i, match in enumerate(TOKENS.finditer(text)):
        start, end = match.span()
        word = match.group()
        folded = word.lower()
        words.starts.append(start)
        words.ends.append(end)
        words.folded.append(folded)
        free = match.lastgroup != "skip" and len(word) > 1
        if free and not names and not word.islower():
            opens = not i or (_SENTENCE_BREAK.search(words.gap_before(i)) and before not in _TITLES and len(before) > 1)
            if opens and word[1:].islower():
                sentence_starts.append(i)
            else:
                found_names.add(folded)
                free = False
        while at_quote < len(quoted) and quoted[at_quote][1] <= start:
            at_quote += 1
        if at_quote < len(quoted) and quoted[at_quote][0] <= start:
            free = False
        words.free.append(free)
        before = folded
    for i in sentence_starts:
        # A capitalised word at the start of a sentence is a name if it is one elsewhere in the text.
        if words.folded[i] in found_names:
            words.free[i] = False
    return words


TAG_FIT: dict[str, tuple[dict[Tag, float], float]] = {
    "determiner": ({"NN": 1, "NNS": 1, "JJ": 1, "JJR": 1, "JJS": 1, "VBG": 0.3, "VBN": 0.3, "RB": 0.2}, 0.01),
    "to": ({"VB": 1, "NN": 0.3, "NNS": 0.3, "JJ": 0.2, "RB": 0.3, "VBG": 0.1}, 0.01),
    "modal": ({"VB": 1, "RB": 0.5, "NN": 0.05, "JJ": 0.05}, 0.01),
    "have": ({"VBN": 1, "RB": 0.3, "NN": 0.2, "NNS": 0.2, "JJ": 0.2}, 0.02),
    "be": ({"VBG": 1, "VBN": 1, "JJ": 1, "JJR": 1, "RB": 0.5, "NN": 0.3, "NNS": 0.3}, 0.01),
    "subject": ({"VBD": 1, "VBZ": 1, "VB": 1, "RB": 0.5}, 0.03),
    "preposition": ({"NN": 1, "NNS": 1, "JJ": 1, "JJR": 1, "JJS": 1, "VBG": 1, "RB": 0.2, "VBN": 0.2}, 0.01),
}
"""How well each form fits after a word of this class; forms that are not listed get the last factor."""

_CONTEXT_OF: dict[str, str] = {
    word: context
    for context, words in {
        "determiner": "a an the this that these those my your his its our their some any no every each another",
        "to": "to",
        "modal": "can could may might must shall should will would do does did don't doesn't didn't can't won't",
        "have": "has have had having hasn't haven't hadn't",
        "be": "am is are was were be been being isn't aren't wasn't weren't",
        "subject": "i you he she it we they who",
        "preposition": "of in on at by for with from into onto over under about between through during "
        "against without within across along among toward towards",
    }.items()
    for word in words.split()
}
_CONTRACTED_WITH_IS = frozenset(["he", "she", "it", "that", "there", "what", "who", "where", "here"])


def recase(replacement: str, source: str, capitals: Capitals) -> str:
    """Capitalise a replacement like the word that it replaces."""
    if len(source) > 1 and source.isupper():
        return replacement.upper()
    if not source[:1].isupper() or capitals == "lost":
        return replacement
    if capitals == "title":
        return " ".join(word[:1].upper() + word[1:] for word in replacement.split(" "))
    return replacement[:1].upper() + replacement[1:]


_SOUNDS_LIKE_CONSONANT = re.compile(r"(eu|ew|one\b|once|uni([^nm]|$)|us[aeiu]|ut[ei]|u[bk]i)")
_SILENT_H = re.compile(r"(hour|honest|honou?r|heir)")


def indefinite_article(word: str) -> str:
    """Return "a" or "an" for a word, guessing its first sound from its spelling."""
    word = word.lower()
    if word[:1] in "aeiou" and not _SOUNDS_LIKE_CONSONANT.match(word):
        return "an"
    return "an" if _SILENT_H.match(word) else "a"
