"""`unspun score --output FOLDER/`: in parts, in parallel, and resumed after any interruption."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.endurance.server import DOWN, Server
from tests.service.fake_detector import FakeDetector, load_fake
from tests.service.support import CLEAR, ENVIRONMENT, ROOT, SPUN, SUSPECT, Unspun
from unspun.model.text.document import MAX_CHARACTERS
from unspun.reading.reader import Failure, Record
from unspun.service.batch import parallel
from unspun.service.batch.parallel import Task, Workers, score_in_parallel
from unspun.service.batch.processes import KilledError, Processes
from unspun.service.batch.runs import RunFolder
from unspun.service.batch.scoring import batches
from unspun.service.commands.common import DetectorLoader


def write(file: Path, count: int) -> None:
    """Write records; one in seven is invalid."""
    texts = (SPUN, CLEAR, SUSPECT)
    lines = [json.dumps({"id": f"d{i}", "text": texts[i % 3]}) if i % 7 else "{broken" for i in range(count)]
    file.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def archive(here: Path) -> Path:
    write(here / "in.jsonl", 50)
    return here / "in.jsonl"


def verdicts_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output_in(folder).splitlines()]


def output_in(folder: Path) -> str:
    """Return the joined parts of a run."""
    return "".join(part.read_text() for part in sorted(folder.glob("part-*.jsonl")))


def failures_in(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "failures.jsonl").read_text().splitlines()]


def history_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "commands.jsonl").read_text().splitlines()]


def summary_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "summary.json").read_text()))


def test_joined_parts_equal_a_single_file(unspun: Unspun, archive: Path, here: Path) -> None:
    whole = unspun("score", archive, "--quiet").out
    unspun("score", archive, "--output", "out/", "--part-size", "8", "--workers", "1")
    assert len(list((here / "out").glob("part-*.jsonl"))) == 7
    assert output_in(here / "out") == whole


def test_failures_are_listed_and_counted(unspun: Unspun, archive: Path, here: Path) -> None:
    run = unspun("score", archive, "--output", "out/", "--workers", "1")
    assert run.status == 3
    assert [failure["where"] for failure in failures_in(here / "out")] == [
        f"{archive}:{i + 1}" for i in range(0, 50, 7)
    ]
    assert "not valid JSON" in failures_in(here / "out")[0]["reason"]


def test_skipped_files_are_listed_and_counted(unspun: Unspun, here: Path) -> None:
    (here / "in").mkdir()
    (here / "in" / "pic.png").touch()
    write(here / "in" / "in.jsonl", 3)
    unspun("score", "in", "--output", "out/", "--workers", "1")
    lines = [json.loads(line) for line in (here / "out" / "skipped.jsonl").read_text().splitlines()]
    assert lines == [{"where": "in/pic.png", "reason": "type .png is not read in folders"}]
    assert summary_in(here / "out")["skipped"] == {"type .png is not read in folders": 1}


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_pages_without_text_in_archives_are_skipped(workers: str, output: str, unspun: Unspun, here: Path) -> None:
    pytest.importorskip("fastwarc")
    with (here / "in.warc").open("w", newline="\r\n") as file:
        for page in (f"<html><body><p>{SPUN}</p></body></html>", "<script>draw()</script>"):
            block = f"HTTP/1.1 200 OK\nContent-Type: text/html\n\n{page}"
            length = len(block.replace("\n", "\r\n"))
            file.write(f"WARC/1.0\nWARC-Type: response\nContent-Length: {length}\n\n{block}\n\n")
    run = unspun("score", "in.warc", "--output", output, "--workers", workers, load=load_fake)
    assert run.status == 0
    assert "1 document scored (1 paraphrased); 1 file or record skipped (no text in this page: 1)" in run.errors[-1]


def test_the_first_failures_are_reported_and_all_are_listed(unspun: Unspun, here: Path) -> None:
    write(here / "in.jsonl", 700)
    errors = unspun("score", "in.jsonl", "--output", "out/", "--workers", "1").errors
    assert [line for line in errors if "not valid JSON" in line] == errors[:20]
    assert errors[20] == "unspun: further failures are only listed in out/failures.jsonl"
    assert len(failures_in(here / "out")) == 100


def test_the_summary_counts_everything(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1")
    summary = summary_in(here / "out")
    assert (summary["complete"], summary["documents"], summary["failures"]) == (True, 42, 8)
    assert sum(summary["verdicts"].values()) == 42
    assert summary["model"] == FakeDetector().model.sha256
    assert summary["this_command"]["words_per_second"] > 0


def test_rerunning_a_finished_run_scores_nothing(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1")
    before = {file.name: file.stat().st_mtime_ns for file in (here / "out").glob("part-*")}

    class Unused(FakeDetector):
        def score_many(self, texts: Any, **options: Any) -> Any:
            assert not texts
            return []

    run = unspun("score", archive, "--output", "out/", "--workers", "1", load=lambda _: Unused())
    assert "unspun: 42 documents had already been scored" in run.errors
    assert {file.name: file.stat().st_mtime_ns for file in (here / "out").glob("part-*")} == before


def test_only_missing_parts_are_written(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--part-size", "10", "--workers", "1")
    before = verdicts_in(here / "out")
    (here / "out" / "part-00002.done").unlink()
    detector = FakeDetector()
    unspun("score", archive, "--output", "out/", "--part-size", "10", "--workers", "1", load=lambda _: detector)
    assert sum(detector.calls) == 8  # of the ten, two are broken
    assert verdicts_in(here / "out") == before


@pytest.mark.parametrize("damage", ["lost", "cut off"])
def test_a_finished_part_whose_file_is_damaged_is_written_again(
    damage: str, unspun: Unspun, archive: Path, here: Path
) -> None:
    unspun("score", archive, "--output", "out/", "--part-size", "10", "--workers", "1")
    before, part = output_in(here / "out"), here / "out" / "part-00002.jsonl"
    if damage == "lost":
        part.unlink()
    else:
        os.truncate(part, 100)
    unspun("score", archive, "--output", "out/", "--part-size", "10", "--workers", "1")
    assert output_in(here / "out") == before


# --- the history of a run


def test_a_finished_run_says_when_its_command_started_and_ended(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1")
    started, ended = history_of(here / "out")
    assert (started["event"], started["documents"], started["workers"]) == ("started", 0, "1 process")
    assert (ended["event"], ended["documents"], ended["why"]) == ("ended", 42, "finished")
    assert summary_in(here / "out")["interruptions"] == 0


def test_a_changed_input_is_noted(unspun: Unspun, here: Path) -> None:
    write(here / "in.jsonl", 30)
    command = ("score", "in.jsonl", "--output", "out/", "--part-size", "10", "--workers", "1")
    unspun(*command)
    (here / "in.jsonl").write_text((here / "in.jsonl").read_text().replace("d1", "e1"))
    assert unspun(*command).status == 1
    ended = history_of(here / "out")[-1]
    assert ended["why"] == "input changed"
    assert "the input has changed since part 0 was written" in ended["message"]


def test_a_run_whose_options_are_lost_cannot_be_resumed(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1")
    (here / "out" / "run.json").unlink()
    run = unspun("score", archive, "--output", "out/", "--workers", "1")
    assert (run.status, "because run.json is missing" in run.errors[-1]) == (2, True)


def test_the_next_command_notes_that_one_was_killed(unspun: Unspun, archive: Path, here: Path) -> None:
    # What a killed command leaves behind: no end, and maybe half a line.
    started = '{"command": 1, "event": "started", "time": "2026-01-01T00:00:00Z", "documents": 0}\n{"comm'
    unspun("score", archive, "--output", "out/", "--workers", "1")
    (here / "out" / "commands.jsonl").write_text(started)
    unspun("score", archive, "--output", "out/", "--workers", "1")
    history = [(event["command"], event["event"], event.get("why")) for event in history_of(here / "out")]
    assert history == [
        (1, "started", None),
        (1, "ended", "killed"),
        (2, "started", None),
        (2, "ended", "finished"),
    ]
    assert summary_in(here / "out")["interruptions"] == 1


def test_the_history_lists_commands_that_were_refused(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1")
    unspun("score", archive, "--output", "out/", "--workers", "1", "--depth", "fast")
    last = history_of(here / "out")[-1]
    assert (last["command"], last["event"], "another depth" in last["message"]) == (2, "refused", True)


def test_a_run_stops_when_the_files_of_the_model_change(unspun: Unspun, archive: Path, here: Path) -> None:
    """The arrays of a model are memory-mapped: who overwrites them changes the verdicts."""
    (here / "model").mkdir()
    (here / "model" / "words.txt").write_text("old")

    class Overwritten(FakeDetector):
        def score_many(self, texts: Any, **options: Any) -> Any:
            if len(texts):
                (here / "model" / "words.txt").write_text("new words")
            return super().score_many(texts, **options)

    command = ("score", archive, "--output", "out/", "--workers", "1", "--model", "model")
    run = unspun(*command, load=lambda _: Overwritten())
    assert run.status == 1
    assert "the files of the model were changed while it was in use" in run.errors[-1]
    assert output_in(here / "out") == ""
    assert history_of(here / "out")[-1]["why"] == "model changed"


def test_a_run_stops_when_a_server_is_gone_and_resumes_later(
    unspun: Unspun, archive: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    monkeypatch.setattr("unspun.reading.locations.WAITS", (0.0, 0.0))
    (here / "web").mkdir()
    write(here / "web" / "in.jsonl", 700)
    server = Server(here / "web")
    command = ("score", archive, f"http://127.0.0.1:{server.port}/in.jsonl", "--output", "out/", "--workers", "1")
    server.cuts = DOWN
    gone = unspun(*command, "--part-size", "20")
    assert gone.status == 1
    assert gone.errors[-1].endswith("; once it can be reached again, rerun the command to resume")
    assert history_of(here / "out")[-1]["why"] == "connection lost"
    server.cuts = 0
    assert unspun(*command, "--part-size", "20").status == 3
    server.close()
    expected = [f"d{i}" for count in (50, 700) for i in range(count) if i % 7]
    assert [verdict["id"] for verdict in verdicts_in(here / "out")] == expected


# --- settings and other files


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--depth", "fast"], "another depth (auto, now fast)"),
        (["--no-evidence"], "another evidence (true, now false)"),
        (["--base-rate", "0.05"], "another base_rate (null, now 0.05)"),
        (["--format", "csv"], "another format (jsonl, now csv)"),
        (["--dedupe"], "another dedupe (false, now true)"),
    ],
)
def test_a_run_with_different_settings_is_refused(
    more: list[str], message: str, unspun: Unspun, archive: Path, here: Path
) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1")
    run = unspun("score", archive, "--output", "out/", "--workers", "1", *more)
    assert (run.status, len(run.errors)) == (1, 1)
    assert message in run.errors[0]


def test_a_run_of_another_model_is_refused(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1")
    other = FakeDetector()
    object.__setattr__(other.model, "sha256", "another")
    run = unspun("score", archive, "--output", "out/", "--workers", "1", load=lambda _: other)
    assert (run.status, "another model" in run.errors[0]) == (1, True)


def test_force_starts_over(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1", "--part-size", "5")
    (here / "out" / "notes.txt").write_text("mine")
    run = unspun("score", archive, "--output", "out/", "--workers", "1", "--no-evidence", "--force")
    assert run.status == 3
    assert all("evidence" not in verdict for verdict in verdicts_in(here / "out"))
    assert len(verdicts_in(here / "out")) == 42
    assert (here / "out" / "notes.txt").read_text() == "mine"


def test_a_folder_with_other_files_is_not_touched(unspun: Unspun, archive: Path, here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "notes.txt").write_text("mine")
    run = unspun("score", archive, "--output", "out/", "--workers", "1")
    assert (run.status, [file.name for file in (here / "out").iterdir()]) == (2, ["notes.txt"])


def test_a_run_does_not_resume_if_the_input_changed(unspun: Unspun, archive: Path, here: Path) -> None:
    unspun("score", archive, "--output", "out/", "--workers", "1", "--part-size", "10")
    before = verdicts_in(here / "out")
    archive.write_text(archive.read_text().replace("energy", "power"))
    run = unspun("score", archive, "--output", "out/", "--workers", "1", "--part-size", "10")
    assert run.status == 1
    assert "the input has changed since part 0" in run.errors[-1]
    assert verdicts_in(here / "out") == before


def test_a_second_run_in_the_same_folder_is_refused(unspun: Unspun, archive: Path, here: Path) -> None:
    settings = {"model": "x"}
    folder = RunFolder(here / "out", settings, suffix=".jsonl")
    run = unspun("score", archive, "--output", "out/", "--workers", "1")
    folder.close()
    assert (run.status, "another run is using this folder" in run.errors[0]) == (1, True)


def test_an_output_folder_inside_the_input_is_not_read(unspun: Unspun, archive: Path, here: Path) -> None:
    before = unspun("score", ".", "--output", "out/", "--workers", "1").errors[-1]
    after = unspun("score", ".", "--output", "out/", "--workers", "1").errors
    assert "42 documents scored" in before
    assert after[0] == "unspun: 42 documents had already been scored"


def test_a_run_resumes_after_a_full_disk(unspun: Unspun, here: Path, small_disk: Path) -> None:
    write(here / "in.jsonl", 700)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(60_000))
    out = small_disk / "out"
    command = ("score", "in.jsonl", "--output", f"{out}/", "--part-size", "50", "--workers", "1")
    full = unspun(*command)
    message = f"unspun: {out}: No space left on device; once this is fixed, rerun the command to resume"
    assert (full.status, [line for line in full.errors if "No space left" in line]) == (1, [message])
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    assert unspun(*command).status == 3
    assert [verdict["id"] for verdict in verdicts_in(out)] == [f"d{i}" for i in range(700) if i % 7]
    first, second = (event for event in history_of(out) if event["event"] == "ended")
    assert (first["why"], first["message"], second["why"]) == ("disk", "No space left on device", "finished")


def test_a_full_disk_keeps_the_partial_file(unspun: Unspun, here: Path, small_disk: Path) -> None:
    write(here / "in.jsonl", 700)
    (small_disk / "filler").write_bytes(bytes(60_000))
    full = unspun("score", "in.jsonl", "--output", f"{small_disk}/out.jsonl")
    message = f"unspun: {small_disk}/out.jsonl.part: No space left on device"
    assert (full.status, full.errors[-1]) == (1, message)
    assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "out.jsonl.part"]


def test_near_duplicates_are_scored_once(unspun: Unspun, here: Path) -> None:
    pytest.importorskip("datasketch", reason="pip install 'unspun[dedupe]'")
    text = " ".join(f"word{i}" for i in range(300))
    lines = [
        {"id": "first", "text": text},
        {"id": "same", "text": text},
        {"id": "near", "text": text.replace("word7 ", "another ")},
        {"id": "other", "text": text[::-1]},
    ]
    (here / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = unspun("score", "in.jsonl", "--output", "out/", "--workers", "1", "--dedupe")
    assert [verdict["id"] for verdict in verdicts_in(here / "out")] == ["first", "other"]
    left_out = [json.loads(line) for line in (here / "out" / "duplicates.jsonl").read_text().splitlines()]
    assert left_out == [{"id": "same", "like": "first"}, {"id": "near", "like": "first"}]
    assert "2 near-duplicates skipped" in run.errors[-1]


def test_failures_keep_their_places_in_a_batch() -> None:
    items: list[Record | Failure] = [Record("a", SPUN, "a"), Failure("b", "no"), Record("c", CLEAR, "c")]
    assert list(batches(items)) == [items]


# --- several processes


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
def test_two_workers_write_the_same_output_as_one(output: str, unspun: Unspun, archive: Path, here: Path) -> None:
    whole = unspun("score", archive, "--quiet").out
    unspun("score", archive, "--output", output, "--part-size", "8", "--workers", "2", load=load_fake)
    assert (output_in(here / "out") if output == "out/" else (here / output).read_text()) == whole


@pytest.mark.parametrize("form", ["jsonl", "csv", "table", "parquet"])
def test_workers_change_nothing_of_what_a_command_writes_and_reports(form: str, unspun: Unspun, here: Path) -> None:
    """They read lines and write verdicts themselves, so that the first process need not."""
    texts = [*(SPUN, CLEAR, SUSPECT) * 13, "x" * (MAX_CHARACTERS + 1)]
    lines = [json.dumps({"name": f"d{i // 2}", "body": texts[i]}) if i % 7 else "{broken" for i in range(40)]
    (here / "in.jsonl").write_text("\n\n".join(lines))
    (here / "in.csv").write_text(f"name,body\nd3,{CLEAR}\nd99,{CLEAR}\n")
    runs = []
    for workers in ("1", "2"):
        out = here / f"{workers}.{form}"
        options = (
            "--format",
            form,
            "--output",
            out,
            "--workers",
            workers,
            "--id-field",
            "name",
            "--text-field",
            "body",
        )
        run = unspun("score", "in.jsonl", "in.csv", *options, load=load_fake)
        runs.append((run.status, sorted(run.errors[:-1]), run.errors[-1].rpartition(";")[0], out.read_bytes()))
    assert runs[0] == runs[1]
    assert "in.jsonl:7: warning: the id d1 occurs more than once; all documents are scored" in "".join(runs[0][1])


@pytest.mark.parametrize(
    ("size", "cores", "expected"),
    [
        (9_999, 4, "1 workers"),  # not worth another
        (20_000, 4, "2 workers"),
        (99_999, 4, "4 workers"),  # as many as there are cores
        (99_999, 1, "1 workers"),
    ],
)
def test_large_files_are_scored_on_several_cores(
    size: int, cores: int, expected: str, unspun: Unspun, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = "1 workers"

    def local(records: Any, task: Task, workers: Workers, scorer: Any) -> Any:
        nonlocal used
        used = f"{workers.processes} workers"
        return score_in_parallel(records, task, Workers(), scorer)

    monkeypatch.setattr("unspun.service.commands.score.WORTH_A_WORKER", 10_000)
    monkeypatch.setattr("unspun.service.machine.cores", lambda: cores)
    monkeypatch.setattr("unspun.service.batch.parallel.score_in_parallel", local)
    (here / "in.txt").write_bytes(SPUN.encode().ljust(size))
    run = unspun("score", "in.txt", "--quiet")
    assert (run.status, len(run.verdicts), used) == (0, 1, expected)


def test_a_worker_loads_the_model_once_for_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load(bundle: Path | None, *, device: str) -> FakeDetector:
        loaded.append(device)
        return FakeDetector()

    monkeypatch.setattr("unspun.service.commands.common.load_detector", load)
    task = Task(DetectorLoader("cpu"), None, FakeDetector().model.sha256, "auto", True, form="jsonl")
    parallel._model.cache_clear()
    for _ in range(3):  # as they arrive in a worker
        parallel._score_in_worker(pickle.loads(pickle.dumps(task)), [Record("a", SPUN, "a")])
    parallel._model.cache_clear()
    assert loaded == ["cpu"]


def test_a_worker_loads_a_model_again_whose_files_were_put_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker of a cluster outlives the run that stopped because its model was overwritten."""
    (tmp_path / "words.txt").write_text("words")
    monkeypatch.setattr("unspun.service.commands.common.load_detector", lambda bundle, *, device: FakeDetector())
    task = Task(DetectorLoader("cpu"), tmp_path, FakeDetector().model.sha256, "auto", True, form="jsonl")
    parallel._model.cache_clear()
    first = parallel._score_in_worker(task, [Record("a", SPUN, "a")])
    (tmp_path / "words.txt").write_text("other")
    (tmp_path / "words.txt").write_text("words")
    assert parallel._score_in_worker(task, [Record("a", SPUN, "a")]) == first
    parallel._model.cache_clear()


