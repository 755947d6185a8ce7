"""Small labelled matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from unspun.model.signals.style import BUCKETS
from unspun.training.classifier.matrix import LabelledMatrix

NAMES = ("frequency.x", "known_phrase.listed", "length")
TOOLS = {
    "spun": ("pwws", "textfooler", "unspun:wordnet"),
    "translated": ("deepl", "google-translate-fr", "wmt"),
    "rewritten": ("dipper", "llm-polish", "quillbot"),
}


def rows(label: str, tool: str = "human", count: int = 12, **columns: Any) -> dict[str, Any]:
    """Return the columns of similar texts, with scores evenly spaced from 0 to 0.5 (human) or 0.5 to 1 (machine)."""
    scores = np.linspace(0, 0.5, count) + (0.0 if label in ("human", "llm") else 0.5)
    plain: dict[str, Any] = {
        "labels": label,
        "tools": tool,
        "sources": tool,
        "domains": "news",
        "words": 100,
        "changed": np.nan,
        "scores": scores,
        "listed": 1.0,
        "groups": -1,
    }
    return {name: np.broadcast_to(value, count) for name, value in {**plain, **columns}.items()}


def matrix(*parts: dict[str, Any]) -> LabelledMatrix:
    """Join rows; each row without a group gets its own."""
    column = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    size = len(column["labels"])
    groups = np.where(column["groups"] < 0, 1000 + np.arange(size), column["groups"])
    features = np.stack([column["scores"], column["listed"], np.log1p(column["words"])], axis=1)
    return LabelledMatrix(
        features=features.astype(np.float32),
        names=NAMES,
        ids=np.array([f"row{i}" for i in range(size)]),
        labels=column["labels"],
        sources=column["sources"],
        tools=column["tools"],
        domains=column["domains"],
        groups=groups.astype(np.int32),
        words=column["words"].astype(np.int32),
        changed=column["changed"].astype(np.float32),
        style=csr_array((size, BUCKETS), dtype=np.float32),
    )


BASE = (
    rows("human", sources="bbc"),
    rows("human", sources="cnn"),
    *(rows(label, tool) for label, tools in TOOLS.items() for tool in tools),
)
