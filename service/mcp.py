"""unspun for assistants that edit text: a server of the Model Context Protocol with the tools `score` and `compare`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unspun.model.comparing.comparison import Comparison
from unspun.model.detector import MissingTierError
from unspun.model.text.document import MAX_CHARACTERS
from unspun.model.verdict import DepthChoice, EvidenceChoice, Verdict
from unspun.model.wording import HEADLINES, KIND_MEANINGS, looks_like_this, percent
from unspun.model.wording import meaning as meaning_of
from unspun.service.answers import schema_of
from unspun.service.batch.scoring import supported_by
from unspun.service.render.comparison import headline, meaning

if TYPE_CHECKING:
    from unspun.model.comparing.comparer import Comparer
    from unspun.service.batch.scoring import Scorer

INSTRUCTIONS = (
    "unspun judges whether a machine paraphrased an English text: replaced words by synonyms (spun), translated it "
    "there and back (translated), or rewrote it (rewritten). `score` judges one text and shows the odd words with what "
    "may have stood there; it needs 50 words of prose. `compare` says whether a text was made from another one. A "
    "verdict is a reason to look closer, not proof: never accuse anybody because of it alone, and say so when you "
    "report one. `clear` does not prove that a person wrote the text. Texts are neither stored nor logged."
)
MOST_EVIDENCE = 50
"""Pieces of evidence in an answer, unless the assistant asks for more: its context is limited."""


class Arguments(BaseModel):
    """The arguments of a tool. Unknown ones are refused, since a misspelt option would have no effect."""

    model_config = ConfigDict(extra="forbid")


class ScoreArguments(Arguments):
    """The arguments of `score`."""

    text: str = Field(description="The text to judge, in English, with at least 50 words of prose.")
    evidence: EvidenceChoice = Field(
        True,
        description="Whether to return the odd words, sentences and passages. Texts that are clear get them only with "
        '"all".',
    )
    most_evidence: int = Field(
        MOST_EVIDENCE, ge=1, description="The most pieces of evidence to return: the strongest, in the text's order."
    )
    depth: DepthChoice = Field(
        "auto",
        description="The tier that decides; auto asks a slower one only about texts that are in doubt. first only says "
        "which texts are surely clear, and gives no scores.",
    )
    base_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The share of paraphrased texts among those that are scored; adds `probability` to the verdict.",
    )


class CompareArguments(Arguments):
    """The arguments of `compare`."""

    suspect: str = Field(description="The text that may have been made from the other one.")
    source: str = Field(description="The text that it may have been made from.")
    alignments: bool = Field(
        False,
        description="Whether to return which passages correspond, word by word; several times as long as the texts.",
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a tool: what it means, in sentences, and the object in JSON."""

    meaning: str
    content: dict[str, Any]
    line: str


