"""Checks the articles that a pull request changes: what the GitHub Action in `action.yml` runs.

    python -m unspun.service.pull_request --base COMMIT --fail-on paraphrased '*.md' '!drafts/'

It works in any checkout of a git repository. In GitHub Actions it also writes annotations, the summary of the job, and
the outputs of the step.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unspun.service.commands.common import (
    FOUND,
    INCOMPLETE,
    STDIO,
    allow_option,
    depth_option,
    load_detector,
    model_option,
    require_depth,
    table_console,
)
from unspun.service.commands.score import FAILING, failing_line
from unspun.service.console import CommandError, complain, one_line, plural

# Everything else is imported where it is needed, so that errors of usage and pull requests without articles are quick.
if TYPE_CHECKING:
    from unspun.model.text.allowed import Allowed
    from unspun.model.verdict import Evidence, Verdict
    from unspun.reading.reader import Failure
    from unspun.service.batch.scoring import Scored

ENDINGS = ("md", "markdown", "rst", "txt", "html", "htm", "pdf", "docx", "odt", "rtf", "epub")
DEFAULT = tuple(f":(icase)*.{ending}" for ending in ENDINGS)
LINES_KNOWN = (".md", ".markdown", ".rst", ".txt")
"""Files whose text has the same lines as the file."""
NO_COMMIT = "0" * 40
"""What GitHub names as the commit before the first one of a branch."""
NEVER = "never"
MOST_WORDS = 5
"""Pieces of evidence that an annotation names."""
MOST_ROWS = 500
"""Documents in the summary of the job, which may not be longer than 1 MiB."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option("--base", metavar="COMMIT", default="", help="Check what has changed since COMMIT. Default: all files.")
@click.option(
    "--fail-on",
    type=click.Choice([*FAILING, NEVER]),
    default="paraphrased",
    show_default=True,
    help="Exit with status 4 if a document is paraphrased or, with suspect, suspect or paraphrased.",
)
@depth_option
@model_option
@allow_option
@click.option("--report", metavar="FILE", type=click.Path(path_type=Path), help="Also write the HTML report to FILE.")
def main(
    patterns: tuple[str, ...],
    base: str,
    fail_on: str,
    depth: str,
    bundle: Path | None,
    allowed: Allowed | None,
    report: Path | None,
) -> None:
    """Check the articles that were added or changed since a commit, in the current folder of a git repository.

    PATTERN is a pathspec of git, such as '*.md' or 'articles/'; with an exclamation mark before it, it excludes files.
    By default, text, web pages and documents in all folders are checked.

    \b
    Exit status:
      0  no document has a verdict that --fail-on is about
      1  git or the model failed
      2  wrong usage
      3  some documents could not be read; the rest were checked
      4  a document has a verdict that --fail-on is about, and all could be read

    \b
    Example:
      python -m unspun.service.pull_request --base origin/main 'articles/*.md' '!articles/drafts/'
    """
    files = changed_files(base, patterns)
    if not files:
        complain("no articles were added or changed")
        raise click.exceptions.Exit(0)
    check = _Check(files, fail_on, depth, bundle, allowed, report)
    raise click.exceptions.Exit(check())


