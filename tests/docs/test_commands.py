"""Every command and Python snippet in the documentation is run as printed, or checked against its parser."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from tests.docs.pages import PAGES, ROOT, Step, matches, steps
from tests.docs.running import TUTORIAL, check_page
from unspun.service.cli import cli

RUN = [page for page in PAGES if page != TUTORIAL and any(step.is_run for step in steps(page))]
CHECKED = [(page, step) for page in PAGES for step in steps(page) if not step.is_run and step.language == "console"]
INLINE = sorted({(page, code) for page, text in PAGES.items() for code in re.findall(r"`(unspun [a-z][^`]*)`", text)})
SNIPPETS = [step for page in PAGES for step in steps(page) if not step.is_run and step.language == "python"]
MODULE = r"python -m ((?:unspun\.|benchmarks\.)"
MODULES = sorted(
    {
        tuple(shlex.split(code.split(" #")[0]))
        for page, text in PAGES.items()
        if page != "docs/accuracy.md"
        for code in re.findall(rf"`{MODULE}[^`]*)`", text) + re.findall(rf"^ *\$ {MODULE}.*)", text, re.MULTILINE)
    }
)
OTHER_PROGRAMS = (
    "curl",
    "diff",
    "echo",
    "export",
    "jq",
    "pdftotext",
    "pg_dump",
    "pg_restore",
    "pip",
    "python",
    "sed",
    "sqlite3",
    "umask",
    "wc",
)
"""Programs whose options are not checked here; commands with `python -m` are checked separately."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# Parses the command lines on standard input with the parser of each module, in one process, without running them.
PARSE = """
import argparse, json, runpy, sys

import click

class Parsed(Exception):
    pass

def parse_only(parse):
    def parse_and_stop(parser, *arguments):
        parse(parser, *arguments)
        raise Parsed
    return parse_and_stop

def stop(command, context):
    raise Parsed

click.Command.invoke = stop
for name in ("parse_args", "parse_intermixed_args"):
    setattr(argparse.ArgumentParser, name, parse_only(getattr(argparse.ArgumentParser, name)))
answers, output, sys.stdout = [], sys.stdout, sys.stderr
for module, *arguments in json.load(sys.stdin):
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__")
        answers.append("it parses no arguments")
    except Parsed:
        answers.append(None)
    except SystemExit as end:
        answers.append("wrong usage" if end.code else None)
json.dump(answers, output)
"""


@pytest.mark.integration
@pytest.mark.parametrize("page", RUN)
def test_every_step_of_a_page_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    check_page(page, tmp_path)


def check_unspun(words: list[str]) -> None:
    """Parse a command line of unspun as click does, and check its choices; files need not exist."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(list(words))
        if not words:
            return
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]}"
        command, context, words = found, click.Context(found, parent=context), words[1:]
    options, _, _ = command.make_parser(context).parse_args(list(words))
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice) and (value := options.get(parameter.name or "")) is not None:
            parameter.type.convert(value, parameter, context)


def check_compose(words: list[str]) -> None:
    """Check profiles and services of a `docker compose` command, and what it runs inside."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    if "--profile" in words:
        assert words[words.index("--profile") + 1] in profiles
    if "--scale" in words:
        assert words[words.index("--scale") + 1].partition("=")[0] in services
    if "run" in words or "exec" in words:
        name, *inside = [
            word for word in words[words.index("run" if "run" in words else "exec") + 1 :] if word != "--rm"
        ]
        inside = [*map(str, services[name].get("entrypoint", [])), *inside] if "run" in words else inside
        if inside[0] == "unspun":
            check_unspun(inside[1:])


def check(words: list[str]) -> None:
    """Check that a command that is not run names things and options that exist."""
    match words:
        case ["unspun", *rest]:
            check_unspun(rest)
        case ["docker", "compose", *rest]:
            check_compose(rest)
        case ["docker", "build", *_]:
            pass  # the deployment tests check the Dockerfile
        case ["docker", "run", *rest]:
            check_unspun(rest[rest.index("unspun") + 1 :])
        case ["make", *targets]:
            makefile = (ROOT / "Makefile").read_text("utf-8")
            for target in targets:
                variable, given, _ = target.partition("=")
                assert re.search(rf"\$\({variable}\b" if given else rf"^{target}:", makefile, re.MULTILINE), target
        case ["pip", "install", target]:
            extras = re.findall(r"[\w-]+", target.partition("[")[2])
            assert set(extras) <= set(PROJECT["optional-dependencies"])
        case ["apt-get", "install", *packages]:
            assert set(packages) <= set(re.findall(r"[\w-]+", (ROOT / ".ci" / "run").read_text("utf-8")))
        case [program, *_]:
            assert program in OTHER_PROGRAMS


def simple_commands(line: str) -> list[list[str]]:
    """Return the simple commands of a line of shell, without assignments, redirections and substitutions."""
    lexer = shlex.shlex(re.sub(r"\$\(.*?\)|[<>]+ *\S+", "", line), posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&;"):
            found.append([])
        elif found[-1] or not re.match(r"[A-Z_]+=", word):
            found[-1].append(word)
    return [words for words in found if words]


@pytest.mark.parametrize(("page", "step"), CHECKED, ids=lambda value: value.name if isinstance(value, Step) else value)
def test_a_command_that_is_not_run_fits_its_parser(page: str, step: Step) -> None:
    for words in simple_commands(step.code):
        check(words)


@pytest.mark.parametrize(("page", "code"), INLINE)
def test_a_command_within_a_sentence_fits_its_parser(page: str, code: str) -> None:
    for words in simple_commands(code):
        check(words)


@pytest.mark.parametrize("module", sorted({module for module, *_ in MODULES}))
def test_a_module_that_is_used_as_a_command_exists(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


def test_commands_of_modules_fit_their_parsers() -> None:
    commands = [command for command in MODULES if len(command) > 1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    run = subprocess.run(
        [sys.executable, "-c", PARSE], input=json.dumps(commands), env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    answers = json.loads(run.stdout)
    assert [(command, answer) for command, answer in zip(commands, answers, strict=True) if answer] == []
    assert len(commands) > 10


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda step: step.name)
def test_a_snippet_that_is_not_run_imports_names_that_exist(snippet: Step) -> None:
    for node in ast.walk(ast.parse(snippet.code)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, name.name) for name in node.names)


def test_the_readme_and_the_makefile_have_the_same_demo() -> None:
    [command] = [
        step.code.split(" #")[0].strip() for step in steps("README.md") if "seeds/examples --format" in step.code
    ]
    assert f"$(BIN)/{command}\n" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize(
    "bad", ["unspun score --nope x", "unspun score x --format pdf", "make nothing", "pip install '.[x]'"]
)
def test_a_wrong_command_is_detected(bad: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        check(shlex.split(bad))


def test_output_that_differs_from_the_page_is_detected() -> None:
    assert matches(("a 1.5", "...", "b"), "a 2.25\nx\ny\nb\n")
    assert not matches(("a 1.5", "b"), "a 2.25\nx\nb\n")
    assert not matches(("a", "...", "c"), "a\nb\n")
