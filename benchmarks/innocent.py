"""What people do to texts of their own: shapes of the group `innocent`, made by real tools.

    python -m benchmarks.shapes --only innocent --texts 1000

A text by a person must stay `clear` after them. Each takes every first suggestion of its tool, which is more than a
person would. The model has met two of them in training, `grammar_checked` and `american_spelling`; its training never
used the others.

`make editors-extra` installs the tools: the extra `editors`, and those of retext from npm.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import BenchmarkError
from benchmarks.transformations import TRANSFORMATIONS, WORD, shape
from unspun.reading.records import MissingLibraryError, optional
from unspun.training.machines.base import Machine
from unspun.training.machines.edits import AmericanSpelling, GrammarChecker

__all__ = ["TRANSFORMATIONS"]
EXTRA = "editors"
RETEXT = Path(__file__).with_name("retext")
LOWER = r"(?<![\w'’.-])[a-z]{3,}(?![\w'’-])"
"""A word that is no name."""


def _tool(name: str) -> Any:
    """Import a module of a tool. Raises BenchmarkError."""
    try:
        with optional(name.partition(".")[0], EXTRA):
            return import_module(name)
    except MissingLibraryError as error:
        raise BenchmarkError(str(error)) from None


def corrected(text: str, corrections: Iterable[tuple[int, int, str]]) -> str:
    """Return a text with spans replaced. Of overlapping ones, the first and longest counts."""
    answer, at = [], 0
    for start, end, replacement in sorted(corrections, key=lambda one: (one[0], -one[1])):
        if start >= at:
            answer += [text[at:start], _in_case(replacement, text[start:end])]
            at = end
    return "".join([*answer, text[at:]])


def _in_case(word: str, like: str) -> str:
    """Return a word in capitals, or with a capital, if the word that it replaces is so."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word


def _of(machine: Machine, text: str) -> str:
    return machine.paraphrase(text, np.random.default_rng(0)).text


@cache
def _grammar_checker() -> GrammarChecker:
    _tool("harper")
    return GrammarChecker()


@shape("innocent", "edited")
def grammar_checked(text: str) -> str:
    """What Harper, a grammar checker, suggests (used in training)."""
    return _of(_grammar_checker(), text)


@shape("innocent", "edited")
def american_spelling(text: str) -> str:
    """Color and organize: American spelling, by rules (used in training)."""
    return _of(AmericanSpelling(), text)


@shape("innocent", "edited")
def british_spelling(text: str) -> str:
    """Colour and organise: British spelling, by breame."""
    british = _tool("breame.spelling").get_british_spelling
    return corrected(text, ((one.start(), one.end(), british(one[0])) for one in re.finditer(LOWER, text)))


@cache
def _misspellings() -> Mapping[str, str]:
    """Return the corrections of codespell's dictionary."""
    file = Path(str(_tool("codespell_lib").__file__)).with_name("data") / "dictionary.txt"
    rows = (line.partition("->") for line in file.read_text("utf-8").splitlines())
    return {word: fixes.partition(",")[0].strip() for word, _, fixes in rows}


@shape("innocent", "edited")
def misspellings_corrected(text: str) -> str:
    """Common misspellings are corrected, by codespell."""
    known = _misspellings()
    found = (one for one in re.finditer(WORD, text) if one[0].lower() in known)
    return corrected(text, ((one.start(), one.end(), known[one[0].lower()]) for one in found))


@cache
def _spelling_dictionary() -> Any:
    return _tool("spellchecker").SpellChecker(distance=1)  # words two letters away take a hundred times as long


@cache
def _autocorrected(word: str) -> str:
    return _spelling_dictionary().correction(word) or word


@shape("innocent", "edited")
def autocorrected(text: str) -> str:
    """Every word that pyspellchecker does not know becomes one that it knows."""
    words = [one for one in re.finditer(LOWER, text) if one[0] not in _spelling_dictionary()]
    return corrected(text, ((one.start(), one.end(), _autocorrected(one[0])) for one in words))


@cache
def _prose_linter() -> tuple[Any, Any]:
    tools, registry = _tool("proselint.tools"), _tool("proselint.registry")
    registry.CheckRegistry().register_many(_tool("proselint.checks").__register__)
    return tools.LintFile, _tool("proselint.config").DEFAULT


@shape("innocent", "edited")
def style_guide(text: str) -> str:
    """What proselint, a style guide of usage and redundancy, suggests."""
    lint_file, settings = _prose_linter()
    found = (one.check_result for one in lint_file("text", text).lint(settings))
    # Its spans count from a line end that it puts before the text.
    return corrected(text, ((one.span[0] - 1, one.span[1] - 1, one.replacements) for one in found if one.replacements))


@shape("innocent", "edited")
def contractions_expanded(text: str) -> str:
    """Does not instead of doesn't, as style guides want it, by contractions."""
    return str(_tool("contractions").fix(text, slang=False))


@shape("innocent", "edited")
def typographer(text: str) -> str:
    """Curly quotes, dashes and ellipses, by SmartyPants."""
    module = _tool("smartypants")
    return str(module.smartypants(text, module.Attr.set1 | module.Attr.u))


@cache
def _retext() -> subprocess.Popen[str]:
    if not (RETEXT / "node_modules").exists():
        raise BenchmarkError("retext is not installed. Run: make editors-extra")
    try:
        return subprocess.Popen(
            ["node", RETEXT / "edit.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
    except FileNotFoundError:
        raise BenchmarkError("retext needs Node.js. Install it, for example with: apt-get install nodejs npm") from None


def _edited(checker: str, text: str) -> str:
    editor = _retext()
    assert editor.stdin is not None
    assert editor.stdout is not None
    editor.stdin.write(json.dumps({"checker": checker, "text": text}) + "\n")
    editor.stdin.flush()
    return str(json.loads(editor.stdout.readline()))


@shape("innocent", "edited")
def simplified(text: str) -> str:
    """Use instead of utilize: simpler words for readers who need them, by retext-simplify."""
    return _edited("simplify", text)


@shape("innocent", "edited")
def inclusive_language(text: str) -> str:
    """Chair instead of chairman: words that hurt nobody, by retext-equality, without pronouns."""
    return _edited("equality", text)


@shape("innocent", "changed")
def neutral_pronouns(text: str) -> str:
    """They instead of he or she as well, which leaves "they is" and "see their" for a person to correct."""
    return _edited("pronouns", text)


@shape("innocent", "edited")
def usage_corrected(text: str) -> str:
    """Articles, apostrophes, repeated words and redundant acronyms are corrected, by retext."""
    return _edited("usage", text)
