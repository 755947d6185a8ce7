"""Finds the prose of a text. Everything else on a page is counted, but does not affect the score.

Lines are classified by general marks: a list by its bullets and fragments, a table by its columns and numbers, code by
its brackets and joined names, a heading by being alone and without an end, a list of references by its authors, years
and publishers. Only phrases of web pages ("Leave a Comment") are listed, in boilerplate.txt. A line that is in
doubt counts as prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.arrays import followed_by, starts_of_runs, steps
from unspun.model.text.boilerplate import load_boilerplate
from unspun.model.text.characters import fold, to_text
from unspun.model.text.references import FEWEST_ENTRIES, MOST_FUNCTION_WORDS, find_references
from unspun.model.text.sentences import CLOSERS, TERMINATORS, Layout, codes, is_among
from unspun.model.text.tokens import Shape, TokenClass, Tokens
from unspun.model.text.wordlists import NOTICE, listed_words

KINDS = ("boilerplate", "reference", "table", "code", "list", "heading")
"""The kinds of lines that are not prose, the most certain first. `Documents.excluded` counts them."""

LONGEST_BOILERPLATE, LONGEST_BOILERPLATE_SENTENCE = 45, 14
"""Most words of a line, and of a sentence inside a line, that can be boilerplate."""
LONGEST_HEADING, LONGEST_PLAIN_HEADING = 14, 9
"""Most words of a heading with capitalised words, and of one without."""
LONGEST_FRAGMENT = 12
"""Most words of a list item that is not a sentence."""
LONGEST_ROW = 4
"""Most words of an item in a list without bullets, and of a heading that ends in a colon."""

MOST_FENCED = 0.5
"""Share of a text between fences from which the fences are around prose."""
NOTICE_WORDS, FEWEST_NOTICE_WORDS, FEWEST_ADDRESSES, MOST_NOTICE = 0.2, 8, 2, 0.6
"""Share and number of the words of cookie notices in a notice, times that it says "we" or "you", and the largest
share of notices in a text."""

SENTENCE_SHARE = 0.25
"""Share of function words from which a line reads as a sentence."""

_BULLETS = codes("*+-•·▪▫◦‣⁃∙–—»›→✓✔✗●○■□➤►▶★")
_AFTER_COUNTERS = codes(".):")
_CODE = codes("{}=<>_\\^~$@")
_ENDS_CODE = codes(";{}")
_MAY_END_CODE = codes(";{}()[]:,=\\")
_COMMENT_SIGNS = codes("#/*;%\"'")
_JOINING = codes(",;-\u2013\u2014")
_MARKS_ENTRY = codes("[(")
_COLUMNS = codes("|\u2502\u2503\u00a6")


class _LineCounts:
    """Counts for the L lines of a batch. Arrays are (L,), except that those named `token_...`, `code_...` are (T,)."""

    code_first: NDArray[np.uint32]
    code_last: NDArray[np.uint32]
    token_is_word: NDArray[np.bool_]
    token_is_function: NDArray[np.bool_]
    sentence_like: NDArray[np.bool_]
    ended: NDArray[np.bool_]
    starts_paragraph: NDArray[np.bool_]

    def __init__(
        self, characters: NDArray[np.uint32], tokens: Tokens, lists: NDArray[np.uint32], layout: Layout
    ) -> None:
        self.tokens, self.layout, self.lists = tokens, layout, lists
        self.code_first = characters[tokens.start]
        self.code_last = characters[tokens.end - 1]
        word = tokens.token_class == TokenClass.WORD
        self.token_is_word = word
        self.size = layout.last - layout.first + 1
        self.words = self.count(word)
        self.token_is_function = word & (lists & listed_words().bit("en") > 0)
        self.functions = self.count(self.token_is_function)
        self.sentence_like = self.functions >= np.maximum(SENTENCE_SHARE * self.words, 1)
        self.end = self._end()
        self.ended = is_among(self.end, TERMINATORS)
        self.starts_paragraph = starts_of_runs(layout.line_paragraph)

    # Few texts have lines that are short enough for these.
    @cached_property
    def numbers(self) -> NDArray[np.int32]:
        return self.count(self.tokens.token_class == TokenClass.NUMBER)

    @cached_property
    def joins(self) -> NDArray[np.bool_]:
        return is_among(self.end, _JOINING)

    @cached_property
    def alone(self) -> NDArray[np.bool_]:
        return self.layout.after_blank & followed_by(self.layout.after_blank[1:], True)

    @cached_property
    def is_paragraph(self) -> NDArray[np.bool_]:
        paragraph = self.layout.line_paragraph
        answer: NDArray[np.bool_] = np.bincount(paragraph)[paragraph] == 1
        return answer

    def count(self, flags: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return the number of flagged tokens in each line."""
        return np.add.reduceat(flags.astype(np.int32), self.layout.first, dtype=np.int32)

    def _end(self) -> NDArray[np.uint32]:
        """Return the last character of each line, not counting closing quotes and brackets."""
        last = self.layout.last.copy()
        for _ in range(3):
            closes = is_among(self.code_last[last], CLOSERS) & (last > self.layout.first)
            if not closes.any():
                break
            last -= closes
        end: NDArray[np.uint32] = self.code_last[last]
        return end


