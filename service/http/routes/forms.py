"""The forms of the page: their fields, and the texts of their files."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from itertools import islice

from flask import request
from werkzeug.datastructures import FileStorage

from unspun.reading.fields import USUAL
from unspun.reading.records import Failure, Record
from unspun.service.http.problems import RequestError
from unspun.service.http.routes.score import article_at, engine, settings
from unspun.service.http.routes.upload import Item, read_files, too_many, unreadable
from unspun.service.http.schemas import UrlSubmission, parse_fields
from unspun.service.http.uploads import read_form, read_upload
from unspun.service.page.saved import NAME, text_of

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
FIELDS = 16
"""Parts of a form that are not files."""


class Form:
    """The submitted form. Raises RequestError if it cannot be read."""

    def __init__(self) -> None:
        if request.mimetype not in FORMS:
            raise RequestError(
                "unsupported-media-type",
                "This path accepts only the form of the page. Programs should use POST /v1/score.",
            )
        limits = settings()
        self.fields, self._files = read_form(
            request, limits, most_parts=limits.max_items + FIELDS, advice="Reload the page and try again."
        )
        self.key = self.fields.get("key", "").strip()

    def ticked(self, name: str) -> bool:
        """Return whether a box is ticked."""
        return self.fields.get(name) == "true"

    def text(self, name: str = "text") -> str:
        """Return the text of a box, with the line ends that were typed: browsers send them as CR LF."""
        return self.fields.get(name, "").replace("\r\n", "\n").replace("\r", "\n")

    def packed(self) -> str:
        """Return a text exactly; a plain form field would change its line ends."""
        try:
            return base64.b64decode(self.fields.get("packed", ""), validate=True).decode("utf-8")
        except ValueError:
            detail = "The form cannot be read. Check the text again."
            raise RequestError("invalid-request", detail) from None

    @property
    def address(self) -> str:
        """The web address to check instead of the text of the box, empty if there is none."""
        given = self.fields.get("url", "").strip()
        if not given or self._chosen("file"):
            return ""
        return given if "://" in given else f"https://{given}"

    def documents(self) -> list[Item]:
        """Return the documents of the chosen files; without files, the text of the last answer, the page at
        the address, or the text of the box.
        """
        if "packed" in self.fields:
            name = self.fields.get("name", "")
            return [Item(name, None, Record(name, self.packed(), name))]
        files = self._chosen("file")
        if address := self.address:
            parse_fields(UrlSubmission, {"url": address})
            text, repairs = article_at(address)
            return [Item(address, None, Record(address, text, address, repairs=repairs))]
        if not files:
            return [Item("", None, Record("", self.text(), ""))]
        kept = [(file, _saved_text(file)) for file in files]
        opened = [
            Item(str(file.filename), None, Record(str(file.filename), text, ""))
            for file, text in kept
            if text is not None
        ]
        others = [file for file, text in kept if text is None]
        limits = settings()
        found = opened + engine().apart(lambda: read_files(others, USUAL, limits))
        if len(found) > limits.max_items:
            raise too_many(limits)
        return found

    def one_text(self, name: str) -> tuple[str, str | None, Mapping[str, int]]:
        """Return the only text of a chosen file, its name and its repairs; without a file, the text of the box."""
        files = self._chosen(f"{name}_file")
        if not files:
            return self.text(name), None, {}
        if (text := _saved_text(files[0])) is not None:
            return text, files[0].filename, {}
        limits = settings()
        deadline = time.monotonic() + limits.timeout
        found = engine().apart(lambda: list(islice(read_upload(files[0], limits, deadline), 2)))
        first = found[0] if found else None
        if isinstance(first, Failure):
            raise unreadable(first)
        if first is None or len(found) > 1:
            which = "many documents" if found else "no document"
            raise RequestError(
                "invalid-fields", f"{files[0].filename} contains {which}. Choose a file that contains one text."
            )
        return first.text, files[0].filename, first.repairs

    def _chosen(self, name: str) -> Sequence[FileStorage]:
        return [file for file in self._files.getlist(name) if file.filename]


def _saved_text(file: FileStorage) -> str | None:
    """Return the text of a saved result, None if the file is none.

    Only the name says that it is one: another page might hide a text in itself that no reader sees.
    """
    if not NAME.search(file.filename or ""):
        return None
    text = text_of(file.stream.read())
    file.stream.seek(0)
    return text
