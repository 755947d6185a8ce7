"""`/v1/compare` of a running service with the shipped model gives the same bytes as Python and the command line."""

from __future__ import annotations

import json
import shutil
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.http.running import ROOT, Service
from unspun.service.cli import cli
from unspun.service.client import Client, ProblemError

if TYPE_CHECKING:
    from unspun.model.comparing.comparer import Comparer

EXAMPLES = ROOT / "seeds" / "examples"
SUSPECT = (EXAMPLES / "spun" / "01-harbour-swimmers.wordnet.txt").read_text("utf-8")
SOURCE = (EXAMPLES / "human" / "01-harbour-swimmers.txt").read_text("utf-8")
OTHER = (EXAMPLES / "human" / "06-oat-bread.txt").read_text("utf-8")
ODD = f"{SOURCE}\n\U0001f6b2 \u202e \u00ad\u2028caf\u00e9 \ufffd"


PAIRS = {
    "spun": (SUSPECT, SOURCE),
    "copied": (SOURCE, SOURCE),
    "unrelated": (SUSPECT, OTHER),
    "odd characters": (SUSPECT, ODD),
    "too short": ("One.", SOURCE),
    "empty": ("", ""),
    "another language": ("Der Hafen ist seit elf Monaten geschlossen, und niemand weiß warum. " * 20, SOURCE),
}


@pytest.mark.parametrize("name", PAIRS)
def test_http_command_line_and_client_give_the_bytes_of_the_python_api(
    name: str, service: Service, comparer: Comparer, tmp_path: Path
) -> None:
    texts = PAIRS[name]
    paths = [str(tmp_path / "suspect.txt"), str(tmp_path / "source.txt")]
    for path, text in zip(paths, texts, strict=True):
        Path(path).write_bytes(text.encode())
    expected = comparer.compare(*texts, suspect_id=paths[0], source_id=paths[1]).to_json()
    body = {"suspect": texts[0], "source": texts[1], "suspect_id": paths[0], "source_id": paths[1]}
    assert service.post("/v1/compare", body).body.decode() == f"{expected}\n"
    result = CliRunner().invoke(cli, ["compare", *paths, "--format", "jsonl"], obj=lambda _: comparer)
    assert result.stdout == f"{expected}\n"
    with Client(f"http://127.0.0.1:{service.port}") as client:
        answer = client.compare(*texts, suspect_id=paths[0], source_id=paths[1])
    assert answer.to_json() == expected


def test_the_kinds_of_the_examples_are_recognised(service: Service) -> None:
    results = {}
    for name in ("spun", "copied", "unrelated", "too short", "another language"):
        answer = service.post("/v1/compare", dict(zip(("suspect", "source"), PAIRS[name], strict=True))).json
        results[name] = (answer["derived"], answer["kind"], answer["reason"])
    assert results == {
        "spun": (True, "spun", None),
        "copied": (True, "copied", None),
        "unrelated": (False, None, None),
        "too short": (False, None, "too_short"),
        "another language": (False, None, "not_english"),
    }


def test_the_client_raises_problems(service: Service) -> None:
    with (
        Client(f"http://127.0.0.1:{service.port}") as client,
        pytest.raises(ProblemError, match="50,000 words") as said,
    ):
        client.compare("word " * 50_001, SOURCE)
    assert said.value.problem.errors[0]["pointer"] == "#/suspect"


def test_a_long_comparison_delays_no_other_request() -> None:
    """Two texts near the limit, with nothing in common but their language. A second worker would hide a delay."""
    long = {"suspect": f"{SUSPECT}\n\n" * 100, "source": f"{OTHER}\n\n" * 100}
    answers = []
    with Service(WORKERS=1) as service:
        thread = threading.Thread(target=lambda: answers.append(service.post("/v1/compare", long)))
        thread.start()
        served = 0
        while thread.is_alive():
            assert service.get("/healthz").status == 200
            served += thread.is_alive()
            time.sleep(0.02)
        thread.join()
    assert answers[0].status in (200, 503)  # or it exceeded the time limit
    assert served >= 5  # nobody waits for it


def test_comparisons_continue_when_the_model_is_swapped(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "model" / "default", bundle)
    with Service(MODEL=bundle, WORKERS=1) as service:
        before = service.post("/v1/compare", {"suspect": SUSPECT, "source": SOURCE}).json
        manifest = bundle / "manifest.json"
        about = json.loads(manifest.read_text("utf-8"))
        written = tmp_path / "manifest.json"
        old = sha256(manifest.read_bytes()).hexdigest()
        written.write_text(json.dumps(about), "utf-8")  # the same model, its manifest in other bytes
        new = sha256(written.read_bytes()).hexdigest()
        written.replace(manifest)
        for _ in range(2):  # the first process and the worker, in any order
            service.wait_for("model swapped")
        after = service.post("/v1/compare", {"suspect": SUSPECT, "source": SOURCE}).json
    assert (before.pop("model")["sha256"], after.pop("model")["sha256"]) == (old, new)
    assert after == before
