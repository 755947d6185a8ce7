"""`unspun`, the command line. Each command is a file in service/commands/, loaded when it is used."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from typing import Any

import click

from unspun.service.console import complain, is_bundle_error

COMMANDS = {
    "score": "unspun.service.commands.score:score",
    "train": "unspun.service.commands.train:train",
    "calibrate": "unspun.service.commands.calibrate:calibrate",
    "evaluate": "unspun.service.commands.evaluate:evaluate",
    "compare": "unspun.service.commands.compare:compare",
    "phrases": "unspun.service.commands.phrases:phrases",
    "feedback": "unspun.service.commands.feedback:feedback",
    "audit": "unspun.service.commands.audit:audit",
    "models": "unspun.service.commands.models:models",
    "serve": "unspun.service.commands.serve:serve",
    "mcp": "unspun.service.commands.mcp:mcp",
    "keys": "unspun.service.commands.keys:keys",
}
"""Names of the commands and where each is defined, in the order in which help lists them."""

INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13
"""The exit status that a shell reports for a program ended by SIGINT or SIGPIPE."""


class Commands(click.Group):
    """Loads commands late, so that help is quick, and shows errors on one line instead of a traceback.

    If UNSPUN_DEBUG is set in the environment, unexpected errors are raised.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None if it is unknown."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and report unexpected errors on one line."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt as interrupt:
            complain(str(interrupt) or "interrupted")
            ctx.exit(INTERRUPTED)
        except OSError as error:
            ctx.exit(_report(error))
        except Exception as error:
            self._fail(ctx, error)

    def _fail(self, ctx: click.Context, error: Exception) -> None:
        if is_bundle_error(error):
            complain(str(error))
        elif os.environ.get("UNSPUN_DEBUG"):
            raise error
        else:
            complain(f"unexpected {type(error).__name__}: {error}; please report this")
        ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unspun", prog_name="unspun", message="%(prog)s %(version)s")
def cli() -> None:
    """Find machine-paraphrased text, and show the words that give it away.

    \b
    Exit status, of all commands:
      0    done
      1    failed; the message says what to do
      2    wrong usage
      3    done, but some documents could not be read
      4    done, and `score --fail-on` found what it looks for
      130  interrupted

    \b
    Examples:
      unspun score article.txt
      unspun compare suspect.txt original.txt
      unspun score --help
    """


def main(obj: object = None) -> None:
    """Run the command line. An error in writing the help or the last lines of output is reported like any other.

    `obj` is what commands get with `click.pass_obj`.
    """
    try:
        try:
            cli(prog_name="unspun", obj=obj)
        finally:
            if sys.stdout is not None:  # it is None if it was closed before the start
                sys.stdout.flush()
    except OSError as error:
        sys.exit(_report(error))


def _report(error: OSError) -> int:
    """Report an error on one line and return the exit status. The end of a pipe's reader is no error to report."""
    if error.errno != errno.EPIPE:
        complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
    with contextlib.suppress(AttributeError, ValueError):  # there is no standard output, or it is not a file
        try:
            sys.stdout.flush()
        except OSError:  # point it at the null device, so that Python's flush at exit does not fail, too
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE if error.errno == errno.EPIPE else 1


if __name__ == "__main__":
    main()
