"""reading/encodings.py: decoding bytes."""

from __future__ import annotations

import io
import re
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases, why
from unspun.reading.encodings import NotTextError, decode, open_text

CASES = cases("reading/encodings.toml")


def data_of(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode(case["encoding"])


@pytest.mark.parametrize("case", [case for case in CASES if "error" not in case], ids=why)
def test_text_is_read_in_its_encoding(case: dict[str, Any]) -> None:
    assert decode(data_of(case)) == case.get("expected", case.get("text"))


@pytest.mark.parametrize("case", [case for case in CASES if "error" not in case], ids=why)
def test_a_stream_is_decoded_like_a_whole_file(case: dict[str, Any]) -> None:
    assert open_text(io.BytesIO(data_of(case)), newline="").read() == decode(data_of(case))


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=why)
def test_a_binary_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(NotTextError, match=re.escape(case["error"])):
        decode(data_of(case))


def test_a_late_nul_is_part_of_the_text() -> None:
    assert decode(b"words " * 20_000 + b"\0" + b"words") == "words " * 20_000 + "\0words"


def test_a_late_block_of_nuls_is_binary() -> None:
    with pytest.raises(NotTextError):
        decode(b"words " * 20_000 + b"\0" * 100 + b"words")


def test_a_tar_file_of_text_is_binary() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        text = b"words " * 20_000
        entry = tarfile.TarInfo("a.txt")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    with pytest.raises(NotTextError, match="tar"):
        decode(out.getvalue())


def test_a_declared_encoding_is_used_if_the_bytes_are_not_utf_8() -> None:
    assert decode("Łódź, says he.".encode("iso-8859-2"), "iso-8859-2") == "Łódź, says he."


def test_a_declared_encoding_does_not_override_utf_8() -> None:
    assert decode("Łódź".encode(), "iso-8859-2") == "Łódź"


@pytest.mark.parametrize("name", ["nonsense", "hex", "rot13", "latin-1", "undefined", "idna", "utf\0-8", "\ud800"])
def test_an_unusable_declaration_is_ignored(name: str) -> None:
    assert decode("“café”".encode("cp1252"), name) == "“café”"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(0, 200))
def test_any_utf_8_with_a_byte_order_mark_is_decoded(text: str, repeat: int) -> None:
    assert decode((text * repeat).encode("utf-8-sig")) == text * repeat


@given(st.binary(max_size=500))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        text = decode(data)
    except NotTextError:
        return
    assert isinstance(text, str)
