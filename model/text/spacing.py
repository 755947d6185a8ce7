"""Puts back the spaces of a text: blank characters that are not spaces, letters spaced out, signs instead of spaces."""

from __future__ import annotations

import re
from functools import cache
from math import log

from unspun.model.text.characters import all_bytes_but, count_bytes
from unspun.model.text.edits import Editor, TextEdit
from unspun.model.text.wordlists import CASES, COMMON_WORDS, common_words, read_sections

BLANKS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0"
)
"""Characters that look like a space or like nothing, but are no spaces to a program."""
KNOWN_PIECES = 0.6
"""Share of known words among the pieces around a blank character from which it stands for a space."""
FEWEST_SPACES = 0.08
"""Share of spaces in running text below which a sign may stand for them: English has about 0.17."""
THINLY_SPACED = 0.1
"""Share of a text in words with a thin space between all letters from which thin spaces are not spaces."""
FEWEST_SIGNS = 20
"""Times that a sign must occur to stand for spaces."""
UNKNOWN_COST = 6.0
"""Minus the log probability of each letter of an unknown word."""
LONGEST_RUN = 400
"""Most letters of a run of spaced-out letters that are divided into words."""

_BLANK = re.compile(f"[{BLANKS}]")
_THIN = "[\u2000-\u200a\u202f\u205f]"
_THINLY_SPACED = re.compile(f"(?<!\\w)\\w(?:{_THIN}\\w){{2,}}(?!\\w)")
_THIN_BETWEEN = re.compile(f"\\S{_THIN}(?=(\\S))")
_WORD = "[A-Za-z'\u2019]+"


def restore_blanks(editor: Editor) -> None:
    """Replace blank characters that separate words with spaces. Others are left, as characters without width."""
    if editor.text.isascii():
        return
    _close_thin_spaces(editor)
    separate = [blank for blank in sorted(set(_BLANK.findall(editor.text))) if _separates_words(blank, editor.text)]
    if separate:
        editor.substitute(re.compile(f"[{''.join(separate)}]"), dict.fromkeys(map(ord, separate), " "), "blank")


def _close_thin_spaces(editor: Editor) -> None:
    """Remove thin spaces between the letters of words."""
    runs = [match.group() for match in _THINLY_SPACED.finditer(editor.text)]
    if sum(map(len, runs)) > THINLY_SPACED * len(editor.text):
        thin = (TextEdit(match.start() + 1, match.end(), "") for match in _THIN_BETWEEN.finditer(editor.text))
        editor.count("spaced_letters", editor.replace(thin))


def _separates_words(blank: str, text: str) -> bool:
    if blank == "\u2800":  # the empty braille cell is as wide as a letter
        return True
    # Without the first condition, a long word would be read again from each of its letters.
    joined = re.compile(rf"(?<![A-Za-z'\u2019]){_WORD}(?:{blank}+{_WORD})+")
    runs = [re.split(f"{blank}+", match.group()) for match in joined.finditer(text)]
    pieces = [piece for run in runs for piece in run]
    known_pieces, known_runs = sum(map(_is_known, pieces)), sum(_is_known("".join(run)) for run in runs)
    return known_pieces >= KNOWN_PIECES * len(pieces) and known_runs < (1 - KNOWN_PIECES) * len(runs)


def _is_known(word: str) -> bool:
    return (len(word) > 1 or word in "aI") and word.lower().replace("\u2019", "'") in common_words()


def restore_spaces(editor: Editor) -> None:
    """Replace signs that stand between all words ("shared_vision_of", "shared%20vision") with spaces."""
    text = editor.text
    # The start of a text is enough to see that it has spaces.
    if len(text) < 200 or text.count(" ", 0, 1000) > FEWEST_SPACES * min(len(text), 1000):
        return
    if "-->" in text:  # subtitles, whose clocks have few spaces
        return
    for sign in ("%20", *"_+.-*|/~,:;=\u00b7\u2022"):
        if text.count(sign) > FEWEST_SIGNS:
            between = re.compile(rf"(?<=[\w,;:.!?\"')]){re.escape(sign)}(?=[\w\"'(])")
            found = [TextEdit(*match.span(), " ") for match in between.finditer(text)]
            if len(found) > FEWEST_SPACES * len(text):
                editor.count("blank", editor.replace(found))
                return


