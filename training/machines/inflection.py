"""English inflection: which lemma and form a word is, and how another lemma takes the same form.

A thesaurus knows lemmas ("instruct": "tell"); text holds forms ("instructed"). `analyse` goes from the form
to the lemma, `inflect` back from another lemma to the same form ("told"), so that a replacement agrees with
its sentence. `inflect_naively` does it as cheap spinners do, by suffix and without a dictionary of irregular
forms ("telled").

Forms are named by their Penn Treebank tag; VBP is folded into VB and proper nouns are left out. The tables
come from `lemminflect`; everything is cached, so a vocabulary of 40,000 words costs seconds and only once a
process.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import Literal, NamedTuple

Pos = Literal["noun", "verb", "adj", "adv"]
Tag = Literal["NN", "NNS", "VB", "VBZ", "VBG", "VBD", "VBN", "JJ", "JJR", "JJS", "RB", "RBR", "RBS"]

POS_TAGS: dict[Pos, tuple[Tag, ...]] = {
    "noun": ("NN", "NNS"),
    "verb": ("VB", "VBZ", "VBG", "VBD", "VBN"),
    "adj": ("JJ", "JJR", "JJS"),
    "adv": ("RB", "RBR", "RBS"),
}
"""The forms a part of speech has; the first is the lemma itself."""

TAG_POS: dict[Tag, Pos] = {tag: pos for pos, tags in POS_TAGS.items() for tag in tags}

TAG_SHARE: dict[Tag, float] = {
    "NN": 0.72, "NNS": 0.28,
    "VB": 0.38, "VBZ": 0.12, "VBG": 0.14, "VBD": 0.19, "VBN": 0.17,
    "JJ": 0.95, "JJR": 0.03, "JJS": 0.02,
    "RB": 0.96, "RBR": 0.03, "RBS": 0.01,
}  # fmt: skip
"""Rough share of each form among the uses of a lemma: weighs readings of one spelling ("building")."""

_UPOS: dict[Pos, str] = {"noun": "NOUN", "verb": "VERB", "adj": "ADJ", "adv": "ADV"}
_PREPOSITIONS = frozenset(
    ("of", "in", "for", "to", "at", "on", "by", "from", "with", "under", "over", "against", "per")
)
_PLURAL_LEMMAS = frozenset(["people", "police", "cattle", "media", "data", "folk", "clothes", "goods"])
_PARTICLES = frozenset(["up", "down", "out", "off", "away", "back", "over", "through"])
_VOWEL_GROUP = re.compile(r"[aeiouy]+")
_DOUBLES = re.compile(r"[^aeiou][aeiou][bdgklmnprt]$")


class Analysis(NamedTuple):
    """One reading of a word form: `inflect(lemma, tag)` gives the form back."""

    lemma: str
    pos: Pos
    tag: Tag


@cache
def _lemminflect() -> ModuleType:
    """Return the inflection tables, or say how to get them."""
    try:
        import lemminflect
    except ImportError as error:
        raise RuntimeError(
            "inflection needs the package lemminflect: pip install 'unspun[train]' or pip install lemminflect"
        ) from error
    module: ModuleType = lemminflect
    return module


@cache
def word_frequencies() -> dict[str, float]:
    """Return the share of running English text that each word form makes up (wordfreq, frozen in 2021).

    Raises:
        RuntimeError: `wordfreq` is not installed.
    """
    try:
        import wordfreq
    except ImportError as error:
        raise RuntimeError(
            "word frequencies need the package wordfreq: pip install 'unspun[train]' or pip install wordfreq"
        ) from error
    frequencies: dict[str, float] = wordfreq.get_frequency_dict("en", wordlist="large")
    return frequencies


def frequency(phrase: str) -> float:
    """Return the share of running text a word makes up, 0 if unknown; for a phrase, a rough estimate."""
    table = word_frequencies()
    if " " not in phrase and "-" not in phrase:
        return table.get(phrase, 0.0)
    words = [table.get(word, 0.0) for word in re.split(r"[ -]", phrase) if word]
    # A phrase is rarer than its rarest word; a tenth per further word is about what bigram counts show.
    return min(words, default=0.0) * 0.1 ** (len(words) - 1)


@cache
def analyse(form: str) -> tuple[Analysis, ...]:
    """Return every dictionary reading of a lower-case word form, by part of speech; empty if unknown."""
    tables = _lemminflect()
    found: list[Analysis] = []
    lemmas: dict[str, tuple[str, ...]] = tables.getAllLemmas(form)
    for pos, upos in _UPOS.items():
        for lemma in lemmas.get(upos, ()):
            forms: dict[str, tuple[str, ...]] = tables.getAllInflections(lemma, upos)
            base = POS_TAGS[pos][0]
            # Regular verbs are listed without a participle: it is the past tense.
            past: tuple[str, ...] = forms.get("VBD", ())
            tags = [tag for tag in POS_TAGS[pos] if form in forms.get(tag, past if tag == "VBN" else ())]
            if lemma == form and pos == "noun":
                # Uncountable nouns are listed as their own plural; few of them are used as one.
                tags = ["NNS"] if form in _PLURAL_LEMMAS else ["NN"]
            elif lemma == form and base not in tags:
                tags.insert(0, base)
            found.extend(Analysis(lemma, pos, tag) for tag in tags)
    return tuple(found)


@cache
def inflect(lemma: str, tag: Tag) -> str:
    """Return the form of a lemma, its commonest spelling; of a phrase, with its head inflected.

    `inflect("tell", "VBD") == "told"`, `inflect("carry out", "VBG") == "carrying out"`,
    `inflect("man of letters", "NNS") == "men of letters"`, `inflect("important", "JJR") == "more important"`.
    """
    if tag in ("NN", "VB", "JJ", "RB"):
        return lemma
    if " " in lemma:
        return _inflect_phrase(lemma, tag)
    comparison = TAG_POS[tag] in ("adj", "adv")
    forms: tuple[str, ...] = _lemminflect().getInflection(lemma, tag, inflect_oov=False)
    if len(forms) > 1:
        # An unchanged plural ("fish") is counted with its singular: believe it only where the other form is
        # very rare. max() keeps the first of equals: the dictionary's own order.
        return max(forms, key=lambda form: frequency(form) * (0.05 if form == lemma and tag == "NNS" else 1.0))
    if forms:
        return forms[0]
    if comparison:
        return f"{'more' if tag in ('JJR', 'RBR') else 'most'} {lemma}"
    if "-" in lemma:
        head, _, tail = lemma.rpartition("-")
        if tail in _PREPOSITIONS or tail in _PARTICLES:
            return f"{inflect(head, tag)}-{tail}"
        return f"{head}-{inflect(tail, tag)}"
    if tag == "NNS" and lemma.endswith(("man", "person")) and lemma not in ("man", "person"):
        return lemma[:-3] + "men" if lemma.endswith("man") else lemma[:-6] + "people"
    return inflect_naively(lemma, tag)


def _inflect_phrase(phrase: str, tag: Tag) -> str:
    """Inflect a phrase by its head.

    That is the first word of a verb, and of a noun the word before a preposition or else the last.
    """
    words = phrase.split(" ")
    pos = TAG_POS[tag]
    if pos in ("adj", "adv"):
        return f"{'more' if tag in ('JJR', 'RBR') else 'most'} {phrase}"
    head = 0
    if pos == "noun":
        head = next((i - 1 for i, word in enumerate(words) if i and word in _PREPOSITIONS), len(words) - 1)
    words[head] = inflect(words[head], tag)
    return " ".join(words)


@cache
def inflect_naively(lemma: str, tag: Tag) -> str:
    """Return the form by suffix rules alone, as simple tools do: "mans", "telled", "more big"."""
    head, space, rest = lemma.partition(" ") if TAG_POS[tag] == "verb" else ("", "", lemma)
    word = head or rest
    if tag in ("NNS", "VBZ"):
        ending = "es" if re.search(r"(s|x|z|ch|sh)$", word) else "s"
        stem = word
        if re.search(r"[^aeiou]y$", word):
            stem, ending = word[:-1], "ies"
    elif tag in ("VBD", "VBN", "VBG"):
        ending = "ing" if tag == "VBG" else "ed"
        stem = word
        if word.endswith("e") and not word.endswith(("ee", "oe", "ye")):
            stem = word[:-1]
        elif ending == "ed" and re.search(r"[^aeiou]y$", word):
            stem = word[:-1] + "i"
        elif len(_VOWEL_GROUP.findall(word)) == 1 and _DOUBLES.search(word):
            stem = word + word[-1]
    elif tag in ("JJR", "RBR", "JJS", "RBS"):
        return f"{'more' if tag in ('JJR', 'RBR') else 'most'} {lemma}"
    else:
        return lemma
    return f"{stem}{ending}{space}{rest}" if head else f"{stem}{ending}"
