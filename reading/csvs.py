"""Reads CSV and TSV in the dialects of spreadsheets and databases: one document per row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import TextIO

from unspun.reading import records
from unspun.reading.fields import FieldError, Fields
from unspun.reading.lines import BoundedLines, LineTooLongError
from unspun.reading.records import Failure, Place, Record, UnreadableError

DELIMITERS = ",;\t|"
BLANK = "\ufeff \t\r\n"
SEPARATOR = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)
"""Excel's first line, which names the delimiter."""
ESCAPED_QUOTE = re.compile(r'\\"[^",;\t|\r\n]')
"""A quote that only its backslash explains: it is neither doubled nor the end of a field."""
DOUBLED = re.compile(r'[^"]*(?:""[^"]*)*')
ESCAPED = re.compile(r'[^"\\]*(?:(?:\\.|"")[^"\\]*)*', re.DOTALL)
"""What may be inside quotes: where quotes are doubled, and where backslashes escape them."""
ESCAPE = re.compile(r'\\(["\\,;\t|\r\n])|"(")')
NOT_CLOSED = (
    "the quote that opens in this line is not closed, or a quote inside it is not doubled; nothing after it was read"
)
NOT_QUOTED = (
    "the text seems to go on in the next line, so the rest of this file was not read; put texts with line breaks in "
    "quotes"
)
REST = "seems to be part of the text above; put texts with line breaks in quotes"
NOT_DOUBLED = "a quote inside a quoted field is not doubled"


class _QuoteError(UnreadableError):
    """A quoted field does not end as it should. If this is certain to concern only one line, `in_line` is true."""

    def __init__(self, *, in_line: bool) -> None:
        super().__init__(NOT_DOUBLED if in_line else NOT_CLOSED)
        self.in_line = in_line


def line_end(sample: str) -> str:
    """Return the line end of a file that starts with `sample`, as the argument `newline` of `open`.

    Excel for the Macintosh ends rows with returns, and has line feeds inside its cells.
    """
    found = re.search(r"\S[^\r\n]*+(\r\n?|\n)?", sample)  # the end is optional, so that only one place is tried
    return "\r" if found and found[1] == "\r" else "\n"


def read_csv(stream: TextIO, place: Place, fields: Fields, *, tabs: bool = False) -> Iterator[Record | Failure]:
    """Yield the document of each row, or a failure, and keep `place` current; `tabs` are the usual delimiter of TSV.

    The first line has the names of the columns, which also show the delimiter. The rest of a file after a quote that is
    not closed is not read, because its rows cannot be told from the text inside the quote. Raises UnreadableError then,
    and for a file without a text.
    """
    lines = BoundedLines(stream)
    delimiter = _skip_to_header(lines)
    header = next(lines, "")
    if not header:
        return
    place.line = lines.number
    rows = _Rows(lines, delimiter or _delimiter(header, fields, tabs), place)
    names = [name.strip(BLANK) for name in rows.parse(header)]
    while len(names) > 1 and not names[-1]:
        names.pop()
    place.line = 1 if lines.number == 1 else place.line
    columns = fields.columns(names)
    text_is_last = columns["text"] == len(names) - 1
    broken = spaced = False
    for row in rows.read(len(names)):
        if isinstance(row, Failure):
            yield row
        elif [cell.strip(BLANK) for cell in row] == names:
            continue  # files that were joined have several headers
        elif len(row) != len(names):
            broken = True
            yield place.failure(f"{len(row)} fields where the header has {len(names)}")
        elif text_is_last and rows.may_go_on(len(names)):
            yield place.failure(NOT_QUOTED)
            return  # what follows may be the lines of a text, which would pass for records
        elif broken and not spaced and row[columns["text"]].startswith(" "):  # a comma in prose has a space after it
            yield place.failure(REST)
        else:
            broken, spaced = False, spaced or row[columns["text"]].startswith(" ")
            yield place.record(row[columns["text"]], {name: row[column] or None for name, column in columns.items()})


def _skip_to_header(lines: BoundedLines) -> str | None:
    """Skip blank lines and `sep=`, and return the delimiter that it names, if any."""
    delimiter = None
    while (line := next(lines.ahead(), None)) is not None:
        if found := SEPARATOR.fullmatch(line.lstrip("\ufeff")):
            delimiter = found[1]
        elif line.strip(BLANK + ",;\t|"):  # spreadsheets write a blank row as delimiters alone
            break
        next(lines)
    return delimiter


def _delimiter(header: str, fields: Fields, tabs: bool) -> str:
    """Return the delimiter with which the header has a text and the most columns."""
    if tabs and "\t" in header:
        return "\t"

    def fit(delimiter: str) -> tuple[bool, int]:
        try:
            names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
            return bool(fields.columns(names)), len(names)
        except (FieldError, csv.Error):
            return False, header.count(delimiter)

    return max("\t,;|" if tabs else DELIMITERS, key=fit)


