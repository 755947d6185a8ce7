"""Finds lines, paragraphs and sentences in a batch of texts."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.arrays import followed_by, starts_of_runs
from unspun.model.text.characters import TABLE_SIZE
from unspun.model.text.tokens import Shape, TokenClass, Tokens
from unspun.model.text.wordlists import WordTable, english_function_words, load_word_lists

NARROWEST_WRAP, WIDEST_WRAP = 45, 132
"""Range of the length of the longest line in a hard-wrapped block, in characters."""
FEWEST_NARROW = 8
LEAST_FULL, LEAST_OPEN = 0.85, 0.2
"""Lines of a text in narrow columns, the share of them in which the next word had no room, and the share of those that
end with a function word ("the", "of"), which the lines of verse and lists hardly ever do."""
SHORTEST_RUN_ON = 25
"""Least length of a line without an end that can continue in the next line, if that starts in lower case."""


def codes(characters: str) -> NDArray[np.bool_]:
    """Return a table of the Basic Multilingual Plane that is True for these characters, for `is_among`."""
    table = np.zeros(TABLE_SIZE, dtype=np.bool_)
    table[[ord(character) for character in characters]] = True
    return table


def is_among(values: NDArray[np.uint32], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which code points are in a table made by `codes`."""
    return wanted.take(values, mode="clip")


TERMINATORS = codes(".!?\u2026\u3002\uff01\uff1f\u203d")
CLOSERS = codes("\"')]}\u2019\u201d\u00bb\u203a")
OPENERS = codes("\"'([{\u2018\u201c\u201e\u00ab\u2039\u00bf\u00a1`-\u2013\u2014*\u2022")


