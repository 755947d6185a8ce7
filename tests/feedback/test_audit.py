"""The audit of labels, on cases counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.cases import why
from tests.feedback.making import label_of
from tests.service.support import cases
from unspun.model.verdict import JUDGEMENTS, VERDICTS
from unspun.service.feedback.audit import FOUND, Share, audit
from unspun.service.feedback.labels import Label, ModelName, SignalSum

SHARES = ("precision", "recall", "false_positive_rate")


def read(line: str, place: int) -> Label:
    """Parse a label of a case: TEXT LABEL VERDICT KIND, and optionally @MODEL and /SOURCE."""
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
def test_accuracy_is_counted_from_labels(case: dict[str, Any]) -> None:
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


def test_a_signal_is_right_if_it_gave_evidence_in_machine_text() -> None:
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


def test_suspect_does_not_count_at_the_level_paraphrased() -> None:
    labels = [label_of("a", "human", verdict="suspect", kind="spun", source="x")]
    assert audit(labels, "suspect").sources[0].false_positive_rate == Share(1, 1)
    assert audit(labels, "paraphrased").sources[0].false_positive_rate == Share(0, 1)


def test_an_interval_is_a_wilson_interval() -> None:
    # Newcombe 1998, table I: 81 of 263.
    low, high = Share(81, 263).interval or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_a_share_of_no_texts_has_no_value() -> None:
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
        st.sampled_from(JUDGEMENTS),
        st.sampled_from(VERDICTS),
        st.sampled_from([None, "x", "y"]),
        st.integers(0, 100),
    ),
    max_size=40,
)


@given(LABELS)
def test_every_text_is_counted_or_reported_as_left_out(labels: list[Label]) -> None:
    found = audit(labels)
    counted = found.overall[0].texts
    assert counted + found.abstained + len(found.contradicting) == found.texts
    assert sum(row.texts for row in found.sources) == counted
    for row in [*found.overall, *found.kinds, *found.sources, *found.models]:
        for share in (row.precision, row.recall, row.false_positive_rate):
            assert 0 <= share.part <= share.whole <= row.texts
