"""service/batch/scoring.py: documents are scored in batches, and failures are returned separately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN, SUSPECT
from unspun.model.verdict import Verdict
from unspun.reading.reader import Failure, Record
from unspun.service.batch.scoring import BATCH_DOCUMENTS, Scored, Tally, batches, score_records


def records(*texts: str) -> list[Record | Failure]:
    return [Record(f"id{number}", text, f"f:{number}") for number, text in enumerate(texts)]


def words(outcomes: Iterable[Scored | Failure]) -> list[tuple[str | None, str]]:
    return [(item.verdict.id, item.verdict.verdict) for item in outcomes if isinstance(item, Scored)]


def test_verdicts_come_in_order_with_their_ids() -> None:
    outcomes = score_records(FakeDetector(), records(SPUN, SUSPECT, CLEAR))
    assert words(outcomes) == [("id0", "paraphrased"), ("id1", "suspect"), ("id2", "clear")]


def test_verdicts_list_the_repairs_of_reading() -> None:
    read = Record("a", f"{SPUN}\u200b", "a.html", repairs={"hidden": 40})
    [scored] = score_records(FakeDetector(), [read])
    assert isinstance(scored, Scored)
    assert [str(repair) for repair in scored.verdict.repairs] == ["hidden:40", "zero_width:1"]


def test_documents_are_scored_together() -> None:
    detector = FakeDetector()
    list(score_records(detector, records(*[CLEAR] * 150)))
    assert detector.calls == [64, 64, 22]


def test_a_failing_document_does_not_affect_others() -> None:
    first, failure, last = score_records(FakeDetector(), records(SPUN, "raise-error", CLEAR))
    assert isinstance(first, Scored)
    assert isinstance(last, Scored)
    assert isinstance(failure, Failure)
    assert failure.where == "f:1"
    assert "(id id1): ZeroDivisionError" in failure.message
    assert failure.message.endswith("please report this")


def test_missing_verdicts_are_not_assigned_to_the_wrong_documents() -> None:
    class Short(FakeDetector):
        def score_many(self, texts: Sequence[str], **asked: Any) -> list[Verdict]:
            return super().score_many(texts, **asked)[:1]

    outcomes = score_records(Short(), records(SPUN, CLEAR))
    assert words(outcomes) == [("id0", "paraphrased"), ("id1", "clear")]


def test_running_out_of_memory_is_a_failure() -> None:
    class Full(FakeDetector):
        def score_many(self, texts: Sequence[str], **asked: Any) -> list[Verdict]:
            raise MemoryError

    (failure,) = score_records(Full(), records(SPUN))
    assert failure == Failure("f:0", "needs more memory than is available")


def test_failures_are_passed_on() -> None:
    broken = Failure("f:9", "broken")
    assert broken in list(score_records(FakeDetector(), [broken, *records(CLEAR)]))


@given(st.lists(st.integers(0, 40), max_size=200))
def test_batches_are_bounded_and_complete(lengths: list[int]) -> None:
    given_records = records(*("x" * length for length in lengths))
    found = [batch for batch in batches(given_records, characters=100) if not isinstance(batch, Failure)]
    assert [record for batch in found for record in batch] == given_records
    for batch in found:
        assert 1 <= len(batch) <= BATCH_DOCUMENTS
        assert len(batch) == 1 or sum(len(record.text) for record in batch) <= 100


def test_a_tally_counts() -> None:
    tally = Tally()
    for outcome in score_records(FakeDetector(), [Failure("f", "broken"), *records(SPUN, CLEAR, CLEAR)]):
        tally.add(outcome)
    assert tally.documents == 3
    assert tally.failures == 1
    assert tally.verdicts == {"paraphrased": 1, "clear": 2}
    assert tally.words == sum(len(text.split()) for text in (SPUN, CLEAR, CLEAR))
