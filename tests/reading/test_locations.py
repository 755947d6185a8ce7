"""reading/locations.py: which local files a path refers to, and files that change while they are read."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases, why
from tests.reading.support import PACKED, ROWS, failures, ids, json_lines, parquet, read, texts, write
from unspun.reading.locations import Pattern, locate
from unspun.reading.reader import Failure, Reader, Record

# Patterns


@pytest.mark.parametrize("case", cases("reading/patterns.toml"), ids=why)
def test_patterns(case: dict[str, Any], here: Path) -> None:
    write(*case["files"])
    reader = Reader([case["pattern"]])
    found = list(reader)
    assert ids(found) == case["expected"]
    assert failures(found) == []
    assert len(reader.skipped) == case.get("skipped", 0)


def test_an_absolute_pattern_gives_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    assert ids(read(f"{tmp_path}/*.txt")) == [f"{tmp_path}/a.txt"]


def test_a_pattern_that_matches_nothing_is_reported(here: Path) -> None:
    write("a/b.txt")
    (line,) = failures(read("a/*.md"))
    assert line.startswith("a/*.md: no such file, and no documents match this pattern (looked for .txt .md ")


def test_a_pattern_in_a_missing_folder_is_reported(here: Path) -> None:
    assert failures(read("missing/*.txt")) == ["missing: no such file or directory"]


def test_a_file_whose_name_looks_like_a_pattern_is_read(here: Path) -> None:
    write("a[1].txt", "a1.txt")
    assert ids(read("a[1].txt")) == ["a[1].txt"]


def test_a_pattern_reads_a_folder_in_a_loop_of_links_once(here: Path) -> None:
    write("a/x.txt")
    Path("a/loop").symlink_to(here, target_is_directory=True)
    Path("a/self").symlink_to(".", target_is_directory=True)
    assert ids(read("**/*.txt")) == ["a/x.txt"]


def test_folders_in_which_nothing_can_match_are_not_listed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a/x.txt", "a/deep/deeper/y.txt", "b/z.txt")
    listed: list[str] = []
    real = os.scandir

    def scandir(path: str) -> Any:
        listed.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert ids(read("a/*.txt")) == ["a/x.txt"]
    assert listed == ["a"]


@given(
    st.lists(st.sampled_from(["a", "b", "ab", "a.txt"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "*", "?", "**", "*.txt", "[ab]"]), min_size=1, max_size=4),
)
def test_folders_above_a_match_are_searched(path: list[str], names: list[str]) -> None:
    pattern = Pattern(names)
    if pattern.fits(tuple(path)):
        assert all(pattern.may_hold(tuple(path[:end])) for end in range(len(path)))


@given(st.text("ab.", min_size=1, max_size=3), st.text("ab.*?", min_size=1, max_size=3))
def test_a_name_matches_as_in_a_shell(name: str, pattern: str) -> None:
    if pattern != "**":
        assert Pattern([pattern]).fits((name,)) == fnmatchcase(name, pattern)


# Folders


def test_the_output_folder_is_left_out(here: Path) -> None:
    write("out/part-00000.jsonl", "in/out/x.txt", "x.txt")
    assert ids(read(".", exclude=Path("out"))) == ["./in/out/x.txt", "./x.txt"]
    assert ids(read("**/*", exclude=Path("out"))) == ["in/out/x.txt", "x.txt"]


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    for url in (f"file://{tmp_path}", f"file://{tmp_path}/a.txt", f"file://{tmp_path}/*.txt"):
        assert ids(read(url)) == [f"{tmp_path}/a.txt"]


def test_listing_a_folder_takes_no_stat_of_its_files(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(*(f"{number}.txt" for number in range(100)))
    calls: list[Path] = []
    real = Path.stat

    def counted(self: Path, **options: Any) -> os.stat_result:
        calls.append(self)
        return real(self, **options)

    location = locate(".")
    monkeypatch.setattr(Path, "stat", counted)
    assert len(list(location.files())) == 100
    assert calls == [Path()]


def test_ten_thousand_small_files_are_read_in_seconds(here: Path) -> None:
    for number in range(10_000):
        Path(f"{number:05d}.txt").write_bytes(b"words")
    started = time.process_time()
    found = ids(read("."))
    assert found == [f"./{number:05d}.txt" for number in range(10_000)]
    assert time.process_time() - started < 10  # half a second on an idle machine


def test_a_pipe_given_by_name_is_read(here: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"words")
    os.close(write_end)
    reader = Reader([f"/dev/fd/{read_end}"])
    assert texts(list(reader)) == ["words"]
    os.close(read_end)
    assert reader.bytes_read == 5


# Files that change


def test_a_file_deleted_after_the_listing_is_reported_and_the_rest_is_read(here: Path) -> None:
    write("a.txt", "b.txt", "c.txt")
    found: Iterator[Record | Failure] = iter(Reader(["."]))
    first = next(found)
    Path("b.txt").unlink()
    rest = list(found)
    assert ids([first, *rest]) == ["./a.txt", "./c.txt"]
    assert failures(rest) == ["./b.txt: no such file or directory"]


def test_a_file_deleted_while_it_is_read_is_read_to_its_end(here: Path) -> None:
    Path("a.jsonl").write_text('{"text": "words"}\n' * 100_000)
    found = iter(Reader(["a.jsonl"]))
    next(found)
    Path("a.jsonl").unlink()
    assert len(ids(list(found))) == 99_999


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
def test_a_file_that_changes_while_it_is_read_is_reported(change: str, here: Path) -> None:
    file = Path("a.jsonl")
    file.write_text('{"text": "words"}\n' * 100_000)
    os.utime(file, (1, 1))
    found = iter(Reader(["a.jsonl"]))
    next(found)
    if change == "grows":
        with file.open("a") as stream:
            stream.write('{"text": "more"}\n')
    elif change == "shrinks":
        os.truncate(file, 18 * 50_000)
    else:
        with file.open("r+") as stream:
            stream.write('{"text": "other"}\n' * 100_000)
    assert failures(list(found))[-1] == (
        "a.jsonl: changed while it was being read; what was read may mix old and new content"
    )


def test_reading_continues_after_a_file_that_changed(here: Path) -> None:
    Path("a.jsonl").write_text('{"text": "words"}\n' * 2)
    write("b.txt")
    found = iter(Reader(["."]))
    next(found)
    Path("a.jsonl").write_text("")
    assert ids(list(found))[-1] == "./b.txt"


# Progress


def test_bytes_read_reach_the_total_for_patterns_and_tables(here: Path) -> None:
    Path("a.parquet").write_bytes(parquet(ROWS * 1000))
    Path("b.jsonl.zst").write_bytes(PACKED[".zst"](json_lines(ROWS * 1000)))
    Path("c.png").write_bytes(b"x")
    reader = Reader(["*"])
    seen = [reader.bytes_read for _ in reader]
    assert seen == sorted(seen)
    assert (
        reader.bytes_read
        == reader.total_bytes()
        == sum(Path(name).stat().st_size for name in ("a.parquet", "b.jsonl.zst"))
    )
