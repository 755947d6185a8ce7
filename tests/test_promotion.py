"""benchmarks/promotion.py: what counts as a wrong answer, and what as a broken promise."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

if find_spec("gevent") is None:
    pytest.skip("the service: pip install 'unspun[service]'", allow_module_level=True)

from benchmarks.promotion import REACHED_SECONDS, Change, Clients, Outcome, Run, _broken, reached

OLD, NEW = "0" * 64, "1" * 64
EXPECTED = {
    (model, "auto"): [{"id": None, "score": score, "model": {"sha256": model}}]
    for model, score in ((OLD, 0.25), (NEW, 0.75))
}
ITEMS = [{"id": "7-0", "text": "...", "depth": "auto"}, {"id": "7-1", "text": "...", "depth": "auto"}]


def answer(score: float, model: str, id: str = "7-0") -> dict[str, Any]:
    return {"id": id, "score": score, "model": {"sha256": model}}


def judged(*answers: dict[str, Any]) -> str | None:
    clients = Clients("localhost", 1, ["..."], EXPECTED, 1.0, ("auto",))
    models = sorted({item["model"]["sha256"] for item in answers})
    return clients._judge(models, [0] * len(answers), ITEMS[: len(answers)], list(answers))


@pytest.mark.parametrize("right", [answer(0.25, OLD), answer(0.75, NEW)])
def test_a_verdict_of_the_model_that_it_names_is_right(right: dict[str, Any]) -> None:
    assert judged(right) is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (answer(0.25, NEW), "not the verdict of the model that it names"),  # one model's score, the other's name
        (answer(0.25, OLD, id="8-0"), "not the verdict"),  # another request's
        (answer(0.25, "2" * 64), "none of the two"),
    ],
)
def test_a_verdict_of_another_model_is_wrong(wrong: dict[str, Any], told: str) -> None:
    assert told in str(judged(wrong))


def test_a_batch_of_two_models_is_wrong() -> None:
    assert judged(answer(0.25, OLD), answer(0.25, OLD, id="7-1")) is None
    assert judged(answer(0.25, OLD), answer(0.75, NEW, id="7-1")) == "a batch that 2 models have answered"


CHANGES = [Change("promote", 10.0, 12.0, NEW), Change("rollback", 100.0, 102.0, OLD)]


def outcome(began: float, model: str, **other: Any) -> Outcome:
    return Outcome(began, began + 0.1, (model,), **other)


@pytest.mark.parametrize("began", [5.0, 11.0, 12.0 + REACHED_SECONDS - 0.1, 103.0])
def test_the_old_model_may_answer_until_the_new_one_is_loaded(began: float) -> None:
    assert _broken(Run([outcome(began, OLD)], CHANGES)) == []


def test_the_old_model_may_not_answer_for_ever() -> None:
    [told] = _broken(Run([outcome(12.0 + REACHED_SECONDS + 0.1, OLD)], CHANGES))
    assert "an answer of the model before" in told


@pytest.mark.parametrize("what", ["failed", "wrong"])
def test_a_request_that_failed_is_a_broken_promise(what: str) -> None:
    [told] = _broken(Run([outcome(1.0, OLD, **{what: "503: no"})], CHANGES))
    assert told.endswith("503: no")


def test_no_answers_are_a_broken_promise() -> None:
    assert _broken(Run([], CHANGES)) == ["no request at all was answered"]


def test_how_long_a_change_took_to_reach_all_answers() -> None:
    run = Run([outcome(12.5, OLD), outcome(13.0, NEW), outcome(13.5, OLD), outcome(14.0, NEW)], CHANGES)
    assert reached(run, CHANGES[0]) == 1.5
