"""Runs the stages of a training in order, as a configuration file describes them.

    python -m unspun.training training/default.toml [STAGE ...] [--list] [--dry-run]

A finished stage is skipped unless its arguments, its inputs or a stage that it needs have changed since. Rerun the
command to resume after an interruption. If you name stages, only those run, even if they are up to date.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shlex
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKERS = "stages"
"""Folder in the work folder with a marker for each finished stage, which holds its command."""


class ConfigError(ValueError):
    """A configuration file is not valid. The message names the file and what to change."""


@dataclass(frozen=True)
class Stage:
    """One stage: `module` has the `main` that is called with `arguments`.

    The stage runs again when a file in `inputs` is newer than its last run, or a stage in `needs` has run since.
    `outputs` must exist when it has finished.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    marker: Path
    inputs: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()

    @property
    def command(self) -> str:
        """The command that runs the stage by itself."""
        return shlex.join(["python", "-m", self.module, *self.arguments])

    def reason_to_run(self, stages: Mapping[str, Stage]) -> str:
        """Return why the stage must run, or "" if it is up to date."""
        if not self.marker.exists():
            return "has not finished yet"
        if json.loads(self.marker.read_text("utf-8")) != self.command:
            return "its arguments have changed"
        if missing := next((file for file in self.outputs if not file.exists()), None):
            return f"{missing} is missing"
        finished = self.marker.stat().st_mtime
        if newer := next((file for file in self.inputs if _newest(file) > finished), None):
            return f"{newer} has changed"
        if again := next((name for name in self.needs if _newest(stages[name].marker) > finished), None):
            return f"{again} has run since"
        return ""

    def run(self) -> None:
        """Run the stage and mark it finished. Raises RuntimeError if it fails or an output is missing."""
        status = importlib.import_module(self.module).main(self.arguments)
        if status:
            raise RuntimeError(f"{self.name}: failed with exit status {status}")
        if missing := next((file for file in self.outputs if not file.exists()), None):
            raise RuntimeError(f"{self.name}: finished without writing {missing}")
        self.marker.parent.mkdir(parents=True, exist_ok=True)
        self.marker.write_text(json.dumps(self.command), "utf-8")


def _newest(path: Path) -> float:
    """Return when a file, or the newest file in a folder, was modified; 0 if there is none."""
    files = path.rglob("*") if path.is_dir() else [path]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=0.0)


def read_stages(file: Path) -> dict[str, Stage]:
    """Read the stages of a configuration file, by name, in order. Raises ConfigError."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from error
    paths = content.get("paths", {})
    if "work" not in paths:
        raise ConfigError(f"{file}: [paths] has no `work`; add the folder for intermediate results")
    stages: dict[str, Stage] = {}
    for number, entry in enumerate(content.get("stage", []), start=1):
        stage = _stage(entry, paths, f"{file}: stage {entry.get('name', number)}")
        if stage.name in stages:
            raise ConfigError(f"{file}: two stages are called {stage.name}")
        if unknown := next((name for name in stage.needs if name not in stages), None):
            raise ConfigError(f"{file}: stage {stage.name} needs {unknown}, which is not a stage before it")
        stages[stage.name] = stage
    return stages


def _stage(entry: Mapping[str, Any], paths: Mapping[str, str], where: str) -> Stage:
    lists = ("arguments", "inputs", "outputs", "needs")
    if unknown := sorted(set(entry) - {"name", "module", *lists}):
        raise ConfigError(f"{where}: unknown key {unknown[0]}; use name, module, {', '.join(lists)}")
    if missing := next((key for key in ("name", "module") if not entry.get(key)), None):
        raise ConfigError(f"{where}: {missing} is missing")

    def filled(key: str) -> Iterator[str]:
        for value in entry.get(key, []):
            try:
                yield str(value).format(**paths)
            except (LookupError, ValueError) as error:
                raise ConfigError(f"{where}: {value!r} names an entry that [paths] does not have") from error

    return Stage(
        name=entry["name"],
        module=entry["module"],
        arguments=tuple(filled("arguments")),
        marker=Path(paths["work"]) / MARKERS / f"{entry['name']}.json",
        inputs=tuple(map(Path, filled("inputs"))),
        needs=tuple(filled("needs")),
        outputs=tuple(map(Path, filled("outputs"))),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser("python -m unspun.training", description="Train a model, stage by stage.")
    parser.add_argument("config", type=Path, help="configuration file, such as training/default.toml")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="run only these stages, even if they are up to date")
    parser.add_argument("--list", action="store_true", help="list the stages and their state, and run nothing")
    parser.add_argument("--dry-run", action="store_true", help="print the commands that would run, and run nothing")
    options = parser.parse_intermixed_args(arguments)
    try:
        stages = read_stages(options.config)
    except ConfigError as error:
        parser.error(str(error))
    if unknown := [name for name in options.stages if name not in stages]:
        parser.error(f"no stage is called {unknown[0]}; the stages are {', '.join(stages)}")
    run: set[str] = set()
    for stage in stages.values():
        if options.stages and stage.name not in options.stages:
            continue
        reason = "requested" if options.stages else stage.reason_to_run(stages)
        if again := next((name for name in stage.needs if name in run and not options.stages), None):
            reason = f"{again} runs again"
        if options.list:
            print(f"{stage.name:<18}{reason or 'up to date'}")
        elif not reason:
            print(f"{stage.name}: up to date", file=sys.stderr)
        elif options.dry_run:
            print(stage.command)
        else:
            print(f"{stage.name} ({reason}): {stage.command}", file=sys.stderr, flush=True)
            start = time.monotonic()
            try:
                stage.run()
            except RuntimeError as error:
                print(f"{error}; rerun the command to resume", file=sys.stderr)
                return 1
            print(f"{stage.name}: finished in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        if reason:
            run.add(stage.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
