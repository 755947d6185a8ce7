"""The command line with the shipped model, on files that hide what they are or that are easily misread."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from tests.cases import DATA, cases
from unspun.service.cli import cli

if TYPE_CHECKING:
    from unspun.model.detector import Detector

FILES = DATA / "shapes" / "files"
CASES = cases("shapes/cases.toml")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "seeds" / "examples"
PAGES = (ROOT / "README.md", ROOT / "seeds" / "README.md", *sorted((ROOT / "docs").glob("*.md")))
WRONG = ("batch.md", "operations.md", "service.md")
MEANS = {"found": {"suspect", "paraphrased"}, "not flagged": {"clear", "abstained"}}
SCORED, UNREAD = 0, 3


def score(shipped: Detector, *paths: Path) -> Result:
    return CliRunner().invoke(cli, ["score", "--quiet", *map(str, paths)], obj=lambda _: shipped)


def verdicts(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_a_file_gets_the_right_answer(case: dict[str, Any], shipped: Detector) -> None:
    file = FILES / case["file"]
    result = score(shipped, file)
    if "or_error" in case and result.exit_code == UNREAD:
        case = {**case, "verdicts": {}, "error": case["or_error"]}
    found = {verdict["id"].replace(str(file), case["file"]): verdict for verdict in verdicts(result)}
    expected = case.get("verdicts", {case["file"]: case.get("verdict")})

    reported = rf".*{case['error']}.*\n" if "error" in case else ""
    assert re.fullmatch(reported, result.stderr, re.IGNORECASE)
    assert result.exit_code == (UNREAD if "error" in case else SCORED)
    assert found.keys() == expected.keys()
    for id, verdict in found.items():
        assert verdict["verdict"] in MEANS.get(expected[id], {expected[id]})
    repaired = case.get("repaired", [])
    for id in [case["file"]] if repaired is True else repaired:
        assert found[id]["repairs"]


def test_bad_files_cost_none_of_the_others(shipped: Detector) -> None:
    files = sorted(FILES.iterdir())
    together = verdicts(score(shipped, *files))
    assert together == [verdict for file in files for verdict in verdicts(score(shipped, file))]


def test_articles_by_people_are_clear_in_any_order(shipped: Detector, tmp_path: Path) -> None:
    articles = [path.read_text("utf-8").strip() for path in sorted((EXAMPLES / "human").glob("*.txt"))]
    for first in range(len(articles)):
        for order in (1, -1):
            turned = [*articles[first:], *articles[:first]][::order]
            (tmp_path / f"{first}{order}.txt").write_text("\n\n".join(turned))
    assert {verdict["verdict"] for verdict in verdicts(score(shipped, tmp_path))} == {"clear"}


def known_failures() -> list[Any]:
    """Mark the pages that the model gets wrong. Remove a mark as soon as the verdict is right."""
    wrong = pytest.mark.xfail(reason="a page full of tables and terse instructions is suspect or worse", strict=True)
    return [pytest.param(page, marks=wrong if page.name in WRONG else ()) for page in PAGES]


@pytest.mark.parametrize("page", known_failures(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_that_quotes_spun_phrases_is_not_found(page: Path, shipped: Detector) -> None:
    [verdict] = verdicts(score(shipped, page))
    assert verdict["verdict"] in MEANS["not flagged"]
