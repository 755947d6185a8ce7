"""Where a command may write a model: asked before the work, so that none is lost for want of rights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


def check_output(output: Path) -> None:
    """Raise click.BadParameter where no model can be written to a folder."""
    from unspun.model.bundle import DEFAULT, MANIFEST
    from unspun.service.models.folder import CURRENT, HISTORY

    folder = output.resolve()
    if folder == DEFAULT.resolve():
        raise _refused("that is the model that ships, which is never changed; give another folder.")
    if (folder.parent / CURRENT).is_symlink() and (folder.parent / HISTORY).exists():
        raise _refused(
            f"{folder}: lies in a folder of models, whose versions are never changed; give a folder elsewhere, and "
            "put it in use with `unspun models promote`."
        )
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
            raise _refused(f"{output}: holds other files; give a new folder, or a model's.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A bundle is written beside its folder, and moved there.
        for place in (folder.parent, folder):
            if place.is_dir():
                with tempfile.TemporaryDirectory(dir=place, prefix=f".{folder.name}."):
                    pass
    except OSError as error:
        place = error.filename if error.filename and not Path(error.filename).name.startswith(".") else output
        raise _refused(f"{place}: {error.strerror}; give a folder that you may write to.") from error


def _refused(message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint="--output")
