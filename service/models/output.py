"""Checks that a model can be written to a folder: before the work, so that no work is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


def check_output(output: Path) -> None:
    """Raise click.BadParameter if no model can be written to a folder."""
    from unspun.model.bundle import DEFAULT, MANIFEST
    from unspun.service.models.folder import CURRENT, HISTORY

    folder = output.resolve()
    if folder == DEFAULT.resolve():
        raise _refused("this is the model that ships with unspun, which is never changed; give another folder.")
    if (folder.parent / CURRENT).is_symlink() and (folder.parent / HISTORY).exists():
        raise _refused(
            f"{folder}: is in a folder of models, whose versions are never changed; give a folder elsewhere, and put "
            "the model in use with `unspun models promote`."
        )
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
            raise _refused(f"{output}: contains other files; give a new folder, or the folder of a model.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A bundle is written next to its folder, then moved there.
        for place in (folder.parent, folder):
            if place.is_dir():
                with tempfile.TemporaryDirectory(dir=place, prefix=f".{folder.name}."):
                    pass
    except OSError as error:
        place = error.filename if error.filename and not Path(error.filename).name.startswith(".") else output
        raise _refused(f"{place}: {error.strerror}; give a folder that you may write to.") from error


def _refused(message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint="--output")
