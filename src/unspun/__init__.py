"""Finds machine-paraphrased English text and shows the words that give it away.

>>> import unspun
>>> verdict = unspun.score(text)                # loads the model on the first call
>>> verdict.verdict, verdict.kind, verdict.evidence

Everything here is imported on first use, so `import unspun` itself takes a few milliseconds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unspun.model.comparing.comparer import Comparer
    from unspun.model.comparing.comparison import Comparison
    from unspun.model.detector import Detector
    from unspun.model.text.allowed import Allowed
    from unspun.model.verdict import Evidence, EvidenceChoice, Verdict
    from unspun.service.client import Client

    __version__: str

__all__ = ["Allowed", "Client", "Comparison", "Detector", "Evidence", "Verdict", "__version__", "compare", "score"]

_OWNERS = {
    "Allowed": "unspun.model.text.allowed",
    "Client": "unspun.service.client",
    "Comparison": "unspun.model.comparing.comparison",
    "Detector": "unspun.model.detector",
    "Evidence": "unspun.model.verdict",
    "Verdict": "unspun.model.verdict",
}


def score(
    text: str,
    *,
    id: str | None = None,
    depth: str = "auto",
    evidence: EvidenceChoice = True,
    base_rate: float | None = None,
    allowed: Allowed | Iterable[str] | None = None,
) -> Verdict:
    """Score one text with the model that ships; the model is loaded once per process.

    `depth` is "auto", "fast" or "deep". `evidence` says whether to look for suspicious words and passages; a `clear`
    text gets them only with "all". `base_rate` is the share of paraphrased texts among those you score; with it the
    verdict has a `probability`. Terms that are `allowed` are never evidence: a list of them, or
    `Allowed.read("terms.txt")`. Any string gets a verdict: a text that cannot be judged is `abstained`. Raises
    ValueError for an unknown depth or choice of evidence, or a base rate outside (0, 1).

    For many texts use `Detector.load().score_many(texts)`, which works in batches.
    """
    return _detector().allowing(allowed).score(text, id=id, depth=depth, evidence=evidence, base_rate=base_rate)


def compare(suspect: str, source: str) -> Comparison:
    """Compare a suspect text with the text that it may come from, with the model that ships."""
    return _comparer().compare(suspect, source)


@cache
def _detector() -> Detector:
    from unspun.model.detector import Detector

    return Detector.load()


@cache
def _comparer() -> Comparer:
    from unspun.model.comparing.comparer import Comparer

    return Comparer.load()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("unspun")
    elif name in _OWNERS:
        from importlib import import_module

        value = getattr(import_module(_OWNERS[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
