"""A service starts, changes its model, loses a worker and shuts down, and no request is lost."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.common import megabytes_in
from tests.http.running import ROOT, Answer, Service, failed_start
from tests.service.support import free_port, wait_until
from unspun.model import signing
from unspun.service.http.keys import KeyStore

MODEL = ROOT / "model" / "default"
SHIPPED: str = json.loads((MODEL / "manifest.json").read_text("utf-8"))["version"]
TEXT = (ROOT / "seeds" / "examples" / "human" / "05-cup-final.txt").read_text("utf-8")


class Load:
    """Sends requests from several threads without a pause, and counts the responses."""

    def __init__(self, service: Service | Proxy, threads: int = 4) -> None:
        self.statuses: Counter[int | str] = Counter()
        self.models: Counter[str] = Counter()
        self._service = service
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def more(self, answers: int = 10) -> None:
        """Wait for some more answers."""
        target = self.statuses.total() + answers
        wait_until(lambda: self.statuses.total() >= target)

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                answer = self._service.post("/v1/score", {"text": TEXT})
            except (OSError, http.client.HTTPException) as error:  # cut off, perhaps after the headers
                self.statuses[type(error).__name__] += 1
            else:
                self.statuses[answer.status] += 1
                if answer.status == 200:
                    self.models[answer.json["model"]["version"]] += 1


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a copy of the shipped model that a test may change."""
    return Path(shutil.copytree(MODEL, tmp_path / "bundle"))


def release(bundle: Path, version: str) -> None:
    """Give a bundle another version, atomically."""
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    part = bundle / "manifest.json.part"
    part.write_text(json.dumps({**manifest, "version": version}), "utf-8")
    part.replace(bundle / "manifest.json")


def version_of(service: Service) -> str:
    return str(service.get("/v1/model").json["model"]["version"])


# --- the model is replaced


def test_a_changed_bundle_is_loaded_and_no_request_fails(bundle: Path) -> None:
    with Service(MODEL=bundle) as service, Load(service) as load:
        release(bundle, "3.0.0")
        wait_until(lambda: load.models["3.0.0"] > 10)
    assert set(load.statuses) == {200}
    assert set(load.models) == {SHIPPED, "3.0.0"}


def test_sighup_loads_the_model_if_the_bundle_is_not_watched(bundle: Path) -> None:
    with Service(MODEL=bundle, WATCH_SECONDS=0) as service:
        release(bundle, "3.0.0")
        time.sleep(0.8)
        before = version_of(service)
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: {version_of(service) for _ in range(8)} == {"3.0.0"})
    assert before == SHIPPED


def test_a_new_worker_keeps_the_old_model_if_the_bundle_is_not_watched(bundle: Path) -> None:
    with Service(MODEL=bundle, WORKERS=1, WATCH_SECONDS=0) as service:
        release(bundle, "3.0.0")
        [worker] = service.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: service.workers() not in ([], [worker]))
        assert version_of(service) == SHIPPED


def test_a_tampered_bundle_is_refused_and_the_old_model_stays(bundle: Path) -> None:
    with Service(MODEL=bundle) as service:
        (bundle / "words.txt").unlink()
        (bundle / "words.txt").write_text("the\n", "utf-8")
        release(bundle, "3.0.0")
        refusal = service.wait_for("the new model is refused, the old one stays")
        answer = service.post("/v1/score", {"text": TEXT})
    assert (answer.status, answer.json["model"]["version"]) == (200, SHIPPED)
    assert "words.txt" in refusal["reason"]


def test_a_new_worker_has_the_model_of_the_others(bundle: Path) -> None:
    with Service(MODEL=bundle, WORKERS=1) as service:
        release(bundle, "3.0.0")
        wait_until(lambda: version_of(service) == "3.0.0")
        [worker] = service.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: service.workers() not in ([], [worker]))
        assert version_of(service) == "3.0.0"


# --- shutdown


def test_sigterm_lets_requests_in_progress_finish() -> None:
    with Service(DRAIN_SECONDS=60, WORKERS=1) as service, service.connect() as connection:
        body = json.dumps({"text": TEXT}).encode()
        sent = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(sent % len(body) + body[:100])
        time.sleep(0.2)
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: service.get("/readyz").status == 503)
        still = service.post("/v1/score", {"text": TEXT}).status
        service.process.send_signal(signal.SIGTERM)  # the second one ends the drain time
        wait_until(lambda: not service.listens())
        connection.sendall(body[100:])
        received = connection.recv(1 << 16)
        status = service.process.wait(20)
    assert (still, status) == (200, 0)
    assert received.startswith(b"HTTP/1.1 200 OK")


