"""PDF and office documents on the command line: their limits, and what is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reading import documents
from tests.service.support import SPUN, Unspun
from unspun.reading.documents.isolation import LIMITS

LARGE = documents.docx("<w:p/>" * 3_000_000)
REPORT = (
    "needs more than 64 MB of memory to be read; if you trust the file, raise the limit with --document-memory or "
    "UNSPUN_DOCUMENT_MEMORY"
)


@pytest.fixture
def submissions(tmp_path: Path) -> Path:
    """Return a folder with a document that needs much memory between two others."""
    (tmp_path / "1.pdf").write_bytes(documents.pdf([documents.lines([SPUN])]))
    (tmp_path / "2.docx").write_bytes(LARGE)
    (tmp_path / "3.rtf").write_bytes(rb"{\rtf1 " + SPUN.encode() + b"}")
    return tmp_path


def test_a_document_above_the_limit_is_reported_and_the_others_are_scored(unspun: Unspun, submissions: Path) -> None:
    run = unspun("score", submissions, "--document-memory", "64")
    assert [verdict["verdict"] for verdict in run.verdicts] == ["paraphrased", "paraphrased"]
    assert f"unspun: {submissions}/2.docx: {REPORT}" in run.errors
    assert run.status == 3


def test_the_limits_are_settings_too(unspun: Unspun, submissions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_DOCUMENT_MEMORY", "64")
    assert f"unspun: {submissions}/2.docx: {REPORT}" in unspun("score", submissions).errors


@pytest.mark.parametrize("option", ["--document-memory", "--document-seconds"])
def test_a_limit_is_a_number_above_zero(option: str, unspun: Unspun, submissions: Path) -> None:
    assert unspun("score", submissions, option, "0").status == 2


def test_help_states_the_limits_that_hold_without_options(unspun: Unspun) -> None:
    text = " ".join(unspun("score", "--help").out.split())
    assert f"$UNSPUN_DOCUMENT_SECONDS, else {LIMITS.seconds}." in text
    assert f"$UNSPUN_DOCUMENT_MEMORY, else {LIMITS.megabytes}." in text


def test_a_document_on_standard_input_is_recognised(unspun: Unspun) -> None:
    (verdict,) = unspun("score", "-", stdin=documents.pdf([documents.lines([SPUN])])).verdicts
    assert verdict["verdict"] == "paraphrased"


def test_the_format_of_standard_input_can_be_named(unspun: Unspun) -> None:
    run = unspun("score", "-", "--input-format", "docx", stdin=documents.pdf([documents.lines([SPUN])]))
    assert "unspun: -: not a DOCX file but a PDF file; rename it" in run.errors
