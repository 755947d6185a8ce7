"""Short word lists that ship as text files beside the code, read as sorted arrays of token hashes."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from model.tokens import hash_tokens


@cache
def load_word_lists(file_name: str) -> dict[str, NDArray[np.uint64]]:
    """Return the sorted hashes of the words in each `[section]` of a file; `#` starts a comment.

    The arrays are shared: do not write to them.
    """
    words: dict[str, list[str]] = {}
    section = ""
    for line in resources.files("model").joinpath(file_name).read_text(encoding="utf-8").splitlines():
        content = line.split("#")[0].strip()
        if content.startswith("["):
            section = content.strip("[]")
        elif content:
            words.setdefault(section, []).extend(content.split())
    return {name: np.unique(hash_tokens(listed)) for name, listed in words.items()}


def is_listed(hashes: NDArray[np.uint64], listed: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which hashes are in the sorted, non-empty list."""
    found: NDArray[np.bool_] = listed.take(np.searchsorted(listed, hashes), mode="clip") == hashes
    return found


def english_function_words() -> NDArray[np.uint64]:
    """Return the sorted hashes of English closed-class words."""
    return load_word_lists("function_words.txt")["en"]


@cache
def foreign_function_words() -> dict[str, NDArray[np.uint64]]:
    """Return, by language code, the sorted hashes of closed-class words that no English text would have."""
    lists = load_word_lists("function_words.txt")
    taken = np.union1d(lists["en"], hash_tokens(_ALSO_ENGLISH))
    return {name: np.setdiff1d(hashes, taken) for name, hashes in lists.items() if name != "en"}


_ALSO_ENGLISH = (
    # words that English uses as well, and lone letters: initials, list marks, formulas
    "b c d e f g h i j k l m n o p q r s t u v w x y z a "
    "bar but car come dame dem den die era fine fun gen had has hat her his hun jam lang lower man mar met "
    "min net non of on or over own pan par pas per plus pour pro red sale san sat see sin sit ski son sub "
    "sur tar ten tar til ton top under van via vis wall war was wordy wood data kami hay no men mot non"
).split()
