"""What labels tell of the model, on cases that were counted by hand."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if find_spec("sqlalchemy") is None:
    pytest.skip("labels: pip install 'unspun[feedback]'", allow_module_level=True)

from tests.feedback.making import label_of
from tests.service.support import cases, why
from unspun.service.feedback.audit import FOUND, Audit, Share, audit
from unspun.service.feedback.labels import Label, ModelName, SignalSum

SHARES = ("precision", "recall", "false_positive_rate")


def read(line: str, place: int) -> Label:
    """Return the label of a case's line: TEXT LABEL VERDICT KIND, @MODEL and /SOURCE if they matter."""
    text, word, verdict, kind, *more = line.split()
    model = next((part[1:] for part in more if part.startswith("@")), "1")
    source = next((part[1:] for part in more if part.startswith("/")), None)
    return label_of(
        text,
        word,
        after=place,
        verdict=verdict,
        kind=None if kind == "-" else kind,
        source=source,
        model=ModelName(name="m", version=model, sha256=model * 64),
        signals=(),
    )


@pytest.mark.parametrize("case", cases("feedback_audit.toml"), ids=why)
def test_what_labels_tell(case: dict[str, Any]) -> None:
    found = audit([read(line, place) for place, line in enumerate(case["labels"])], "suspect").to_dict()
    for name, expected in case["expect"].items():
        if name == "contradicting":
            digests = {label_of(text).digest: text for text in expected}
            assert [digests[one["digest"]] for one in found[name]] == expected
        elif isinstance(expected, int):
            assert found[name] == expected
        else:
            bare = [
                {
                    key: [value["part"], value["whole"]] if key in SHARES else value
                    for key, value in row.items()
                }
                for row in found[name]
            ]  # fmt: skip
            assert bare == expected


def test_a_signal_is_right_where_it_gave_evidence_on_a_machines_text() -> None:
    def with_signals(text: str, word: str, **counts: int) -> Label:
        signals = tuple(SignalSum(signal=name, count=count, weight=1.0) for name, count in counts.items())
        return label_of(text, word, signals=signals)

    found = audit(
        [
            with_signals("a", "spun", known_phrase=3, misfit=1),
            with_signals("b", "human", misfit=1),
            with_signals("c", "human"),
        ]
    )
    shown = {row.name: (row.precision, row.recall, row.false_positive_rate) for row in found.signals}
    assert shown == {
        "known_phrase": (Share(1, 1), Share(1, 1), Share(0, 2)),
        "misfit": (Share(1, 2), Share(1, 1), Share(1, 2)),
    }


def test_only_paraphrased_counts_at_that_level() -> None:
    labels = [label_of("a", "human", verdict="suspect", kind="spun", source="x")]
    assert audit(labels, "suspect").sources[0].false_positive_rate == Share(1, 1)
    assert audit(labels, "paraphrased").sources[0].false_positive_rate == Share(0, 1)


def test_an_interval_is_wilsons() -> None:
    # Newcombe 1998, table I: 81 of 263.
    low, high = Share(81, 263).interval or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_of_nothing_there_is_no_share() -> None:
    assert Share(0, 0).to_dict() == {"value": None, "low": None, "high": None, "part": 0, "whole": 0}


LABELS = st.lists(
    st.builds(
        lambda text, word, verdict, source, after: label_of(
            text,
            word,
            verdict=verdict,
            kind="spun" if verdict in FOUND["suspect"] else None,
            source=source,
            after=after,
        ),
        st.sampled_from("abcdefgh"),
        st.sampled_from(["human", "spun", "translated", "rewritten"]),
        st.sampled_from(["clear", "suspect", "paraphrased", "abstained"]),
        st.sampled_from([None, "x", "y"]),
        st.integers(0, 100),
    ),
    max_size=40,
)


def whole(found: Audit) -> int:
    return found.overall[0].texts


@given(LABELS)
def test_every_text_is_behind_a_figure_or_said_to_be_left_out(labels: list[Label]) -> None:
    found = audit(labels)
    assert whole(found) + found.abstained + len(found.contradicting) == found.texts
    assert sum(row.texts for row in found.sources) == whole(found)
    for row in [*found.overall, *found.kinds, *found.sources, *found.models]:
        for share in (row.precision, row.recall, row.false_positive_rate):
            assert 0 <= share.part <= share.whole <= row.texts
