"""training/comparing.py: pairs of related and unrelated texts, and the weights that are fitted to them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from unspun.model.comparing.comparison import RELATIONS
from unspun.model.comparing.judge import DECISIVE, STYLE, WEIGHTS, ComparisonJudge
from unspun.model.comparing.measures import NAMES
from unspun.training import comparing as compare
from unspun.training.comparing import NEIGHBOUR, UNRELATED, Labels


def records(count: int) -> list[dict[str, str]]:
    """Return human records of one source with different words, and a spun version of every second one."""
    rng = random.Random(3)
    found = []
    for number in range(count):
        words = [
            f"{rng.choice('bdfglmnprst')}{rng.choice('aeiou')}{rng.choice('bdgklmnpt')}{number}" for _ in range(90)
        ]
        text = " ".join(words) + "."
        found.append({"id": f"h{number}", "label": "human", "source": "notes", "text": text})
        if number % 2 == 0:
            version = {"text": text.replace("a", "o"), "original": text}
            found.append({"id": f"s{number}", "label": "spun", "source": "spinner", "tool": "Acme", **version})
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "mixed.jsonl"
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records(60)), "utf-8")
    return file


def test_pairs_of_every_relation_are_gathered(corpus: Path) -> None:
    cases = compare.gather([corpus])
    assert {case.relation for case in cases} >= {"spun", "copied", UNRELATED}
    assert {case.relation for case in cases} <= {*RELATIONS, UNRELATED, NEIGHBOUR}


def test_only_texts_with_the_role_train_are_gathered(corpus: Path, tmp_path: Path) -> None:
    held_back = [{**record, "source": "rust_book"} for record in records(60)]
    (tmp_path / "held_back.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in held_back), "utf-8")
    assert compare.gather([corpus, tmp_path]) == compare.gather([corpus])


def test_the_same_seed_gives_the_same_cases(corpus: Path) -> None:
    assert compare.gather([corpus], seed=1) == compare.gather([corpus], seed=1)
    assert compare.gather([corpus], seed=1) != compare.gather([corpus], seed=2)


def test_no_text_is_unrelated_to_itself_or_its_original(corpus: Path) -> None:
    related = {(record["text"], record["original"]) for record in records(60) if "original" in record}
    for case in compare.gather([corpus]):
        if case.relation in (UNRELATED, NEIGHBOUR):
            assert case.suspect != case.source
            assert (case.suspect, case.source) not in related


def test_written_weights_give_the_fitted_results(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count = 400
    relation = np.array([*RELATIONS, UNRELATED, NEIGHBOUR] * 67)[:count]
    labels = Labels(
        relation, np.full(count, "c"), np.where(np.isin(relation, RELATIONS), "t", ""), np.isin(relation, RELATIONS)
    )
    numbers = rng.normal(size=(count, len(NAMES) + len(STYLE)))
    numbers[labels.positive, NAMES.index("own_larger")] += 3.0
    for place, name in enumerate(RELATIONS):
        numbers[relation == name, len(DECISIVE) + place] += 3.0
    centre, spread = numbers.mean(axis=0), numbers.std(axis=0)
    compare.write((numbers - centre) / spread, labels, centre, spread, tmp_path / "weights.json")
    judge = ComparisonJudge.read(tmp_path / "weights.json")
    called = np.array([judge.probability(row[: len(NAMES)]) >= 0.5 for row in numbers])
    assert (called == labels.positive).mean() > 0.9
    kinds = [judge.kinds_of(row) for row in numbers[labels.positive]]
    right = [
        max(kind, key=kind.__getitem__) == name for kind, name in zip(kinds, relation[labels.positive], strict=True)
    ]
    assert np.mean(right) > 0.8


def test_the_shipped_weights_match_the_numbers_of_the_engine() -> None:
    weights = json.loads(WEIGHTS.read_text("utf-8"))
    assert weights["names"] == [*NAMES, *STYLE]
    assert weights["decisive"] == list(DECISIVE)
    assert weights["relations"] == list(RELATIONS)
