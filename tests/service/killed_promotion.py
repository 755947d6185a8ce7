"""Promotes a model in processes that are killed, each a step later than the last, and prints what each leaves behind.

python -m tests.service.killed_promotion MODELS USED NEXT

For each kill, a folder of models is made in MODELS. USED is in use there, and NEXT is promoted. A step is an operation
on the folder's files, as reported by Python's audit events. Prints a line of JSON for each kill. Testing the model,
which does not touch these files, is skipped to save time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from unspun.model import bundle
from unspun.service.models import folder as models_folder
from unspun.service.models.folder import ModelFolder

STEPS = ("open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.utime", "fcntl.flock")
MOST = 1000


def die_at(step: int, folder: Path) -> None:
    """Make this process kill itself when it starts its operation number `step`."""
    left = step

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in STEPS or (event == "open" and not str(arguments[0]).startswith(str(folder))):
            return
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main() -> None:
    models, used, following = map(Path, sys.argv[1:])
    models_folder.prove = lambda folder: None
    begun = models / "begun"
    ModelFolder(begun).promote(used)
    for step in range(1, MOST):
        folder = models / str(step)
        shutil.copytree(begun, folder, symlinks=True)
        child = os.fork()
        if not child:
            die_at(step, folder)
            ModelFolder(folder).promote(following)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:  # the promotion finished before this step
            return
        left = ModelFolder(folder)
        info, _ = bundle.check(folder / "current")  # raises if it is not complete
        debris = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(".part"))
        later = ModelFolder(folder).promote(following)
        line = {
            "killed": os.WIFSIGNALED(status),
            "in_use": info.name,
            "broken": [version.problem for version in left.versions() if version.problem],
            "debris": debris,
            "afterwards": sorted(entry.name for entry in folder.iterdir()),
            "later": later.model,
            "history": [change.model for change in left.history()],
        }
        print(json.dumps(line))
        shutil.rmtree(folder)
    sys.exit("the promotion does not end")


if __name__ == "__main__":
    main()