def find_prose(
    characters: NDArray[np.uint32],
    tokens: Tokens,
    lists: NDArray[np.uint32],
    layout: Layout,
    sentences: NDArray[np.int32],
    document_start: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], tuple[dict[str, int], ...]]:
    """Return which tokens (T,) are prose, and for each document the number of lines of each other kind.

    `lists` (T,) are the `listed_words` that each token is among.
    """
    documents = document_start.size - 1
    if tokens.start.size == 0:
        return np.zeros(0, dtype=np.bool_), tuple({} for _ in range(documents))
    lines = _LineCounts(characters, tokens, lists, layout)
    folded = to_text(fold(characters))
    addresses = _in_addresses(folded, tokens)
    boilerplate = _boilerplate_sentences(folded, lines, sentences)
    beside = addresses | boilerplate
    # What is beside boilerplate in a line is boilerplate as well: "All rights reserved. Terms of use".
    bare = np.zeros(layout.first.size, dtype=np.bool_)
    if beside.any():
        bare = (lines.count(~beside) == 0) | (2 * lines.count(boilerplate) > lines.size)
    kinds = {
        "boilerplate": bare | _boilerplate_lines(folded, lines) | _is_notice(lines, documents),
        "reference": _is_reference(characters, lines, documents),
        "table": _is_table(lines),
        "code": _is_code(lines, addresses) | _is_fenced(lines, documents),
        "list": _is_list(lines),
        "heading": _is_heading(lines, sentences),
    }
    assigned = np.full(layout.first.size, -1, dtype=np.int8)
    for number in reversed(range(len(KINDS))):
        assigned[kinds[KINDS[number]]] = number
    _keep_whole_texts(assigned, lines, documents)
    token_prose = (assigned < 0)[layout.token_line] & ~beside
    return token_prose, _count_kinds(assigned, layout, documents)


def _count_kinds(assigned: NDArray[np.int8], layout: Layout, documents: int) -> tuple[dict[str, int], ...]:
    left_out = assigned >= 0
    if not left_out.any():
        return tuple({} for _ in range(documents))
    cells = layout.line_document[left_out] * len(KINDS) + assigned[left_out]
    table = np.bincount(cells, minlength=documents * len(KINDS)).reshape(documents, len(KINDS))
    return tuple({name: number for name, number in zip(KINDS, row, strict=True) if number} for row in table.tolist())


def _keep_whole_texts(assigned: NDArray[np.int8], lines: _LineCounts, documents: int) -> None:
    """Make headings prose again, in place, in documents that are mostly headings: verse, notes without full stops."""
    document = lines.layout.line_document
    heading = assigned == KINDS.index("heading")
    if not heading.any():
        return
    words = np.bincount(document, weights=lines.words * (assigned < 0), minlength=documents)
    in_headings = np.bincount(document, weights=lines.words * heading, minlength=documents)
    assigned[heading & (in_headings > words)[document]] = -1


