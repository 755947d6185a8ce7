"""reading/locations.py: remote stores, simulated on this machine."""

from __future__ import annotations

import functools
import http.server
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from benchmarks.endurance.server import DOWN, Server
from tests.reading.support import PACKED, RECORDS, ROWS, failures, ids, page, parquet, read, rows_of, texts
from unspun.reading import locations
from unspun.reading.reader import Reader, Record
from unspun.reading.records import Lost

FILES = {
    "crawl/a.txt": b"one",
    "crawl/b/c.txt": b"two",
    "crawl/b/d.jsonl": b'{"id": "three", "text": "words"}\n',
    "crawl/b/e.png": b"x",
    "crawl-2.txt": b"four",
    "odd[1].txt": b"five",
}


@pytest.fixture
def memory() -> Iterator[str]:
    """Return the URL of a folder in memory that holds FILES."""
    store = fsspec.filesystem("memory")
    store.pipe({f"/bucket/{name}": data for name, data in FILES.items()})
    yield "memory://bucket"
    store.rm("/bucket", recursive=True)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """Return the address of an S3-compatible server that runs during the tests of this file."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(scope="module")
def s3(s3_server: str) -> Iterator[str]:
    """Return the URL of a bucket that holds FILES. The driver is configured by environment variables, as users do."""
    settings = {"ENDPOINT_URL": s3_server, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**settings, "DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(f"AWS_{name}", value)
        store = fsspec.filesystem("s3")
        store.mkdir("bucket")
        store.pipe({f"bucket/{name}": data for name, data in FILES.items()})
        yield "s3://bucket"
        store.clear_instance_cache()


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """Return the address of a web server that serves FILES and folder listings, but ignores range requests."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


# Files, folders and patterns


def test_a_file_of_a_store_is_read(store: str) -> None:
    assert read(f"{store}/crawl/a.txt") == [Record(f"{store}/crawl/a.txt", "one", f"{store}/crawl/a.txt")]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_of_a_store_is_searched_recursively(slash: str, store: str) -> None:
    reader = Reader([store + slash])
    names = ["crawl-2.txt", "crawl/a.txt", "crawl/b/c.txt", "three", "odd[1].txt"]
    assert ids(list(reader)) == [name if name == "three" else f"{store}/{name}" for name in names]
    assert len(reader.skipped) == 1


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("crawl/*.txt", ["crawl/a.txt"]),
        ("**/*.txt", ["crawl-2.txt", "crawl/a.txt", "crawl/b/c.txt", "odd[1].txt"]),
        ("crawl/**/c.*", ["crawl/b/c.txt"]),
        ("crawl-?.txt", ["crawl-2.txt"]),
        # A file whose name looks like a pattern.
        ("odd[1].txt", ["odd[1].txt"]),
    ],
)
def test_patterns_match_in_a_store_as_on_disk(pattern: str, names: list[str], store: str) -> None:
    assert ids(read(f"{store}/{pattern}")) == [f"{store}/{name}" for name in names]


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("suffix", RECORDS)
def test_every_format_is_read_from_a_store(suffix: str, packing: str, memory: str) -> None:
    url = f"{memory}/new/file{suffix}{packing}"
    fsspec.filesystem("memory").pipe(url, PACKED[packing](RECORDS[suffix](ROWS)))
    assert rows_of(read(url)) == ROWS


def test_parquet_is_read_from_s3(s3: str) -> None:
    store = fsspec.filesystem("s3")
    store.mkdir("tables")
    store.pipe("tables/a.parquet", parquet(ROWS))
    assert rows_of(read("s3://tables")) == ROWS


def test_bytes_read_reach_the_total(store: str) -> None:
    reader = Reader([store])
    total = reader.total_bytes()
    list(reader)
    assert reader.bytes_read == total == sum(len(data) for name, data in FILES.items() if not name.endswith(".png"))


def test_bytes_read_reach_the_total_if_only_some_columns_are_read(memory: str) -> None:
    fsspec.filesystem("memory").pipe(f"{memory}/new.parquet", parquet([(id, text * 10_000) for id, text in ROWS]))
    reader = Reader([f"{memory}/new.parquet"])
    total = reader.total_bytes()
    list(reader)
    assert reader.bytes_read == total


