"""Labels for the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from unspun.service.feedback.labels import Label, ModelName, SignalSum, StoredVerdict, digest_of, new_id

NOW = datetime(2026, 11, 23, 6, 5, 0, 250_000, tzinfo=UTC)


def label_of(text: str = "The mayor was here.", word: Any = "human", *, after: float = 0.0, **fields: Any) -> Label:
    """Return a label created `after` seconds after NOW."""
    said = {
        "score": 0.25,
        "false_positive_rate": 0.2,
        "share": 0.0,
        "verdict": "clear",
        "kind": None,
        "reason": None,
        "words": 4,
        "depth": "fast",
    }
    if fields.get("verdict") == "abstained":
        said |= {"score": None, "false_positive_rate": None, "share": None}
    chosen = {name: fields.pop(name) for name in list(fields) if name in said}
    model = fields.pop("model", ModelName(name="fake", version="0.0.1", sha256="f" * 64))
    given = {
        "id": new_id(),
        "created": NOW + timedelta(seconds=after),
        "label": word,
        "digest": digest_of(text),
        "text": text if fields.pop("keep_text", False) else None,
        "verdict": StoredVerdict(**{**said, **chosen}, model=model),
        "signals": (SignalSum(signal="known_phrase", count=2, weight=4.5),),
    }
    return Label(**{**given, **fields})
