"""Run the image as a container without Docker, with namespaces and mounts made by util-linux.

The root is read-only. /tmp and /dev/shm are writable, but nothing in them can be executed. The service is process 1 of
its namespace, has no capabilities and cannot gain any. The libraries come from the environment that runs the tests, but
only those in unspun's metadata; the operating system is this machine's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

from tests.deployment.support import Image
from tests.service.support import free_port

VENV = "/opt/unspun"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
DEVICES = ("null", "zero", "random", "urandom")
ISOLATE = ("unshare", "--mount", "--pid", "--fork")


def why_not() -> str | None:
    """Return the reason why this machine cannot run containers, or None if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "namespaces and changing the user need root on Linux"
    missing = [name for name in ("unshare", "nsenter", "setpriv", "chroot") if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)} of util-linux and coreutils"
    if subprocess.run([*ISOLATE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode:
        return "this machine does not allow root to unshare or mount"
    return None


def make_root(root: Path, wheel: Path, image: Image) -> None:
    """Install a wheel and its dependencies under an otherwise empty root with mount points."""
    home = root / VENV[1:]
    venv.EnvBuilder(symlinks=True).create(home)
    install = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)], check=True)
    site = next(home.glob("lib/python*/site-packages"))
    for needed in closure(distributions(path=[str(site)]), {"unspun": {"service", "feedback"}}):
        for file in needed.files or ():
            if ".." not in file.parts:  # scripts are elsewhere, and the service needs none
                _link(Path(str(needed.locate_file(file))), site / file)
    for script in (home / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            script.write_bytes(script.read_bytes().replace(str(home).encode(), VENV.encode()))
    for name in ("proc", "dev/shm", "tmp", "etc", "var/lib/unspun"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in DEVICES:
        (root / "dev" / name).touch()
    user = image.user.partition(":")[0]
    (root / "etc/passwd").write_text(f"unspun:x:{user}:{user}::/nonexistent:/usr/sbin/nologin\n")
    shutil.copy2("/etc/ld.so.cache", root / "etc")


def closure(installed: Iterable[Distribution], wanted: dict[str, set[str]]) -> list[Distribution]:
    """Return the dependencies of distributions, including indirect ones and those of extras."""
    known = {found.metadata["Name"]: found for found in installed}
    left = list(wanted.items())
    seen: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()
    while left:
        name, extras = left.pop()
        found = known.get(name) or distribution(name)
        if name not in known:
            seen[found.metadata["Name"].lower()] = found
        for extra in ("", *extras):
            if (found.metadata["Name"].lower(), extra) in done:
                continue
            done.add((found.metadata["Name"].lower(), extra))
            for line in found.requires or ():
                requirement = Requirement(line)
                if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                    left.append((requirement.name, requirement.extras))
    return list(seen.values())


def _link(file: Path, to: Path) -> None:
    if not file.is_file():  # recorded bytecode that no longer exists
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, to)
    except FileExistsError:
        return
    except OSError:  # another file system
        shutil.copy2(file, to)


class Container:
    """A running container. `temporary` is its /tmp as seen from outside."""

    def __init__(self, image: Image, root: Path, temporary: Path, variables: Mapping[str, str]) -> None:
        self.image = image
        self.port = free_port()
        self.temporary = temporary
        temporary.mkdir(mode=0o1777)
        temporary.chmod(0o1777)
        self.environment = {**image.environment, **variables, "UNSPUN_PORT": str(self.port)}
        self.log = temporary.with_suffix(".log")
        script = f"{_mounts(root, temporary)}\nexec chroot {root} {shlex.join(self._command(image.command))}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*ISOLATE, "sh", "-euc", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _command(self, command: list[str]) -> list[str]:
        user, _, group = self.image.user.partition(":")
        identity = [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        limits = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ["/usr/bin/setpriv", *identity, *limits, "/usr/bin/env", "-i", *variables, *command]

    @property
    def first(self) -> int:
        """The process id, as seen from outside, of its process 1."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"http://127.0.0.1:{self.port}"

    def execute(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as `docker exec` does."""
        enter = ["nsenter", f"--target={self.first}", "--mount", "--pid", "--root", "--wd"]
        return subprocess.run([*enter, *self._command(command)], capture_output=True, text=True, timeout=30)

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Send a request; return status and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data, named)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Wait for 200 from /readyz."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.ask("/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"not ready:\n{self.log.read_text()}")

    def stop(self, seconds: float) -> int:
        """Send SIGTERM to process 1 as `docker stop` does; return the exit status. Raises subprocess.TimeoutExpired."""
        os.kill(self.first, signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self) -> None:
        """Kill it if it is still running; all processes of the namespace end with process 1."""
        # Not with --kill-child, which stops working when process 1 changes its user.
        if self.process.poll() is None:
            os.kill(self.first, signal.SIGKILL)
        self.process.wait(30)


def _mounts(root: Path, temporary: Path) -> str:
    """Return the shell commands that mount the root, for a new mount namespace."""
    lines = [f"mount --bind {root} {root}"]
    prefix = Path(sys.base_prefix)
    for path in (*SYSTEM, *(() if prefix.is_relative_to("/usr") else (str(prefix),))):
        inside = root / path[1:]
        if Path(path).is_symlink():
            lines += [f"ln -sfn {Path(path).readlink()} {inside}"]
        elif Path(path).is_dir():
            lines += [f"mkdir -p {inside}", f"mount --bind {path} {inside}", f"mount -o remount,bind,ro {inside}"]
    lines += [f"mount --bind /dev/{name} {root}/dev/{name}" for name in DEVICES]
    lines += [f"mount -t proc proc {root}/proc", f"mount -t tmpfs -o nosuid,nodev,noexec,size=64m shm {root}/dev/shm"]
    lines += [f"mount --bind {temporary} {root}/tmp", f"mount -o remount,bind,nosuid,nodev,noexec {root}/tmp"]
    lines += [f"mount -o remount,bind,ro {root}"]
    return "\n".join(lines)
