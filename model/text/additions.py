"""Removes what was added to many sentences of a text: boilerplate phrases, asides, citations, addresses and tags.

Once or twice, such an addition is left to `prose`, which leaves out its sentence. But additions in many sentences would
hide a whole text, or break it up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from unspun.model.text.boilerplate import load_boilerplate
from unspun.model.text.characters import all_bytes_but, count_bytes
from unspun.model.text.edits import Editor

FEWEST, SENTENCES = 4, 0.25
"""Additions, and their share of the number of sentences, from which they are removed."""
ASIDES, CITED_SENTENCES = 0.5, 0.7
"""The same share for asides, and for citations, which scholars add to many sentences."""
REPEATED_ENDS, MOST_MORE_WORDS = 0.4, 6
"""The same for the last two words of sentences, and the most words before them that belong to the same phrase."""
HEAD = 1000
"""Characters at the start of a text that are searched for phrases."""
LONG_LINE = 200
"""Characters of a line in which a phrase that is a sentence is not part of the page around an article."""

_NO_BRACKETS = all_bytes_but("([")
_ENDS = re.compile(r"[.!?][\"'”’)]*(?:\s|$)")
# Of several words: a single one may be a word of the sentence, or the year of a reference.
_ASIDE = re.compile(r"\((?=[^()\n]{0,80} )[^()\n]{4,80}\)|\[(?=[^\[\]\n]{0,80} )[^\[\]\n]{4,80}\]")
_AUTHOR = r"[A-Z][\w'’-]{1,30}"
_CITATION = re.compile(
    rf"\((?:(?:see|cf\.|e\.g\.,?) )?{_AUTHOR}(?:(?:,| and| &) {_AUTHOR}){{0,4}}(?: et al\.?)?,? (?:19|20)\d\d[a-z]?"
    rf"(?:[,;:] ?[^()\n]{{1,80}})?\)"
)
_ADDRESS = re.compile(r" ?[(\[<]?(?:https?://|www\.)[^\s()<>\[\]]{1,300}[)\]>]?")
# Tags at the end of a paragraph, and names of readers before a sentence, are not part of a sentence.
_TAGS = re.compile(r"(?m)(?:(?<=[.!?…\"”')]) |^)(?:#\w{1,50}[ \t]*){2,40}$")
_NAMES = re.compile(r"(?m)(?:(?<=[.!?…\"”')] )|^)(?:@\w{1,50}[ ,:]{1,2}){1,10}(?=[A-Z\"“'‘])")
_LAST_WORDS = re.compile(r"(\w[\w'’-]{0,30}\s+\w[\w'’-]{0,30})[.!?](?=\s|$)")
_SENTENCE_EDGES = ("", *".!?|\n")


def remove_tags(editor: Editor) -> None:
    """Remove hashtags below a text or a paragraph and the names of readers before a sentence."""
    for pattern, sign, least in ((_TAGS, "#", 2), (_NAMES, "@", 1)):
        if sign in editor.text and editor.text.count(sign) >= least:
            editor.count("hashtag", editor.remove(match.span() for match in pattern.finditer(editor.text)))


def remove_additions(editor: Editor) -> None:
    """Remove additions to sentences, in time linear in their length, and count them. Other text is left unchanged."""
    text = editor.text
    if count_bytes(text, _NO_BRACKETS) >= FEWEST and (text.count("(") >= FEWEST or text.count("[") >= FEWEST):
        _remove(editor, "aside", _repeated_asides(editor.text), ASIDES)
        _remove(editor, "aside", map(_with_space, _CITATION.finditer(editor.text)), CITED_SENTENCES)
    if text.count("://") + text.count("www.") >= FEWEST:
        _remove(editor, "address", (match.span() for match in _ADDRESS.finditer(editor.text)))
    _remove(editor, "boilerplate_phrase", _phrases(editor.text))
    _remove(editor, "boilerplate_phrase", _repeated_ends(editor.text), REPEATED_ENDS)


def _remove(editor: Editor, kind: str, spans: Iterable[tuple[int, int]], share: float = SENTENCES) -> None:
    """Remove spans if a share of the sentences have one."""
    found = sorted(spans)
    if len(found) >= FEWEST and len(found) >= share * sum(1 for _ in _ENDS.finditer(editor.text)):
        editor.count(kind, editor.remove(found))


def _repeated_asides(text: str) -> Iterator[tuple[int, int]]:
    # In a program, a bracket follows a name without a space.
    asides = [match for match in _ASIDE.finditer(text) if text[match.start() - 1 : match.start()] == " "]
    counts = Counter(match.group() for match in asides)
    yield from (_with_space(match) for match in asides if counts[match.group()] >= FEWEST)


def _repeated_ends(text: str) -> Iterator[tuple[int, int]]:
    """Yield the words with which many sentences end: a phrase of a web page that no list has."""
    parts = text[:HEAD].lower().split(". ")[:-1]
    # In most texts, the last words are so different that the pairs need not be counted.
    if len({"".join(part.rsplit(None, 1)[-1:]) for part in parts}) > len(parts) - (FEWEST - 2):
        return
    ends = Counter(tuple(part.rsplit(None, 2)[-2:]) for part in parts)
    if ends.most_common(1)[0][1] < FEWEST - 1:
        return
    ends = Counter(tuple(match[1].lower().split()) for match in _LAST_WORDS.finditer(text))
    common, number = next(iter(ends.most_common(1)), ((), 0))
    if number < FEWEST:
        return
    # The two words are the end of a longer phrase, if the words before them are the same as well.
    phrase = " ".join(common)
    for _ in range(MOST_MORE_WORDS):
        longer = re.compile(rf"(?i)(\S+\s+{re.escape(phrase)})(?=[.!?])")
        before = Counter(match[1].lower() for match in longer.finditer(text))
        if not before or before.most_common(1)[0][1] < 0.9 * number:
            break
        phrase = before.most_common(1)[0][0]
    else:
        return  # whole sentences are repeated
    end = rf"(?<=[.!?])\s+{re.escape(phrase)}[.!?]|[\s,;:\u2013\u2014-]{{0,9}}{re.escape(phrase)}(?=[.!?])"
    yield from (match.span() for match in re.finditer(end, text, re.IGNORECASE))


def _with_space(match: re.Match[str]) -> tuple[int, int]:
    """Return the span of a match and of the space before it."""
    start, end = match.span()
    return start - (match.string[start - 1 : start] == " "), end


def _is_in_long_line(text: str, place: int) -> bool:
    end = text.find("\n", place)
    return (len(text) if end < 0 else end) - text.rfind("\n", 0, place) > LONG_LINE


def _phrases(text: str) -> Iterator[tuple[int, int]]:
    # What is in many sentences is in the first ones, too.
    head = text[:HEAD].lower()
    phrases = [phrase for phrase in load_boilerplate().anywhere if phrase in head]
    folded = text.lower() if phrases else ""
    if len(folded) != len(text):
        return
    for phrase in phrases:
        place = folded.find(phrase)
        while place >= 0:
            start, end = place, place + len(phrase)
            place = folded.find(phrase, end)
            before, after = text[max(start - 9, 0) : start].rstrip(" ")[-1:], text[end : end + 9].lstrip(" ")[:1]
            alone = before in _SENTENCE_EDGES and after in _SENTENCE_EDGES
            if not phrase[0].isalpha() or (alone and not _is_in_long_line(text, start)):
                continue
            end += alone and after == "."
            if text[start - 1 : start] == "(" and text[end : end + 1] == ")":
                start, end = start - 1, end + 1
            yield start - (text[start - 1 : start] == " "), end
