"""Chooses the fields of a record that hold its text and its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unspun.reading.records import UnreadableError

USUAL_TEXTS = ("text", "content", "body", "article", "full_text")
"""Names of the field of the text, in any case. A record may have several of them; the first one here is taken."""
USUAL_IDS = ("id",)

CHOOSE = "choose one with --text-field"
MISSING = object()
TYPES: dict[type, str] = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    list: "a list",
    type(None): "null",
}
MOST_LISTED = 20
LONGEST_NAME = 40
NO_NAMES = "the first line seems to be a record: add a line above it that names the columns"
LONGEST_HEADING = 100
"""Characters above which the name of a column is in fact a text."""


class FieldError(UnreadableError):
    """A record or a table has no field of this name, or several. The message lists the fields that it has."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields to read: those of the text and the id, None for the usual names, and others to keep.

    In a table, a text or id may also be given by the number of its column, from 1, if no column has that name. In
    JSON, it may be a path to a nested field: `article.body`. If `text_optional`, a JSON object without a text, or
    whose text is null, has an empty one.
    """

    text: str | None = None
    id: str | None = None
    kept: Sequence[str] = ()
    text_optional: bool = False

    def columns(self, names: Sequence[str]) -> dict[str, int]:
        """Return the place of each column to read: of "text", of "id" if there is one, and of those to keep.

        Raises FieldError if there is no text, or if several columns have the name of the text or the id.
        """
        text = _column(names, self.text, USUAL_TEXTS, "--text-field")
        if text is None:
            message = _no_text(self.text, names, "column")
            raise FieldError(
                f"{message}; {NO_NAMES}" if any(len(name) > LONGEST_HEADING for name in names) else message
            )
        found = {"text": text}
        id = _column(names, self.id, USUAL_IDS, "--id-field")
        if id is not None:
            found["id"] = id
        elif self.id is not None:
            raise FieldError(f'no column "{self.id}" (--id-field); the columns are: {listed(names)}')
        folded = [fold(name) for name in names]
        return found | {name: folded.index(name) for name in self.kept if name in folded and name not in found}

    def values(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of "text", "id" and the fields to keep of a JSON object.

        Raises FieldError if it has no text, if that is not a string, or if several fields have the name of the text or
        the id.
        """
        if self.text is self.id is None and not self.kept and type(record) is dict and "id" in record:
            text = record.get("text")
            if text and isinstance(text, str):  # most records are like this, so that the general way can be slow
                return {"text": text, "id": record["id"]}
        found: dict[str, Any] = {}
        usual: tuple[str, ...]
        for name, wanted, usual in (("text", self.text, USUAL_TEXTS), ("id", self.id, USUAL_IDS)):
            if wanted is None and name == "text":
                # An empty text gives way to the next usual name.
                usual = tuple(one for one in usual if record.get(one) not in ("", None)) or usual
            key = _key(record, wanted, usual, f"--{name}-field")
            if key in getattr(record, "repeated", ()):
                raise FieldError(f'several fields are called "{shortened(str(key))}"')
            value = record[key] if key is not None else MISSING if wanted is None else _descend(record, wanted)
            if name == "text" and value is None and self.text_optional:
                value = MISSING
            if name == "text" and value is not MISSING and not isinstance(value, str):
                chosen = wanted if key is None else key
                inside = _key(value, None, USUAL_TEXTS, "--text-field") if isinstance(value, Mapping) else None
                advice = "" if inside is None else f"; choose the text in it with --text-field {chosen}.{inside}"
                raise FieldError(f'"{chosen}" is {type_of(value)}, not a string{advice}')
            if value is not MISSING:
                found[name] = value
        if "text" not in found:
            if not self.text_optional:
                raise FieldError(_no_text(self.text, tuple(record), "field"))
            found["text"] = ""
        if self.kept:
            folded = {fold(name): name for name in record}
            for name in self.kept:
                if name in folded and name not in found:
                    found[name] = record[name if name in record else folded[name]]
        return found


USUAL = Fields()
"""The fields with the usual names."""


def for_programs(message: object) -> str:
    """Return a message about fields, which names the options of the command line, with those of Python and the API."""
    return str(message).replace("--text-field", "text_field").replace("--id-field", "id_field")


def type_of(value: Any) -> str:
    """Return what kind of JSON value this is, for a message."""
    return TYPES.get(type(value), "an object")


def fold(name: str) -> str:
    """Return a name as it is compared: without spaces around it, a byte order mark, and capitals."""
    return name.strip("\ufeff \t\r\n\xa0").casefold()


def shortened(name: str) -> str:
    """Return a name for a message; in a file without names, a whole text stands in its place."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."


def listed(names: Sequence[str]) -> str:
    """Return the names of fields for a message."""
    more = len(names) - MOST_LISTED
    shown = ", ".join(shortened(" ".join(name.split())) for name in names[:MOST_LISTED])
    return (shown or "none") + (f" and {more:,} more" if more > 0 else "")


def _column(names: Sequence[str], wanted: str | None, usual: Sequence[str], option: str) -> int | None:
    """Return the place of the first of these names. Raises FieldError if several columns have it."""
    for name in usual if wanted is None else (wanted,):
        exact = [] if wanted is None else [place for place, other in enumerate(names) if other == name]
        if places := exact or [place for place, other in enumerate(names) if fold(other) == fold(name)]:
            break
    if len(places) > 1:
        numbers = " and ".join(str(place + 1) for place in places)
        raise FieldError(
            f'{len(places)} columns are called "{name}" ({numbers}); choose one by its number: {option} {places[0] + 1}'
        )
    if places:
        return places[0]
    if wanted is not None and wanted.isascii() and wanted.isdigit() and 0 < int(wanted) <= len(names):
        if len(names[int(wanted) - 1]) > LONGEST_HEADING:
            raise FieldError(NO_NAMES)
        return int(wanted) - 1
    return None


def _key(record: Mapping[str, Any], wanted: str | None, usual: Sequence[str], option: str) -> str | None:
    """Return the first of these names that a record has. Raises FieldError if it has several that differ in case."""
    for name in usual if wanted is None else (wanted,):
        if name in record:
            return name
        if keys := [key for key in record if fold(key) == fold(name)]:
            if len(keys) > 1:
                raise FieldError(f"the fields {listed(keys)} differ only in case; choose one with {option}")
            return keys[0]
    return None


def _descend(record: Any, path: str) -> Any:
    """Return the value at a dotted path, MISSING if there is none."""
    for part in path.split("."):
        if not isinstance(record, Mapping) or part not in record:
            return MISSING
        record = record[part]
    return record


def _no_text(wanted: str | None, names: Sequence[str], kind: str) -> str:
    if wanted is not None:
        return f'no {kind} "{wanted}"; the {kind}s are: {listed(names)}'
    usual = ", ".join(f'"{name}"' for name in USUAL_TEXTS[:-1])
    return f'no {kind} {usual} or "{USUAL_TEXTS[-1]}"; the {kind}s are: {listed(names)}; {CHOOSE}'