@pytest.fixture
def pages(here: Path) -> Path:
    """Return a folder of web pages, whose articles are extracted by the workers."""
    (here / "pages").mkdir()
    for i in range(30):
        text = (SPUN, CLEAR, SUSPECT)[i % 3]
        article = f"<p>{text}</p><p>Page {i}.</p><p hidden>Nobody sees it.</p>"
        page = f"<html><body><nav>Home</nav><article>{article}</article></body></html>"
        (here / "pages" / f"{i:02}.html").write_text(page)
    return here / "pages"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_pages_are_reduced_to_articles_by_the_workers(workers: str, unspun: Unspun, pages: Path, here: Path) -> None:
    whole = unspun("score", pages, "--quiet").out
    assert '"verdict": "paraphrased"' in whole
    assert whole.count('"repairs": [{"what": "hidden", "count": 3}]') == 30
    unspun("score", pages, "--output", "out/", "--part-size", "8", "--workers", workers)
    assert output_in(here / "out") == whole


def test_a_run_over_pages_resumes_with_another_number_of_workers(unspun: Unspun, pages: Path, here: Path) -> None:
    unspun("score", pages, "--output", "out/", "--part-size", "8", "--workers", "2")
    before = verdicts_in(here / "out")
    (here / "out" / "part-00001.done").unlink()
    assert unspun("score", pages, "--output", "out/", "--part-size", "8", "--workers", "1").status == 0
    assert verdicts_in(here / "out") == before


