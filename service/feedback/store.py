"""Add, read and delete labels in a database."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import URL, Connection, Select, func, select, tuple_
from sqlalchemy import delete as delete_from
from sqlalchemy.orm import Session

from unspun.service.feedback.database import Database
from unspun.service.feedback.labels import Label
from unspun.service.feedback.tables import LabelRow

REPEAT_SECONDS = 60.0
"""An equal label of the same text within this time counts as a second click or a retry, and is not stored again."""
PAGE = 500
"""Labels read per transaction, so that a slow reader does not block writers."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A text with different labels, earliest first."""

    digest: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class KeptTexts:
    """All stored texts, each once, in the order of their labels, without texts whose labels contradict each other."""

    labels: list[Label]
    """The first label of each text."""
    contradicting: list[Contradiction]
    without_text: int
    """Number of labelled texts without contradictions whose text was not stored."""


class Store:
    """The labels in a database. Threads may share a store. All methods raise StoreError."""

    def __init__(self, url: str | URL, *, migrates: bool | None = None) -> None:
        self.database = Database(url, migrates=migrates)

    def add(
        self, label: Label, *, repeat_seconds: float = REPEAT_SECONDS, deadline: float = math.inf
    ) -> tuple[Label, bool]:
        """Store a label; return it and True.

        If an equal label (text, label, source, comment, and whether the text is kept) was stored within the last
        `repeat_seconds`, store nothing, and return that label and False. After the `deadline`, a time of
        `time.monotonic`, nothing is stored.
        """
        with self.database.writing(deadline) as connection, Session(connection) as session:
            self._lock(connection, label.digest)
            since = label.created - timedelta(seconds=repeat_seconds)
            same = session.scalars(_like(label).where(LabelRow.created >= since).limit(1)).first()
            if same is not None:
                return same.to_label(), False
            session.add(LabelRow.of(label))
            session.flush()
        return label, True

    def add_many(self, labels: Iterable[Label], *, unnamed: Collection[str] = ()) -> int:
        """Store all labels or, after an error, none; return the number of new ones.

        Labels whose id is in the database are skipped. Labels in `unnamed`, whose ids are new, are skipped if an equal
        label has another id, so that a file can be imported twice.
        """
        stored = 0
        with self.database.writing() as connection, Session(connection) as session:
            for label in labels:
                if label.id in unnamed:
                    self._lock(connection, label.digest)
                    there = session.scalars(_like(label).limit(1)).first() is not None
                else:
                    there = session.get(LabelRow, label.id) is not None
                if not there:
                    session.add(LabelRow.of(label))
                    session.flush()
                    stored += 1
        return stored

    def get(self, id: str) -> Label | None:
        """Return the label with this id, or None."""
        with self.database.reading() as connection, Session(connection) as session:
            row = session.get(LabelRow, id)
            return None if row is None else row.to_label()

    def delete(self, ids: Iterable[str], *, deadline: float = math.inf) -> set[str]:
        """Delete labels with their texts; return the ids that existed. `deadline` is as in `add`."""
        deleted = set()
        with self.database.writing(deadline) as connection:
            for id in ids:
                if connection.execute(delete_from(LabelRow).where(LabelRow.id == id)).rowcount:
                    deleted.add(id)
        return deleted

    def labels(self) -> Iterator[Label]:
        """Yield all labels, earliest first, including those added in the meantime."""
        last: tuple[object, str] | None = None
        query = select(LabelRow).order_by(LabelRow.created, LabelRow.id).limit(PAGE)
        while True:
            after = query if last is None else query.where(tuple_(LabelRow.created, LabelRow.id) > last)
            with self.database.reading() as connection, Session(connection) as session:
                page = [row.to_label() for row in session.scalars(after)]
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1].created, page[-1].id

    def _lock(self, connection: Connection, digest: str) -> None:
        """Keep others from adding a label of this text until the transaction ends. SQLite blocks all writers anyway."""
        if not self.database.is_sqlite:
            number = int.from_bytes(bytes.fromhex(digest)[:8], "big", signed=True)
            connection.execute(select(func.pg_advisory_xact_lock(number)))


def contradictions(labels: Sequence[Label]) -> list[Contradiction]:
    """Return the texts with different labels, in the order of their first labels."""
    of_text: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        of_text[label.digest].append(label)
    return [
        Contradiction(digest, tuple(found))
        for digest, found in of_text.items()
        if len({label.label for label in found}) > 1
    ]


def labelled_texts(url: str) -> KeptTexts:
    """Return the texts to train on: those that people asked to keep, with their labels.

    A text counts once, even if it has several equal labels. A text with contradicting labels, including labels without
    a stored text, is left out and reported. Raises StoreError, and ValueError for a bad `url`.
    """
    store = Store(url)
    try:
        labels = list(store.labels())
    finally:
        store.database.close()
    disputed = contradictions(labels)
    left_out = {one.digest for one in disputed}
    first: dict[str, Label] = {}
    for label in labels:
        if label.text is not None and label.digest not in left_out:
            first.setdefault(label.digest, label)
    known = {label.digest for label in labels} - left_out
    return KeptTexts(list(first.values()), disputed, len(known) - len(first))


def _like(label: Label) -> Select[LabelRow]:
    """Select the labels that are equal to this one."""
    return select(LabelRow).where(
        LabelRow.digest == label.digest,
        LabelRow.label == label.label,
        LabelRow.source.is_not_distinct_from(label.source),
        LabelRow.comment.is_not_distinct_from(label.comment),
        LabelRow.text.is_(None) if label.text is None else LabelRow.text.is_not(None),
    )
