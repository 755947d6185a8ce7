"""The table of labels, as SQLAlchemy maps it. The migrations make it; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, Float, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from unspun.service.feedback.labels import (
    MAX_COMMENT,
    MAX_NAME,
    MAX_SOURCE,
    WORDS,
    Judgement,
    Label,
    ModelName,
    SignalSum,
)


class Instant(TypeDecorator[datetime]):
    """A time in UTC, also where the database knows no time zones, as SQLite does not."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is stored."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what was stored."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables have in common."""


class LabelRow(Base):
    """A label. The names begin with `unspun`, so that a database may be shared with others."""

    __tablename__ = "unspun_labels"
    __table_args__ = (
        CheckConstraint(f"label IN ({', '.join(repr(word) for word in WORDS)})", name="unspun_labels_label"),
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
        """Return the row of a label."""
        said = label.verdict
        return cls(
            id=label.id,
            created=label.created,
            label=label.label,
            source=label.source,
            comment=label.comment,
            digest=label.digest,
            text=label.text,
            score=said.score,
            false_positive_rate=said.false_positive_rate,
            share=said.share,
            verdict=said.verdict,
            kind=said.kind,
            reason=said.reason,
            words=said.words,
            depth=said.depth,
            model_name=said.model.name,
            model_version=said.model.version,
            model_sha256=said.model.sha256,
            signals=[signal.model_dump() for signal in label.signals],
        )

    def to_label(self) -> Label:
        """Return the label. It was checked when it was stored, and is not checked again."""
        return Label.model_construct(
            id=self.id,
            created=self.created,
            label=self.label,
            source=self.source,
            comment=self.comment,
            digest=self.digest,
            text=self.text,
            verdict=Judgement.model_construct(
                score=self.score,
                false_positive_rate=self.false_positive_rate,
                share=self.share,
                verdict=self.verdict,
                kind=self.kind,
                reason=self.reason,
                words=self.words,
                depth=self.depth,
                model=ModelName.model_construct(
                    name=self.model_name, version=self.model_version, sha256=self.model_sha256
                ),
            ),
            signals=tuple(SignalSum.model_construct(**signal) for signal in self.signals),
        )