def _is_heading(lines: _LineCounts, sentences: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which lines are headings: short one-line paragraphs without an end, alone or with capitalised words.

    Several short lines without an end in a row are verse or notes, unless their words are capitalised.
    """
    layout = lines.layout
    short = (lines.words <= LONGEST_HEADING) & (lines.words > 0) & ~lines.ended
    if not short.any():
        return short
    short &= lines.is_paragraph & ~lines.joins
    short &= lines.count(starts_of_runs(sentences)) <= 1
    ends_in_colon = lines.end == ord(":")
    content = lines.token_is_word & ~lines.token_is_function
    capital = content & (lines.tokens.shape & Shape.CAPITAL > 0)
    titled = lines.count(capital) >= np.maximum(0.7 * lines.count(content), 1)
    open_end = short & ~ends_in_colon
    next_open = np.append(open_end[1:] & ~layout.after_blank[1:], False)
    after_open = np.append(False, open_end[:-1]) & ~layout.after_blank
    single = lines.alone | ~(next_open | after_open)
    plain = titled | (single & (lines.words <= LONGEST_PLAIN_HEADING))
    heading: NDArray[np.bool_] = short & np.where(ends_in_colon, lines.words <= LONGEST_ROW, plain)
    return heading


def _is_list(lines: _LineCounts) -> NDArray[np.bool_]:
    """Return which lines are list items and not sentences: with a bullet or a number, or in a run of short lines."""
    layout, tokens = lines.layout, lines.tokens
    first = layout.first
    if (lines.words > LONGEST_FRAGMENT).all():
        return np.zeros(first.size, dtype=np.bool_)
    second = np.minimum(first + 1, layout.last)
    bullet = is_among(lines.code_first[first], _BULLETS) & (layout.last > first)
    bullet &= tokens.token_class[first] == TokenClass.PUNCTUATION
    counter = tokens.token_class[first] == TokenClass.NUMBER
    counter |= lines.token_is_word[first] & (tokens.end[first] - tokens.start[first] == 1)
    counter &= is_among(lines.code_first[second], _AFTER_COUNTERS) & (layout.last > second)
    counter &= tokens.shape[second] & Shape.SPACE_BEFORE == 0
    sentence = lines.sentence_like & (lines.ended | lines.joins | (lines.words >= 8))
    fragment = (lines.words <= LONGEST_FRAGMENT) & ~sentence
    row = lines.is_paragraph & (lines.words <= LONGEST_ROW) & ~lines.ended & ~lines.sentence_like
    row &= ~lines.joins & (lines.end != ord(":"))
    fragment &= lines.words > 0
    marked = bullet | counter
    # A row of wrapped prose may happen to start with a dash or a number.
    marked &= lines.starts_paragraph | np.append(False, marked[:-1])
    item: NDArray[np.bool_] = marked & fragment
    return item | _runs(row, layout.line_document, at_least=3)


def _runs(flags: NDArray[np.bool_], group: NDArray[np.int32], at_least: int) -> NDArray[np.bool_]:
    """Return the flags that are in a run of at least `at_least` flags, within a group."""
    lengths = steps(followed_by(_run_starts(flags, group), flags.size))
    long_run: NDArray[np.bool_] = (lengths >= at_least).repeat(lengths) & flags
    return long_run


def _run_starts(flags: NDArray[np.bool_], group: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the starts of runs of equal flags in the same group."""
    return (starts_of_runs(flags) | starts_of_runs(group)).nonzero()[0]


def _is_reference(characters: NDArray[np.uint32], lines: _LineCounts, documents: int) -> NDArray[np.bool_]:
    """Return which lines are in a list of references."""
    tokens, layout = lines.tokens, lines.layout
    if layout.first.size < FEWEST_ENTRIES:
        return np.zeros(layout.first.size, dtype=np.bool_)
    year = (tokens.token_class == TokenClass.NUMBER) & (tokens.end - tokens.start == 4)
    marked = is_among(lines.code_first[layout.first], _MARKS_ENTRY)
    marked |= lines.code_first[layout.first] - np.uint32(ord("0")) < 10
    may_be = (marked | (lines.count(year) > 0)) & (lines.functions <= MOST_FUNCTION_WORDS * lines.words + 2)
    found = np.zeros(layout.first.size, dtype=np.bool_)
    candidates = np.bincount(layout.line_document[may_be], minlength=documents)
    for document in (candidates >= FEWEST_ENTRIES).nonzero()[0].tolist():
        first, last = layout.line_document.searchsorted([document, document + 1]).tolist()
        start, end = tokens.start[layout.first[first:last]].tolist(), tokens.end[layout.last[first:last]].tolist()
        texts = [to_text(characters[a:b]) for a, b in zip(start, end, strict=True)]
        found[first:last] = find_references(texts, layout.after_blank[first:last].tolist())
    return found


def _is_table(lines: _LineCounts) -> NDArray[np.bool_]:
    """Return which lines are rows of a table: cells separated by bars or wide gaps, or mostly numbers."""
    tokens, layout = lines.tokens, lines.layout
    prose = lines.sentence_like & (lines.words >= 6)
    if (prose & (lines.functions > 2)).all():
        return np.zeros(layout.first.size, dtype=np.bool_)
    gap = np.zeros(tokens.start.size, dtype=np.int64)
    gap[1:] = tokens.start[1:] - tokens.end[:-1]
    gap[layout.first] = 0
    cells = lines.count(gap >= 3)
    # The bars of "{good|great}" do not separate columns.
    bars = lines.count(is_among(lines.code_first, _COLUMNS)) * (lines.count(lines.code_first == ord("{")) == 0)
    figures = (lines.numbers >= 2) & (lines.numbers >= 0.4 * (lines.words + lines.numbers))
    figures &= ~lines.sentence_like | ~lines.ended
    row: NDArray[np.bool_] = ((cells >= 2) | (bars >= 2)) & ~prose
    return row | (figures & (lines.functions <= 2))


def _is_code(lines: _LineCounts, addresses: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which lines are program code: lines full of its signs, and plausible lines around them."""
    layout = lines.layout
    reads = lines.sentence_like & (lines.words >= 6)
    if (reads & lines.ended).all():
        return np.zeros(layout.first.size, dtype=np.bool_)
    signs = _code_signs(lines, addresses)
    code: NDArray[np.bool_] = (signs >= 2) & (signs >= 0.12 * lines.size)
    code |= (signs >= 1) & is_among(lines.code_last[layout.last], _ENDS_CODE)
    code &= ~((reads | (lines.ended & (lines.words >= 6))) & (signs < 0.25 * lines.size))
    code &= ~(reads & lines.ended)
    # Prose with formulas still has function words, however many signs there are.
    code &= (lines.functions < 8) | (lines.functions < 0.12 * lines.words)
    short = ~lines.ended & (lines.words <= 8) & (lines.functions <= 0.34 * lines.words) & ~lines.alone
    plausible = code | short | (lines.words == 0)
    plausible |= is_among(lines.code_last[layout.last], _MAY_END_CODE) & ~reads
    # Comments and documentation are code if they are among lines of code.
    plausible |= (layout.indentation >= 2) | is_among(lines.code_first[layout.first], _COMMENT_SIGNS)
    starts = _run_starts(plausible, layout.line_document)
    lengths = steps(followed_by(starts, plausible.size))
    in_run = np.add.reduceat(code.astype(np.int32), starts)
    block = np.repeat((in_run >= 2) & (in_run >= 0.2 * lengths), lengths)
    code |= plausible & block
    return code


def _is_fenced(lines: _LineCounts, documents: int) -> NDArray[np.bool_]:
    """Return which lines are between fences of Markdown (```), in documents that are mostly outside of them."""
    layout = lines.layout
    ticks = lines.code_first == ord("`")
    if not ticks.any():
        return np.zeros(layout.first.size, dtype=np.bool_)
    first, third = layout.first, np.minimum(layout.first + 2, layout.last)
    fence: NDArray[np.bool_] = (third == first + 2) & ticks[first] & ticks[third - 1] & ticks[third]
    if not fence.any():
        return fence
    count = fence.cumsum()
    of_document = layout.line_document
    starts = of_document.searchsorted(np.arange(documents))
    before = np.append(0, count)[starts][of_document]
    inside: NDArray[np.bool_] = fence | ((count - before) % 2 == 1)
    words = np.bincount(of_document, weights=lines.words, minlength=documents)
    fenced = np.bincount(of_document, weights=lines.words * inside, minlength=documents)
    answer: NDArray[np.bool_] = inside & (fenced < MOST_FENCED * words)[of_document]
    return answer


def _code_signs(lines: _LineCounts, addresses: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the number of signs of code in each line: brackets, operators, calls "f(" and joined names "a.b"."""
    attached = lines.tokens.shape & Shape.SPACE_BEFORE == 0
    attached[lines.layout.first] = False
    after_word = np.append(False, lines.token_is_word[:-1])
    before_word = np.append(lines.token_is_word[1:] & attached[1:], False)
    call = (lines.code_first == ord("(")) & attached & after_word
    dotted = (lines.code_first == ord(".")) & attached & after_word & before_word
    return lines.count((is_among(lines.code_first, _CODE) | call | dotted) & ~addresses)


_ADDRESS = re.compile(
    r"(?:https?://|ftp://|www\.)[^\s<>\"]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+", re.ASCII
)
_ADDRESS_MARKS = ("://", "www.", "@")


def _in_addresses(folded: str, tokens: Tokens) -> NDArray[np.bool_]:
    """Return which tokens are part of a web or mail address."""
    inside = np.zeros(tokens.start.size, dtype=np.bool_)
    marks = [mark for mark in _ADDRESS_MARKS if mark in folded]
    if not marks:
        return inside
    places = [place for mark in marks for place in _find_all(folded, mark)]
    # The pattern is applied only between the spaces around a mark, to save time.
    spaced = (tokens.shape & Shape.SPACE_BEFORE).nonzero()[0]
    chunks = np.unique(tokens.start[spaced].searchsorted(places, side="right") - 1)
    start = tokens.start[spaced[chunks]].tolist()
    end = np.append(tokens.start[spaced], len(folded))[chunks + 1].tolist()
    matches = chain.from_iterable(map(partial(_ADDRESS.finditer, folded), start, end))
    spans = [match.span() for match in matches]
    for first, last in tokens.start.searchsorted(np.array(spans).reshape(-1, 2)).tolist():
        inside[first:last] = True
    return inside


def _find_all(text: str, phrase: str) -> Iterator[int]:
    place = text.find(phrase)
    while place >= 0:
        yield place
        place = text.find(phrase, place + len(phrase))


def _boilerplate_lines(folded: str, lines: _LineCounts) -> NDArray[np.bool_]:
    first, last = lines.layout.first, lines.layout.last
    boilerplate = load_boilerplate()
    short = (lines.words <= LONGEST_BOILERPLATE) & (lines.words > 0) & lines.starts_paragraph
    found = boilerplate.sentence.find(folded, lines.tokens, first, last, short)
    return found | boilerplate.line.find(folded, lines.tokens, first, last, short & ~lines.ended)


def _boilerplate_sentences(folded: str, lines: _LineCounts, sentences: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which tokens are in short sentences that are boilerplate or contain a phrase that always is."""
    boilerplate = load_boilerplate()
    first = starts_of_runs(sentences).nonzero()[0]
    last = followed_by(first[1:], sentences.size) - 1
    size = last - first + 1
    found = boilerplate.sentence.find(folded, lines.tokens, first, last, size <= LONGEST_BOILERPLATE_SENTENCE)
    phrases = [phrase for phrase in boilerplate.anywhere if phrase in folded]
    if phrases:
        places = [place for phrase in phrases for place in _find_all(folded, phrase)]
        sentence = lines.tokens.start[first].searchsorted(places, side="right") - 1
        found[sentence] |= size[sentence] <= LONGEST_BOILERPLATE
    return found[sentences]


def _is_notice(lines: _LineCounts, documents: int) -> NDArray[np.bool_]:
    """Return which lines are in a paragraph that has the words of notices about cookies and consent.

    A text that is largely about these things is an article about them.
    """
    layout, tokens = lines.layout, lines.tokens
    table = listed_words()
    listed = (lines.token_is_word & (lines.lists & table.bit(*NOTICE) > 0)).nonzero()[0]
    if not (lines.lists[listed] & table.bit("notice_subjects")).any():
        return np.zeros(layout.first.size, dtype=np.bool_)
    size = int(layout.line_paragraph[-1]) + 1
    paragraph, kinds = layout.token_paragraph[listed], lines.lists[listed]
    subject = np.bincount(paragraph[kinds & table.bit("notice_subjects") > 0], minlength=size)
    words = np.bincount(layout.line_paragraph, weights=lines.words, minlength=size)
    often = np.bincount(paragraph, minlength=size) >= NOTICE_WORDS * words
    # Notices address the reader, which distinguishes them from articles.
    address = np.bincount(paragraph[kinds & table.bit("notice_address") > 0], minlength=size)
    notice = (subject > 0) & (address >= FEWEST_ADDRESSES) & often
    if not notice.any():
        return np.zeros(layout.first.size, dtype=np.bool_)
    pairs = np.unique(np.column_stack([paragraph.astype(np.uint64), tokens.hash[listed]]), axis=0)
    notice &= np.bincount(pairs[:, 0].astype(np.int64), minlength=size) >= FEWEST_NOTICE_WORDS
    document = layout.line_document[lines.starts_paragraph]
    in_notices = np.bincount(document, weights=words * notice, minlength=documents)
    of_text = np.bincount(document, weights=words, minlength=documents)
    notice &= (in_notices < MOST_NOTICE * of_text)[document]
    return notice[layout.line_paragraph]
