"""Makes the documents in this folder from the example articles: `python -m tests.data.documents.make [FOLDER]`.

It needs LibreOffice and LaTeX. On Debian:

    apt install libreoffice-writer-nogui hyphen-en-gb texlive-latex-recommended texlive-fonts-recommended lmodern

Each document has a running head, page numbers, a footnote in the middle of a sentence, and words that are cut at the
end of lines. The files are committed, because few people have both programs; nothing depends on their bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
HEAD = "The Coldwell Reader, November 2026"
NOTE = "First printed in the autumn number, in another form."

LATEX = (HERE / "article.tex").read_text("utf-8")
OFFICE = (HERE / "article.fodt").read_text("utf-8")


def main(folder: Path) -> None:
    """Make all documents in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for source in sorted((ROOT / "seeds/examples").glob("*/*.txt")):
            name = f"{source.parent.name}-{source.name[:2]}"
            title, *article = source.read_text("utf-8").strip().split("\n\n")
            write_latex(work / f"{name}-latex1.tex", title, article)
            write_latex(work / f"{name}-latex2.tex", title, article, options="twocolumn")
            if source.name.startswith("02"):  # the letters of TeX itself
                write_latex(work / f"{name}-modern.tex", title, article, packages=",lmodern")
            if source.name.startswith("03"):  # letters as pictures, which do not say what they show
                write_latex(work / f"{name}-pictures.tex", title, article, packages="", start=r"\pdfmapfile{}")
            if source.name.startswith("01"):
                write_latex(
                    work / f"{name}-numbered.tex", title, article, packages=",mathptmx,lineno", start=r"\linenumbers"
                )
            for columns in (1, 2):
                values = {"columns": columns, "head": HEAD, "title": escape(title), "body": office_body(article)}
                (work / f"{name}-office{columns}.fodt").write_text(OFFICE % values, "utf-8")
        texts = sorted(work.glob("*.tex"))
        for file in texts:
            # Twice, for the line numbers.
            for _ in range(1 + file.name.endswith("numbered.tex")):
                run("pdflatex", "-interaction=batchmode", file.name, cwd=work)
        office = [file.name for file in sorted(work.glob("*.fodt"))]
        for target in ("pdf", "docx"):
            run("soffice", "--headless", "--convert-to", target, *office, cwd=work)
        for target in ("odt", "rtf", "epub"):
            run(
                "soffice",
                "--headless",
                "--convert-to",
                target,
                *[name for name in office if "office1" in name],
                cwd=work,
            )
        for file in work.iterdir():
            if file.suffix in (".pdf", ".docx", ".odt", ".rtf", ".epub"):
                shutil.copy(file, folder)


def write_latex(
    file: Path,
    title: str,
    article: list[str],
    *,
    options: str = "onecolumn",
    packages: str = ",mathptmx",
    start: str = "",
) -> None:
    """Write an article as LaTeX."""
    body = []
    for number, paragraph in enumerate(article):
        for character in "&%$#_":
            paragraph = paragraph.replace(character, f"\\{character}")
        pieces = paragraph.replace("£", r"\pounds ").split('"')
        paragraph = "".join(piece + ("``", "''")[index % 2] for index, piece in enumerate(pieces[:-1])) + pieces[-1]
        body.append(with_note(paragraph, rf"\footnote{{{NOTE}}}") if number == 1 else paragraph)
    values = {"options": options, "packages": packages, "start": start, "head": HEAD, "title": title}
    file.write_text(LATEX % {**values, "body": "\n\n".join(body)}, "utf-8")


def office_body(article: list[str]) -> str:
    """Return the paragraphs of an article for LibreOffice."""
    note = (
        '<text:note text:id="ftn1" text:note-class="footnote"><text:note-citation>1</text:note-citation>'
        f'<text:note-body><text:p text:style-name="Footnote">{NOTE}</text:p></text:note-body></text:note>'
    )
    body = []
    for number, paragraph in enumerate(article):
        text = escape(paragraph)
        text = with_note(text, note) if number == 1 else text
        body.append(f'<text:p text:style-name="Standard">{text}</text:p>')
    return "\n".join(body)


def with_note(paragraph: str, note: str) -> str:
    """Put a note into the middle of a paragraph."""
    words = paragraph.split(" ")
    middle = len(words) // 2
    return " ".join([*words[: middle - 1], words[middle - 1] + note, *words[middle:]])


def run(*command: str, cwd: Path) -> None:
    """Run a program. Its output is shown only if it fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
