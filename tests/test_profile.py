"""benchmarks/profile.py: the fast tier's time by stage."""

from benchmarks.profile import STAGES, stages
from unspun.model.signals.style import Style

TEXT = "The old ferry crosses the bay twice a day, and the harbour is quiet in winter. " * 6


def test_every_stage_of_the_fast_tier_has_its_time() -> None:
    found = dict(stages([TEXT]))
    assert list(found) == [*STAGES, "the rest"]
    assert all(seconds > 0 for seconds in found.values())


def test_the_timed_functions_are_put_back() -> None:
    before = Style.read
    stages([TEXT])
    assert Style.read is before