class Tools:
    """The two tools, with one model."""

    def __init__(self, scorer: Scorer, comparer: Comparer) -> None:
        self._scorer = scorer
        self._comparer = comparer
        self.tools: dict[str, tuple[types.Tool, type[Arguments], Callable[[Any], Answer]]] = {
            "score": (
                _tool(
                    "score",
                    "Judge whether a machine paraphrased a text",
                    "Returns unspun's verdict on one English text: paraphrased, suspect, clear or abstained, with the "
                    "kind of paraphrase, how rare such evidence is in human text, and the odd words with what may have "
                    "stood there. Only suggestions that are marked `probable` are more often right than wrong. A "
                    "verdict is a reason to look closer, not proof.",
                    ScoreArguments,
                    schema_of(Verdict),
                ),
                ScoreArguments,
                self._score,
            ),
            "compare": (
                _tool(
                    "compare",
                    "Compare a text with its suspected source",
                    "Says whether the suspect was made from the source (copied, spun, translated or rewritten), how "
                    "much of the source reappears in it, and which words were replaced.",
                    CompareArguments,
                    _with_optional(schema_of(Comparison), "alignments"),
                ),
                CompareArguments,
                self._compare,
            ),
        }

    def call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Return the answer of a tool, or an error that tells the assistant what to change.

        Raises MCPError if there is no such tool.
        """
        if name not in self.tools:
            raise MCPError(types.INVALID_PARAMS, f"no tool {name!r}; the tools are {' and '.join(self.tools)}")
        _, accepted, work = self.tools[name]
        try:
            answer = work(accepted.model_validate(arguments))
        except ValidationError as error:
            return _failed("; ".join(_in_words(problem, accepted) for problem in error.errors()))
        except MissingTierError as error:
            return _failed(str(error))
        except Exception as error:  # the message might quote the text
            return _failed(f"unspun failed with an unexpected {type(error).__name__}; please report this")
        return types.CallToolResult(
            content=[types.TextContent(text=answer.meaning), types.TextContent(text=answer.line)],
            structured_content=answer.content,
        )

    def _score(self, asked: ScoreArguments) -> Answer:
        [verdict] = self._scorer.score_many(
            [asked.text], depth=asked.depth, evidence=asked.evidence, base_rate=asked.base_rate
        )
        said = in_words(verdict, supported_by(self._scorer))
        if len(asked.text) > MAX_CHARACTERS:
            said += f" Only the first {MAX_CHARACTERS:,} characters were judged."
        found = verdict.evidence or ()
        if len(found) > asked.most_evidence:
            strongest = sorted(found, key=lambda one: -one.weight)[: asked.most_evidence]
            verdict = replace(verdict, evidence=tuple(sorted(strongest, key=lambda one: one.start)))
            said += (
                f" Only the {asked.most_evidence:,} strongest of {len(found):,} pieces of evidence are shown; ask for "
                "more with most_evidence."
            )
        return Answer(said, verdict.to_dict(), verdict.to_json())

    def _compare(self, asked: CompareArguments) -> Answer:
        comparison = self._comparer.compare(asked.suspect, asked.source)
        content = comparison.to_dict()
        if asked.alignments:
            return Answer(pair_in_words(comparison), content, comparison.to_json())
        del content["alignments"]
        return Answer(pair_in_words(comparison), content, json.dumps(content))


def in_words(verdict: Verdict, supported: float = 0.0) -> str:
    """Return what a verdict means, in a few sentences. `supported` is the smallest rate that the model supports."""
    kind = f" ({verdict.kind}: {KIND_MEANINGS[verdict.kind]})" if verdict.kind else ""
    said = f"{HEADLINES[verdict.verdict]}{kind}. {meaning_of(verdict)}"
    rare = looks_like_this(verdict, supported)
    return said if rare is None else f"{said} {rare[:1].upper()}{rare[1:]}."


def pair_in_words(comparison: Comparison) -> str:
    """Return what a comparison means, in a few sentences."""
    said = f"{headline(comparison)}: {meaning(comparison)}."
    if comparison.reason is not None:
        return said
    return (
        f"{said} The probability that the suspect was made from the source is {percent(comparison.probability)}, and "
        f"{percent(comparison.share)} of the source's words reappear in it."
    )


def server(scorer: Scorer, comparer: Comparer) -> Server[Any]:
    """Return a server of the two tools."""
    tools = Tools(scorer, comparer)

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool for tool, *_ in tools.tools.values()])

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        # In a thread, so that the server answers pings meanwhile.
        return await asyncio.to_thread(tools.call, params.name, params.arguments or {})

    return Server(
        "unspun",
        version=version("unspun"),
        title="unspun",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve(scorer: Scorer, comparer: Comparer) -> None:
    """Answer requests on standard input, until it ends."""

    async def run() -> None:
        made = server(scorer, comparer)
        async with stdio_server() as (requests, answers):
            await made.run(requests, answers, made.create_initialization_options())

    asyncio.run(run())


def _tool(name: str, title: str, description: str, arguments: type[Arguments], output: dict[str, Any]) -> types.Tool:
    accepted = arguments.model_json_schema()
    accepted.pop("description", None)
    return types.Tool(
        name=name,
        title=title,
        description=description,
        input_schema=accepted,
        output_schema=output,
        annotations=types.ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def _with_optional(schema: dict[str, Any], field: str) -> dict[str, Any]:
    return {**schema, "required": [name for name in schema["required"] if name != field]}


def _failed(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=message)], is_error=True)


def _in_words(problem: Any, accepted: type[Arguments]) -> str:
    """Return what is wrong with an argument. Its value is left out, since it may be the text."""
    name = problem["loc"][0]
    if problem["type"] == "missing":
        return f"the argument {name} is missing"
    if problem["type"] == "extra_forbidden":
        return f"no argument {name}; the arguments are {', '.join(accepted.model_fields)}"
    return f"{name}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
