"""Removes marks that carry no words: links, bold and other markup, hashtags, and signs around or between single words.

Reads Markdown, HTML tags, BBCode, wiki markup, reStructuredText and LaTeX's commands for emphasis, as far as they occur
inside plain text. Ordinary punctuation stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.characters import TABLE_SIZE, all_bytes_but, code_points, count_bytes, to_text
from unspun.model.text.edits import Editor, TextEdit

FEWEST_MARKS, MARKED_WORDS = 5, 0.03
"""Least number and share of single words with signs around or between them for the signs to be noise.

People put a few words in quotes; more than one word in thirty is a disguise, or an unusual way to emphasise.
"""
TICKED_WORDS = 0.15
"""Share of words in ticks above which the ticks do not mark the names of a program."""
FEWEST_EMOJI = 2
"""Times that an emoji must occur to be removed."""
QUOTED = 0.9
"""Share of a text inside quotation marks above which nobody is quoted."""
FEWEST_BESIDE_TAGS = 5
"""Different words beside HTML tags from which they are markup of a text, and not a program."""
LONGEST_LINK = 300
"""Most characters of a link's words, and of its target."""


class _Markup(NamedTuple):
    """A kind of markup: what is left of a match of `pattern` is its last group, or a line break if it has no group.

    Patterns begin with a character, and look behind it afterwards. `re` is several times as slow if it has to look
    behind first.
    """

    sign: str
    """Every match contains this, which rules out most text without a search."""
    pattern: re.Pattern[str]
    kind: str = "markup"


_INLINE_TAGS = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike "
    "strong sub sup time tt u var wbr"
)
_BLOCK_TAGS = (
    "address article aside blockquote body br button caption center dd div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 head header hr html img input li link main meta nav ol option p pre section select source "
    "summary table tbody td tfoot th thead title tr ul video"
)
_BB_CODES = "b|i|u|s|url|quote|color|colour|size|font|center|left|right|list|code|img|email|spoiler|highlight"


def _tags(names: str) -> str:
    """Return the pattern of HTML tags with these names. "a<b and b>c" is not a tag: attributes have a value."""
    return rf"</?(?:{'|'.join(names.split())})(?:\s[^<>=]{{0,40}}=[^<>]{{0,{LONGEST_LINK}}})?\s?/?>"


def _emphasis(sign: str) -> str:
    """Return the pattern of words between signs. Inside a word ("2**3", "snake_case") the sign is not markup."""
    words = rf"(?:[^{sign}\n]|\n(?!\n)){{1,600}}?"
    opening = rf"(?P<s>{sign}(?<![\w{sign}]{sign}){sign}{{0,2}})"
    return rf"{opening}(?=[^\s{sign}])({words})(?<=[^\s{sign}])(?P=s)(?![\w{sign}])"


_WORDS = rf"(?!\^?\d{{1,3}}\])[^\[\]\n]{{1,{LONGEST_LINK}}}?"
_TARGET = rf"[^()\s]{{0,{LONGEST_LINK}}}(?:\([^()\s]{{0,99}}\)[^()\s]{{0,99}})?(?:\s+\"[^\"\n]{{0,99}}\")?"
_ROLE = rf"(?::[a-z:+-]{{1,30}}:`|`(?=[^`\n]{{1,{LONGEST_LINK}}}`_))([^`<>\n]{{1,{LONGEST_LINK}}}?)"
_ROLE_END = rf"(?:\s*<[^<>`\n]{{1,{LONGEST_LINK}}}>)?`_{{0,2}}"
_NOTE = r"(?:\^?\d{1,3}(?:[,–-] ?\d{1,3}){0,5}|note \d{1,3}|citation needed)\]"
_RAISED = "¹²³⁰⁴⁵⁶⁷⁸⁹†‡"
_NO_CODE = r"(?!(?:include|define|undef|ifdef|ifndef|if|else|elif|endif|pragma|import|media|charset)\b)"
_TAG = rf"{_NO_CODE}([A-Za-z]\w*)"

