"""Our own spinners.

Real article spinners are proprietary, so these imitate what is known about them. Their sources differ so much that a
spinner left out of training is a fair test of the others. To add a spinner, add a `SpinnerRecipe` to `SPINNERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unspun.training.machines.phrase_table import SpinnerPhrases, read_phrases, read_reversed_lexicons
from unspun.training.machines.spinner import Knobs, Spinner
from unspun.training.machines.synonyms import Moby, MyThes, Neighbours, Thesaurus, WordNet, word_vectors


@dataclass(frozen=True, slots=True)
class SpinnerRecipe:
    """What a spinner is made of: keys of `THESAURI`, knobs, and its phrases.

    The phrases are those of `phrases.tsv` ("common"), or these and the lexicons of real spinners ("all").
    """

    thesauri: tuple[str, ...]
    knobs: Knobs
    phrases: Literal["common", "all"] | None = None


THESAURI: dict[str, Callable[[], Thesaurus]] = {
    "wordnet": WordNet,
    "first_sense": lambda: WordNet(first_sense=True),
    "relations": lambda: WordNet({"hypernym": 0.5, "hyponym": 0.5, "similar": 0.7, "cohyponym": 0.2}),
    "moby": lambda: Moby(commonness=0.1),
    "near_moby": lambda: Moby(word_vectors(), commonness=0.3),
    "mythes": MyThes,
    "neighbours": Neighbours,
    "near_words": lambda: Neighbours(same_form=False),
    "all_near_words": lambda: Neighbours(same_form=False, function_words=True),
}

SPINNERS: dict[str, SpinnerRecipe] = {
    "wordnet": SpinnerRecipe(
        ("wordnet",),
        Knobs(
            phrase_rate=(0.0, 0.3),
            choices={"plausible": 0.45, "first": 0.2, "random": 0.25, "rare": 0.1},
            inflections={"correct": 0.75, "naive": 0.1, "none": 0.15},
        ),
        "common",
    ),
    "moby": SpinnerRecipe(
        ("moby", "near_moby"),
        Knobs(
            phrase_rate=(0.0, 0.5),
            choices={"plausible": 0.2, "random": 0.45, "rare": 0.35},
            inflections={"correct": 0.85, "naive": 0.05, "none": 0.1},
        ),
        "common",
    ),
    "neighbours": SpinnerRecipe(
        ("neighbours", "near_words", "all_near_words"),
        Knobs(
            rate=(0.1, 0.9),
            choices={"plausible": 0.35, "first": 0.1, "random": 0.25, "rare": 0.3},
            names=0.4,
            articles=0.2,
            consistent=0.3,
        ),
    ),
    "idioms": SpinnerRecipe(
        ("first_sense",),
        Knobs(
            rate=(0.05, 0.7),
            phrase_rate=(0.2, 1.0),
            choices={"plausible": 0.6, "first": 0.4},
            inflections={"correct": 0.95, "none": 0.05},
            all_pos=0.85,
            consistent=0.6,
            names=0.05,
        ),
        "all",
    ),
    "relations": SpinnerRecipe(
        ("relations",),
        Knobs(
            choices={"plausible": 0.2, "random": 0.45, "rare": 0.35},
            inflections={"correct": 0.5, "none": 0.5},
            capitals={"kept": 0.45, "lost": 0.5, "title": 0.05},
            context=0.4,
            names=0.3,
        ),
    ),
    "mixed": SpinnerRecipe(
        ("wordnet", "near_moby", "neighbours", "first_sense", "relations", "mythes"),
        Knobs(
            rate=(0.05, 0.9),
            phrase_rate=(0.0, 1.0),
            choices={"plausible": 0.45, "random": 0.35, "rare": 0.2},
            inflections={"correct": 0.9, "naive": 0.05, "none": 0.05},
            per_word_source=True,
        ),
        "all",
    ),
}
"""The spinners by name. Their order decides which text each one gets (`spinning.spin`)."""


def build_spinners(lexicons: Path | None = None) -> dict[str, Spinner]:
    """Return the spinners of `SPINNERS`, in its order. Takes about 20 seconds: every source is read.

    Args:
        lexicons: folder with `spinner_pairs.tsv` and `tortured_phrases.tsv`; without it, "all" phrases are those of
            `phrases.tsv`.

    Raises:
        RuntimeError, FileNotFoundError: a source is missing; the message names the package to install.
    """
    common = read_phrases()
    phrases = {
        None: None,
        "common": SpinnerPhrases(common),
        "all": SpinnerPhrases([*common, *(read_reversed_lexicons(lexicons) if lexicons else ())]),
    }
    thesauri = {name: read() for name, read in THESAURI.items()}
    return {
        name: Spinner(name, [thesauri[source] for source in recipe.thesauri], recipe.knobs, phrases[recipe.phrases])
        for name, recipe in SPINNERS.items()
    }
