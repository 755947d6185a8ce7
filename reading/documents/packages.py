"""Opens the zip archives that DOCX, ODT and EPUB files are, and the XML in them, without trusting either."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from typing import Any

from unspun.reading import records
from unspun.reading.records import UnreadableError

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of the older format of Microsoft Office, which also wraps encrypted DOCX files."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError, OSError, EOFError),
)
"""What zipfile raises for damaged archives."""
ENCRYPTED = "encrypted; save it without a password"
OTHERS = {b"%PDF-": "a PDF", b"{\\rtf": "an RTF", b"<!DOCTYPE html": "an HTML", b"<html": "an HTML", b"<?xml": "an XML"}


class Package:
    """A zip archive of a document. `kind` is what the user expects it to be, such as DOCX."""

    def __init__(self, data: bytes, kind: str) -> None:
        self.kind = kind
        if data.startswith(OLE):
            # The names of an archive's streams are in UTF-16.
            if "EncryptedPackage".encode("utf-16-le") in data:
                raise UnreadableError(ENCRYPTED)
            raise UnreadableError(f"not {_a(kind)} file but an old Office file; save it as {kind}")
        for start, other in OTHERS.items():
            if data[:100].lstrip().startswith(start):
                raise UnreadableError(f"not {_a(kind)} file but {other} file; rename it")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except DAMAGE as error:
            if data.startswith(b"PK"):
                raise self.broken(str(error)) from error
            raise UnreadableError(f"not {_a(kind)} file") from error
        self._left = records.LONGEST

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """Return the content of a file. All that is read of a package may not be longer than one document."""
        info = self._zip.NameToInfo.get(name)
        if info is None:
            raise self.broken(f"{name} is missing")
        if info.flag_bits & 1:
            raise UnreadableError(ENCRYPTED)
        if info.file_size > self._left:
            raise UnreadableError(f"unpacks to more than {records.LONGEST:,} bytes, the limit for one document")
        try:
            with self._zip.open(info) as file:
                content = file.read(info.file_size)
        except DAMAGE as error:
            raise self.broken(str(error)) from error
        self._left -= len(content)
        return content

    def xml(self, name: str) -> Any:
        """Return the root element of an XML file. Nothing outside the file is read, and no entities are expanded."""
        return self.parse(self.read(name), name)

    def parse(self, content: bytes, name: str) -> Any:
        """Return the root element of the XML file with this name and content."""
        from lxml import etree  # type: ignore[import-untyped]

        parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=True,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            root = etree.fromstring(content, parser)
        except etree.XMLSyntaxError as error:
            if error.code in (0, etree.ErrorTypes.ERR_NO_MEMORY):
                raise MemoryError from error
            raise self.broken(f"{name}: {error.msg}") from error
        definition = root.getroottree().docinfo.internalDTD
        if definition is not None and any(True for _ in definition.iterentities()):
            raise UnreadableError(f"{name} declares XML entities, which are not read because they are used for attacks")
        return root

    def broken(self, why: str) -> UnreadableError:
        """Return the error about damage."""
        return UnreadableError(f"broken {self.kind}: {why}")

    def mistaken(self, needed: str) -> UnreadableError:
        """Return the error about a zip archive that is something else."""
        return UnreadableError(f"not {_a(self.kind)} file but another zip archive: it has no {needed}")


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "EOR" else f"a {kind}"


def local(element: Any) -> str:
    """Return the name of an element without its namespace; empty for an entity reference."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str) -> str | None:
    """Return an attribute by its name without the namespace, None if the element lacks it."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None
