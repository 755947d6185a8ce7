"""Reads the documentation: its code blocks, the commands in them, and the output that they show.

A `console` block holds commands, each after `$ `, and the lines that they print. If a block shows no output at all, its
commands may print anything. A `text` block right after a `python` block is what that prints. A block that begins with
the comment `# Not run by the tests: why` is only checked, and so is a block in which every command installs something.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
}
BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
NOT_RUN = "# Not run by the tests: "
INSTALLS = ("make ", "pip install ", "apt-get install ")


@dataclass(frozen=True)
class Step:
    """Something that readers of a page run: a shell command or a Python snippet.

    `shown` is what it prints according to the page, None if the page does not say.
    """

    code: str
    language: str
    shown: tuple[str, ...] | None
    is_run: bool

    @property
    def name(self) -> str:
        """The code in one line, for the names of tests."""
        return " ".join(self.code.split())[:70]


def steps(page: str) -> list[Step]:
    """Return all steps of a page, in order."""
    found: list[Step] = []
    text = PAGES[page]
    python_end = 0
    for block in BLOCK.finditer(text):
        lines = [line.removeprefix(block["indent"]) for line in block["body"].splitlines()]
        is_run = not lines[0].startswith(NOT_RUN)
        if block["language"] == "console":
            found += _commands(lines if is_run else lines[1:], is_run)
        elif block["language"] == "python":
            found.append(Step("\n".join(lines), "python", None, is_run))
            python_end = block.end()
        elif block["language"] == "text" and python_end and not text[python_end : block.start()].strip():
            found[-1] = replace(found[-1], shown=tuple(lines))
    return found


def _commands(lines: list[str], is_run: bool) -> list[Step]:
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    is_run = is_run and not all(command.startswith(INSTALLS) for command in commands)
    if len(commands) == len(lines):
        return [Step(command, "console", None, is_run) for command in commands]
    shown: list[list[str]] = []
    for line in lines:
        if line.startswith("$ "):
            shown.append([])
        else:
            shown[-1].append(line)
    return [Step(command, "console", tuple(found), is_run) for command, found in zip(commands, shown, strict=True)]


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections(text: str) -> dict[str, str]:
    """Return the text of each section of a page, without its subsections, by its anchor."""
    blocks = [block.span() for block in BLOCK.finditer(text)]
    heads = [
        head
        for head in re.finditer(r"^#+ (.*)$", text, re.MULTILINE)
        if not any(start < head.start() < end for start, end in blocks)
    ]
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {anchor(head[1]): text[head.end() : end] for head, end in zip(heads, ends, strict=True)}


def commands_of(page: str, name: str) -> list[str]:
    """Return the commands in the `console` blocks of a section, which is named by its anchor."""
    return re.findall(r"^\$ (.*)$", sections(PAGES[page])[name], re.MULTILINE)


def matches(shown: tuple[str, ...], output: str) -> bool:
    """Return whether an output is as shown. `...` stands for any text or lines, and a figure for any figure."""
    pieces = [".*" if line == "..." else _pattern(line) for line in shown]
    return re.fullmatch(r"\n?".join(pieces), _plain(output).strip("\n"), re.DOTALL) is not None


def _pattern(line: str) -> str:
    return r"[^\n]*".join(re.escape(part) for part in _plain(line).split("..."))


def _plain(text: str) -> str:
    """Return a text with a # for every figure, no bars (they are as long as their figures), and single blanks."""
    return re.sub(r"[ \t]+", " ", re.sub(r"[▏▎▍▌▋▊▉█│]+", "", re.sub(r"\d+([.,]\d+)*", "#", text)))