def changed_files(base: str, patterns: Sequence[str]) -> list[str]:
    """Return the files that match and were added or changed since a commit, or all that match without one.

    Links are left out: they may lead out of the repository. Raises CommandError if git fails.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or DEFAULT
    paths = [*wanted, *(f":(exclude){pattern[1:]}" for pattern in patterns if pattern.startswith("!"))]
    _git("rev-parse", "--git-dir")  # its error says what is wrong with the repository
    if base in ("", NO_COMMIT):
        listed = _git("ls-files", "-z", "--", *paths)
    else:
        listed = _git("diff", "--relative", "--name-only", "-z", "--diff-filter=d", _start(base), "--", *paths)
    files = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return [name for name in files if Path(name).is_file() and not Path(name).is_symlink()]


def _start(base: str) -> str:
    """Return the commit to compare with: where the branch began or, in a clone without history, `base` itself."""
    if base.startswith("-"):
        raise click.BadParameter("is not a commit.", param_hint="--base")
    if not _knows(base):
        _run("fetch", "--quiet", "--no-tags", "--depth=1", "origin", base)
        if not _knows(base):
            raise CommandError(
                f"git does not know the commit {base}; give actions/checkout the option `fetch-depth: 0`, or fetch it"
            )
    found = _run("merge-base", base, "HEAD")
    return found.stdout.decode().strip() if found.returncode == 0 else base


def _knows(commit: str) -> bool:
    return _run("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=False)  # nosec B607 # the user's git
    except FileNotFoundError as error:
        raise CommandError("git is not installed") from error


def _git(*arguments: str) -> bytes:
    done = _run(*arguments)
    if done.returncode:
        raise CommandError(f"git {arguments[0]}: {one_line(done.stderr.decode('utf-8', 'replace')) or 'failed'}")
    return done.stdout


@dataclass
class _Check:
    """One check of some files."""

    files: list[str]
    fail_on: str
    depth: str
    bundle: Path | None
    allowed: Allowed | None
    report: Path | None

    def __call__(self) -> int:
        """Check the files; return the exit status."""
        from unspun.service.batch.scoring import Scored

        outcomes, supported = self._outcomes()
        failures = [one for one in outcomes if not isinstance(one, Scored)]
        scored = [one for one in outcomes if isinstance(one, Scored)]
        counts: Counter[str] = Counter(one.verdict.verdict for one in scored)
        failing = FAILING.get(self.fail_on, ())
        if "GITHUB_ACTIONS" in os.environ:
            for outcome in outcomes:
                if line := annotation(outcome, failing, supported):
                    click.echo(line)
        _append("GITHUB_STEP_SUMMARY", summary(scored, failures))
        _append(
            "GITHUB_OUTPUT",
            "".join(f"{word}={counts[word]}\n" for word in FAILING["suspect"]) + f"failures={len(failures)}\n",
        )
        failed = f"; {plural(len(failures), 'document')} could not be read" if failures else ""
        complain(f"{plural(len(scored), 'document')} checked{failed}")
        found = failing_line(self.fail_on, counts, len(failures))
        if found is not None:
            complain(found)
        return INCOMPLETE if failures else 0 if found is None else FOUND

    def _outcomes(self) -> tuple[list[Scored | Failure], float]:
        """Score the files, and write the table and the report.

        Returns the outcomes, and the smallest false-positive rate that the model's calibration supports.
        """
        from unspun.reading.reader import Reader
        from unspun.service.batch.output import FileOutput
        from unspun.service.batch.scoring import Scored, allowing, notice, score_records, supported_by
        from unspun.service.render import TextWriter
        from unspun.service.render.html import HtmlWriter, Report
        from unspun.service.render.table import VerdictTable

        detector = allowing(load_detector(self.bundle), self.allowed)
        require_depth(detector, self.depth)
        supported = supported_by(detector)
        writer = TextWriter(VerdictTable(table_console(None), show=3, supported=supported), _echo)
        report = Report(supported=supported)
        # A file may be called like standard input or an address.
        reader = Reader([f"./{file}" if file == STDIO or "://" in file else file for file in self.files])
        outcomes: list[Scored | Failure] = []
        for outcome in score_records(detector, reader, depth=self.depth):
            if isinstance(outcome, Scored):
                writer.write(outcome.record.text, outcome.verdict)
                report.add(outcome.record.text, outcome.verdict)
                if (line := notice(outcome)) is not None:
                    complain(line)
            else:
                writer.fail(outcome)
                report.fail(outcome)
            outcomes.append(outcome)
        if self.report is not None:
            with FileOutput(self.report) as output:
                HtmlWriter(output.stream, report, datetime.now(UTC), source="the changed articles").close()
        return outcomes, supported


def annotation(outcome: Scored | Failure, failing: Sequence[str], supported: float) -> str | None:
    """Return the command with which GitHub shows an outcome beside the file, None if there is nothing to show.

    Documents with a verdict in `failing`, and those that could not be read, are errors; others are warnings.
    """
    from unspun.service.batch.scoring import Scored

    if not isinstance(outcome, Scored):
        file, _, line = outcome.where.rpartition(":") if outcome.where[-1:].isdecimal() else (outcome.where, "", "")
        return _command("error", file or outcome.where, line, "unspun: could not be read", outcome.message)
    verdict = outcome.verdict
    if verdict.verdict not in FAILING["suspect"]:
        return None
    level = "error" if verdict.verdict in failing else "warning"
    return _command(
        level, outcome.record.file, _line(outcome), f"unspun: {verdict.verdict}", _facts(verdict, supported)
    )


def _line(outcome: Scored) -> str:
    """Return the line of a record in its file or, in a file of text, of the heaviest evidence."""
    record, evidence = outcome.record, outcome.verdict.evidence
    if record.line:
        return str(record.line)
    if not evidence or not record.file.lower().endswith(LINES_KNOWN):
        return ""
    heaviest = max(evidence, key=lambda item: item.weight)
    return str(record.text.count("\n", 0, heaviest.start) + 1)


def _facts(verdict: Verdict, supported: float) -> str:
    """Return in a few words why a document has its verdict."""
    from unspun.model.wording import looks_like_this, percent

    facts = [f"score {percent(verdict.score or 0.0)}{f', {verdict.kind}' if verdict.kind else ''}"]
    if rare := looks_like_this(verdict, supported):
        facts.append(rare)
    if words := _odd_words(verdict.evidence or ()):
        facts.append(f"odd words: {words}")
    return "; ".join(facts)


def _odd_words(evidence: Iterable[Evidence]) -> str:
    heaviest = sorted(evidence, key=lambda item: (-item.weight, item.start))
    shown = (
        f"{item.text} → {item.suggestion}{'' if item.probable else '?'}" if item.suggestion else item.text
        for item in heaviest
    )
    return ", ".join(list(dict.fromkeys(map(one_line, shown)))[:MOST_WORDS])


def _command(level: str, file: str, line: str, title: str, message: str) -> str:
    values = {"file": file.removeprefix("./"), "line": line, "title": title}
    properties = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in values.items() if value)
    return f"::{level} {properties}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    """Escape a value for a command of GitHub Actions, so that no text can add a command."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def summary(scored: Sequence[Scored], failures: Sequence[Failure]) -> str:
    """Return the summary of the job in Markdown: a table, the highest scores first, and what could not be read."""
    from unspun.model.wording import HEADLINES, percent, suspicion

    ordered = sorted(scored, key=lambda one: -suspicion(one.verdict))
    lines = [
        "### unspun: changed articles",
        "",
        "| document | verdict | score | kind | words |",
        "|---|---|---:|---|---:|",
    ]
    for one in ordered[:MOST_ROWS]:
        verdict = one.verdict
        score = "" if verdict.score is None else percent(verdict.score)
        kind = verdict.reason or verdict.kind or ""
        lines.append(
            f"| {_plain(one.record.id)} | {HEADLINES[verdict.verdict]} | {score} | {kind.replace('_', ' ')} | "
            f"{verdict.words:,} |"
        )
    if len(ordered) > MOST_ROWS:
        lines.append(f"\n{len(ordered) - MOST_ROWS:,} more are not shown.")
    if failures:
        lines += ["", "Could not be read:", ""]
        lines += [f"- {_plain(failure.where)}: {_plain(failure.message)}" for failure in failures[:MOST_ROWS]]
    lines += ["", "A score is a scale, not a probability, and a verdict is a reason to look closer, not a proof."]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return a text in which Markdown and HTML have no meaning."""
    return "".join(c if c.isalnum() or c in " -_./" else f"&#{ord(c)};" for c in one_line(text.removeprefix("./")))


def _append(variable: str, text: str) -> None:
    """Append to the file that GitHub Actions names in a variable, if it does."""
    if name := os.environ.get(variable):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(text)


def _echo(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    main(prog_name="python -m unspun.service.pull_request")
