"""Labels in a database: added, read, deleted. Nothing is there that nobody asked to be stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import URL, Connection, Select, func, select, tuple_
from sqlalchemy import delete as delete_from
from sqlalchemy.orm import Session

from unspun.service.feedback.database import Database
from unspun.service.feedback.labels import Label, Word
from unspun.service.feedback.tables import LabelRow

REPEAT_SECONDS = 60.0
"""The same label of the same text within so many seconds is the same one: a second click, or a client's second try."""
PAGE = 500
"""Labels read in one transaction: who reads slowly holds up nobody who writes."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A text of which people disagree: its labels, earliest first."""

    digest: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text that was kept, with its label. `id` is that of the label."""

    id: str
    text: str
    label: Word
    source: str | None


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """The texts that were kept, each once, in order of their labels; those of contradicting labels are left out."""

    texts: list[LabelledText]
    contradicting: list[Contradiction]
    without_text: int
    """Texts that have a label, no contradicting ones, and were not kept."""


class Store:
    """The labels of a database. Threads may share it. All methods raise StoreError."""

    def __init__(self, url: str | URL, *, migrates: bool | None = None) -> None:
        self.database = Database(url, migrates=migrates)

    def add(self, label: Label, *, repeat_seconds: float = REPEAT_SECONDS) -> tuple[Label, bool]:
        """Store a label; return it and True.

        Where somebody has just stored the same (text, label, source, comment, and whether the text is kept), that one
        and False: nothing is stored.
        """
        with self.database.writing() as connection, Session(connection) as session:
            self._lock(connection, label.digest)
            since = label.created - timedelta(seconds=repeat_seconds)
            same = session.scalars(_like(label).where(LabelRow.created >= since).limit(1)).first()
            if same is not None:
                return same.to_label(), False
            session.add(LabelRow.of(label))
            session.flush()
        return label, True

    def add_many(self, labels: Iterable[Label], *, unnamed: Collection[str] = ()) -> int:
        """Store labels, all or none; return how many.

        Left out are those whose ids are there, and of those in `unnamed`, whose ids were made up on the way, those
        that are there under another id: a file may be imported again.
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
        """Return the label of this id, None where there is none."""
        with self.database.reading() as connection, Session(connection) as session:
            row = session.get(LabelRow, id)
            return None if row is None else row.to_label()

    def delete(self, ids: Iterable[str]) -> set[str]:
        """Delete labels, with their texts; return the ids of those that were there."""
        deleted = set()
        with self.database.writing() as connection:
            for id in ids:
                if connection.execute(delete_from(LabelRow).where(LabelRow.id == id)).rowcount:
                    deleted.add(id)
        return deleted

    def labels(self) -> Iterator[Label]:
        """Yield all labels, earliest first, those that come meanwhile included."""
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
        """Let nobody else add a label of this text until the transaction ends. SQLite lets nobody write at all."""
        if not self.database.is_sqlite:
            number = int.from_bytes(bytes.fromhex(digest)[:8], "big", signed=True)
            connection.execute(select(func.pg_advisory_xact_lock(number)))


def contradictions(labels: Sequence[Label]) -> list[Contradiction]:
    """Return the texts that have different labels, in order of their first labels."""
    of_text: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        of_text[label.digest].append(label)
    return [
        Contradiction(digest, tuple(found))
        for digest, found in of_text.items()
        if len({label.label for label in found}) > 1
    ]


def labelled_texts(url: str) -> LabelledTexts:
    """Return what may be learnt from: texts that people asked to be kept, with their labels.

    A text counts once, however often it was given the same label. Where its labels contradict each other, those whose
    text was not kept included, it is left out and reported. Raises StoreError, and ValueError for a bad `url`.
    """
    store = Store(url)
    try:
        labels = list(store.labels())
    finally:
        store.database.close()
    disputed = contradictions(labels)
    left_out = {one.digest for one in disputed}
    first: dict[str, LabelledText] = {}
    for label in labels:
        if label.text is not None and label.digest not in left_out:
            first.setdefault(label.digest, LabelledText(label.id, label.text, label.label, label.source))
    known = {label.digest for label in labels} - left_out
    return LabelledTexts(list(first.values()), disputed, len(known) - len(first))


def _like(label: Label) -> Select[LabelRow]:
    """Select labels that say the same of the same text."""
    return select(LabelRow).where(
        LabelRow.digest == label.digest,
        LabelRow.label == label.label,
        LabelRow.source.is_not_distinct_from(label.source),
        LabelRow.comment.is_not_distinct_from(label.comment),
        LabelRow.text.is_(None) if label.text is None else LabelRow.text.is_not(None),
    )
