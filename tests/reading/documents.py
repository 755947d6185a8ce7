"""Documents for the tests, good and bad, made in code."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
WORD_WITH_MACROS = "application/vnd.ms-word.document.macroEnabled.main+xml"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"


def package(files: dict[str, str | bytes]) -> bytes:
    """Return a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # The type of ODT and EPUB comes first and is not packed, so that other programs see it.
            archive.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return out.getvalue()


def bomb(name: str, size: int) -> bytes:
    """Return a zip archive whose only file unpacks to `size` zeros, without packing them all."""
    packer = zlib.compressobj(9, wbits=-15)
    chunk = 1 << 24
    block = packer.compress(bytes(chunk)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(chunk)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = block * (size // chunk) + packer.flush()
    # Sizes above 4 GB are in the extra field of zip64.
    extra = struct.pack("<HHQQ", 1, 16, size, len(data))
    header = struct.pack("<HHHHHIIIHH", 45, 0, 8, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra))
    local = b"PK\x03\x04" + header + name.encode() + extra
    central = (
        b"PK\x01\x02" + struct.pack("<H", 45) + header + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name.encode() + extra
    )
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    return local + data + central + end


def docx(body: str, *, main: str = "word/document.xml", more: dict[str, str] | None = None, kind: str = WORD) -> bytes:
    """Return a DOCX file with this XML as its body; in `more`, other files."""
    return package(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Override PartName="/{main}" ContentType="{kind}"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" '
            f'Type="{OFFICE_DOCUMENT}/officeDocument" Target="{main}"/></Relationships>',
            main: body
            if body.startswith("<?xml")
            else f'<w:document xmlns:w="{W}" xmlns:mc="{MC}"><w:body>{body}</w:body></w:document>',
            **(more or {}),
        }
    )


def odt(body: str, styles: str = "") -> bytes:
    """Return an ODT file with this XML as its text."""
    names = ("office", "text", "style", "table", "draw")
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    spaces += ' xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"'
    return package(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content {spaces}><office:automatic-styles>{styles}"
            f"</office:automatic-styles><office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
        }
    )


def epub(chapters: Sequence[str], more: dict[str, str] | None = None, items: str = "") -> bytes:
    """Return an EPUB file with these XHTML bodies as its chapters."""
    names = [f"chapter {number}.xhtml" for number in range(len(chapters))]
    listed = "".join(
        f'<item id="c{number}" href="{name.replace(" ", "%20")}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(names)))
    head = '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head>'
    return package(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
            f"{listed}{items}</manifest><spine>{spine}</spine></package>",
            **{
                f"OEBPS/{name}": f"{head}<body>{body}</body></html>" for name, body in zip(names, chapters, strict=True)
            },
            **(more or {}),
        }
    )


def pdf(pages: Iterable[str | bytes], *, images: bool = False, trailer: str = "", filter: str = "") -> bytes:
    """Return a PDF file with these drawing instructions as its pages, of 400 by 600 points. F1 is Helvetica.

    With `images`, /Im is a grey picture. The trailer is for more entries of the file, and the filter for the pages.
    """
    contents = [page.encode("cp1252") if isinstance(page, str) else page for page in pages]
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(contents)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(contents)}/Kids[{kids}]>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray/Length 1>>"
        b"stream\n\x80\nendstream",
    ]
    picture = "/XObject<</Im 4 0 R>>" if images else ""
    for number, content in enumerate(contents):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 600]/Contents {6 + 2 * number} 0 R"
            f"/Resources<</Font<</F1 3 0 R>>{picture}>>>>".encode()
        )
        objects.append(f"<<{filter}/Length {len(content)}>>stream\n".encode() + content + b"\nendstream")
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<</Size {size}/Root 1 0 R{trailer}>>\n"
    return bytes(out) + f"{end}startxref\n{len(out)}\n%%EOF\n".encode()


def lines(text: Iterable[str], *, x: float = 40, y: float = 550, size: float = 10, leading: float = 14) -> str:
    """Return the instructions that draw lines of text, downwards from (x, y)."""
    shown = " T* ".join(f"({line})Tj" for line in (line.replace("(", "\\(").replace(")", "\\)") for line in text))
    return f"BT /F1 {size} Tf {leading} TL 1 0 0 1 {x} {y} Tm {shown} ET\n"
