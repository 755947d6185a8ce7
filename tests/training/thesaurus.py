"""A thesaurus of a few words, for tests that would otherwise need a minute to read the real ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unspun.training.machines.inflection import Tag
from unspun.training.machines.synonyms import WordReading


class TableThesaurus:
    """A thesaurus given as rows of word, alternative, weight (any unit) and the form of both."""

    def __init__(self, name: str, rows: Iterable[tuple[str, str, float, Tag]]) -> None:
        self.name = name
        self.table: dict[str, dict[Tag, dict[str, float]]] = {}
        for word, alternative, weight, tag in rows:
            self.table.setdefault(word, {}).setdefault(tag, {})[alternative] = weight

    def readings(self, word: str) -> Sequence[WordReading]:
        """Return the alternatives of a word in each form, the heaviest form and alternative first."""
        forms = self.table.get(word, {})
        totals = {tag: sum(pool.values()) for tag, pool in forms.items()}
        return [
            WordReading(
                tag,
                totals[tag] / sum(totals.values()),
                tuple((form, pool[form] / totals[tag]) for form in sorted(pool, key=lambda form: (-pool[form], form))),
            )
            for tag, pool in sorted(forms.items(), key=lambda item: -totals[item[0]])
        ]
