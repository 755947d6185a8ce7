"""The parts of a text and its verdict that a label stores, in plain JSON types and without other libraries."""

from __future__ import annotations

import hashlib
from typing import Any

from unspun.model.verdict import Verdict


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, in hexadecimal. Unpaired surrogates are encoded as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def summary(verdict: Verdict) -> dict[str, Any]:
    """Return a dictionary with `verdict`, without the scores of the kinds and without evidence, and `signals`.

    `signals` has for each signal with evidence, sorted by name, the number of passages and the sum of their weights in
    nats.
    """
    sums: dict[str, tuple[int, float]] = {}
    for item in verdict.evidence or ():
        count, weight = sums.get(item.signal, (0, 0.0))
        sums[item.signal] = (count + 1, weight + item.weight)
    return {
        "verdict": {
            "score": verdict.score,
            "false_positive_rate": verdict.false_positive_rate,
            "share": verdict.share,
            "verdict": verdict.verdict,
            "kind": verdict.kind,
            "reason": verdict.reason,
            "words": verdict.words,
            "depth": verdict.depth,
            "model": verdict.model.to_dict(),
        },
        "signals": [
            {"signal": name, "count": count, "weight": round(weight, 4)}
            for name, (count, weight) in sorted(sums.items())
        ],
    }
