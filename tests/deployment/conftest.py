"""The image and its parts, made once per test session."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tests.deployment import support
from tests.deployment.container import make_root, why_not
from tests.service.support import free_port


@pytest.fixture(scope="session")
def image() -> support.Image:
    """Return the parsed Dockerfile."""
    return support.image()


@pytest.fixture(scope="session")
def workplace() -> Iterator[Path]:
    """Return a folder that is deleted at the end; pytest would keep half a gigabyte of libraries for three runs."""
    with tempfile.TemporaryDirectory(prefix="unspun-deployment-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def wheel(workplace: Path) -> Path:
    """Return unspun's wheel, built from the files in the build context of the image."""
    context = workplace / "context"
    support.copy_context(context)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--disable-pip-version-check", "--wheel-dir", str(workplace), str(context)], check=True)
    return next(workplace.glob("unspun-*.whl"))


@pytest.fixture(scope="session")
def root(workplace: Path, wheel: Path, image: support.Image) -> Path:
    """Return the root folder for containers."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    folder = workplace / "root"
    make_root(folder, wheel, image)
    return folder


@pytest.fixture(scope="session")
def redis(workplace: Path) -> Iterator[Redis]:
    """Start Redis on this machine with the options of the Compose file, and return a client."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("needs Debian's redis-server")
    service = support.compose()["services"]["redis"]
    assert service["entrypoint"] == ["redis-server"]
    port = free_port()
    command = [server, *service["command"], "--port", str(port), "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, cwd=workplace, stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port, decode_responses=True, retry=Retry(ConstantBackoff(0.05), 1_200)) as client:
            client.ping()
            yield client
    finally:
        process.terminate()
        process.wait(10)
