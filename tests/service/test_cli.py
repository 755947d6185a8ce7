"""`unspun score` and the help of all commands, with a detector that needs no model."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, ENVIRONMENT, SPUN, SUSPECT, Unspun, run_on_terminal, wait_until
from unspun.model.detector import MissingTierError
from unspun.reading.reader import Format
from unspun.service.commands.common import INPUT_FORMATS
from unspun.service.render.jsonl import JsonLines

COMMAND = [sys.executable, "-m", "tests.service.fake_detector"]
"""The command in a separate process."""


def process(*arguments: str, stdout: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
    # A child of a background job, which CI may be, would ignore SIGINT.
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=ENVIRONMENT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture
def articles(here: Path) -> Path:
    """Return the current folder, with three articles in it."""
    (here / "in").mkdir()
    for name, text in (("a.txt", SPUN), ("b.txt", SUSPECT), ("c.txt", CLEAR)):
        (here / "in" / name).write_text(text)
    return here


def test_verdicts_have_the_same_bytes_as_in_python(unspun: Unspun, articles: Path) -> None:
    run = unspun("score", "in")
    assert run.status == 0
    assert run.out.splitlines() == [
        FakeDetector().score(text, id=id).to_json()
        for id, text in (("in/a.txt", SPUN), ("in/b.txt", SUSPECT), ("in/c.txt", CLEAR))
    ]


def test_output_is_in_the_order_of_input(unspun: Unspun, articles: Path) -> None:
    run = unspun("score", "in/c.txt", "in", "-", "in/b.txt", stdin=CLEAR.encode())
    assert run.ids == ["in/c.txt", "in/a.txt", "in/b.txt", "in/c.txt", "-", "in/b.txt"]


def test_no_evidence_leaves_the_evidence_out(unspun: Unspun, articles: Path) -> None:
    assert all("evidence" not in verdict for verdict in unspun("score", "in", "--no-evidence").verdicts)


def test_a_clear_text_has_evidence_only_if_all_is_requested(unspun: Unspun, articles: Path) -> None:
    some, everything = (unspun("score", "in", *options).verdicts for options in ([], ["--all-evidence"]))
    assert ["evidence" in verdict for verdict in some] == [True, True, False]
    assert ["evidence" in verdict for verdict in everything] == [True, True, True]


def test_no_evidence_and_all_evidence_exclude_each_other(unspun: Unspun, articles: Path) -> None:
    run = unspun("score", "in", "--no-evidence", "--all-evidence")
    assert run.status == 2
    assert any("--no-evidence and --all-evidence exclude each other" in line for line in run.errors)


def test_depth_and_model_reach_the_detector(unspun: Unspun, articles: Path) -> None:
    asked: list[Any] = []

    class Asked(FakeDetector):
        def score_many(self, texts: Any, **options: Any) -> Any:
            asked.append(options["depth"])
            return super().score_many(texts, **options)

    def load(bundle: Path | None) -> Asked:
        asked.append(bundle)
        return Asked()

    unspun("score", "in", "--depth", "deep", "--model", "my/bundle", load=load)
    assert asked[0] == Path("my/bundle")
    assert set(asked[1:]) == {"deep"}


def test_with_a_base_rate_verdicts_have_a_probability(unspun: Unspun, articles: Path) -> None:
    assert unspun("score", "in", "--base-rate", "0.05").out.splitlines() == [
        FakeDetector().score(text, id=id, base_rate=0.05).to_json()
        for id, text in (("in/a.txt", SPUN), ("in/b.txt", SUSPECT), ("in/c.txt", CLEAR))
    ]


@pytest.mark.parametrize("rate", ["0", "1", "5 %", "5", "-0.05", "nan", "0,05", ""])
def test_an_invalid_base_rate_is_refused_before_anything_is_read(rate: str, unspun: Unspun, articles: Path) -> None:
    def load(bundle: Path | None) -> FakeDetector:
        raise AssertionError("loaded")

    Path("out.jsonl").write_text("of an earlier run")
    run = unspun("score", "in", "--output", "out.jsonl", "--force", "--base-rate", rate, load=load)
    assert (run.status, run.out, Path("out.jsonl").read_text()) == (2, "", "of an earlier run")
    assert "--base-rate" in run.errors[-1]
    assert "give the share of paraphrased texts, between 0 and 1 (5 % is 0.05)" in run.errors[-1]


def test_the_table_shows_no_smaller_rate_than_the_calibration_supports(unspun: Unspun, articles: Path) -> None:
    class Sure(FakeDetector):
        def score_many(self, texts: Any, **options: Any) -> Any:
            return [replace(one, false_positive_rate=0.002) for one in super().score_many(texts, **options)]

    run = unspun("score", "in/a.txt", "--format", "table", load=lambda _: Sure())
    assert "fewer than 1 in 500 human texts of this length look like this" in run.out


def test_a_missing_tier_is_reported_on_one_line(unspun: Unspun, articles: Path) -> None:
    class Shallow(FakeDetector):
        def score_many(self, texts: Any, **options: Any) -> Any:
            if options["depth"] == "deep":
                raise MissingTierError("this model has no deep tier; use depth 'auto' or 'fast'")
            return super().score_many(texts, **options)

    run = unspun("score", "in", "--depth", "deep", load=lambda bundle: Shallow())
    assert (run.status, run.out) == (1, "")
    assert run.errors == ["unspun: this model has no deep tier; use depth 'auto' or 'fast'"]


def test_a_table_in_a_pipe_has_no_escape_sequences(unspun: Unspun, articles: Path) -> None:
    run = unspun("score", "in", "--format", "table")
    assert "\x1b" not in run.out
    assert "[imaginative and prescient → vision]" in run.out


def test_csv_can_be_written(unspun: Unspun, articles: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(unspun("score", "in", "--format", "csv").out)))
    assert [row["verdict"] for row in rows] == ["paraphrased", "suspect", "clear"]


@pytest.mark.parametrize(
    ("name", "begins"),
    [("out.jsonl", '{"id"'), ("out.csv", "id,verdict"), ("out.txt", "score: 50 %"), ("out.CSV.gz", "id,verdict")],
)
def test_the_output_name_selects_the_format(name: str, begins: str, unspun: Unspun, articles: Path) -> None:
    run = unspun("score", "in", "--output", name)
    assert (run.status, run.out) == (0, "")
    data = Path(name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    assert text.startswith(begins)
    assert not Path(f"{name}.part").exists()


def test_an_output_name_with_an_unknown_ending_is_refused(unspun: Unspun, articles: Path) -> None:
    run = unspun("score", "in", "--output", "out.pdf")
    assert (run.status, Path("out.pdf").exists()) == (2, False)
    assert (
        "out.pdf: unknown format .pdf; use a name that ends in one of .jsonl, .ndjson, .json, .csv, .parquet"
        in run.errors[-1]
    )
    assert unspun("score", "in", "--output", "out.pdf", "--format", "csv").status == 0


def test_the_same_verdicts_compress_to_the_same_bytes(unspun: Unspun, articles: Path) -> None:
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        unspun("score", "in", "--output", name)
    assert Path("one.jsonl.gz").read_bytes() == Path("two.jsonl.gz").read_bytes()


def test_output_inside_the_input_folder_is_not_read(unspun: Unspun, articles: Path) -> None:
    for _ in range(2):
        run = unspun("score", "in", "--output", "in/out.jsonl", "--force")
        assert run.status == 0
    assert len(Path("in/out.jsonl").read_text().splitlines()) == 3


def test_output_through_a_link_keeps_the_link(unspun: Unspun, articles: Path) -> None:
    Path("link.jsonl").symlink_to("real.jsonl")
    unspun("score", "in", "--output", "link.jsonl")
    assert Path("link.jsonl").is_symlink()
    assert len(Path("real.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv.gz", "out.html"])
def test_existing_output_is_only_overwritten_with_force(name: str, unspun: Unspun, articles: Path) -> None:
    Path(name).write_text("of another model")
    run = unspun("score", "in", "--output", name)
    message = f"unspun: {name}: already exists; choose another --output, or pass --force to overwrite it"
    assert (run.status, run.errors, Path(name).read_text()) == (1, [message], "of another model")
    assert unspun("score", "in", "--output", name, "--force").status == 0
    assert Path(name).read_bytes() != b"of another model"


def test_an_empty_output_file_is_overwritten_without_force(unspun: Unspun, articles: Path) -> None:
    Path("out.jsonl").touch()  # as mktemp makes it
    assert unspun("score", "in", "--output", "out.jsonl").status == 0


def test_output_can_be_a_device(unspun: Unspun, articles: Path) -> None:
    assert unspun("score", "in", "--output", "/dev/null").status == 0
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("output", ["missing/out.jsonl", "in", "in/a.txt"])
def test_output_that_cannot_be_written_is_refused_before_anything_is_read(
    output: str, unspun: Unspun, articles: Path
) -> None:
    def load(bundle: Path | None) -> FakeDetector:
        raise AssertionError("loaded")

    run = unspun("score", "in/a.txt", "--output", output, load=load)
    assert run.status == 2
    assert "--output" in run.errors[-1]
    assert Path("in/a.txt").read_text() == SPUN


@pytest.mark.parametrize(
    "arguments", [[], ["--format", "nonsense", "in"], ["--nonsense", "in"], ["--show", "-1", "in"]]
)
def test_wrong_usage_exits_with_status_2(arguments: list[str], unspun: Unspun, articles: Path) -> None:
    assert unspun("score", *arguments).status == 2


def test_an_unknown_command_exits_with_status_2(unspun: Unspun) -> None:
    assert unspun("scare").status == 2


def test_bad_input_does_not_affect_other_documents(unspun: Unspun, articles: Path) -> None:
    Path("in/bad.jsonl").write_text(f'{{"text": "{CLEAR}"}}\n{{"text": \n{{"id": "x"}}\n{{"text": "{SPUN}"}}\n')
    Path("in/bad.png.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    Path("in/empty.txt").touch()
    Path("in/latin.txt").write_bytes("Le café de la gare était fermé.".encode("latin-1"))
    Path("in/loop").symlink_to(".", target_is_directory=True)
    Path("in/ten.txt").write_text("ten words " * 5)
    Path("in/wide.txt").write_bytes(CLEAR.encode("utf-16"))
    run = unspun("score", "in", "missing.txt")
    assert run.status == 3
    assert run.ids == [
        *("in/a.txt", "in/b.txt", "in/bad.jsonl#1", "in/bad.jsonl#4", "in/c.txt"),
        *("in/empty.txt", "in/latin.txt", "in/ten.txt", "in/wide.txt"),
    ]
    assert run.errors[:-1] == [
        "unspun: in/bad.jsonl:2: not valid JSON (Expecting value, column 11)",
        'unspun: in/bad.jsonl:3: no field "text", "content", "body", "article" or "full_text"; the fields are: id; '
        "choose one with --text-field",
        "unspun: in/bad.png.txt: binary (PNG), not text",
        "unspun: missing.txt: no such file or directory",
    ]


def test_an_empty_file_gets_an_abstention(unspun: Unspun, here: Path) -> None:
    Path("empty.txt").write_text(" \n\t\n")
    run = unspun("score", "empty.txt")
    assert (run.status, run.verdicts[0]["verdict"], run.verdicts[0]["reason"]) == (
        0,
        "abstained",
        "too_short",
    )


def test_an_engine_error_is_reported_on_one_line_and_the_rest_is_scored(unspun: Unspun, articles: Path) -> None:
    Path("in/aa.txt").write_text("raise-error")
    run = unspun("score", "in")
    assert run.status == 3
    assert run.ids == ["in/a.txt", "in/b.txt", "in/c.txt"]
    assert run.errors[0] == (
        "unspun: in/aa.txt: could not be scored: ZeroDivisionError: division by zero second line; please report this"
    )


def test_an_unexpected_error_is_reported_on_one_line(
    unspun: Unspun, articles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ValueError("broken\nrenderer")

    monkeypatch.setattr(JsonLines, "document", broken)
    run = unspun("score", "in")
    assert run.status == 1
    assert run.errors == ["unspun: unexpected ValueError: broken renderer; please report this"]


@pytest.mark.parametrize("when", ["loading", "scoring"])
def test_an_unusable_bundle_is_reported_on_one_line_with_status_1(when: str, unspun: Unspun, articles: Path) -> None:
    from unspun.model.bundle import BundleError

    class Broken(FakeDetector):
        def score_many(self, texts: Any, **options: Any) -> Any:
            raise BundleError("no deep tier in this bundle:\nuse --depth fast")

    def load(bundle: Path | None) -> FakeDetector:
        if when == "loading":
            raise BundleError("no deep tier in this bundle:\nuse --depth fast")
        return Broken()

    run = unspun("score", "in", load=load)
    assert run.status == 1
    assert run.errors == ["unspun: no deep tier in this bundle: use --depth fast"]


def test_a_repeated_id_is_warned_about_once(unspun: Unspun) -> None:
    lines = "".join(json.dumps({"id": id, "text": CLEAR}) + "\n" for id in ("a", "b", "a", "b", "a"))
    run = unspun("score", "-", stdin=lines.encode())
    assert run.status == 0
    assert run.ids == ["a", "b", "a", "b", "a"]
    warnings = [line for line in run.errors if "warning" in line]
    assert warnings == ["unspun: -:3: warning: the id a occurs more than once; all documents are scored"]


def test_a_run_ends_with_a_summary(unspun: Unspun, articles: Path) -> None:
    Path("in/pic.png").touch()
    run = unspun("score", "in", "missing")
    assert re.fullmatch(
        r"unspun: 3 documents scored \(1 paraphrased, 1 suspect, 1 clear\); 1 failure;"
        r" 1 file or record skipped \(type \.png is not read in folders: 1\); [\d,]+ words/s",
        run.errors[-1],
    )


def test_a_table_lists_what_failed_and_what_was_skipped(unspun: Unspun, articles: Path) -> None:
    Path("in/pic.png").touch()
    run = unspun("score", "in", "missing", "--format", "table")
    assert "failed" in run.out
    assert "no such file or directory" in run.out
    assert run.out.splitlines()[-2:] == [
        "skipped: 1 file or record",
        "    in/pic.png: type .png is not read in folders",
    ]


def test_a_table_lists_near_duplicates(unspun: Unspun, here: Path) -> None:
    pytest.importorskip("datasketch")
    Path("in.jsonl").write_text("".join(json.dumps({"id": id, "text": SPUN}) + "\n" for id in ("a", "b")))
    run = unspun("score", "in.jsonl", "--format", "table", "--dedupe")
    assert run.out.splitlines()[-2:] == ["skipped: 1 file or record", "    b: nearly the same as an earlier text"]


def test_quiet_reports_only_errors(unspun: Unspun, articles: Path) -> None:
    assert unspun("score", "in", "missing", "--quiet").errors == ["unspun: missing: no such file or directory"]


def test_file_names_cannot_control_the_terminal(unspun: Unspun, here: Path) -> None:
    Path("\x1b[31m\nevil.txt").write_bytes(b"\x89PNG")
    run = unspun("score", ".", "-q")
    assert run.errors == ["unspun: ./�[31m evil.txt: binary (PNG), not text"]


def test_a_file_name_that_is_not_utf_8_is_scored(unspun: Unspun, here: Path) -> None:
    Path(os.fsdecode(b"caf\xe9.txt")).write_text(CLEAR)
    run = unspun("score", ".")
    assert run.status == 0
    assert run.verdicts[0]["id"] == "./caf\udce9.txt"


@pytest.mark.parametrize("form", ["jsonl", "csv", "table"])
def test_lone_surrogates_are_accepted(form: str, unspun: Unspun) -> None:
    line = b'{"id": "\\ud800", "text": "The \\udfff vitality of a town is a thing of \\ud800 joy."}'
    run = unspun("score", "-", "--format", form, stdin=line)
    assert run.status == 0
    assert run.out.count("vitality") == 1


def test_the_format_of_standard_input_can_be_given(unspun: Unspun) -> None:
    run = unspun("score", "-", "--input-format", "csv", stdin=f"id,text\nx,{CLEAR}\n".encode())
    assert run.ids == ["x"]


def test_an_interrupt_is_reported_on_one_line_with_status_130(here: Path) -> None:
    Path("a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in [*[CLEAR] * 64, "sleep-long"]))
    running = process("score", "a.jsonl", "--output", "out.jsonl")
    part = Path("out.jsonl.part")
    wait_until(lambda: part.exists() and Path("asleep").exists())
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors.decode() == "unspun: interrupted; out.jsonl.part contains 64 verdicts\n"
    assert len(part.read_text().splitlines()) == 64
    assert not Path("out.jsonl").exists()


def test_a_closed_pipe_is_not_an_error(here: Path) -> None:
    Path("a.jsonl").write_text((json.dumps({"text": SPUN}) + "\n") * 2000)
    running = process("score", "a.jsonl")
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.stderr.read() == b""
    assert running.wait(timeout=60) == 141
    running.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"])  # the error comes at the end of the process, or at the first line
@pytest.mark.parametrize("arguments", [("--help",), ("score", "--help"), ("score", "in")])
def test_a_full_disk_is_reported_on_one_line(
    arguments: tuple[str, ...], unbuffered: str, articles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("wb") as full:
        running = process(*arguments, stdout=full)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert errors.decode() == "unspun: standard output: No space left on device\n"


def test_closed_standard_output_is_reported_on_one_line(articles: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *COMMAND, "score", "in"], env=ENVIRONMENT, stderr=subprocess.PIPE
    )
    assert done.returncode == 1
    assert done.stderr == b"unspun: standard output is closed\n"


def test_a_terminal_gets_a_coloured_table(articles: Path) -> None:
    status, shown = run_on_terminal([*COMMAND, "score", "in"])
    assert status == 0
    assert "\x1b[1;31mparaphrased\x1b[0m" in shown
    assert "vision" in shown


def test_help_does_not_import_the_engine() -> None:
    code = (
        "import sys; from unspun.service.cli import cli\n"
        "for arguments in (['--help'], ['score', '--help'], ['evaluate', '--help'], ['--version']):\n"
        "    try: cli(arguments)\n"
        "    except SystemExit as ended: assert not ended.code\n"
        "slow = {'numpy', 'rich', 'trafilatura', 'sklearn', 'charset_normalizer', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Usage: ") == 3


def test_version(unspun: Unspun) -> None:
    assert re.fullmatch(r"unspun \d+\.\d+\S*\n", unspun("--version").out)


def test_every_format_can_be_named_for_standard_input() -> None:
    formats = {name for part in get_args(Format) for name in get_args(part)}
    assert set(INPUT_FORMATS) == formats


READERS = ["score", "compare", "train", "evaluate", "calibrate", "feedback add", "feedback import", "models diff"]


@pytest.mark.parametrize("name", READERS)
def test_every_command_that_reads_documents_has_the_options_of_reading(name: str, unspun: Unspun) -> None:
    shown = unspun(*name.split(), "--help").out
    assert [option for option in ("--text-field", "--id-field", "--input-format") if option not in shown] == []


@pytest.mark.parametrize("as_setting", [False, True])
def test_a_gpu_needs_another_package(unspun: Unspun, monkeypatch: pytest.MonkeyPatch, as_setting: bool) -> None:
    if as_setting:
        monkeypatch.setenv("UNSPUN_DEVICE", "cuda")
    run = unspun("score", "spun.txt", *([] if as_setting else ["--device", "cuda"]))
    assert (run.status, run.out) == (1, "")
    assert "device 'cuda' needs the package onnxruntime-gpu; install it with: pip" in run.errors[-1]
