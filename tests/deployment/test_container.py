"""The image's entrypoint, environment, user and health check, in a container that needs no Docker.

It runs unspun's wheel, built from the same files as the image, in a virtual environment of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.deployment.container import Container
from tests.deployment.support import ROOT, Image, compose, environment
from unspun.service.http.config import Settings

SPUN = (ROOT / "seeds/examples/spun/01-harbour-swimmers.wordnet.txt").read_bytes()
TEXT = {"Content_Type": "text/plain; charset=utf-8"}

READ_ONLY = ("/", "/opt/unspun/bin", "/opt/unspun/lib", "/usr/local", "/etc", "/dev", "/var/lib/unspun")
TRY_TO_WRITE = """
import json, pathlib, sys
refused = {}
for folder in sys.argv[1:]:
    try:
        (pathlib.Path(folder) / "written").touch()
    except OSError as error:
        refused[folder] = error.strerror
print(json.dumps(refused))
"""


@pytest.fixture(scope="module")
def container(root: Path, workplace: Path, image: Image, redis: Redis) -> Iterator[Container]:
    """Start a container with the environment from the Compose file."""
    address = f"redis://127.0.0.1:{redis.connection_pool.connection_kwargs['port']}/0"
    variables = {**environment("unspun"), "UNSPUN_REDIS_URL": address}
    with closing(Container(image, root, workplace / "tmp", variables)) as running:
        running.wait_until_ready()
        yield running


def status(process: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def test_its_health_check_passes(container: Container, image: Image) -> None:
    result = container.execute(image.health)
    assert (result.returncode, result.stderr) == (0, "")


def test_its_health_check_fails_if_the_service_does_not_answer(container: Container, image: Image) -> None:
    result = container.execute(["env", "UNSPUN_PORT=1", *image.health])
    assert result.returncode == 1


def test_it_uses_the_model_in_the_image(container: Container, image: Image) -> None:
    ready = json.loads(container.ask("/readyz")[1])
    assert ready["model"]["sha256"] == image.labels["unspun.model.sha256"]


def test_it_scores_a_text(container: Container) -> None:
    code, body = container.ask("/v1/score", SPUN, **TEXT)
    verdict = json.loads(body)
    assert (code, verdict["verdict"], verdict["kind"]) == (200, "paraphrased", "spun")


def test_it_serves_the_page_and_the_api_reference(container: Container) -> None:
    pages = {path: container.ask(path) for path in ("/", "/v1/docs", "/v1/openapi.json")}
    assert {path: code for path, (code, _) in pages.items()} == dict.fromkeys(pages, 200)


def test_limits_are_counted_in_redis(container: Container, redis: Redis) -> None:
    container.ask("/v1/score", SPUN, **TEXT)
    assert [key for key in redis.scan_iter() if "127.0.0.1" in key]


def test_the_keys_command_of_the_compose_file_adds_and_lists_keys(container: Container) -> None:
    # /tmp replaces the volume of the Compose file.
    command = [part.replace("/var/lib/unspun", "/tmp") for part in compose()["services"]["keys"]["entrypoint"]]
    made = container.execute([*command, "add", "alice"])
    assert (made.returncode, made.stdout[:7]) == (0, "unspun_")
    assert container.execute([*command, *compose()["services"]["keys"]["command"]]).stdout.endswith("alice\n")


def test_none_of_its_processes_is_root_or_can_become_root(container: Container, image: Image) -> None:
    children = Path(f"/proc/{container.first}/task/{container.first}/children").read_text().split()
    assert len(children) == int(container.environment["UNSPUN_WORKERS"])
    user, group = image.user.split(":")
    for process in (container.first, *map(int, children)):
        about = status(process)
        assert (about["Uid"], about["Gid"], about["Groups"]) == ([user] * 4, [group] * 4, [])
        assert about["NoNewPrivs"] == ["1"]
        assert {about[name][0] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}


def test_it_is_process_1_as_in_docker(container: Container) -> None:
    assert status(container.first)["NSpid"][-1] == "1"


def test_it_can_write_only_to_the_temporary_folder(container: Container) -> None:
    refused = json.loads(container.execute(["python", "-c", TRY_TO_WRITE, *READ_ONLY, "/tmp"]).stdout)
    (container.temporary / "written").unlink()
    assert refused == dict.fromkeys(READ_ONLY, "Read-only file system")


def test_its_temporary_files_are_small(container: Container) -> None:
    container.ask("/v1/score", SPUN, **TEXT)
    written = sum(file.stat().st_size for file in container.temporary.rglob("*") if file.is_file())
    assert 0 < written < 16 << 20  # the Compose file gives it 64 MiB


def test_sigterm_shuts_it_down_gracefully(root: Path, workplace: Path, image: Image) -> None:
    with closing(Container(image, root, workplace / "tmp-stopped", {"UNSPUN_WORKERS": "1"})) as container:
        container.wait_until_ready()
        started = time.monotonic()
        assert container.stop(45) == 0
        assert time.monotonic() - started >= Settings().drain_seconds
        assert list(container.temporary.iterdir()) == []


def test_an_invalid_setting_stops_it_at_once_with_a_message(root: Path, workplace: Path, image: Image) -> None:
    with closing(Container(image, root, workplace / "tmp-wrong", {"UNSPUN_WORKERS": "many"})) as container:
        assert container.process.wait(30) == 2
        assert container.log.read_text().startswith("unspun: UNSPUN_WORKERS=many")


def test_its_log_is_json_without_texts(container: Container) -> None:
    container.ask("/v1/score", SPUN, **TEXT)
    lines: list[dict[str, Any]] = [json.loads(line) for line in container.log.read_text().splitlines()]
    assert "listening" in {line["event"] for line in lines}
    assert "harbour" not in container.log.read_text()