MOST_SPACES, MOST_SIGNS = 0.2, 0.03
"""Share of spaces, and of each other sign, in ordinary text, at most, so that hardly any text is searched."""
_SPACING_SIGNS = ".-_*\u00b7"
_NO_SPACING_SIGNS = all_bytes_but(_SPACING_SIGNS)
_SPACED = re.compile(r"(?<![\w'\u2019])[A-Za-z]([ .\-_*\u00b7])(?:[A-Za-z'\u2019]\1)+[A-Za-z](?![\w'\u2019])")


# Letters with one sign between them, between wider gaps.
_IN_GAPS = re.compile(r"(?:(?<=\s\s)|(?<=\n)|^)\S(?: \S)+(?=\s\s|\s?$|\n)")
FEWEST_SPACED, LONGEST_WORD = 5, 10
"""Spaced-out words from which a text is spaced out on purpose; most letters of an unknown word that is not divided."""


def join_spaced_letters(editor: Editor) -> None:
    """Join letters that are spaced out ("v i s i o n")."""
    most = MOST_SIGNS * len(editor.text)
    signs = count_bytes(editor.text, _NO_SPACING_SIGNS) > most and any(
        editor.text.count(sign) > most for sign in _SPACING_SIGNS
    )
    if not signs and editor.text.count(" ") <= MOST_SPACES * len(editor.text):
        return
    words = _IN_GAPS.findall(editor.text)
    if len(words) >= FEWEST_SPACED and sum(map(len, words)) > len(editor.text) / 2:
        edits = [TextEdit(*match.span(), match.group()[::2]) for match in _IN_GAPS.finditer(editor.text)]
    else:
        runs = [match for match in _SPACED.finditer(editor.text) if not (match[1] == "." and match.group().isupper())]
        joined = [run.group()[::2] for run in runs]
        sure = sum(map(_is_known, joined)) >= FEWEST_SPACED
        edits = [
            _divided(run, letters) for run, letters in zip(runs, joined, strict=True) if sure or _is_known(letters)
        ]
    editor.count("spaced_letters", editor.replace(edits))


def _divided(run: re.Match[str], letters: str) -> TextEdit:
    """Return the edit that joins the letters of a run, which may be several words."""
    words = [letters]
    if LONGEST_WORD < len(letters) <= LONGEST_RUN and not _is_known(letters):
        words = _divide(letters.lower().replace("\u2019", "'"))
    text, lengths, done = "", [], 0
    for word in words:
        done += len(word)
        last = done == len(letters)
        text += letters[done - len(word) : done] + ("" if last else " ")
        # Each letter comes from itself and the sign after it, and the space after a word from the sign alone.
        lengths += [*[2] * (len(word) - 1), 1, *([] if last else [1])]
    return TextEdit(*run.span(), text, lengths)


def _divide(letters: str) -> list[str]:
    """Divide letters into the likeliest words. Words are as likely as Zipf's law says for their rank."""
    costs, longest = _costs()
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(letters) + 1):
        pieces = ((start, letters[start:end]) for start in range(max(0, end - longest), end))
        best.append(
            min((best[start][0] + costs.get(piece, UNKNOWN_COST * len(piece)), start) for start, piece in pieces)
        )
    words: list[str] = []
    end = len(letters)
    while end:
        words.append(letters[best[end][1] : end])
        end = best[end][1]
    return words[::-1]


@cache
def _costs() -> tuple[dict[str, float], int]:
    """Return minus the log probability of each word, and the length of the longest."""
    lists = read_sections(COMMON_WORDS.name)
    costs = {word: log(rank + 10) + 2.0 for name in CASES for rank, word in enumerate(lists[name])}
    costs = {word: cost for word, cost in costs.items() if len(word) > 1 or word in "ai"}
    return costs, max(map(len, costs))
