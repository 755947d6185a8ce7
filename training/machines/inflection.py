"""English inflection: the lemma and form of a word, and the same form of another lemma.

A thesaurus lists lemmas ("instruct": "tell"); text contains forms ("instructed"). `analyse` finds a form's lemma, and
`inflect` gives another lemma the same form ("told"), so that a replacement agrees with its sentence. `inflect_naively`
does this as cheap spinners do, by suffix alone ("telled").

Forms are named by their Penn Treebank tags, except that VBP is VB and proper nouns are left out. The tables come from
`lemminflect`. Everything is cached, so a vocabulary of 40,000 words takes seconds, once per process.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import Literal, NamedTuple

Pos = Literal["noun", "verb", "adj", "adv"]
Tag = Literal["NN", "NNS", "VB", "VBZ", "VBG", "VBD", "VBN", "JJ", "JJR", "JJS", "RB", "RBR", "RBS"]
Inflection = Literal["correct", "naive", "none"]
"""How a replacement is inflected: by dictionary, by suffix rules alone ("telled"), not at all ("tell")."""

POS_TAGS: dict[Pos, tuple[Tag, ...]] = {
    "noun": ("NN", "NNS"),
    "verb": ("VB", "VBZ", "VBG", "VBD", "VBN"),
    "adj": ("JJ", "JJR", "JJS"),
    "adv": ("RB", "RBR", "RBS"),
}
"""The forms of each part of speech; the first is the lemma itself."""

TAG_POS: dict[Tag, Pos] = {tag: pos for pos, tags in POS_TAGS.items() for tag in tags}

TAG_SHARE: dict[Tag, float] = {
    "NN": 0.72, "NNS": 0.28,
    "VB": 0.38, "VBZ": 0.12, "VBG": 0.14, "VBD": 0.19, "VBN": 0.17,
    "JJ": 0.95, "JJR": 0.03, "JJS": 0.02,
    "RB": 0.96, "RBR": 0.03, "RBS": 0.01,
}  # fmt: skip
"""Rough share of each form among the uses of a lemma, to weigh the readings of one spelling ("building")."""

_UPOS: dict[Pos, str] = {"noun": "NOUN", "verb": "VERB", "adj": "ADJ", "adv": "ADV"}
_PREPOSITIONS = frozenset(
    ["of", "in", "for", "to", "at", "on", "by", "from", "with", "under", "over", "against", "per"]
)
_PLURAL_LEMMAS = frozenset(["people", "police", "cattle", "media", "data", "folk", "clothes", "goods"])
_PARTICLES = frozenset(["up", "down", "out", "off", "away", "back", "over", "through"])
_VOWEL_GROUP = re.compile(r"[aeiouy]+")
_DOUBLES = re.compile(r"[^aeiou][aeiou][bdgklmnprt]$")


class Analysis(NamedTuple):
    """One reading of a word form: `inflect(lemma, tag)` returns the form."""

    lemma: str
    pos: Pos
    tag: Tag


def missing_package(package: str, what: str) -> RuntimeError:
    """Return the error for a package that training data is read from and that is not installed."""
    return RuntimeError(f"{what}: package {package} is missing; pip install 'unspun[train]' or pip install {package}")


@cache
def _lemminflect() -> ModuleType:
    try:
        import lemminflect
    except ImportError as error:
        raise missing_package("lemminflect", "inflection tables") from error
    module: ModuleType = lemminflect
    return module


@cache
def word_frequencies() -> dict[str, float]:
    """Return the share of English running text that each word form makes up (wordfreq, frozen in 2021).

    Raises RuntimeError if `wordfreq` is not installed.
    """
    try:
        import wordfreq
    except ImportError as error:
        raise missing_package("wordfreq", "word frequencies") from error
    frequencies: dict[str, float] = wordfreq.get_frequency_dict("en", wordlist="large")
    return frequencies


def frequency(phrase: str) -> float:
    """Return the share of running text that a word makes up, or a rough estimate for a phrase; 0 if unknown."""
    table = word_frequencies()
    if " " not in phrase and "-" not in phrase:
        return table.get(phrase, 0.0)
    words = [table.get(word, 0.0) for word in re.split(r"[ -]", phrase) if word]
    # A phrase is rarer than its rarest word: by a factor of about ten per further word in bigram counts.
    return min(words, default=0.0) * 0.1 ** (len(words) - 1)


@cache
def analyse(form: str) -> tuple[Analysis, ...]:
    """Return every dictionary reading of a lower-case word form, in order of part of speech; empty if unknown."""
    tables = _lemminflect()
    found: list[Analysis] = []
    lemmas: dict[str, tuple[str, ...]] = tables.getAllLemmas(form)
    for pos, upos in _UPOS.items():
        for lemma in lemmas.get(upos, ()):
            forms: dict[str, tuple[str, ...]] = tables.getAllInflections(lemma, upos)
            base = POS_TAGS[pos][0]
            # Regular verbs are listed without a participle, which equals the past tense.
            past: tuple[str, ...] = forms.get("VBD", ())
            tags = [tag for tag in POS_TAGS[pos] if form in forms.get(tag, past if tag == "VBN" else ())]
            if lemma == form and pos == "noun":
                # Uncountable nouns are listed as their own plural, but few are used that way.
                tags = ["NNS"] if form in _PLURAL_LEMMAS else ["NN"]
            elif lemma == form and base not in tags:
                tags.insert(0, base)
            found.extend(Analysis(lemma, pos, tag) for tag in tags)
    return tuple(found)


@cache
def inflect(lemma: str, tag: Tag) -> str:
    """Return a form of a lemma in its commonest spelling. In a phrase, the head is inflected.

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
        # An unchanged plural ("fish") is counted with its singular, so it wins only if the other form is very rare.
        # max() keeps the first of equals, as the dictionary orders them.
        return max(forms, key=lambda form: frequency(form) * (0.05 if form == lemma and tag == "NNS" else 1.0))
    if forms:
        return forms[0]
    if comparison:
        return _with_more(lemma, tag)
    if "-" in lemma:
        head, _, tail = lemma.rpartition("-")
        if tail in _PREPOSITIONS or tail in _PARTICLES:
            return f"{inflect(head, tag)}-{tail}"
        return f"{head}-{inflect(tail, tag)}"
    if tag == "NNS" and lemma.endswith(("man", "person")) and lemma not in ("man", "person"):
        return lemma[:-3] + "men" if lemma.endswith("man") else lemma[:-6] + "people"
    return inflect_naively(lemma, tag)


def _inflect_phrase(phrase: str, tag: Tag) -> str:
    """Inflect a phrase by its head: the first word of a verb, the word before a preposition or the last of a noun."""
    words = phrase.split(" ")
    pos = TAG_POS[tag]
    if pos in ("adj", "adv"):
        return _with_more(phrase, tag)
    head = 0
    if pos == "noun":
        head = next((i - 1 for i, word in enumerate(words) if i and word in _PREPOSITIONS), len(words) - 1)
    words[head] = inflect(words[head], tag)
    return " ".join(words)


def _with_more(lemma: str, tag: Tag) -> str:
    return f"{'more' if tag in ('JJR', 'RBR') else 'most'} {lemma}"


@cache
def inflect_naively(lemma: str, tag: Tag) -> str:
    """Return a form by suffix rules alone, as simple tools do: "mans", "telled", "more big"."""
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
        return _with_more(lemma, tag)
    else:
        return lemma
    return f"{stem}{ending}{space}{rest}" if head else f"{stem}{ending}"
