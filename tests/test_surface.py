"""The command line with the shipped model: any input gives a verdict or a one-line error, never a traceback."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from unspun.service.cli import cli

if TYPE_CHECKING:
    from unspun.model.detector import Detector

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data" / "surface"
EXAMPLES = ROOT / "seeds" / "examples"
HUMAN = (EXAMPLES / "human" / "01-harbour-swimmers.txt").read_text("utf-8")
SPUN = (EXAMPLES / "spun" / "01-harbour-swimmers.wordnet.txt").read_text("utf-8")
MODEL = ROOT / "model" / "default"
UNREAD = 3

pytestmark = pytest.mark.skipif(not (MODEL / "manifest.json").exists(), reason="model/default is not built")


def cases(name: str) -> list[dict[str, Any]]:
    return list(tomllib.loads((DATA / name).read_text("utf-8"))["case"])


TEXTS = cases("texts.toml")
LINES = cases("lines.toml")


def text_of(case: dict[str, Any]) -> str:
    return str(case["text"]).format(spun=SPUN, human=HUMAN) * int(case.get("repeat", 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all texts, a binary file and a loop of links."""
    folder = tmp_path_factory.mktemp("texts")
    for case in TEXTS:
        (folder / f"{case['name']}.txt").write_bytes(text_of(case).encode(case.get("encoding", "utf-8")))
    (folder / "a-binary.txt").write_bytes(bytes(range(256)) * 20)
    (folder / "loop").symlink_to(folder)
    return folder


def run(shipped: Detector, *arguments: str | Path) -> Result:
    result = CliRunner().invoke(cli, ["score", *map(str, arguments)], obj=lambda _: shipped)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    assert "please report" not in result.stderr
    return result


def verdicts(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def scored(shipped: Detector, folder: Path) -> Result:
    return run(shipped, folder)


@pytest.fixture(scope="module")
def answers(scored: Result) -> dict[str, dict[str, Any]]:
    return {Path(verdict["id"]).stem: verdict for verdict in verdicts(scored)}


def test_a_binary_file_in_a_folder_is_reported_and_skipped(scored: Result) -> None:
    assert scored.exit_code == UNREAD
    [error] = [line for line in scored.stderr.splitlines() if "a-binary.txt" in line]
    assert "binary" in error.partition("a-binary.txt")[2]


def test_every_file_is_scored_once_and_in_order(scored: Result, folder: Path) -> None:
    expected = sorted(str(folder / f"{case['name']}.txt") for case in TEXTS)
    assert [verdict["id"] for verdict in verdicts(scored)] == expected


@pytest.mark.parametrize("case", [case for case in TEXTS if "abstains" in case], ids=lambda case: case["name"])
def test_texts_that_cannot_be_judged_are_abstained_from(
    case: dict[str, Any], answers: dict[str, dict[str, Any]]
) -> None:
    verdict = answers[case["name"]]
    assert (verdict["verdict"], verdict["reason"], verdict["kind"]) == ("abstained", case["abstains"], None)


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: case["name"])
def test_numbers_are_consistent(case: dict[str, Any], answers: dict[str, dict[str, Any]]) -> None:
    verdict = answers[case["name"]]
    numbers = [verdict[name] for name in ("score", "false_positive_rate", "share", "kinds")]
    if verdict["verdict"] == "abstained" or verdict["depth"] == "first":
        assert numbers == [None] * 4
        return
    score, rate, share, kinds = numbers
    assert score == max(kinds.values())
    assert 0 < rate <= 1
    assert verdict["verdict"] == ("paraphrased" if score >= 0.9 else "suspect" if score >= 0.5 else "clear")
    assert share == 0 if verdict["verdict"] == "clear" else 0 < share <= 1


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: case["name"])
def test_evidence_is_at_its_offsets(case: dict[str, Any], answers: dict[str, dict[str, Any]]) -> None:
    text, reached = text_of(case), 0
    for item in answers[case["name"]].get("evidence", ()):
        assert text[item["start"] : item["end"]] == item["text"]
        assert item["start"] >= reached
        reached = item["end"]