class Layout:
    """The lines and paragraphs of a batch.

    Only lines with tokens count; there are L of them. A paragraph is a block of hard-wrapped prose between blank lines;
    elsewhere each line is a paragraph.

    Attributes:
        first, last: (L,) int64, the first and the last token of each line.
        line_document: (L,) int32, the document of each line.
        after_blank: (L,) bool, whether the line follows an empty line or starts a document.
        indentation: (L,) int64, characters before the first token.
        line_paragraph: (L,) int32, paragraphs numbered over the batch.
        token_line, token_paragraph: (T,) int32, the line and the paragraph of each token.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    line_document: NDArray[np.int32]
    after_blank: NDArray[np.bool_]
    indentation: NDArray[np.int64]
    line_paragraph: NDArray[np.int32]
    token_line: NDArray[np.int32]
    token_paragraph: NDArray[np.int32]

    def __init__(
        self,
        characters: NDArray[np.uint32],
        tokens: Tokens,
        document_start: NDArray[np.int64],
        token_ptr: NDArray[np.int64],
    ) -> None:
        count = tokens.start.size
        newlines = (characters == ord("\n")).nonzero()[0]
        row = newlines.searchsorted(tokens.start)
        gap = row + 2  # rows between a token and the one before; enough for a blank one before the first token
        gap[1:] -= gap[:-1].copy()
        self.first = (gap != 0).nonzero()[0]
        self.last = followed_by(self.first[1:], count)[: self.first.size] - 1
        starts_document = np.zeros(count + 1, dtype=np.bool_)
        starts_document[token_ptr] = True
        self.after_blank = (gap[self.first] > 1) | starts_document[self.first]
        self.line_document = (token_ptr.searchsorted(self.first, side="right") - 1).astype(np.int32)
        self.token_line = np.arange(self.first.size, dtype=np.int32).repeat(self.last - self.first + 1)
        row = row[self.first]
        self.indentation = tokens.start[self.first] - np.where(row > 0, newlines[row - 1] + 1, 0)
        starts_paragraph = ~_continues(characters, tokens, self)
        self.line_paragraph = (starts_paragraph.cumsum() - 1).astype(np.int32)
        self.token_paragraph = self.line_paragraph[self.token_line]


def _continues(characters: NDArray[np.uint32], tokens: Tokens, layout: Layout) -> NDArray[np.bool_]:
    """Return which lines continue the paragraph of the line before them.

    A text editor breaks a line where the next word would pass the margin. If most lines of a block were broken like
    that, the block is hard-wrapped, and a shorter line ends a paragraph. Otherwise each line is a paragraph, unless it
    stops in the middle of a sentence.
    """
    first, last = layout.first, layout.last
    if layout.after_blank.all():
        return np.zeros(first.size, dtype=np.bool_)
    length = tokens.end[last] - tokens.start[first]
    block = layout.after_blank.cumsum() - 1
    block_start = layout.after_blank.nonzero()[0]
    width = np.maximum.reduceat(length, block_start)[block]
    follows = ~layout.after_blank
    before = np.maximum(np.arange(first.size) - 1, 0)
    full = follows & (length[before] + 1 + _first_chunk_length(tokens, layout) > width)
    lower = follows & (tokens.token_class[first] == TokenClass.WORD)
    lower &= tokens.shape[first] & Shape.CAPITAL == 0
    ended = is_among(characters[tokens.end[last] - 1], TERMINATORS)[before]
    run_on = lower & ~ended & (length[before] >= SHORTEST_RUN_ON)
    lines = np.add.reduceat(follows.astype(np.int32), block_start)
    kept = np.add.reduceat((full | run_on).astype(np.int32), block_start)
    wide = width >= NARROWEST_WRAP
    if not wide.all():
        wide |= _in_narrow_columns(tokens, layout, follows & ~wide, full | run_on, before)
    wrapped = (kept >= 0.6 * lines)[block] & wide & (width <= WIDEST_WRAP)
    # Two lines are too few to know the margin, so if the first one ends a sentence, it is a paragraph.
    wrapped &= ~(ended & (lines[block] < 2))
    new_paragraph = follows & ended & (layout.indentation > layout.indentation[before])
    continues: NDArray[np.bool_] = (run_on | (wrapped & full)) & ~new_paragraph
    return continues


def _in_narrow_columns(
    tokens: Tokens,
    layout: Layout,
    narrow: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    before: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which lines are in documents that are wrapped into narrow columns.

    Args:
        tokens, layout: the batch.
        narrow: the lines that follow another one in a block that is too narrow to be sure.
        kept: the lines whose first word had no room in the line before.
        before: the line before each line.
    """
    documents = int(layout.line_document[-1]) + 1
    document = layout.line_document

    def count(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(document[flags], minlength=documents)

    ends = english_function_words().contains(tokens.hash[layout.last[before]])
    size, full = count(narrow), count(narrow & kept)
    wrapped = (size >= FEWEST_NARROW) & (full >= LEAST_FULL * size) & (count(narrow & ends) >= LEAST_OPEN * size)
    result: NDArray[np.bool_] = wrapped[document]
    return result


def _first_chunk_length(tokens: Tokens, layout: Layout) -> NDArray[np.int64]:
    """Return the number of characters before the first space of each line."""
    spaced = np.append((tokens.shape & Shape.SPACE_BEFORE).nonzero()[0], tokens.start.size)
    next_chunk = spaced[spaced.searchsorted(layout.first, side="right")]
    chunk_last = np.minimum(next_chunk - 1, layout.last)
    length: NDArray[np.int64] = tokens.end[chunk_last] - tokens.start[layout.first]
    return length


@cache
def _sentence_words() -> WordTable:
    return WordTable(load_word_lists("sentence_words.txt"))


def find_sentences(
    characters: NDArray[np.uint32], tokens: Tokens, layout: Layout, token_ptr: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the sentence of each token (T,), numbered over the batch, and the tokens that are first words of one."""
    count = tokens.start.size
    if count == 0:
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)
    starts = starts_of_runs(layout.token_paragraph)
    starts[_sentence_starts(characters, tokens, layout, token_ptr)] = True
    sentences = (starts.cumsum() - 1).astype(np.int32)
    words = (tokens.token_class == TokenClass.WORD).nonzero()[0]
    return sentences, words[starts_of_runs(sentences.take(words))]


def _sentence_starts(
    characters: NDArray[np.uint32], tokens: Tokens, layout: Layout, token_ptr: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the tokens that start a new sentence inside a paragraph."""
    count = tokens.start.size
    first_code = characters[tokens.start]
    punctuation = tokens.token_class == TokenClass.PUNCTUATION
    spaced = followed_by(tokens.shape & Shape.SPACE_BEFORE > 0, True)
    end = (punctuation & is_among(first_code, TERMINATORS)).nonzero()[0]
    # Only the last terminator of a run ("?!", "!!!") counts, and closing brackets and quotes belong to the sentence.
    following = np.minimum(end + 1, count - 1)
    end = end[spaced[end + 1] | ~(punctuation[following] & is_among(first_code[following], TERMINATORS))]
    start = end + 1
    for _ in range(3):
        here = np.minimum(start, count - 1)
        closes = punctuation[here] & is_among(first_code[here], CLOSERS) & ~spaced[start] & (start < count)
        if not closes.any():
            break
        start = start + closes
    here = np.minimum(start, count - 1)
    inside = (start < count) & spaced[start] & (layout.token_paragraph[here] == layout.token_paragraph[end])
    end, start = end[inside], start[inside]
    # In "the end . And" the full stop is a separate word, as in text that was already tokenised.
    free = spaced[end] & (tokens.end[end] - tokens.start[end] == 1)
    fits = free | _can_start(tokens, layout, first_code, punctuation, start, token_ptr)
    fits &= ~_is_abbreviation(tokens, first_code, spaced, end, start)
    starts: NDArray[np.int64] = start[fits]
    return starts


def _can_start(
    tokens: Tokens,
    layout: Layout,
    first_code: NDArray[np.uint32],
    punctuation: NDArray[np.bool_],
    start: NDArray[np.int64],
    token_ptr: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which tokens look as if they start a sentence."""
    count = tokens.start.size
    paragraph = layout.token_paragraph
    visible = start.copy()
    for _ in range(2):
        opens = punctuation[visible] & is_among(first_code[visible], OPENERS)
        if not opens.any():
            break
        after = np.minimum(visible + 1, count - 1)
        visible = np.where(opens & (paragraph[after] == paragraph[start]), after, visible)
    capital = tokens.shape[visible] & Shape.CAPITAL > 0
    word = tokens.token_class[visible] == TokenClass.WORD
    fits: NDArray[np.bool_] = ~word | capital
    if not fits.all():
        fits |= _is_uncased(tokens, token_ptr, visible[word])[token_ptr.searchsorted(start, side="right") - 1]
    return fits


def _is_uncased(tokens: Tokens, token_ptr: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each document (D,) whether its sentences start without capitals.

    This is so for authors who hardly ever use capitals, and for scripts without them. `starts` are words that follow
    full stops.
    """
    capital = tokens.shape & Shape.CAPITAL > 0
    word = tokens.token_class == TokenClass.WORD

    def share(places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the share of capitalised words among those at some places, by document."""
        document = token_ptr.searchsorted(places, side="right") - 1
        words = np.bincount(document, minlength=token_ptr.size - 1)
        capitals = np.bincount(document[capital[places]], minlength=token_ptr.size - 1)
        return capitals / np.maximum(words, 1)

    uncased: NDArray[np.bool_] = share(starts) < 0.1
    return uncased & (share(word.nonzero()[0]) < 0.05) if uncased.any() else uncased


def _is_abbreviation(
    tokens: Tokens,
    first_code: NDArray[np.uint32],
    spaced: NDArray[np.bool_],
    end: NDArray[np.int64],
    start: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which full stops are part of an abbreviation and do not end a sentence."""
    before = np.maximum(end - 1, 0)
    words = _sentence_words()
    lists = words.lookup(tokens.hash[before])
    full_stop = (first_code[end] == ord(".")) & (tokens.end[end] - tokens.start[end] == 1)
    attached = full_stop & ~spaced[end] & (end > 0)
    word = tokens.token_class[before] == TokenClass.WORD
    lone = word & (tokens.end[before] - tokens.start[before] == 1)
    may_be: NDArray[np.bool_] = attached & (lone | (lists > 0))
    if not may_be.any():
        return may_be
    starter = words.lookup(tokens.hash[start]) & words.bit("starters") > 0
    starter &= tokens.shape[start] & Shape.CAPITAL > 0
    # A single capital, as in "U.S." and "J. R. Smith", does not end a sentence, but "so did I." does.
    dotted = (first_code[np.maximum(end - 2, 0)] == ord(".")) & ~spaced[before] & (end > 1)
    capital = tokens.shape[before] & Shape.CAPITAL > 0
    initial = lone & ~dotted & capital & (first_code[before] != ord("I"))
    never_ends = (word & (lists & words.bit("titles") > 0)) | (initial & ~starter)
    may_end = (word & (lists & words.bit("abbreviations") > 0)) | (lone & dotted)
    may_end |= capital & (lists & words.bit("capital_abbreviations") > 0)
    # "No. 5", but "He said no. Then": these are abbreviations only before a number.
    number = tokens.token_class[start] == TokenClass.NUMBER
    before_number = number & (lists & words.bit("before_numbers") > 0)
    abbreviation: NDArray[np.bool_] = attached & (never_ends | (may_end & ~starter) | before_number)
    return abbreviation