_MARKUP = (
    _Markup("<", re.compile(rf"(?i){_tags(_INLINE_TAGS)}()")),
    _Markup("<", re.compile(rf"(?i){_tags(_BLOCK_TAGS)}")),
    # Links: "words":https://target, https://target[words], \\href{target}{words}.
    _Markup("://", re.compile(rf'"([^"\n]{{1,{LONGEST_LINK}}})":https?://[^\s"]{{1,{LONGEST_LINK}}}')),
    _Markup("://", re.compile(rf"(?:link:)?https?://[^\s\[\]]{{1,{LONGEST_LINK}}}\[({_WORDS})\]")),
    _Markup("\\", re.compile(rf"\\href\{{[^{{}}\n]{{1,{LONGEST_LINK}}}\}}\{{([^{{}}\n]{{1,{LONGEST_LINK}}})\}}")),
    # Links: [words](target), [words][target], [[target|words]], [https://target words].
    _Markup("[", re.compile(rf"!?\[({_WORDS})\]\({_TARGET}\)")),
    _Markup("[", re.compile(rf"\[({_WORDS})\]\[[^\[\]\n]{{0,99}}\]")),
    _Markup("[", re.compile(rf"\[\[(?:[^\[\]|\n]{{1,{LONGEST_LINK}}}\|)?([^\[\]|\n]{{1,{LONGEST_LINK}}})\]\]")),
    _Markup("[", re.compile(rf"\[(?:https?:)?//[^\s\[\]]{{1,{LONGEST_LINK}}} ({_WORDS})\]")),
    _Markup("[/", re.compile(rf"(?i)\[/?(?:{_BB_CODES})(?:=[^\]\n]{{0,{LONGEST_LINK}}})?\]()")),
    _Markup("`", re.compile(_ROLE + _ROLE_END)),
    _Markup("\\", re.compile(r"\\(?:textbf|textit|textsc|texttt|emph|underline)\{([^{}]{1,300})\}")),
    _Markup("*", re.compile(_emphasis(r"\*"))),
    _Markup("_", re.compile(_emphasis("_"))),
    _Markup("~", re.compile(r"~~(?=\S)([^~\n]{1,300}?)(?<=\S)~~")),
    _Markup("'''", re.compile(r"'''(?=\S)([^'\n]{1,300}?)(?<=\S)'''")),
    # Marks of notes follow a word or a sentence without a space. In code, "a[3]" is followed by an operator.
    _Markup("[", re.compile(rf"\[(?<=[\w.,;:!?\"'”’)\]]\[){_NOTE}(?:\[{_NOTE}){{0,8}}(?! ?[=;+*/<>(\[{{-]|\.\w)()")),
    *(_Markup(sign, re.compile(rf"(?:(?<=[A-Za-z]{{4}})|(?<=[.,;:!?\"”’)]))[{_RAISED}]{{1,3}}()")) for sign in _RAISED),
    # Hashtags and mentions. Lines of code start with these signs, too.
    *(
        _Markup(sign, re.compile(pattern), "hashtag")
        for sign in "#@"
        for pattern in (
            rf"[#@](?<=[ \t(\"'“‘][#@]){_TAG}(?=[\s.,;:!?)\"'”’]|$)",
            rf"(?m)^[#@]{_TAG}(?=[ \t]+[A-Za-z]|[,.:!?])",
        )
    ),
)
_SIGNS = {one.sign for one in _MARKUP}
_ANY_TAG = re.compile(r"<[^<>]{0,300}>")
_INVISIBLE = (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>"))
"""Elements of HTML whose content is not text: their first and last characters."""


def strip_markup(editor: Editor) -> None:
    """Remove the marks of a text, in time linear in its length, and count them. Other text is left unchanged."""
    tagged = "<" in editor.text and _has_words_beside_tags(editor.text)
    if tagged:
        for first, last in _INVISIBLE:
            editor.count("markup", editor.remove(_between(editor.text, first, last)))
    text = editor.text
    # A single character is found much faster than several, so it rules out most of the others.
    signs = {sign for sign in _SIGNS if sign[-1] in text and sign in text} - ({"<"} if not tagged else set())
    if not signs:
        return
    for sign, pattern, kind in _MARKUP:
        if sign in signs:
            matches = list(pattern.finditer(editor.text))
            editor.replace(edit for match in matches for edit in _edits(match))
            editor.count(kind, len(matches))


def strip_noise(editor: Editor) -> None:
    """Remove signs around and between single words, around all sentences, and emoji, and count them."""
    _strip_wrappers(editor)
    _strip_separators(editor)
    _strip_outer_quotes(editor)


def _has_words_beside_tags(text: str) -> bool:
    """Return whether a text with tags is more than a piece of code."""
    return len(set(_ANY_TAG.sub(" ", text).split())) >= FEWEST_BESIDE_TAGS


def _between(text: str, first: str, last: str) -> Iterator[tuple[int, int]]:
    """Yield the spans from `first` to `last`, in any case."""
    folded = text.lower()
    if len(folded) != len(text):  # a letter such as "İ" becomes two
        folded = text
    start = folded.find(first)
    while start >= 0:
        end = folded.find(last, start)
        if end < 0:
            return
        yield start, end + len(last)
        start = folded.find(first, end)


def _edits(match: re.Match[str]) -> Iterator[TextEdit]:
    """Yield the edits that leave of a match what _Markup says."""
    groups = match.re.groups
    if not groups:
        yield TextEdit(*match.span(), "\n")
        return
    start, end = match.span(groups)
    for a, b in ((match.start(), start), (end, match.end())):
        if a < b:
            yield TextEdit(a, b, "")


_QUOTES = {*zip("\"'“‘„«‹「´`", "\"'”’“»›」´'", strict=True)}
_BRACKETS = {*zip("([{<*_~【=+^", ")]}>*_~】=+^", strict=True)}
"""Signs around words: what opens and what closes."""
_OPENING, _CLOSING = ("".join(sorted({*signs, "`"})) for signs in zip(*_QUOTES, *_BRACKETS, strict=True))
_NO_OPENING = all_bytes_but(_OPENING)
_WRAPPED = re.compile(rf"[{re.escape(_OPENING)}][^\W\d_](?:[\w'’-]*\w)?[{re.escape(_CLOSING)}]")
_JSON_VALUE = re.compile(r":\s{0,9}(?:[\"{\[\d-]|true\b|false\b|null\b)")
_MOST_LAYERS = 3
_QUOTED = {a: re.compile(f"{a}[^{a}{b}\\n]{{1,2000}}{b}") for a, b in ("“”", '""', "«»", "‘’")}


def _strip_wrappers(editor: Editor) -> None:
    """Remove the signs around single words ("word", (word), ~word~) if many words of a text have them."""
    for _ in range(_MOST_LAYERS):
        text = editor.text
        if not _are_noise(count_bytes(text, _NO_OPENING), text):
            return
        found = [match.span() for match in _WRAPPED.finditer(text)]
        if not _are_noise(len(found), text):
            return
        in_quotes = [
            (start, end)
            for start, end in found
            if (text[start], text[end - 1]) in _QUOTES and not _in_json(text, start, end)
        ]
        in_ticks = [(start, end) for start, end in found if text[start] == text[end - 1] == "`"]
        if len(in_ticks) > TICKED_WORDS * _spaces(text):
            in_quotes = sorted(in_quotes + in_ticks)
        in_brackets = [
            (start, end)
            for start, end in found
            # In code, a bracket follows a name, and people put abbreviations in brackets.
            if (text[start], text[end - 1]) in _BRACKETS
            and not text[start - 1 : start].isalnum()
            and not text[start + 1 : end - 1].isupper()
        ]
        if not _are_noise(len(in_quotes) + len(in_brackets), text):
            return
        editor.count("quotes", len(in_quotes))
        editor.count("markup", len(in_brackets))
        pairs = sorted(in_quotes + in_brackets)
        _peel(editor, pairs)


def _in_json(text: str, start: int, end: int) -> bool:
    """Return whether a quoted word is a key or a value of JSON."""
    return _JSON_VALUE.match(text, end) is not None or text[max(start - 3, 0) : start].rstrip().endswith('":')


def _are_noise(number: int, text: str) -> bool:
    return number >= FEWEST_MARKS and number > MARKED_WORDS * _spaces(text)


def _spaces(text: str) -> int:
    return text.count(" ") + text.count("\n")


_ORDINARY = "|!\"#$%&'()*+,-./:;<=>?@[\\]^_`{}£€§°©®™–—…│┃¦‘’‚“”„«»‹›¡¿´"
"""Signs that people put between words, and those of program code."""


@cache
def _rare_signs() -> NDArray[np.bool_]:
    """Return which code points of the Basic Multilingual Plane are signs that are rare between words (65536,)."""
    plane = [chr(code) for code in range(TABLE_SIZE)]
    return np.array(
        [not (one.isalnum() or one.isspace() or one in _ORDINARY or unicodedata.combining(one)) for one in plane]
    )


def _strip_separators(editor: Editor) -> None:
    """Remove emoji, and signs between words ("word • word") if a text has many of them."""
    text = editor.text
    if text.isascii() and "~" not in text:
        return
    characters = code_points(text)
    rare = _rare_signs().take(characters, mode="clip") | (characters >= TABLE_SIZE)
    if not rare.any():
        return
    signs = "".join(
        re.escape(sign)
        for sign, number in Counter(to_text(characters[rare])).items()
        if not sign.isalnum()
        and (_are_noise(number, text) or (number >= FEWEST_EMOJI and unicodedata.category(sign) in ("So", "Sk")))
    )
    if signs:
        # A sign at the start of a line is a bullet.
        between = re.compile(rf"(?<=[\w.,;:!?…'\"”’)])([ \t]*)([{signs}])\2*(?=([ \t]*)(?:[\w'\"“‘(]|$))", re.M)
        edits = (
            TextEdit(match.end(1), match.end(), "" if match[1] or match[3] else " ") for match in between.finditer(text)
        )
        editor.count("markup", editor.replace(edits))


def _peel(editor: Editor, spans: Iterable[tuple[int, int]]) -> None:
    """Remove the first and the last character of each span."""
    editor.remove(sign for start, end in spans for sign in ((start, start + 1), (end - 1, end)))


def _strip_outer_quotes(editor: Editor) -> None:
    """Remove quotation marks if nearly all of a text is inside them, sentence by sentence."""
    for opening, pattern in _QUOTED.items():
        if editor.text.count(opening) < FEWEST_MARKS:
            continue
        found = [match.span() for match in pattern.finditer(editor.text)]
        if len(found) >= FEWEST_MARKS and sum(end - start for start, end in found) > QUOTED * len(editor.text):
            editor.count("quotes", len(found))
            _peel(editor, found)
