"""A batch of texts in arrays: repaired, tokenised and split into sentences, with offsets into the originals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.allowed import Allowed
from unspun.model.text.arrays import running_totals, steps
from unspun.model.text.casing import restore_case
from unspun.model.text.characters import code_points, fold, to_text
from unspun.model.text.edits import OffsetMap
from unspun.model.text.foreign import find_foreign
from unspun.model.text.prose import find_prose
from unspun.model.text.repair import repair
from unspun.model.text.sentences import Layout, find_sentences
from unspun.model.text.tokens import Shape, TokenClass, Tokens, hash_token, hash_tokens
from unspun.model.text.wordlists import listed_words

__all__ = [
    "Documents",
    "Shape",
    "TokenClass",
    "hash_phrase",
    "hash_phrases",
    "hash_token",
    "hash_tokens",
    "tokenise",
]

MAX_CHARACTERS = 2_000_000
"""Characters of a text that are read. The rest is ignored."""
SECTION = 250
"""Words of prose in a section of a long text: the length of the texts that the fast tier was trained on."""


_TOKEN_COLUMNS = (
    *("token_start", "token_end", "token_hash", "token_class", "token_shape", "token_sentence", "token_paragraph"),
    *("token_lists", "token_function", "token_prose", "token_allowed", "token_foreign"),
)
"""The attributes of Documents that have a value for each token, but `token_document`."""


@dataclass(frozen=True, eq=False)
class Documents:
    """A batch of D texts with T tokens in all.

    Attributes:
        texts: the texts, exactly as submitted.
        characters: (C,) uint32, the repaired code points of all documents, each document followed by a newline, so that
            no token spans two.
        document_start: (D + 1,) int64; the characters of document d, including its newline, are
            document_start[d]:document_start[d + 1].
        token_start, token_end: (T,) int64, offsets into `characters`.
        token_hash: (T,) uint64, hash of the folded token, the same in every process and on every machine.
        token_class: (T,) uint8, TokenClass.
        token_shape: (T,) uint8, bits of Shape.
        token_document, token_sentence, token_paragraph: (T,) int32, never decreasing. Sentences and paragraphs are
            numbered from 0 over the whole batch, and none spans two documents.
        token_lists: (T,) uint32, the `listed_words` that each token is among, as bits.
        token_function: (T,) bool, which tokens are function words of English.
        token_prose: (T,) bool, False in web and mail addresses, in lines that are not prose (boilerplate, headings,
            lists, tables, code), in other languages, and in allowed terms.
        token_allowed: (T,) bool, which tokens would be prose but are part of an allowed term.
        token_foreign: (T,) bool, which tokens are in sentences of another language.
        token_ptr: (D + 1,) int64; the tokens of document d are token_ptr[d]:token_ptr[d + 1].
        excluded: for each document, how many lines are not prose, by kind.
        repairs: for each document, how many places were repaired, by kind.
        truncated: for each document, whether only its first `max_characters` characters were read.
    """

    texts: tuple[str, ...]
    characters: NDArray[np.uint32]
    document_start: NDArray[np.int64]
    token_start: NDArray[np.int64]
    token_end: NDArray[np.int64]
    token_hash: NDArray[np.uint64]
    token_class: NDArray[np.uint8]
    token_shape: NDArray[np.uint8]
    token_document: NDArray[np.int32]
    token_sentence: NDArray[np.int32]
    token_paragraph: NDArray[np.int32]
    token_lists: NDArray[np.uint32]
    token_function: NDArray[np.bool_]
    token_prose: NDArray[np.bool_]
    token_allowed: NDArray[np.bool_]
    token_foreign: NDArray[np.bool_]
    token_ptr: NDArray[np.int64]
    excluded: tuple[dict[str, int], ...]
    repairs: tuple[dict[str, int], ...]
    truncated: tuple[bool, ...]
    _offsets: tuple[OffsetMap | None, ...] = field(repr=False)

    @classmethod
    def parse(
        cls, texts: Sequence[str], *, allowed: Allowed | None = None, max_characters: int = MAX_CHARACTERS
    ) -> Documents:
        """Parse a batch of texts. Any strings are accepted, including empty ones and lone surrogates.

        The result for a text does not depend on the rest of the batch, except for running numbers. `allowed` terms are
        not prose.
        """
        repaired = [repair(text[:max_characters]) for text in texts]
        characters = code_points("".join(f"{one.text}\n" for one in repaired))
        document_start = np.zeros(len(repaired) + 1, dtype=np.int64)
        np.array([len(one.text) + 1 for one in repaired], dtype=np.int64).cumsum(out=document_start[1:])
        tokens = Tokens(characters)
        lists = listed_words().lookup(tokens.hash)
        functions = lists & listed_words().bit("en") > 0
        characters, recased = restore_case(characters, tokens, functions, document_start)
        token_ptr = tokens.start.searchsorted(document_start)
        layout = Layout(characters, tokens, document_start, token_ptr)
        sentences, first_words = find_sentences(characters, tokens, layout, token_ptr)
        token_shape = tokens.shape.copy()
        token_shape[first_words] |= Shape.SENTENCE_START
        token_foreign = find_foreign(characters, tokens, lists, sentences, layout.token_paragraph, token_ptr)
        token_prose, excluded = find_prose(characters, tokens, lists, layout, sentences, document_start)
        token_prose &= ~token_foreign
        token_document = np.arange(len(repaired), dtype=np.int32).repeat(steps(token_ptr))
        token_allowed = np.zeros(len(token_prose), dtype=np.bool_)
        if allowed is not None:
            token_allowed = allowed.find(tokens.hash, token_document) & token_prose
            # To the words around it, every term is a name.
            token_shape[token_allowed] = token_shape[token_allowed] & ~Shape.ALL_CAPITALS | Shape.CAPITAL
        repairs = [one.counts for one in repaired]
        for number in recased.nonzero()[0].tolist():
            repairs[number]["case"] = int(recased[number])
        return cls(
            texts=tuple(texts),
            characters=characters,
            document_start=document_start,
            token_start=tokens.start,
            token_end=tokens.end,
            token_hash=tokens.hash,
            token_class=tokens.token_class,
            token_shape=token_shape,
            token_document=token_document,
            token_sentence=sentences,
            token_paragraph=layout.token_paragraph,
            token_lists=lists,
            token_function=functions,
            token_prose=token_prose & ~token_allowed,
            token_allowed=token_allowed,
            token_foreign=token_foreign,
            token_ptr=token_ptr,
            excluded=excluded,
            repairs=tuple(repairs),
            truncated=tuple(len(text) > max_characters for text in texts),
            _offsets=tuple(one.offsets for one in repaired),
        )

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.texts)

    @cached_property
    def english(self) -> NDArray[np.float64]:
        """The share of each document's words (D,) that are not in sentences of another language."""
        if not self.token_foreign.any():
            return np.ones(len(self))
        word = self.token_class == TokenClass.WORD
        words = np.bincount(self.token_document[word], minlength=len(self))
        foreign = np.bincount(self.token_document[word & self.token_foreign], minlength=len(self))
        share: NDArray[np.float64] = 1.0 - foreign / np.maximum(words, 1)
        return share

    def in_sections(self) -> tuple[Documents, NDArray[np.int64]]:
        """Return the same tokens with long documents divided into sections, and the document of each section (S,).

        A section ends with the sentence that completes SECTION words of prose, unless fewer than half as many words
        would be left. In the result, `token_document` and `token_ptr` refer to sections, and `texts` are empty strings,
        so offsets into the texts cannot be computed from it. If no document is long, the result is this batch.
        """
        counted = running_totals((self.token_class == TokenClass.WORD) & self.token_prose)
        words = steps(counted[self.token_ptr])
        if not (words > 1.5 * SECTION).any():
            return self, np.arange(len(self))
        bounds = [0]
        owners: list[int] = []
        sizes = words.tolist()
        for number, (first, last) in enumerate(pairwise(self.token_ptr.tolist())):
            ends = [last]
            if sizes[number] > 1.5 * SECTION:
                starts = first + 1 + steps(self.token_sentence[first:last]).nonzero()[0]
                ends, at = [], int(counted[first])
                reached = counted[starts]
                while counted[last] - at > 1.5 * SECTION:
                    place = int(reached.searchsorted(at + SECTION))
                    if place == len(starts) or counted[last] - reached[place] < 0.5 * SECTION:
                        break
                    ends.append(int(starts[place]))
                    at = int(counted[ends[-1]])
                ends.append(last)
            bounds += ends
            owners += [number] * len(ends)
        ptr, owner = np.array(bounds, dtype=np.int64), np.array(owners, dtype=np.int64)
        section = np.arange(len(owner), dtype=np.int32).repeat(steps(ptr))
        return replace(self, texts=("",) * len(owner), token_document=section, token_ptr=ptr), owner

    def in_sentences(self, number: int) -> tuple[Documents, NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """Return one document's sentences of prose as documents of their own, S in all.

        Tokens that are not prose are left out. Also returns each sentence's number in the batch, its first and its last
        token, (S,) each. Offsets into the texts cannot be computed from the result, as in `in_sections`.
        """
        first, last = int(self.token_ptr[number]), int(self.token_ptr[number + 1])
        tokens = first + self.token_prose[first:last].nonzero()[0]
        ids, start, owner = np.unique(self.token_sentence[tokens], return_index=True, return_inverse=True)
        stop = np.append(start[1:], len(tokens))
        sentences = replace(
            self,
            texts=("",) * len(ids),
            token_document=owner.astype(np.int32),
            token_ptr=np.append(start, len(tokens)).astype(np.int64),
            **{name: getattr(self, name)[tokens] for name in _TOKEN_COLUMNS},
        )
        return sentences, ids, tokens[start], tokens[stop - 1]

    def source_span(self, first_token: int, last_token: int) -> tuple[int, int]:
        """Return the span of the tokens `first_token` to `last_token` (included) in the text as submitted.

        The result is [start, end) in characters of `texts[document]`. Raises ValueError unless both tokens are in the
        same document and in order.
        """
        document = int(self.token_document[first_token])
        if document != int(self.token_document[last_token]) or last_token < first_token:
            raise ValueError(f"tokens {first_token} to {last_token} are not a span of one document")
        origin = int(self.document_start[document])
        start = int(self.token_start[first_token]) - origin
        end = int(self.token_end[last_token]) - origin
        offsets = self._offsets[document]
        if offsets is None:
            return start, end
        return offsets.span(start, end)

    def source_characters(self, document: int, start: int, end: int) -> tuple[int, int]:
        """Return the span in the text as submitted of a non-empty span [start, end) of the repaired text."""
        offsets = self._offsets[document]
        return (start, end) if offsets is None else offsets.span(start, end)

    def text(self, document: int) -> str:
        """Return a document's repaired text."""
        start, end = self.document_start[document : document + 2].tolist()
        return to_text(self.characters[start : end - 1])

    def prose_texts(self) -> list[str]:
        """Return the repaired text of each document, or section, with spaces in place of what is not prose."""
        characters = self.characters
        other = (~self.token_prose).nonzero()[0]
        if len(other):
            changes = np.zeros(len(characters) + 1, dtype=np.int8)
            changes[self.token_start[other]] += 1
            changes[self.token_end[other]] -= 1
            characters = np.where(changes[:-1].cumsum(dtype=np.int8) > 0, np.uint32(ord(" ")), characters)
        filled = steps(self.token_ptr) > 0
        spans = np.zeros((len(self), 2), dtype=np.int64)
        spans[filled, 0] = self.token_start[self.token_ptr[:-1][filled]]
        spans[filled, 1] = self.token_end[self.token_ptr[1:][filled] - 1]
        return [to_text(characters[start:end]) for start, end in spans.tolist()]

    def token_text(self, token: int) -> str:
        """Return a token as it is in the repaired text, not folded."""
        return to_text(self.characters[self.token_start[token] : self.token_end[token]])

    def words(self) -> list[str]:
        """Return all tokens, folded: T strings. For tests and training; the engine works on hashes."""
        text = to_text(fold(self.characters))
        return [text[a:b] for a, b in zip(self.token_start.tolist(), self.token_end.tolist(), strict=True)]


def tokenise(text: str) -> list[str]:
    """Return the folded tokens of one text."""
    return Documents.parse([text]).words()


def hash_phrase(phrase: str) -> NDArray[np.uint64]:
    """Return the hashes of a phrase's tokens, as in `Documents.token_hash`."""
    return hash_phrases([phrase])[0]


def hash_phrases(phrases: Sequence[str]) -> list[NDArray[np.uint64]]:
    """Return `hash_phrase` of each phrase, much faster than one by one."""
    documents = Documents.parse(phrases)
    return np.split(documents.token_hash, documents.token_ptr[1:-1])
