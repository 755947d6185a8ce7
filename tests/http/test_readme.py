"""What README and docs/usage.md tell people to type at a running service, typed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.http.running import ROOT, Service

README, USAGE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/usage.md"))
TEXT = (ROOT / "seeds" / "examples" / "spun" / "02-website-rebuild.moby.txt").read_text("utf-8")


def commands() -> list[str]:
    """Return the curl commands of both, continued lines joined."""
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", README + USAGE, re.S)).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in blocks.splitlines() if "localhost:8000" in line and "curl" in line]


def kind_of(answer: Any) -> str:
    if isinstance(answer, list):
        return " ".join(kind_of(item) for item in answer)
    return "verdict" if "verdict" in answer else "model" if "thresholds" in answer else f"problem {answer['status']}"


EXPECTED = ["verdict", "verdict", "verdict", "verdict problem 422", "verdict verdict", "model"]


def test_all_commands_are_expected() -> None:
    assert len(commands()) == len(EXPECTED)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl: apt-get install curl")
@pytest.mark.parametrize(("command", "expected"), list(zip(commands(), EXPECTED, strict=False)))
def test_a_curl_command_answers(command: str, expected: str, service: Service) -> None:
    typed = command.replace("localhost:8000", f"127.0.0.1:{service.port}")
    run = subprocess.run(["bash", "-c", typed], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    lines = [run.stdout] if "/stream" not in command else run.stdout.splitlines()
    assert " ".join(kind_of(json.loads(line)) for line in lines) == expected


def test_the_python_client_answers(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    [snippet] = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "Client(" in block]
    exec(snippet.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}"), {"text": TEXT})
    assert [kind_of(json.loads(line)) for line in capsys.readouterr().out.splitlines()] == ["verdict", "verdict"]


def test_documents_name_no_setting_that_is_none() -> None:
    from unspun.service.http.config import OTHERS, Settings, variable

    named = set(re.findall(r"UNSPUN_[A-Z_]+", README + USAGE + (ROOT / "docs" / "deployment.md").read_text("utf-8")))
    assert named <= {*OTHERS, *(variable(name) for name in Settings.model_fields)}
