"""The fast tier's time by stage, for `python -m benchmarks.throughput --profile`.

Each stage is a function or method of unspun that is timed while texts are scored. A stage's time is its own: what it
spends in other stages is theirs. What no stage has is "the rest".
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unspun.model.detector import Detector

STAGES: dict[str, tuple[str, ...]] = {
    "parse: repair": ("text.document:repair",),
    "parse: layouts": ("text.repair:undo_layouts",),
    "parse: additions": ("text.repair:remove_additions",),
    "parse: tokens": ("text.document:Tokens.__init__",),
    "parse: case": ("text.document:restore_case",),
    "parse: lines and sentences": ("text.document:Layout.__init__", "text.document:find_sentences"),
    "parse: other languages": ("text.document:find_foreign",),
    "parse: prose": ("text.document:find_prose",),
    "parse: the rest": ("text.document:Documents.parse",),
    "sections": ("text.document:Documents.in_sections",),
    "encode": ("signals.features:Signals.encode",),
    "signal: frequency": ("signals.frequency:Frequency.read",),
    "signal: collocations": ("signals.collocations:Collocations.read",),
    "signal: substitutions": ("signals.substitutions:Substitutions.read",),
    "signal: known phrases": ("signals.known_phrases:KnownPhrases.read",),
    "signal: debris": ("signals.debris:Debris.read",),
    "signal: translationese": ("signals.translationese:Translationese.read",),
    "signal: style": ("signals.style:Style.read",),
    "look-ups of n-grams": ("language.ngrams:NgramTable.find",),
    "topics": ("language.topics:Topics.similarity", "language.topics:Topics.contexts"),
    "tagger": ("signals.tagger:Tagger.log_odds",),
    "tagger: pooling": ("signals.features:_pool_misfit",),
    "features: the rest": ("signals.features:FeatureExtractor.measure",),
    "trees": ("tiers.fast:FastClassifier.log_odds",),
    "unfamiliarity": ("tiers.fast:FastClassifier.unfamiliar",),
    "abstention": ("detector:reasons",),
    "rates and scores": ("decision.decision:TierDecision.log_rates", "decision.decision:TierDecision.scores"),
    "verdict": ("detector:Detector._decide",),
    "JSON": ("verdict:Verdict.to_json",),
}
"""The functions of each stage: module below unspun.model, colon, name."""


def stages(
    texts: Sequence[str], detector: Detector | None = None, depth: str = "fast", batch: int = 64
) -> list[tuple[str, float]]:
    """Return the CPU seconds that each stage takes for scoring texts without evidence, and at last those of the rest.

    Args:
        texts: the texts.
        detector: the model; by default the one that ships.
        depth: the depth at which the texts are scored.
        batch: texts that are given to the detector at a time.
    """
    from unspun.model.detector import Detector

    detector = detector or Detector.load()
    detector.score_many(texts[:batch], depth=depth, evidence=False)  # fills the caches
    clock = _Clock()
    started = time.process_time()
    with ExitStack() as timed:
        for name, places in STAGES.items():
            for place in places:
                timed.enter_context(_timed(place, name, clock))
        for start in range(0, len(texts), batch):
            for verdict in detector.score_many(texts[start : start + batch], depth=depth, evidence=False):
                verdict.to_json()
    total = time.process_time() - started
    return [*clock.taken.items(), ("the rest", total - sum(clock.taken.values()))]


class _Clock:
    """The time that stages take, without that of the stages inside them."""

    def __init__(self) -> None:
        self.taken = dict.fromkeys(STAGES, 0.0)
        self._open: list[str] = []
        self._since = 0.0

    def enter(self, name: str) -> None:
        self._stop()
        self._open.append(name)

    def leave(self) -> None:
        self._stop()
        self._open.pop()

    def _stop(self) -> None:
        now = time.process_time()
        if self._open:
            self.taken[self._open[-1]] += now - self._since
        self._since = now


@contextmanager
def _timed(place: str, name: str, clock: _Clock) -> Iterator[None]:
    """Time a function as part of a stage for as long as the context lasts."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(f"unspun.model.{module}")
    *classes, function = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    original = owner.__dict__[function]
    plain: Callable[..., Any] = original.__func__ if isinstance(original, classmethod) else original

    def timed(*arguments: Any, **options: Any) -> Any:
        clock.enter(name)
        try:
            return plain(*arguments, **options)
        finally:
            clock.leave()

    setattr(owner, function, classmethod(timed) if isinstance(original, classmethod) else timed)
    try:
        yield
    finally:
        setattr(owner, function, original)
