"""The table of labels for SQLAlchemy. The migrations create it; a test compares the two."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, Float, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from unspun.model.verdict import JUDGEMENTS
from unspun.service.feedback.labels import (
    MAX_COMMENT,
    MAX_NAME,
    MAX_SOURCE,
    Label,
    ModelName,
    SignalSum,
    StoredVerdict,
)


class Instant(TypeDecorator[datetime]):
    """A time in UTC, also in SQLite, which has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC for storing."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert from the database to UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base class of the tables."""


class LabelRow(Base):
    """A label. All names begin with `unspun`, so that other programs can share the database."""

    __tablename__ = "unspun_labels"
    __table_args__ = (
        CheckConstraint(f"label IN ({', '.join(repr(word) for word in JUDGEMENTS)})", name="unspun_labels_label"),
        Index("unspun_labels_digest", "digest"),
        Index("unspun_labels_created", "created", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created: Mapped[datetime] = mapped_column(Instant)
    label: Mapped[str] = mapped_column(String(16))
    source: Mapped[str | None] = mapped_column(String(MAX_SOURCE))
    comment: Mapped[str | None] = mapped_column(String(MAX_COMMENT))
    digest: Mapped[str] = mapped_column(String(64))
    text: Mapped[str | None] = mapped_column(Text)
    score: Mapped[float | None] = mapped_column(Float(53))
    false_positive_rate: Mapped[float | None] = mapped_column(Float(53))
    share: Mapped[float | None] = mapped_column(Float(53))
    verdict: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    words: Mapped[int] = mapped_column(Integer)
    depth: Mapped[str] = mapped_column(String(16))
    model_name: Mapped[str] = mapped_column(String(MAX_NAME))
    model_version: Mapped[str] = mapped_column(String(MAX_NAME))
    model_sha256: Mapped[str] = mapped_column(String(MAX_NAME))
    signals: Mapped[list[dict[str, Any]]] = mapped_column(JSON)

    @classmethod
    def of(cls, label: Label) -> LabelRow:
        """Return the row for a label."""
        stored = label.verdict
        return cls(
            **label.model_dump(exclude={"verdict", "signals"}),
            **stored.model_dump(exclude={"model"}),
            **{f"model_{name}": value for name, value in stored.model.model_dump().items()},
            signals=[signal.model_dump() for signal in label.signals],
        )

    def to_label(self) -> Label:
        """Return the label, without checking it again."""

        def own(fields: Iterable[str], prefix: str = "") -> dict[str, Any]:
            return {name: getattr(self, f"{prefix}{name}") for name in fields}

        model = ModelName.model_construct(**own(ModelName.model_fields, "model_"))
        stored = StoredVerdict.model_construct(**own(StoredVerdict.model_fields.keys() - {"model"}), model=model)
        signals = tuple(SignalSum.model_construct(**signal) for signal in self.signals)
        fields = Label.model_fields.keys() - {"verdict", "signals"}
        return Label.model_construct(**own(fields), verdict=stored, signals=signals)
