"""benchmarks/promotion.py finds wrong answers and broken promises."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.promotion import REACHED_SECONDS, Change, Clients, Outcome, Run, _broken, reached

OLD, NEW = "0" * 64, "1" * 64
EXPECTED = {
    (model, "auto"): [{"id": None, "score": score, "model": {"sha256": model}}]
    for model, score in ((OLD, 0.25), (NEW, 0.75))
}
ITEMS = [{"id": "7-0", "text": "...", "depth": "auto"}, {"id": "7-1", "text": "...", "depth": "auto"}]


def answer(score: float, model: str, id: str = "7-0") -> dict[str, Any]:
    return {"id": id, "score": score, "model": {"sha256": model}}


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([answer(0.25, OLD)], None),
        ([answer(0.75, NEW)], None),
        ([answer(0.25, OLD), answer(0.25, OLD, id="7-1")], None),
        # One model's score with the other's name, another request's answer, an unknown model, a mixed batch.
        ([answer(0.25, NEW)], "not the verdict of the model that it names (11111111) on article 0"),
        ([answer(0.25, OLD, id="8-0")], "not the verdict of the model that it names (00000000) on article 0"),
        ([answer(0.25, "2" * 64)], f"an answer by an unknown model: {'2' * 64}"),
        ([answer(0.25, OLD), answer(0.75, NEW, id="7-1")], "a batch answered by 2 models"),
    ],
)
def test_an_answer_must_be_the_verdict_of_the_model_that_it_names(
    answers: list[dict[str, Any]], problem: str | None
) -> None:
    clients = Clients("localhost", 1, ["..."], EXPECTED, 1.0, ("auto",))
    models = sorted({item["model"]["sha256"] for item in answers})
    assert clients._judge(models, [0] * len(answers), ITEMS[: len(answers)], answers) == problem


CHANGES = [Change("promote", 10.0, 12.0, NEW), Change("rollback", 100.0, 102.0, OLD)]


def outcome(began: float, model: str, **other: Any) -> Outcome:
    return Outcome(began, began + 0.1, (model,), **other)


@pytest.mark.parametrize("began", [5.0, 11.0, 12.0 + REACHED_SECONDS - 0.1, 103.0])
def test_the_old_model_may_answer_until_the_new_one_is_loaded(began: float) -> None:
    assert _broken(Run([outcome(began, OLD)], CHANGES)) == []


@pytest.mark.parametrize(
    ("outcomes", "problem"),
    [
        ([outcome(12.0 + REACHED_SECONDS + 0.1, OLD)], "an answer by the previous model, 10 s after promote"),
        ([outcome(1.0, OLD, failed="503: no")], "a request failed: 503: no"),
        ([outcome(1.0, OLD, wrong="x")], "an answer is wrong: x"),
        ([], "no request was answered"),
    ],
)
def test_broken_promises_are_reported(outcomes: list[Outcome], problem: str) -> None:
    assert _broken(Run(outcomes, CHANGES)) == [problem]


def test_a_change_is_timed_until_it_has_reached_all_answers() -> None:
    run = Run([outcome(12.5, OLD), outcome(13.0, NEW), outcome(13.5, OLD), outcome(14.0, NEW)], CHANGES)
    assert reached(run, CHANGES[0]) == 1.5