class Proxy:
    """Passes requests on to one of two services, as docs/operations.md describes an upgrade."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def post(self, path: str, body: object) -> Answer:
        return self.service.post(path, body)


def test_a_new_instance_takes_over_behind_a_proxy_and_no_request_is_lost() -> None:
    with Service(WORKERS=1, DRAIN_SECONDS=1) as old, Service(WORKERS=1) as new:
        proxy = Proxy(old)
        with Load(proxy) as load:
            proxy.service = new  # its /readyz answers 200
            old.process.send_signal(signal.SIGTERM)
            assert old.process.wait(20) == 0
            load.more()
    assert set(load.statuses) == {200}


def test_responses_close_the_connection_while_draining() -> None:
    with Service(DRAIN_SECONDS=60, WORKERS=1) as service:
        before = service.get("/healthz").headers["connection"]
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: service.get("/readyz").status == 503)
        assert (before, service.get("/healthz").headers["connection"]) == ("keep-alive", "close")


def test_an_idle_connection_does_not_delay_shutdown() -> None:
    with Service(WORKERS=1, TIMEOUT=60) as service, service.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1 << 16)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(10) == 0  # connections may be idle for 15 seconds


def test_sigterm_to_all_processes_keeps_the_drain_time() -> None:
    """systemd sends it like this."""
    with Service(DRAIN_SECONDS=5) as service:
        workers = service.workers()
        for process in (service.process.pid, *workers):
            os.kill(process, signal.SIGTERM)
        wait_until(lambda: service.get("/readyz").status == 503)
        assert service.post("/v1/score", {"text": TEXT}).status == 200
        assert service.process.wait(20) == 0


def test_sigint_stops_the_service_at_once() -> None:
    with Service(DRAIN_SECONDS=60) as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(30) == 0  # gunicorn would kill the workers after 35 seconds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_workers_that_have_just_been_started(number: signal.Signals) -> None:
    class Starting(Service):
        def _wait_until_ready(self) -> None:
            while len(self.workers()) < self._count:
                time.sleep(0.02)

    with Starting(module=("tests.http.altered", "slow-starting")) as service:
        service.process.send_signal(number)
        assert service.process.wait(30) == 0  # gunicorn would kill them after 35 seconds


def test_no_temporary_files_remain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Service() as service:
        service.post("/v1/score", {"text": TEXT})
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(20)
    assert list(tmp_path.iterdir()) == []


def signed(folder: Path, model: Path, name: str, days: int) -> str:
    """Copy a model and sign it with a new key, which expires in so many days; return the line of the key."""
    key_file = folder / f"{name}.pem"
    key = signing.create_key(key_file, name, datetime.now(UTC).date() + timedelta(days=days))
    manifest = {**json.loads((model / "manifest.json").read_text("utf-8")), "version": name}
    copy = Path(shutil.copytree(model, folder / name))
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    digest = hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
    signing.sign(copy, digest, signing.read_key(key_file))
    return key.line


def test_a_key_that_expires_soon_is_in_the_log_and_in_the_metrics(tmp_path: Path, tiny_bundle: Path) -> None:
    pytest.importorskip("cryptography", reason="signing needs the extra `signing`")
    lines = [signed(tmp_path, tiny_bundle, name, days) for name, days in (("first", 20), ("second", 10))]
    (tmp_path / "trusted.txt").write_text("\n".join(lines), "utf-8")
    current = tmp_path / "current"
    current.symlink_to("first")

    def is_reported(name: str, days: int) -> bool:
        last_day = datetime.now(UTC).date() + timedelta(days=days)
        end = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), UTC).timestamp()
        found = figures(service, "unspun_model_signature_expires_timestamp_seconds")
        logged = [line for line in service.log if line["event"] == "the key of the model expires soon"]
        return found == end and (logged[-1]["key"], logged[-1]["last_day"]) == (name, str(last_day))

    with Service(MODEL=current, WORKERS=1, TRUSTED_KEYS=tmp_path / "trusted.txt") as service:
        assert is_reported("first", 20)
        (tmp_path / "next").symlink_to("second")
        (tmp_path / "next").replace(current)
        wait_until(lambda: is_reported("second", 10))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can return freed memory")
def test_a_worker_returns_the_memory_of_requests_to_the_system() -> None:
    def megabytes() -> float:
        return megabytes_in(Path(f"/proc/{worker}/status").read_text(), "RssAnon") or 0.0

    with Service(WORKERS=1, module=("tests.http.altered", "often-releasing")) as service:
        [worker] = service.workers()
        used = 0.0
        for _ in range(3):
            assert service.post("/v1/score", {"text": TEXT * 20, "depth": "deep"}).status == 200
            used = max(used, megabytes())
        wait_until(lambda: megabytes() < used - 4)


# --- several workers


def test_a_killed_worker_is_replaced_while_others_answer() -> None:
    with Service() as service, Load(service) as load:
        victim = service.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(service.workers()) == 2 and victim not in service.workers())
        load.more(20)
    failed = load.statuses.total() - load.statuses[200]
    assert failed <= 4  # those that the killed worker was answering: one per thread


def figures(service: Service, name: str) -> float:
    lines = service.get("/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_metrics_cover_all_workers_and_survive_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Service() as service:
        for _ in range(30):
            service.post("/v1/score", {"text": TEXT})
        before = [figures(service, "unspun_verdicts_total") for _ in range(6)]
        files = {file.name: file.stat().st_ino for file in tmp_path.glob("*/*.db")}
        victim = service.workers()[0]
        os.kill(victim, signal.SIGKILL)
        assert service.wait_for("worker lost")["worker"] == victim
        wait_until(lambda: figures(service, "unspun_model_info") == 2)  # living workers only
        after = figures(service, "unspun_verdicts_total")
        lost = figures(service, "unspun_workers_lost_total")
        # The new worker continues the very files of the lost one: they do not fill the temporary folder, and on a full
        # disk nobody else takes their space.
        assert {file.name: file.stat().st_ino for file in tmp_path.glob("*/*.db")} == files
    assert (before, after, lost) == ([30.0] * 6, 30.0, 1.0)


def test_exactly_the_workers_are_counted_for_a_model(tmp_path: Path, tiny_bundle: Path) -> None:
    """The manager loads each new model, too, but answers no requests."""
    model = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    with Service(MODEL=model, WORKERS=1) as service:
        counts = [figures(service, "unspun_model_info")]
        release(model, "3.0.0")
        for _ in ("manager", "worker"):
            service.wait_for("model swapped")
        wait_until(lambda: figures(service, f"unspun_model_info{{{labels_of(service)}}}") > 0)
        counts.append(figures(service, "unspun_model_info"))
        [worker] = service.workers()
        os.kill(worker, signal.SIGKILL)
        service.wait_for("worker lost")
        wait_until(lambda: service.get("/readyz").status == 200)
        counts.append(figures(service, "unspun_model_info"))
    assert counts == [1.0, 1.0, 1.0]


def labels_of(service: Service) -> str:
    """Return the labels of the model in use, as in /metrics."""
    model = service.get("/readyz").json["model"]
    return ",".join(f'{name}="{model[name]}"' for name in ("name", "sha256", "version"))


def test_a_full_temporary_folder_ends_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=3m none {tmp_path} && exec "$@"', "sh")
    if subprocess.run([*small, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Service(wrapper=small, WORKERS=1) as service:
        ballast = os.open(f"/proc/{service.process.pid}/root{tmp_path}/ballast", os.O_CREAT | os.O_WRONLY)
        with suppress(OSError):  # until no space is left
            while os.write(ballast, bytes(4096)):
                pass
        os.close(ballast)
        asked = [{"text": TEXT, "depth": depth} for depth in ("auto", "fast", "deep")]
        assert [service.post("/v1/score", body).status for body in asked] == [200, 200, 200]
        assert figures(service, "unspun_workers_lost_total") == 0


def test_a_revoked_key_is_refused_by_all_workers_without_a_restart(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "keys.json")
    key, _ = store.add("cms"), store.add("other")
    with Service(KEYS_FILE=store.path) as service:
        ask = lambda: service.post("/v1/score", {"text": "short"}, Authorization=f"Bearer {key}").status  # noqa: E731
        before = {ask() for _ in range(10)}
        store.revoke("cms")
        after = {ask() for _ in range(10)}
    assert (before, after) == ({200}, {401})
    assert key not in json.dumps(service.log)


@contextmanager
def running_redis(port: int, folder: Path) -> Iterator[None]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server: apt-get install redis-server")
    command = [program, "--port", str(port), "--save", "", "--dir", str(folder), "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with socket.socket() as probe:
        wait_until(lambda: probe.connect_ex(("127.0.0.1", port)) == 0)
    try:
        yield
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with running_redis(port, tmp_path):
        yield f"redis://127.0.0.1:{port}/0"


def test_with_redis_workers_share_the_rate_limit(redis: str) -> None:
    with Service(RATE_LIMIT="12 per hour", REDIS_URL=redis) as service:
        statuses = Counter(service.post("/v1/score", {"text": "short"}).status for _ in range(40))
    assert statuses == {200: 12, 429: 28}


def test_a_worker_reports_when_redis_fails_and_when_it_answers_again(tmp_path: Path) -> None:
    port = free_port()
    settings = {"RATE_LIMIT": "100 per hour", "REDIS_URL": f"redis://127.0.0.1:{port}/0", "WORKERS": 1}
    with Service(**settings) as service:
        ask = lambda: service.post("/v1/score", {"text": "short"}).status  # noqa: E731
        assert ask() == 200
        service.wait_for("Redis does not answer, each worker counts on its own")
        assert figures(service, "unspun_workers_without_redis") == 1
        with running_redis(port, tmp_path):
            wait_until(lambda: ask() == 200 and figures(service, "unspun_workers_without_redis") == 0)
        service.wait_for("Redis answers again")


# --- startup


def test_an_unusable_model_is_reported_on_one_line(tmp_path: Path) -> None:
    run = failed_start(MODEL=tmp_path)
    assert (run.returncode, len(run.stderr.splitlines())) == (1, 1)
    assert "no model bundle here" in run.stderr


def test_a_port_in_use_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = failed_start(PORT=taken.getsockname()[1])
    assert (run.returncode, len(run.stderr.splitlines())) == (1, 1)
    assert "already in use; choose another" in run.stderr