class _Rows:
    """The rows of a CSV file.

    Python's csv module does not say where a quote opened, holds all that follows it in memory, and reads on in the
    middle of a text.
    """

    def __init__(self, lines: BoundedLines, delimiter: str, place: Place) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._place = place
        mark = re.escape(delimiter)
        self._blank = BLANK + delimiter
        self._opening = re.compile(' *"')
        self._closing = re.compile(rf'" *(?:({mark})|[ \r\n]*\Z)')
        self._plain = re.compile(rf"([^{mark}]*)({mark})?")
        quoted = r' *"[^"]*(?:""[^"]*)*" *'
        field = rf'(?:{quoted}|(?! *")[^{mark}\r\n]*)'
        self._row = re.compile(rf"{field}(?:{mark}{field})*(?:[\r\n]+|\Z)")
        self._escapes = ESCAPED_QUOTE.search("".join(lines.ahead())) is not None
        """Whether backslashes escape quotes, as MySQL and others write them."""
        self._literal = False
        """Whether quotes have no meaning, as in most TSV."""
        self._quoted_end = False
        """Whether the last field of the current row is quoted."""

    def read(self, width: int) -> Iterator[list[str] | Failure]:
        """Yield the rows below the header, which has `width` names, without empty fields beyond it.

        Raises UnreadableError at a quote that is not closed.
        """
        while True:
            self._place.line = self._lines.number + 1
            try:
                line = next(self._lines)
                if not line.strip(self._blank):
                    continue
                self._quoted_end = False
                row = self._split(line) if self._is_literal(line, width) else self.parse(line)
            except StopIteration:
                return
            except LineTooLongError as error:
                yield self._place.failure(str(error))
                if error.quotes % 2:
                    raise _QuoteError(in_line=False) from None
            except _QuoteError as error:
                if not error.in_line:
                    raise
                yield self._place.failure(str(error))
            else:
                while len(row) > width and not row[-1].strip():
                    row.pop()
                yield row

    def may_go_on(self, width: int) -> bool:
        """Return whether the last field may go on in the next line: it is not quoted, and no row starts there."""
        if self._quoted_end:
            return False
        blank, following = next(((n, line) for n, line in enumerate(self._lines.ahead()) if line.strip(BLANK)), (0, ""))
        if not following or '"' in following:
            return False
        few = following.count(self._delimiter) < width - 1
        many = following.rstrip(self._blank).count(self._delimiter) > width - 1
        return few or (many and blank > 0)

    def parse(self, line: str) -> list[str]:
        """Return the fields of a row from its first line; quoted fields may go on in the next ones.

        Raises _QuoteError.
        """
        if '"' not in line and not (self._escapes and "\\" in line):
            return self._split(line)
        row: list[str] = []
        at, more = 0, True
        while more:
            if opening := self._opening.match(line, at):
                value, line, at, more = self._quoted(line, opening.end())
            else:
                plain = self._plain.match(line, at)
                assert plain is not None  # it may be empty
                value, at, more = plain[1], plain.end(), plain[2] is not None
                value = value if more else value.rstrip("\r\n")
                if self._escapes:
                    value = "" if value == "\\N" else ESCAPE.sub(r"\1\2", value)
            row.append(value)
        self._quoted_end = opening is not None
        return row

    def _quoted(self, line: str, at: int) -> tuple[str, str, int, bool]:
        """Return a quoted field that starts here, the line and the place after it, and whether another field follows.

        Raises _QuoteError.
        """
        first, opened = line, self._lines.number
        held, size = io.StringIO(newline=""), 0
        while True:
            inside = (ESCAPED if self._escapes else DOUBLED).match(line, at)
            assert inside is not None  # it may be empty
            at = inside.end()
            size += held.write(inside[0])
            closing = self._closing.match(line, at)
            if closing is not None:
                value = held.getvalue()
                value = ESCAPE.sub(r"\1\2", value) if self._escapes else value.replace('""', '"')
                return value, line, closing.end(), closing[1] is not None
            if at < len(line) and line[at - 1 : at] == "\\" and not self._escapes:
                self._escapes = True
                size += held.write('"')
                at += 1
            elif at < len(line) or size > records.LONGEST:
                break
            else:
                try:
                    line, at = next(self._lines), 0
                except (StopIteration, LineTooLongError):
                    break
        # A line that ends with a quote, and in which all quotes have a partner, is a row of its own.
        in_line = self._lines.number == opened and first.rstrip().endswith('"') and first.count('"') % 2 == 0
        self._place.line = opened
        raise _QuoteError(in_line=in_line)

    def _split(self, line: str) -> list[str]:
        return line.rstrip("\r\n").split(self._delimiter)

    def _is_literal(self, line: str, width: int) -> bool:
        """Return whether quotes are literal from this line on: with tabs, if this line and the next one are rows only
        then, and if no quote closes later on where one should."""
        if not self._literal and self._delimiter == "\t" and '"' in line and not self._escapes and width > 1:
            following = next((later for later in self._lines.ahead() if later.strip(self._blank)), None)
            tabs = {one.count("\t") for one in (line, following) if one is not None}
            # The line alone is usually a row, which saves joining what follows.
            self._literal = tabs == {width - 1} and not (
                self._row.match(line) or self._row.match(line + "".join(self._lines.ahead()))
            )
        return self._literal