def start(archive: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start a run in its own process group."""
    command = [
        sys.executable, "-m", "tests.service.fake_detector", "score", str(archive), "--output", f"{out}/",
        "--part-size", "20", *more,
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_parts(out: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(out.glob("part-*.done"))) < count and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize(("workers", "kills"), [("1", 2), ("2", 1)])
def test_a_killed_run_resumes_without_losing_or_repeating_documents(workers: str, kills: int, tmp_path: Path) -> None:
    archive, out = tmp_path / "in.jsonl", tmp_path / "out"
    write(archive, 2_000)
    generator = random.Random(7)
    for kill in range(1, kills + 1):
        running = start(archive, out, "--workers", workers)
        wait_for_parts(out, 20 * kill)
        time.sleep(generator.uniform(0, 0.05))
        os.killpg(running.pid, signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL  # it had not finished
    assert start(archive, out, "--workers", workers).wait() == 3
    expected = [f"d{i}" for i in range(2_000) if i % 7]
    assert [verdict["id"] for verdict in verdicts_in(out)] == expected
    assert Counter(failure["where"] for failure in failures_in(out)) == {
        f"{archive}:{i + 1}": 1 for i in range(0, 2_000, 7)
    }
    assert summary_in(out)["documents"] == len(expected)


def exit_while_reading(number: int, text: str) -> str:
    """Kill this process at the third call."""
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return text


def test_a_killed_process_is_reported_while_large_texts_are_sent_to_it() -> None:
    processes = Processes(1, exit_while_reading)
    calls = [processes.submit(number, "x" * 1_000_000) for number in range(4)]
    with pytest.raises(KilledError):
        [processes.result(call) for call in calls]
    processes.close()


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_workers_end_when_the_command_is_killed(tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", 20_000)
    running = start(tmp_path / "in.jsonl", tmp_path / "out", "--workers", "2")
    wait_for_parts(tmp_path / "out", 1)
    workers = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    running.kill()
    running.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(workers) >= 2
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


# --- a cluster


@pytest.fixture(scope="module")
def cluster() -> Any:
    """Start a Dask scheduler with two workers, on loopback."""
    distributed = pytest.importorskip("distributed", reason="pip install 'unspun[cluster]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as found:
        yield found


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_writes_the_same_output_as_one_process(
    cluster: Any, unspun: Unspun, archive: Path, here: Path
) -> None:
    whole = unspun("score", archive, "--quiet").out
    address = cluster.scheduler_address
    run = unspun("score", archive, "--output", "out/", "--part-size", "8", "--scheduler", address, load=load_fake)
    assert run.status == 3
    assert output_in(here / "out") == whole


@pytest.mark.filterwarnings("ignore")
def test_a_killed_cluster_worker_loses_no_documents(cluster: Any, unspun: Unspun, here: Path) -> None:
    write(here / "in.jsonl", 10_000)
    killed: list[int] = []

    def kill_one_when_parts_are_there() -> None:
        wait_for_parts(here / "out", 2)
        killed.append(next(iter(cluster.workers.values())).process.pid)
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one_when_parts_are_there)
    killer.start()
    address = cluster.scheduler_address
    unspun("score", "in.jsonl", "--output", "out/", "--part-size", "250", "--scheduler", address, load=load_fake)
    killer.join()
    assert killed
    assert [verdict["id"] for verdict in verdicts_in(here / "out")] == [f"d{i}" for i in range(10_000) if i % 7]


def test_a_missing_scheduler_is_reported_on_one_line(unspun: Unspun, archive: Path) -> None:
    pytest.importorskip("distributed", reason="pip install 'unspun[cluster]'")
    run = unspun("score", archive, "--output", "out/", "--scheduler", "nonsense://x")
    assert (run.status, "no Dask scheduler answers at this address" in run.errors[-1]) == (1, True)


@pytest.mark.parametrize(
    ("status", "workers", "message"),
    [
        ("running", {}, "this scheduler has had no workers for 0 seconds; start some with `dask worker`"),
        ("connecting", {"a": 1}, "the connection to the Dask scheduler was lost"),
    ],
)
def test_a_cluster_that_stays_away_ends_the_command(
    status: str, workers: dict[str, int], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="pip install 'unspun[cluster]'")
    monkeypatch.setattr(parallel, "WITHOUT_WORKERS", 0.0)

    class Silent:
        def result(self, timeout: float) -> None:
            raise TimeoutError

    client = SimpleNamespace(status=status, scheduler_info=lambda n_workers: {"workers": workers})
    with pytest.raises(parallel.LostWorkersError, match=message):
        parallel._Cluster("tcp://127.0.0.1:1", client, 2).result(Silent())
