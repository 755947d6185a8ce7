"""Leaves out texts that are nearly the same as an earlier one: a crawl often contains an article many times.

Texts are compared by MinHash (Broder 1997) over runs of five words, with locality-sensitive hashing, by datasketch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from unspun.reading.reader import Failure, Record
from unspun.service.console import CommandError

SHINGLE = 5
"""Words in a run."""
SIMILARITY = 0.8
"""Two texts are near-duplicates if they share at least this part of their runs (Jaccard)."""
PERMUTATIONS = 128
WORD = re.compile(r"\w+")


@dataclass
class Deduplicator:
    """Yields the first of each group of near-duplicates. `left_out` pairs each other id with that of the first."""

    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            from datasketch import MinHash, MinHashLSH
        except ModuleNotFoundError as error:
            raise CommandError("--dedupe needs datasketch: pip install 'unspun[dedupe]'") from error
        self._minhash = MinHash
        self._index: Any = MinHashLSH(threshold=SIMILARITY, num_perm=PERMUTATIONS)
        self._names: list[str] = []

    def __call__(self, records: Iterable[Record | Failure]) -> Iterator[Record | Failure]:
        """Yield failures, and the records that are not near-duplicates of an earlier one."""
        for record in records:
            if isinstance(record, Failure) or not self._is_known(record):
                yield record

    def _is_known(self, record: Record) -> bool:
        words = WORD.findall(record.text.lower())
        runs = {" ".join(words[i : i + SHINGLE]).encode() for i in range(max(1, len(words) - SHINGLE + 1))}
        sketch = self._minhash(num_perm=PERMUTATIONS, seed=1)
        sketch.update_batch(sorted(runs))
        found = self._index.query(sketch)
        if found:
            self.left_out.append((record.id, self._names[min(found)]))
            return True
        self._index.insert(len(self._names), sketch, check_duplication=False)
        self._names.append(record.id)
        return False