def test_remote_and_local_files_can_be_read_together(store: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    found = read(f"{store}/crawl/a.txt", f"{tmp_path}", f"{store}/crawl-2.txt")
    assert ids(found) == [f"{store}/crawl/a.txt", f"{tmp_path}/a.txt", f"{store}/crawl-2.txt"]


def test_a_file_in_an_archive_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    url = f"zip://crawl/**/*.txt::{tmp_path}/a.zip"
    expected = [f"zip://crawl/{name}::{tmp_path}/a.zip" for name in ("a.txt", "b/c.txt")]
    assert ids(read(url)) == expected
    assert ids(read(expected[0])) == expected[:1]


# The web


def test_a_file_on_the_web_is_read(web: str) -> None:
    assert read(f"{web}/crawl/a.txt") == [Record(f"{web}/crawl/a.txt", "one", f"{web}/crawl/a.txt")]


def test_a_listing_on_the_web_is_a_folder(web: str) -> None:
    assert ids(read(f"{web}/crawl/")) == [f"{web}/crawl/a.txt", f"{web}/crawl/b/c.txt", "three"]


def test_a_pattern_matches_files_on_the_web(web: str) -> None:
    assert ids(read(f"{web}/crawl/**/*.txt")) == [f"{web}/crawl/a.txt", f"{web}/crawl/b/c.txt"]


@pytest.mark.parametrize("name", ["article.html", "article.html?page=2", "article/"])
def test_a_page_is_reduced_to_its_article(name: str, web: str, tmp_path: Path) -> None:
    file = tmp_path / ("article/index.html" if name.endswith("/") else "article.html")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(page("A page on the web and its text."))
    assert rows_of(read(f"{web}/{name}")) == [(f"{web}/{name}", "A page on the web and its text.")]


def test_a_large_file_is_read_from_a_server_without_ranges(
    web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locations, "BLOCK", 1000)
    (tmp_path / "large.jsonl").write_bytes(RECORDS[".jsonl"](ROWS * 10_000))
    assert texts(read(f"{web}/large.jsonl")) == [text for _, text in ROWS * 10_000]


def test_a_missing_page_is_reported_and_the_next_is_read(web: str) -> None:
    found = read(f"{web}/missing.txt", f"{web}/crawl-2.txt")
    assert failures(found) == [f"{web}/missing.txt: no such file or folder"]
    assert ids(found) == [f"{web}/crawl-2.txt"]


def test_a_server_that_cannot_be_reached_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "WAITS", (0.0,))
    unused = 9
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    (line,) = failures(read(f"http://127.0.0.1:{unused}/a.txt"))
    assert line.startswith(f"http://127.0.0.1:{unused}/a.txt: ")
    assert "please report" not in line


# Errors


def test_a_missing_file_in_a_store_is_reported_and_the_next_is_read(store: str) -> None:
    found = read(f"{store}/missing.txt", f"{store}/missing/*.txt", f"{store}/crawl/a.txt")
    first, second = failures(found)
    assert first == f"{store}/missing.txt: no such file or folder"
    assert second.startswith(f"{store}/missing")
    assert ids(found) == [f"{store}/crawl/a.txt"]


@pytest.mark.parametrize(
    ("url", "module", "line"),
    [
        ("s3://bucket/a.txt", "s3fs", "s3:// needs s3fs, which is not installed: pip install s3fs"),
        ("gs://bucket/a.txt", "gcsfs", "gs:// needs gcsfs, which is not installed: pip install gcsfs"),
        ("https://x.test/a.txt", "aiohttp", "https:// needs aiohttp, which is not installed: pip install aiohttp"),
        ("smb://x/a.txt", "smbclient", 'smb:// needs a driver (SMB requires "smbprotocol"'),
        ("s3://bucket/a.txt", "fsspec", "needs fsspec, which is not installed: pip install 'unspun[remote]'"),
        ("nonsense://a.txt", "nonsense", "could not be reached (ValueError: Protocol not known: nonsense)"),
    ],
)
def test_a_missing_driver_is_reported_and_the_rest_is_read(url: str, module: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("words")
    # In another process, because this one may have imported the driver.
    code = "import sys; sys.modules[sys.argv[1]] = None; from unspun.reading.reader import Reader\n"
    code += "for item in Reader(sys.argv[2:]): print(item)"
    command = [sys.executable, "-c", code, module, url, f"{tmp_path}/b.txt"]
    first, second = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert first.startswith(f"{url}: {line}")
    assert second.startswith("Record(")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".warc", ".jsonl.gz"])
def test_reading_continues_where_a_connection_was_cut(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server knows no ranges for .jsonl, so the file is read again up to the cut."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    monkeypatch.setattr(locations, "WAITS", (0.0, 0.0, 0.0))
    rows = ROWS * 1000
    name = f"a{suffix}"
    plain = suffix.removesuffix(".gz")
    (tmp_path / name).write_bytes(PACKED[suffix.removeprefix(plain)](RECORDS[plain](rows)))
    server = Server(tmp_path)
    server.cuts = 2
    found = read(f"http://127.0.0.1:{server.port}/{name}")
    server.close()
    assert rows_of(found) == rows
    assert server.cut == 2


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".warc", ".txt"])
def test_a_connection_that_stays_cut_is_lost_rather_than_failed(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    monkeypatch.setattr(locations, "WAITS", (0.0, 0.0))
    (tmp_path / f"a{suffix}").write_bytes(RECORDS.get(suffix, lambda rows: b"words " * 9999)(ROWS * 1000))
    server = Server(tmp_path)
    server.cuts = DOWN
    *_, last = read(f"http://127.0.0.1:{server.port}/a{suffix}")
    server.close()
    assert isinstance(last, Lost)


def test_a_server_that_does_not_answer_is_lost_rather_than_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    monkeypatch.setattr(locations, "WAITS", (0.0,))
    unused = 9
    (found,) = read(f"http://127.0.0.1:{unused}/a.txt")
    assert isinstance(found, Lost)


def test_a_lost_connection_is_reported_after_the_intact_records(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaking(io.BytesIO):
        size = 1_000_000

        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise RuntimeError("connection lost\nby peer")
            return super().read(size)

    monkeypatch.setattr(
        fsspec.filesystem("memory"), "open", lambda *arguments, **options: Breaking(b'{"text": "words"}\n' * 100_000)
    )
    *found, last = read(f"{memory}/crawl/b/d.jsonl")
    assert len(found) > 1000
    assert str(last).endswith(": could not be reached (RuntimeError: connection lost")