def test_a_file_scores_the_same_alone_and_in_a_folder(scored: Result, folder: Path, shipped: Detector) -> None:
    paths = [folder / f"{case['name']}.txt" for case in sorted(TEXTS, key=lambda case: f"{case['name']}.txt")]
    assert "".join(run(shipped, path).stdout for path in paths) == scored.stdout


def test_scores_are_the_same_without_evidence(scored: Result, folder: Path, shipped: Detector) -> None:
    shown = ("evidence", "passages", "sentences", "observations")
    expected = [{k: v for k, v in verdict.items() if k not in shown} for verdict in verdicts(scored)]
    assert verdicts(run(shipped, folder, "--no-evidence")) == expected


def test_ordinary_english_is_never_a_phrase_of_spinners(shipped: Detector) -> None:
    text = (DATA / "ordinary_english.txt").read_text("utf-8")
    assert [
        one.text for one in shipped.score(text, evidence="all").evidence or () if one.signal == "known_phrase"
    ] == []


def test_a_phrase_of_spinners_has_its_probable_original(shipped: Detector) -> None:
    found = shipped.score(f"{HUMAN} The town plans to use counterfeit consciousness.", evidence="all").evidence or ()
    [phrase] = [one for one in found if one.signal == "known_phrase"]
    assert (phrase.text, phrase.suggestion, phrase.probable) == (
        "counterfeit consciousness",
        "artificial intelligence",
        True,
    )


def test_only_texts_that_are_not_clear_have_evidence(answers: dict[str, dict[str, Any]]) -> None:
    assert all(("evidence" in verdict) == (verdict["verdict"] != "clear") for verdict in answers.values())


def test_csv_agrees_with_json_lines(scored: Result, folder: Path, shipped: Detector) -> None:
    rows = list(csv.DictReader(io.StringIO(run(shipped, folder, "--format", "csv").stdout)))
    names = ("score", "false_positive_rate", "share")
    expected = [(v["id"], v["verdict"], v["words"], *(v[name] for name in names)) for v in verdicts(scored)]
    found = [(r["id"], r["verdict"], int(r["words"]), *(float(r[n]) if r[n] else None for n in names)) for r in rows]
    assert found == expected


def test_the_table_agrees_with_json_lines_and_escapes_control_characters(
    scored: Result, folder: Path, shipped: Detector
) -> None:
    table = run(shipped, folder, "--format", "table", "--show", "0").stdout
    words = ("paraphrased", "suspect", "clear", "abstained")
    rows = [line.split() for line in table.splitlines() if not line.startswith("clear without a score")]
    shown = [row[0] for row in rows if row and row[0] in words]
    assert shown == [verdict["verdict"] for verdict in verdicts(scored)]
    assert "\x1b" not in run(shipped, folder / "terminal-markup.txt", "--format", "table").stdout


@pytest.mark.parametrize("case", LINES, ids=lambda case: case["line"][:24])
def test_a_line_is_scored_or_reported_and_its_neighbours_are_scored(
    case: dict[str, Any], tmp_path: Path, shipped: Detector
) -> None:
    file = tmp_path / "records.jsonl"
    line = str(case["line"]).replace("BIGNUMBER", "1" * 5000).replace("DEEP", "[" * 100_000)
    first, last = json.dumps({"id": "first", "text": SPUN}), json.dumps({"id": "last", "text": HUMAN})
    file.write_text(f"{first}\n{line}\n{last}\n", "utf-8")
    result = run(shipped, file, "--quiet")
    ids = [verdict["id"] for verdict in verdicts(result)]
    if "error" in case:
        assert (result.exit_code, ids) == (UNREAD, ["first", "last"])
        [error] = result.stderr.splitlines()
        assert error.startswith(f"unspun: {file}:2: ")
        assert case["error"] in error
    else:
        name = case["id"].replace("FILE", str(file)).replace("\\ud800", "\ud800")
        assert (result.exit_code, ids) == (0, ["first", name, "last"])


def test_a_changed_model_is_refused_on_one_line(tmp_path: Path) -> None:
    for file in MODEL.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "words.txt").unlink()
    (tmp_path / "words.txt").write_text("the\n", "utf-8")
    command = [sys.executable, "-m", "unspun", "score", "--quiet", "-", "--model", tmp_path]
    done = subprocess.run(command, input=HUMAN, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "words.txt" in done.stderr
