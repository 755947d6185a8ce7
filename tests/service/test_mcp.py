"""service/mcp.py: the tools of assistants, as the SDK's own client sees them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.fake_comparer import FakeComparer
from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, ENVIRONMENT, SPUN, SUSPECT, run_unspun

pytest.importorskip("mcp", reason="pip install 'unspun[mcp]'")

from mcp import Client, MCPError, StdioServerParameters

from unspun.service.mcp import server

EXAMPLES = Path(__file__).parents[2] / "seeds" / "examples"
HUMAN = EXAMPLES / "human" / "05-cup-final.txt"
SPUN_ARTICLE = EXAMPLES / "spun" / "05-cup-final.relations.txt"


def ask(question: Callable[[Client], Awaitable[Any]]) -> Any:
    """Return what a client gets that is connected to the server in this process."""

    async def connected() -> Any:
        async with Client(server(FakeDetector(), FakeComparer())) as client:
            return await question(client)

    return asyncio.run(connected())


def call(tool: str, **arguments: Any) -> Any:
    return ask(lambda client: client.call_tool(tool, arguments))


def test_the_server_says_what_its_tools_are_for() -> None:
    async def look(client: Client) -> tuple[Any, Any]:
        return client.instructions, (await client.list_tools()).tools

    instructions, tools = ask(look)
    assert "not proof" in instructions
    assert [tool.name for tool in tools] == ["score", "compare"]
    for tool in tools:
        assert all(argument["description"] for argument in tool.input_schema["properties"].values())
        assert all(field["description"] for field in tool.output_schema["properties"].values())
        assert (tool.annotations.read_only_hint, tool.annotations.open_world_hint) == (True, False)


def test_score_returns_the_verdict_and_what_it_means() -> None:
    answer = call("score", text=SPUN)
    meaning, line = (block.text for block in answer.content)
    assert meaning.startswith("Paraphrased (spun: words and phrases replaced by others).")
    assert line == FakeDetector().score(SPUN).to_json()
    assert answer.structured_content == json.loads(line)


def test_score_without_evidence() -> None:
    assert "evidence" not in call("score", text=SPUN, evidence=False).structured_content


def test_score_with_a_base_rate_has_a_probability() -> None:
    assert 0 < call("score", text=SPUN, base_rate=0.05).structured_content["probability"] < 1


def test_a_text_that_cannot_be_judged_is_no_error() -> None:
    answer = call("score", text="Short.")
    assert not answer.is_error
    assert answer.content[0].text.startswith("No verdict. There are too few words")


def test_the_strongest_evidence_is_shown_in_the_order_of_the_text() -> None:
    text = "The vitality of the town, imaginative and prescient, had vitality and counterfeit consciousness."
    answer = call("score", text=text, most_evidence=2)
    found = [one["text"] for one in answer.structured_content["evidence"]]
    assert found == ["imaginative and prescient", "counterfeit consciousness"]
    assert "Only the 2 strongest of 4 pieces of evidence are shown" in answer.content[0].text


def test_compare_returns_the_comparison_without_its_long_alignments() -> None:
    short = call("compare", suspect=SUSPECT, source=CLEAR)
    whole = call("compare", suspect=SUSPECT, source=CLEAR, alignments=True)
    expected = FakeComparer().compare(SUSPECT, CLEAR).to_dict()
    assert whole.structured_content == expected
    assert short.structured_content == {name: value for name, value in expected.items() if name != "alignments"}
    assert json.loads(short.content[1].text) == short.structured_content
    assert short.content[0].text.startswith("Spun from the source: words and phrases replaced by others.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "the argument text is missing"),
        ({"text": 7}, "text: input should be a valid string"),
        ({"text": SPUN, "model": "x"}, "no argument model; the arguments are text, evidence,"),
        ({"text": SPUN, "depth": "quick"}, "depth: input should be 'first', 'auto', 'fast' or 'deep'"),
        ({"text": SPUN, "base_rate": 1}, "base_rate: input should be less than 1"),
        ({"text": SPUN, "most_evidence": 0}, "most_evidence: input should be greater than or equal to 1"),
        # a bug in unspun: the message does not quote the text
        ({"text": "raise-error"}, "unspun failed with an unexpected ZeroDivisionError; please report this"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_with_what_to_change(arguments: dict[str, Any], message: str) -> None:
    answer = call("score", **arguments)
    assert answer.is_error
    assert message in answer.content[0].text
    assert SPUN not in answer.content[0].text


def test_an_unknown_tool_is_refused_with_the_known_ones() -> None:
    async def wrong(client: Client) -> None:
        with pytest.raises(MCPError, match="no tool 'rewrite'; the tools are score and compare"):
            await client.call_tool("rewrite", {"text": SPUN})

    ask(wrong)


@pytest.mark.integration
def test_the_command_gives_the_verdicts_of_unspun_score(shipped: Any, comparer: Any) -> None:
    suspect, source = SPUN_ARTICLE.read_text("utf-8"), HUMAN.read_text("utf-8")
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "unspun", "mcp"], env={"PYTHONPATH": ENVIRONMENT["PYTHONPATH"]}
    )

    async def talk() -> tuple[Any, Any]:
        async with Client(command) as client:
            return (
                await client.call_tool("score", {"text": suspect, "most_evidence": 1000}),
                await client.call_tool("compare", {"suspect": suspect, "source": source, "alignments": True}),
            )

    scored, compared = asyncio.run(talk())
    assert scored.content[1].text == shipped.score(suspect).to_json()
    assert compared.content[1].text == comparer.compare(suspect, source).to_json()


@pytest.mark.integration
def test_the_command_ends_with_its_input() -> None:
    command = [sys.executable, "-m", "unspun", "mcp"]
    done = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_command_refuses_a_model_that_cannot_be_loaded() -> None:
    run = run_unspun("mcp", "--model", "nowhere")
    assert run.status == 1
    assert run.errors == [
        "unspun: nowhere: no model bundle here (manifest.json: No such file or directory); "
        "give the folder that `unspun train --output` wrote"
    ]
