"""Among the five seed documents, 002 is the source of 000 and 001; 003 and 004 have no source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from unspun.service.cli import cli
from unspun.training.corpora import seeds

if TYPE_CHECKING:
    from unspun.model.comparing.comparer import Comparer

pytestmark = pytest.mark.seeds

NAMES = {document.file[:3]: document.file for document in seeds.manifest()}


@pytest.fixture(scope="module")
def folder() -> Path:
    found = seeds.find_folder()
    if found is None or not all((found / name).is_file() for name in NAMES.values()):
        pytest.skip("seed documents are missing; set UNSPUN_SEEDS or put them into ../shared/seeds or seeds/documents")
    return found


def answers(comparer: Comparer, *arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(cli, ["compare", *arguments, "--format", "jsonl", "--quiet"], obj=lambda _: comparer)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(("suspect", "kind"), [("000", "translated"), ("001", "spun"), ("003", None), ("004", None)])
def test_each_document_against_the_article(suspect: str, kind: str | None, folder: Path, comparer: Comparer) -> None:
    [answer] = answers(comparer, str(folder / NAMES[suspect]), str(folder / NAMES["002"]))
    assert (answer["derived"], answer["kind"]) == (kind is not None, kind)


def test_the_article_is_found_as_the_source(folder: Path, comparer: Comparer) -> None:
    found = {
        Path(answer["suspect"]["id"]).name[:3]: Path(answer["source"]["id"]).name[:3] if answer["derived"] else None
        for answer in answers(comparer, str(folder), "--against", str(folder))
    }
    assert found.pop("002") in ("000", "001")  # either may be the source of the other
    assert found == {"000": "002", "001": "002", "003": None, "004": None}
