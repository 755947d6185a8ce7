"""Shapes that a text arrives in: functions of a line or two that change how a text looks, for `benchmarks.shapes`.

Each takes paragraphs of running text, separated by empty lines, and returns the text in another shape, always the same.
Those of the group `pages` return what is read from a page. What a shape does to the words decides whether it counts:

- `kept`: the words and their order stay as they are. It counts.
- `boilerplate`: text that is nobody's English prose is added, such as a cookie notice or a list of references. It
  counts.
- `diluted`: prose by people is added. It is only reported, because how much of a text is spun has then changed.
- `changed`: words are joined, cut or lose their sentence. It is only reported.
- `edited`: a tool that people use on their own texts changed some words (`benchmarks.innocent`). It counts for texts by
  people, which must stay clear.
"""

from __future__ import annotations

import html
import json
import quopri
import re
import textwrap
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, cycle, zip_longest
from typing import Literal

from benchmarks.common import EXAMPLES
from unspun.reading.html import extract_article

Words = Literal["kept", "boilerplate", "diluted", "changed", "edited"]
Change = Callable[[str], str]


@dataclass(frozen=True)
class Transformation:
    """A change of a text's shape, its group, and what it does to the words."""

    change: Change
    group: str
    words: Words

    @property
    def counts(self) -> bool:
        """Whether it must leave all verdicts as they are."""
        return self.words in ("kept", "boilerplate")

    @property
    def counts_for_people(self) -> bool:
        """Whether it must leave the verdicts on texts by people as they are."""
        return self.counts or self.words == "edited"


TRANSFORMATIONS: dict[str, Transformation] = {}
"""All transformations by the names of their functions."""


def shape(group: str, words: Words = "kept") -> Callable[[Change], Change]:
    """Register a function as a transformation."""

    def register(change: Change) -> Change:
        TRANSFORMATIONS[change.__name__] = Transformation(change, group, words)
        return change

    return register


# --- helpers ----------------------------------------------------------------------------------------------------------

WORD = r"[^\W\d_]+(?:['’][^\W\d_]+)*"
LONG = r"(?<![\w'’-])[A-Za-z]{5,}(?![\w'’-])"
END = r"(?<=[.!?])\s+(?=[^\s.!?])|(?<=[.!?][\"'”’)])\s+"


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, each on one line."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, roughly."""
    return [sentence for part in paragraphs(text) for sentence in re.split(END, part)]


def by_paragraph(change: Change, text: str, between: str = "\n\n") -> str:
    """Change each paragraph."""
    return between.join(change(part) for part in paragraphs(text))


def by_sentence(change: Callable[[str, int], str], text: str, between: str = " ") -> str:
    """Change each sentence, given its number from 0 over the whole text."""
    numbers = count()
    return by_paragraph(lambda part: between.join(change(one, next(numbers)) for one in re.split(END, part)), text)


def drawn(found: re.Match[str], every: int) -> bool:
    """Return whether a match is among the one in `every` that are drawn. The same match is drawn in every run."""
    return zlib.crc32(f"{found.start()} {found[0]}".encode()) % every == 0


def around(before: str, after: str, text: str, every: int = 1, pattern: str = LONG) -> str:
    """Put something before and after one in `every` of the long words; {} in it is the word."""

    def change(found: re.Match[str]) -> str:
        word = found[0]
        return before.replace("{}", word) + word + after.replace("{}", word) if drawn(found, every) else word

    return re.sub(pattern, change, text)


def lines(text: str, width: int) -> list[str]:
    """Return the lines of a text wrapped at `width`, with empty lines between paragraphs."""
    return by_paragraph(lambda part: textwrap.fill(part, width), text).split("\n")


def numbered(text: str, width: int, number: Callable[[int], str]) -> str:
    """Wrap a text and put what `number` returns, given the line's number from 0, before each line."""
    return "\n".join(number(i) + line for i, line in enumerate(lines(text, width)))


def letters(text: str, table: dict[int, int | str]) -> str:
    """Replace letters by those of a table."""
    return text.translate(table)


def pairs(plain: str, other: str) -> dict[int, int | str]:
    """Return the table that replaces each letter of one string by that of another."""
    return dict(zip(map(ord, plain), other, strict=True))


def alphabet(upper: int, lower: int) -> dict[int, int | str]:
    """Return the table that replaces the alphabet by two that start at these code points."""
    return {ord(first) + i: start + i for first, start in (("A", upper), ("a", lower)) for i in range(26)}


# --- case -------------------------------------------------------------------------------------------------------------

SMALL_WORDS = re.compile(
    r"an?|and|as|at|but|by|for|from|if|in|into|nor|of|on|or|over|per|so|the|to|up|via|with|yet", re.I
)


@shape("case")
def capitals(text: str) -> str:
    """THE TEXT IN CAPITALS."""
    return text.upper()


@shape("case")
def title_case(text: str) -> str:
    """Every Word Starts With A Capital."""
    return re.sub(WORD, lambda found: found[0][0].upper() + found[0][1:], text)


@shape("case")
def headline_case(text: str) -> str:
    """Every Word but the Small Ones Starts With a Capital."""
    return re.sub(WORD, lambda f: f[0] if SMALL_WORDS.fullmatch(f[0]) else f[0][0].upper() + f[0][1:], text)


@shape("case")
def lower_case(text: str) -> str:
    """The text in lower case."""
    return text.lower()


@shape("case")
def swapped_case(text: str) -> str:
    """tHE cAPS lOCK kEY."""
    return text.swapcase()


@shape("case")
def alternating_case(text: str) -> str:
    """EvErY oThEr letter is a capital."""
    return "".join(letter.upper() if i % 2 == 0 else letter.lower() for i, letter in enumerate(text))


@shape("case")
def random_capitals(text: str) -> str:
    """One letter in four is a capital."""
    return re.sub(r"[a-z]", lambda found: found[0].upper() if drawn(found, 4) else found[0], text)


@shape("case")
def some_words_in_capitals(text: str) -> str:
    """One WORD in three is in CAPITALS."""
    return re.sub(WORD, lambda found: found[0].upper() if drawn(found, 3) else found[0], text)


@shape("case")
def some_words_capitalised(text: str) -> str:
    """Half of the Words start with a Capital."""
    return re.sub(WORD, lambda f: f[0][0].upper() + f[0][1:] if drawn(f, 2) else f[0], text)


@shape("case")
def every_second_sentence_in_capitals(text: str) -> str:
    """EVERY SECOND SENTENCE SHOUTS."""
    return by_sentence(lambda sentence, number: sentence.upper() if number % 2 else sentence, text)


@shape("case")
def every_second_paragraph_in_title_case(text: str) -> str:
    """Every Second Paragraph Is A Headline."""
    numbers = count()
    return by_paragraph(lambda part: title_case(part) if next(numbers) % 2 == 0 else part, text)


@shape("case")
def sentence_starts_in_capitals(text: str) -> str:
    """THE FIRST THREE WORDS of each sentence are in capitals."""
    return by_sentence(lambda one, _: re.sub(r"^(\S+\s+){0,2}\S+", lambda found: found[0].upper(), one), text)


# --- quotation marks and brackets -------------------------------------------------------------------------------------


@shape("quotes")
def long_words_in_quotes(text: str) -> str:
    """The "long" words in straight quotation marks."""
    return around('"', '"', text)


@shape("quotes")
def long_words_in_curly_quotes(text: str) -> str:
    """The “long” words in curly quotation marks."""
    return around("“", "”", text)


@shape("quotes")
def fifth_of_words_in_quotes(text: str) -> str:
    """One "word" in five in quotation marks."""
    return around('"', '"', text, 5, WORD)


@shape("quotes")
def long_words_in_single_quotes(text: str) -> str:
    """The 'long' words in single quotation marks."""
    return around("'", "'", text)


@shape("quotes")
def long_words_in_curly_single_quotes(text: str) -> str:
    """The ‘long’ words in curly single quotation marks."""
    return around("‘", "’", text)


@shape("quotes")
def long_words_in_guillemets(text: str) -> str:
    """The «long» words in guillemets."""
    return around("«", "»", text)


@shape("quotes")
def long_words_in_low_quotes(text: str) -> str:
    """The „long“ words in German quotation marks."""
    return around("„", "“", text)


@shape("quotes")
def long_words_in_doubled_ticks(text: str) -> str:
    """The ``long'' words in TeX's quotation marks."""
    return around("``", "''", text)


@shape("quotes")
def long_words_in_parentheses(text: str) -> str:
    """The (long) words in parentheses."""
    return around("(", ")", text)


@shape("quotes")
def long_words_in_square_brackets(text: str) -> str:
    """The [long] words in square brackets."""
    return around("[", "]", text)


@shape("quotes")
def long_words_in_angle_brackets(text: str) -> str:
    """The ‹long› words in single guillemets."""
    return around("‹", "›", text)


@shape("quotes")
def sentences_in_quotes(text: str) -> str:
    """Each sentence in quotation marks, as if somebody had said it."""
    return by_sentence(lambda sentence, _: f"“{sentence}”", text)


# --- links and markup -------------------------------------------------------------------------------------------------


@shape("links")
def markdown_links(text: str) -> str:
    """The [long](https://example.org/long) words are Markdown links."""
    return around("[", "](https://example.org/{})", text)


@shape("links")
def markdown_relative_links(text: str) -> str:
    """The [long](/w/long) words are relative links."""
    return around("[", "](/w/{})", text)


@shape("links")
def markdown_links_with_titles(text: str) -> str:
    """Some [words](/w/words "words") are links with titles."""
    return around("[", '](/w/{} "{}")', text, 3)


@shape("links")
def markdown_reference_links(text: str) -> str:
    """The [long][7] words are links whose targets are listed elsewhere."""
    return around("[", "][7]", text)


@shape("links")
def wiki_links(text: str) -> str:
    """The [[long]] words are links of a wiki."""
    return around("[[", "]]", text)


@shape("links")
def wiki_links_with_targets(text: str) -> str:
    """The [[Page:long|long]] words are links of a wiki to other pages."""
    return around("[[Page:{}|", "]]", text)


@shape("links")
def html_links(text: str) -> str:
    """The <a href="/w/long">long</a> words are links in HTML."""
    return around('<a href="/w/{}">', "</a>", text)


@shape("links")
def bbcode_links(text: str) -> str:
    """The [url=https://example.org/long]long[/url] words are links of a forum."""
    return around("[url=https://example.org/{}]", "[/url]", text)


@shape("links")
def address_after_sentences(text: str) -> str:
    """An address in parentheses after each sentence (https://example.org/p/1)."""
    return by_sentence(lambda sentence, number: f"{sentence} (https://example.org/p/{number})", text)


@shape("markup")
def bold(text: str) -> str:
    """The **long** words are bold in Markdown."""
    return around("**", "**", text)


@shape("markup")
def bold_underscores(text: str) -> str:
    """The __long__ words are bold with underscores."""
    return around("__", "__", text)


@shape("markup")
def italics(text: str) -> str:
    """The *long* words are in italics."""
    return around("*", "*", text)


@shape("markup")
def italics_underscores(text: str) -> str:
    """The _long_ words are in italics with underscores."""
    return around("_", "_", text)


@shape("markup")
def strikethrough(text: str) -> str:
    """The ~~long~~ words are struck through."""
    return around("~~", "~~", text)


@shape("markup")
def highlighted(text: str) -> str:
    """The ==long== words are highlighted."""
    return around("==", "==", text)


@shape("markup")
def code_ticks(text: str) -> str:
    """The `long` words are code in Markdown."""
    return around("`", "`", text)


@shape("markup")
def wiki_bold(text: str) -> str:
    """The '''long''' words are bold in a wiki."""
    return around("'''", "'''", text)


@shape("markup")
def html_bold(text: str) -> str:
    """The <b>long</b> words are bold in HTML that was typed into plain text."""
    return around("<b>", "</b>", text)


@shape("markup")
def html_spans(text: str) -> str:
    """Every word in <span class="w">a span</span>."""
    return around('<span class="w">', "</span>", text, pattern=WORD)


@shape("markup")
def html_paragraphs(text: str) -> str:
    """Paragraphs as <p>, with <br> between sentences."""
    return by_paragraph(lambda part: "<p>" + "<br />".join(re.split(END, part)) + "</p>", text, "\n")


@shape("markup")
def bbcode(text: str) -> str:
    """The [b]long[/b] words are bold in a forum."""
    return around("[b]", "[/b]", text)


@shape("markup")
def restructured_text_roles(text: str) -> str:
    """The :term:`long` words have roles of reStructuredText."""
    return around(":term:`", "`", text)


@shape("markup")
def latex_emphasis(text: str) -> str:
    r"""The \\emph{long} words are emphasised in LaTeX."""
    return around(r"\emph{", "}", text, 2)


@shape("markup")
def footnote_marks(text: str) -> str:
    """A footnote's mark after each sentence.[1]"""
    return by_sentence(lambda sentence, number: f"{sentence}[{number + 1}]", text)


@shape("markup")
def footnote_marks_inside(text: str) -> str:
    """Footnotes' marks[3] after some[4] words."""
    numbers = count(1)
    return re.sub(LONG, lambda found: f"{found[0]}[{next(numbers)}]" if drawn(found, 3) else found[0], text)


@shape("markup")
def superscripts(text: str) -> str:
    """Superscript numbers¹² after some words."""
    marks = (str(i).translate(pairs("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")) for i in count(1))
    return re.sub(LONG, lambda found: found[0] + next(marks) if drawn(found, 4) else found[0], text)


@shape("markup")
def emoji_between_words(text: str) -> str:
    """A picture 🌟 after 🔥 some words."""
    return re.sub(r" ", lambda found: f" {'🌟🔥🎉👍'[found.start() % 4]} " if drawn(found, 4) else " ", text)


@shape("markup")
def emoji_after_sentences(text: str) -> str:
    """Pictures after each sentence. 🚀✨"""
    return by_sentence(lambda sentence, number: f"{sentence} {'🚀✨🙌💡'[number % 4]}", text)


@shape("markup")
def hashtags(text: str) -> str:
    """The #long words are #hashtags."""
    return around("#", "", text, 2)


@shape("markup")
def hashtags_everywhere(text: str) -> str:
    """Every #long word is a #hashtag."""
    return around("#", "", text)


@shape("markup", "boilerplate")
def mentions(text: str) -> str:
    """@user_7 Each sentence addresses somebody."""
    return by_sentence(lambda sentence, number: f"@user_{number % 5} {sentence}", text)


@shape("markup", "boilerplate")
def hashtags_after_paragraphs(text: str) -> str:
    """Tags at the end. #news #today #instagood"""
    return by_paragraph(lambda part: f"{part} #news #today #blogpost #instagood", text)


# --- layout -----------------------------------------------------------------------------------------------------------


@shape("layout")
def line_numbers(text: str) -> str:
    """Line numbers of a preprint."""
    return numbered(text, 66, lambda i: f"{i + 1:>4}  ")


@shape("layout")
def line_numbers_by_fives(text: str) -> str:
    """A number beside every fifth line."""
    return numbered(text, 66, lambda i: f"{i + 1:>4}  " if i % 5 == 4 else " " * 6)


@shape("layout")
def line_numbers_without_indentation(text: str) -> str:
    """Line numbers, one space, and no padding."""
    return numbered(text, 72, lambda i: f"{i + 1} ")


@shape("layout")
def pleading(text: str) -> str:
    """The numbers 1 to 28 on every page of a pleading."""
    return numbered(text, 60, lambda i: f"{i % 28 + 1:>2}     ")


@shape("layout")
def deposition(text: str) -> str:
    """A deposition: 25 numbered lines a page, deeply indented, without empty lines."""
    wrapped = [line for line in lines(text, 54) if line]
    return "\n".join(f"{i % 25 + 1:>2}        {line}" for i, line in enumerate(wrapped))


@shape("layout")
def line_numbers_at_end(text: str) -> str:
    """Line numbers at the right edge."""
    return "\n".join(f"{line:<70}{i + 1:>4}" for i, line in enumerate(lines(text, 66)))


@shape("layout")
def line_numbers_with_bars(text: str) -> str:
    """Line numbers and a bar, as an editor or `cat -n` shows them."""
    return numbered(text, 70, lambda i: f"{i + 1:>4} | ")


@shape("layout")
def narrow_columns(text: str) -> str:
    """Lines of 20 characters."""
    return "\n".join(lines(text, 20))


@shape("layout")
def columns_of_35(text: str) -> str:
    """Lines of 35 characters, as in a newspaper."""
    return "\n".join(lines(text, 35))


@shape("layout")
def wrapped(text: str) -> str:
    """Lines of 72 characters."""
    return "\n".join(lines(text, 72))


@shape("layout")
def double_spaced(text: str) -> str:
    """Lines of 72 characters with an empty line after each."""
    return "\n\n".join(line for line in lines(text, 72) if line)


@shape("layout")
def hyphenated(text: str) -> str:
    """Lines of 60 characters, with words hyphen-
    ated at their ends.
    """
    return "\n\n".join("\n".join(_hyphenated(part, 60)) for part in paragraphs(text))


@shape("layout")
def hyphenated_narrow(text: str) -> str:
    """Lines of 32 characters, hyphenated."""
    return "\n\n".join("\n".join(_hyphenated(part, 32)) for part in paragraphs(text))


def _hyphenated(paragraph: str, width: int) -> list[str]:
    done, line = [], ""
    for word in paragraph.split():
        room = width - len(line) - 2
        if len(line) + 1 + len(word) <= width:
            line = f"{line} {word}".strip()
        elif word.isalpha() and word.islower() and len(word) > 6 and room >= 3:
            cut = min(room, len(word) - 3)
            done.append(f"{line} {word[:cut]}-".strip())
            line = word[cut:]
        else:
            done.append(line)
            line = word
    return [*done, line]


@shape("layout")
def two_columns(text: str) -> str:
    """Two columns side by side, as `pdftotext -layout` prints a page."""
    return _columns(text, 2, 44)


@shape("layout")
def three_columns(text: str) -> str:
    """Three columns side by side."""
    return _columns(text, 3, 30)


def _columns(text: str, columns: int, width: int) -> str:
    column, pages = lines(text, width), []
    height = min(45, -(-len(column) // columns))
    for start in range(0, len(column), columns * height):
        page = [column[i : i + height] for i in range(start, min(start + columns * height, len(column)), height)]
        rows = zip_longest(*page, fillvalue="")
        pages.append("\n".join("".join(f"{cell:<{width + 4}}" for cell in row).rstrip() for row in rows))
    return "\f".join(pages)


@shape("layout")
def justified(text: str) -> str:
    """Lines of 70 characters, filled with several spaces between words."""
    return "\n".join(_justified(line, 70) for line in lines(text, 70))


def _justified(line: str, width: int) -> str:
    gaps, missing = line.count(" "), width - len(line)
    if not gaps or missing > 15:
        return line
    places = count()
    return re.sub(" ", lambda _: " " * (1 + (missing + next(places)) // gaps), line)


@shape("layout")
def centred(text: str) -> str:
    """Lines in the middle of 80 characters."""
    return "\n".join(line.center(80).rstrip() for line in lines(text, 60))


@shape("layout")
def one_sentence_a_line(text: str) -> str:
    """One sentence a line."""
    return by_sentence(lambda sentence, _: sentence, text, "\n")


@shape("layout")
def one_sentence_a_paragraph(text: str) -> str:
    """One sentence a paragraph."""
    return "\n\n".join(sentences(text))


@shape("layout")
def one_paragraph(text: str) -> str:
    """Everything in one paragraph."""
    return " ".join(text.split())


@shape("layout")
def one_word_a_line(text: str) -> str:
    """One word a line."""
    return "\n".join(text.split())


@shape("layout")
def broken_lines(text: str) -> str:
    """Line breaks after one word in eight."""
    return re.sub(r" ", lambda found: "\n" if drawn(found, 8) else " ", text)


@shape("layout")
def indented(text: str) -> str:
    """All lines indented by four spaces."""
    return "\n".join(f"    {line}" if line else "" for line in lines(text, 72))


@shape("layout")
def first_lines_indented(text: str) -> str:
    """Paragraphs that only their indented first lines divide."""
    return by_paragraph(lambda part: textwrap.fill(part, 72, initial_indent="     "), text, "\n")


@shape("layout")
def bulleted_sentences(text: str) -> str:
    """A bullet before each sentence."""
    return "\n".join(f"• {sentence}" for sentence in sentences(text))


@shape("layout")
def dashed_sentences(text: str) -> str:
    """A dash before each sentence."""
    return "\n".join(f"- {sentence}" for sentence in sentences(text))


@shape("layout")
def numbered_sentences(text: str) -> str:
    """A number before each sentence."""
    return "\n".join(f"{i}. {sentence}" for i, sentence in enumerate(sentences(text), 1))


@shape("layout")
def numbered_paragraphs(text: str) -> str:
    """[0001] Numbers before paragraphs, as in a patent."""
    return "\n\n".join(f"[{i:04}] {part}" for i, part in enumerate(paragraphs(text), 1))


@shape("layout")
def verse_numbers(text: str) -> str:
    """A verse's number before each sentence, within the paragraph."""
    return by_sentence(lambda sentence, number: f"{number + 1} {sentence}", text)


@shape("layout")
def headings(text: str) -> str:
    """Each paragraph is a heading in Markdown."""
    return by_paragraph(lambda part: f"## {part}", text)


@shape("layout")
def code_block(text: str) -> str:
    """The whole text in a block of code."""
    return f"```\n{text}\n```"


@shape("layout")
def table_cells(text: str) -> str:
    """Each line of a wrapped text is a | table cell |."""
    return "\n".join(f"| {line} |" for line in lines(text, 60) if line)


@shape("layout")
def table_rows(text: str) -> str:
    """One sentence a row of a table in Markdown."""
    rows = "\n".join(f"| {i} | {sentence} |" for i, sentence in enumerate(sentences(text), 1))
    return f"| No. | Text |\n|---|---|\n{rows}"


@shape("layout")
def table_of_two_cells(text: str) -> str:
    """Two sentences a row of a table."""
    found = sentences(text)
    return "\n".join(f"| {a} | {b} |" for a, b in zip_longest(found[::2], found[1::2], fillvalue=""))


@shape("layout")
def tabbed_rows(text: str) -> str:
    """One sentence a row of cells that tabs divide."""
    return "\n".join(f"{i}\t{sentence}\t" for i, sentence in enumerate(sentences(text), 1))


@shape("layout")
def box(text: str) -> str:
    """The text in a box of line-drawing characters."""
    rows = "\n".join(f"│ {line:<64} │" for line in lines(text, 64))
    return f"┌{'─' * 66}┐\n{rows}\n└{'─' * 66}┘"


@shape("layout")
def quoted_mail(text: str) -> str:
    """A quoted e-mail."""
    return "\n".join(f"> {line}".rstrip() for line in lines(text, 72))


@shape("layout")
def twice_quoted_mail(text: str) -> str:
    """An e-mail that was quoted twice."""
    return "\n".join(f"> > {line}".rstrip() for line in lines(text, 72))


@shape("layout")
def rewrapped_quoted_mail(text: str) -> str:
    """A quoted e-mail whose long lines spilled over, so that every second line has lost its mark."""
    return "\n".join(f"> {line}" if i % 2 == 0 else line for i, line in enumerate(lines(text, 50)))


@shape("layout")
def subtitles_srt(text: str) -> str:
    """Subtitles (.srt) of 42 characters."""
    cues = (line for line in lines(text, 42) if line)
    return "\n\n".join(f"{i}\n{_clock(i)},000 --> {_clock(i + 1)},500\n{cue}" for i, cue in enumerate(cues, 1))


@shape("layout")
def subtitles_two_lines(text: str) -> str:
    """Subtitles (.srt) of two lines each."""
    half = [line for line in lines(text, 38) if line]
    cues = ("\n".join(half[i : i + 2]) for i in range(0, len(half), 2))
    return "\n\n".join(f"{i}\n{_clock(i)},000 --> {_clock(i + 1)},500\n{cue}" for i, cue in enumerate(cues, 1))


@shape("layout")
def subtitles_vtt(text: str) -> str:
    """Subtitles (.vtt) of 42 characters."""
    cues = (line for line in lines(text, 42) if line)
    return "WEBVTT\n\n" + "\n\n".join(
        f"{_clock(i)}.000 --> {_clock(i + 1)}.500\n{cue}" for i, cue in enumerate(cues, 1)
    )


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


@shape("layout")
def timestamped_captions(text: str) -> str:
    """Lines of a video's transcript under their times."""
    return "\n".join(
        f"{i // 15}:{4 * i % 60:02}\n{line}" for i, line in enumerate(line for line in lines(text, 42) if line)
    )


@shape("layout", "boilerplate")
def speaker_labels(text: str) -> str:
    """MARTIN: Each sentence has a speaker."""
    return "\n".join(f"{('MARTIN', 'Dr. OKAFOR')[i % 2]}: {sentence}" for i, sentence in enumerate(sentences(text)))


@shape("layout", "boilerplate")
def questions_and_answers(text: str) -> str:
    """Q. and A. before the sentences."""
    return "\n".join(f"{'QA'[i % 2]}.  {sentence}" for i, sentence in enumerate(sentences(text)))


@shape("layout", "boilerplate")
def chat_log(text: str) -> str:
    """[12:07] <lena> The lines of a chat."""
    chat = enumerate(sentences(text))
    return "\n".join(f"[12:{i % 60:02}] <{('lena', 'tom_k')[i % 2]}> {sentence}" for i, sentence in chat)


@shape("layout")
def timestamped_paragraphs(text: str) -> str:
    """[00:01:30] Times before paragraphs."""
    return "\n\n".join(f"[{_clock(45 * i)}] {part}" for i, part in enumerate(paragraphs(text)))


@shape("layout", "boilerplate")
def running_heads(text: str) -> str:
    """A running head and a page number every 40 lines."""
    return _pages(text, 40, lambda page: f"\n\n{page}\n\nA SHORT HISTORY OF EVERYTHING\n\n")


@shape("layout", "boilerplate")
def page_feet(text: str) -> str:
    """A foot with date and page number inside the paragraphs, every 15 lines."""
    return _pages(text, 15, lambda page: f"\nPrinted 12/03/2019        Page {page} of 9\n")


def _pages(text: str, height: int, between: Callable[[int], str]) -> str:
    page = lines(text, 70)
    done = ["\n".join(page[i : i + height]) for i in range(0, len(page), height)]
    return "".join(part + between(i) for i, part in enumerate(done, 1))


# --- typography -------------------------------------------------------------------------------------------------------


@shape("typography")
def long_s(text: str) -> str:
    """The long ſ of old prints, except at the end of words."""
    return re.sub(r"s(?=[a-z])", "ſ", text)


@shape("typography")
def ligatures(text: str) -> str:
    """Ligatures for ff, fi and fl."""
    return text.replace("ffi", "ﬃ").replace("ff", "ﬀ").replace("fi", "ﬁ").replace("fl", "ﬂ")


@shape("typography")
def curly_quotes(text: str) -> str:
    """“Curly” quotation marks and apostrophes’."""
    text = re.sub(r'(?<![\w.,!?])"(?=\w)', "“", text).replace('"', "”")
    return re.sub(r"(?<!\w)'(?=\w)", "‘", text).replace("'", "’")


@shape("typography")
def straight_quotes(text: str) -> str:
    """Straight quotation marks and apostrophes."""
    return text.translate(pairs("“”‘’", "\"\"''"))


@shape("typography")
def em_dashes(text: str) -> str:
    """Dashes — instead of hyphens between words, and of one comma in ten."""
    return re.sub(r", ", lambda found: " — " if drawn(found, 10) else ", ", re.sub(r" --? |--", "—", text))


@shape("typography")
def dots_after_sentences(text: str) -> str:
    """Three dots after sentences..."""
    return re.sub(r"\.(?=\s|$)", "...", text)


@shape("typography")
def exclamation_marks(text: str) -> str:
    """Exclamation marks instead of full stops!!"""
    return re.sub(r"(?<=[a-z])\.(?=\s|$)", "!!", text)


@shape("typography")
def other_hyphens(text: str) -> str:
    """Non-breaking hyphens."""
    return text.replace("-", "\u2011")


@shape("typography")
def soft_hyphens(text: str) -> str:
    """Soft hyphens in long words."""
    return re.sub(r"([A-Za-z]{3})(?=[A-Za-z]{3})", "\\1\u00ad", text)


@shape("typography")
def double_spaces(text: str) -> str:
    """Two spaces between  words."""
    return text.replace(" ", "  ")


@shape("typography")
def two_spaces_after_sentences(text: str) -> str:
    """Two spaces after sentences."""
    return by_sentence(lambda sentence, _: sentence, text, "  ")


@shape("typography")
def space_before_punctuation(text: str) -> str:
    """A space before punctuation , as in French or in tokenised text ."""
    return re.sub(r"(?<=\w)([.,;:!?])(?=\s|$)", r" \1", text)


@shape("typography")
def full_width_punctuation(text: str) -> str:
    """Full-width punctuation，as on Chinese keyboards。"""
    return re.sub(r"([,.!?;:])(?=\s|$) ?", lambda found: found[1].translate(pairs(",.!?;:", "，。！？；：")), text)


@shape("spaces")
def non_breaking_spaces(text: str) -> str:
    """Non-breaking spaces between words."""
    return text.replace(" ", "\u00a0")


@shape("spaces")
def mixed_spaces(text: str) -> str:
    """Thin, wide and other spaces in turn."""
    return re.sub(" ", lambda found: "\u2002\u2003\u2005\u2009\u202f\u3000"[found.start() % 6], text)


@shape("spaces")
def tabs(text: str) -> str:
    """Tabs between words."""
    return text.replace(" ", "\t")


@shape("spaces")
def hangul_fillers(text: str) -> str:
    """U+3164, a letter that nobody sees, instead of spaces."""
    return text.replace(" ", "\u3164")


@shape("spaces")
def braille_blanks(text: str) -> str:
    """U+2800, an empty Braille pattern, instead of spaces."""
    return text.replace(" ", "\u2800")


@shape("spaces")
def zero_width_spaces(text: str) -> str:
    """U+200B instead of spaces."""
    return text.replace(" ", "\u200b")


@shape("spaces")
def some_zero_width_spaces(text: str) -> str:
    """U+200B instead of half of the spaces."""
    return re.sub(" ", lambda found: "\u200b" if drawn(found, 2) else " ", text)


@shape("spaces")
def zero_width_between_letters(text: str) -> str:
    """U+200B between all letters."""
    return re.sub(r"(?<=[A-Za-z])(?=[A-Za-z])", "\u200b", text)


@shape("spaces")
def joiners_between_letters(text: str) -> str:
    """Word joiners, zero-width joiners and non-joiners in turn inside words."""
    return re.sub(r"(?<=[A-Za-z])(?=[A-Za-z])", lambda found: "\u2060\u200d\u200c"[found.start() % 3], text)


@shape("spaces")
def blanks_beside_spaces(text: str) -> str:
    """U+3164 and U+2800 beside the spaces."""
    return re.sub(" ", lambda found: " \u3164" if drawn(found, 2) else "\u2800 ", text)


@shape("spaces")
def direction_marks(text: str) -> str:
    """Marks of the writing direction around words."""
    return around("\u202a", "\u202c\u200e", text)


@shape("spaces")
def spaced_out(text: str) -> str:
    """A l l   l e t t e r s   s p a c e d   o u t."""
    return by_paragraph(lambda part: "   ".join(" ".join(word) for word in part.split()), text)


@shape("spaces")
def spaced_out_words(text: str) -> str:
    """One w o r d in five spaced out."""
    return re.sub(LONG, lambda found: " ".join(found[0]) if drawn(found, 5) else found[0], text)


@shape("spaces")
def dotted_words(text: str) -> str:
    """One w.o.r.d in five with dots between its letters."""
    return re.sub(LONG, lambda found: ".".join(found[0]) if drawn(found, 5) else found[0], text)


@shape("spaces")
def hyphens_in_words(text: str) -> str:
    """One w-o-r-d in five with hyphens between its letters."""
    return re.sub(LONG, lambda found: "-".join(found[0]) if drawn(found, 5) else found[0], text)


@shape("spaces")
def thin_spaces_in_words(text: str) -> str:
    """Hair spaces between the letters of all words."""
    return re.sub(r"(?<=[A-Za-z])(?=[A-Za-z])", "\u200a", text)


# --- letters that look alike ------------------------------------------------------------------------------------------

CYRILLIC = pairs("ABCEHIJKMOPSTXacehijopsxy", "АВСЕНІЈКМОРЅТХасеһіјорѕху")
GREEK = pairs("ABEZHIKMNOPTYXovu", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονυ")
ARMENIAN = pairs("LOSUghnoqu", "ԼՕՏՍցհոօզս")
CHEROKEE_LETTERS = dict(zip("ABCDEGHJKLMPRSTVWZ", "ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ", strict=True))
CHEROKEE: dict[int, int | str] = {
    **{ord(plain): other for plain, other in CHEROKEE_LETTERS.items()},
    **{ord(plain.lower()): other.lower() for plain, other in CHEROKEE_LETTERS.items()},
}
LATIN = pairs("acdgilmvx", "ɑⅽⅾɡⅰⅼⅿⅴⅹ")
SMALL_CAPITALS = pairs("abcdefghijklmnopqrstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ")
RAISED = pairs("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")


@shape("letters")
def cyrillic(text: str) -> str:
    """Cyrillic letters where they look the same."""
    return letters(text, CYRILLIC)


@shape("letters")
def cyrillic_in_some_words(text: str) -> str:
    """Cyrillic letters in one long word in three."""
    return re.sub(LONG, lambda found: letters(found[0], CYRILLIC) if drawn(found, 3) else found[0], text)


@shape("letters")
def greek(text: str) -> str:
    """Greek letters where they look the same."""
    return letters(text, GREEK)


@shape("letters")
def armenian(text: str) -> str:
    """Armenian letters where they look the same."""
    return letters(text, ARMENIAN)


@shape("letters")
def cherokee(text: str) -> str:
    """Cherokee letters where they look the same, as small capitals."""
    return letters(text, CHEROKEE)


@shape("letters")
def several_alphabets(text: str) -> str:
    """Cyrillic, Greek and Armenian letters in turn."""
    tables = (CYRILLIC, GREEK, ARMENIAN)
    return re.sub(WORD, lambda found: letters(found[0], tables[found.start() % 3]), text)


@shape("letters")
def latin_look_alikes(text: str) -> str:
    """Phonetic letters and Roman numerals where they look the same."""
    return letters(text, LATIN)


@shape("letters")
def small_capitals(text: str) -> str:
    """Sᴍᴀʟʟ ᴄᴀᴘɪᴛᴀʟs of Unicode."""
    return letters(text, SMALL_CAPITALS)


@shape("letters")
def raised_letters(text: str) -> str:
    """Lᵉᵗᵗᵉʳˢ above the line."""
    return letters(text, RAISED)


@shape("letters")
def full_width(text: str) -> str:
    """Ｆｕｌｌ－ｗｉｄｔｈ letters."""
    return letters(text, alphabet(0xFF21, 0xFF41))


@shape("letters")
def mathematical_bold(text: str) -> str:
    """𝐁𝐨𝐥𝐝 letters of formulas."""
    return letters(text, alphabet(0x1D400, 0x1D41A))


@shape("letters")
def mathematical_script(text: str) -> str:
    """𝓢𝓬𝓻𝓲𝓹𝓽 letters of formulas."""
    return letters(text, alphabet(0x1D4D0, 0x1D4EA))


@shape("letters")
def mathematical_words(text: str) -> str:
    """One 𝘄𝗼𝗿𝗱 in four in sans-serif letters of formulas."""
    sans = alphabet(0x1D5D4, 0x1D5EE)
    return re.sub(WORD, lambda found: letters(found[0], sans) if drawn(found, 4) else found[0], text)


@shape("letters")
def monospaced(text: str) -> str:
    """𝙼𝚘𝚗𝚘𝚜𝚙𝚊𝚌𝚎𝚍 letters of formulas."""
    return letters(text, alphabet(0x1D670, 0x1D68A))


@shape("letters")
def circled(text: str) -> str:
    """Ⓒⓘⓡⓒⓛⓔⓓ letters."""
    return letters(text, alphabet(0x24B6, 0x24D0))


@shape("letters")
def squared(text: str) -> str:
    """Letters in squares, 🅂🅀🅄🄰🅁🄴🄳."""
    return letters(text.upper(), alphabet(0x1F130, 0x61))


@shape("letters")
def parenthesised_letters(text: str) -> str:
    """Letters in parentheses, ⒧⒠⒯⒯⒠⒭⒮."""
    return letters(text.lower(), alphabet(0x41, 0x249C))


@shape("letters")
def struck_letters(text: str) -> str:
    """A stroke through each letter."""
    return re.sub(r"([A-Za-z])", "\\1\u0336", text)


@shape("letters")
def underlined_letters(text: str) -> str:
    """A line below each letter."""
    return re.sub(r"([A-Za-z])", "\\1\u0332", text)


@shape("letters")
def combining_marks(text: str) -> str:
    """Several marks above and below letters."""
    return re.sub(r"([a-z])", lambda f: f[0] + "\u0323\u0307\u0331"[: 1 + f.start() % 3] if drawn(f, 2) else f[0], text)


@shape("letters")
def accented_vowels(text: str) -> str:
    """Accents on vowels that hâve none."""
    table = pairs("aeiou", "áèîöú")
    return re.sub(r"[aeiou]", lambda found: letters(found[0], table) if drawn(found, 4) else found[0], text)


# --- encodings --------------------------------------------------------------------------------------------------------


def _typeset(text: str) -> str:
    return re.sub(r" --? |--", "—", curly_quotes(text))


@shape("encodings")
def mojibake(text: str) -> str:
    """Typeset text in UTF-8 that was read as Windows-1252."""
    return _typeset(text).encode("utf-8").decode("windows-1252", "ignore")


@shape("encodings")
def mojibake_latin(text: str) -> str:
    """Typeset text in UTF-8 that was read as Latin-1."""
    return _typeset(text).encode("utf-8").decode("latin-1")


@shape("encodings")
def double_mojibake(text: str) -> str:
    """Typeset text that was misread twice."""
    return mojibake_latin(text).encode("utf-8").decode("latin-1")


@shape("encodings")
def html_entities(text: str) -> str:
    """Named entities of HTML."""
    return html.escape(_typeset(text)).translate({ord("“"): "&ldquo;", ord("”"): "&rdquo;", ord("’"): "&rsquo;"})


@shape("encodings")
def numeric_entities(text: str) -> str:
    """One letter in four as a numeric entity."""
    return re.sub(r"[a-z]", lambda found: f"&#{ord(found[0])};" if drawn(found, 4) else found[0], text)


@shape("encodings")
def windows_lines(text: str) -> str:
    """Lines that end with CR LF."""
    return wrapped(text).replace("\n", "\r\n")


@shape("encodings")
def mac_lines(text: str) -> str:
    """Lines that end with CR."""
    return wrapped(text).replace("\n", "\r")


@shape("encodings")
def unicode_lines(text: str) -> str:
    """Lines that end with the line separator of Unicode."""
    return wrapped(text).replace("\n", "\u2028")


@shape("encodings")
def byte_order_marks(text: str) -> str:
    """A byte order mark before each paragraph, as in files that were joined."""
    return by_paragraph(lambda part: "\ufeff" + part, text)


@shape("encodings")
def nul_for_ligatures(text: str) -> str:
    """NUL where ff, fi or fl stood."""
    return re.sub(r"ffi|ff|fi|fl", "\0", text)


@shape("encodings")
def lost_ligatures(text: str) -> str:
    """The replacement character where ff, fi or fl stood."""
    return re.sub(r"ffi|ff|fi|fl", "\ufffd", text)


@shape("encodings")
def nul_after_letters(text: str) -> str:
    """UTF-16 that was read as ASCII: NUL after each character."""
    return text.encode("utf-16-le").decode("latin-1") if text.isascii() else "".join(f"{c}\0" for c in text)


@shape("encodings")
def lost_apostrophes(text: str) -> str:
    """The replacement character for quotation marks and apostrophes."""
    return re.sub("[“”‘’]", "\ufffd", curly_quotes(text))


@shape("encodings")
def form_feeds(text: str) -> str:
    """Form feeds between pages of ten lines."""
    page = lines(text, 72)
    return "\f".join("\n".join(page[i : i + 10]) for i in range(0, len(page), 10))


@shape("encodings")
def quoted_printable(text: str) -> str:
    """The quoted-printable encoding of e-mail."""
    return quopri.encodestring(_typeset(text).encode("utf-8")).decode("ascii")


@shape("encodings")
def escaped_lines(text: str) -> str:
    r"""Line breaks written as \\n."""
    return text.replace("\n", "\\n")


@shape("encodings")
def json_string(text: str) -> str:
    """A JSON string that was pasted without being decoded."""
    return json.dumps(_typeset(text))


@shape("encodings")
def excel_returns(text: str) -> str:
    """Excel's _x000D_ at the ends of lines."""
    return wrapped(text).replace("\n", "_x000D_\n")


# --- dilution ---------------------------------------------------------------------------------------------------------

COOKIES = (
    "We use cookies to improve your experience on our site. By continuing to browse the site you are agreeing to "
    "our use of cookies. Some cookies are necessary for the site to work, others help us to show you advertising "
    "that is relevant to you. You can change your settings at any time. Read our cookie policy and privacy policy "
    "to find out more. Accept all cookies. Reject all. Manage preferences."
)
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et "
    "dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex "
    "ea commodo consequat."
)
GERMAN = (
    "Am Morgen lag der Nebel noch über dem Fluss, und die Fähre fuhr erst um neun. Wir warteten mit den anderen "
    "auf dem Steg, tranken Kaffee aus der Kanne und sahen den Möwen zu, bis der Kapitän endlich die Leine "
    "losmachte."
)
SPANISH = (
    "El mercado abre a las siete, pero los vendedores llegan mucho antes. Descargan las cajas de fruta, discuten "
    "sobre los precios y preparan café para todos, mientras la plaza todavía está a oscuras y en silencio."
)
DISCLAIMER = (
    "This e-mail and any attachments are confidential and intended solely for the addressee. If you have received "
    "this message in error, please notify the sender and delete it. Any unauthorised use, copying or disclosure "
    "is prohibited."
)
NAMES = ("Adler", "Brandt", "Castell", "Dunmore", "Egede", "Farrow", "Gantz", "Holm")


def _after(extra: str, text: str) -> str:
    """Put a block of text after each paragraph."""
    return by_paragraph(lambda part: f"{part}\n\n{extra}", text)


@shape("dilution", "boilerplate")
def cookie_notice(text: str) -> str:
    """A consent notice below the text."""
    return f"{text}\n\n{COOKIES}"


@shape("dilution", "boilerplate")
def cookie_notices(text: str) -> str:
    """A consent notice above and below the text."""
    return f"{COOKIES}\n\n{text}\n\n{COOKIES}"


@shape("dilution", "boilerplate")
def rights_reserved_in_sentences(text: str) -> str:
    """A phrase of boilerplate inside each sentence (all rights reserved)."""
    return by_sentence(lambda one, _: re.sub(r"([.!?]\W*)$", r" (all rights reserved)\1", one), text)


@shape("dilution", "boilerplate")
def rights_reserved_before_sentences(text: str) -> str:
    """All rights reserved. The notice is a sentence of its own before each sentence."""
    return by_sentence(lambda one, _: f"All rights reserved. {one}", text)


@shape("dilution", "boilerplate")
def copyright_lines(text: str) -> str:
    """A line of copyright after each paragraph."""
    return _after("© 2021 Example Media Ltd. All rights reserved. Terms of use | Privacy policy", text)


@shape("dilution", "boilerplate")
def cookies_in_sentences(text: str) -> str:
    """A phrase about cookies inside each sentence (we use cookies)."""
    return by_sentence(lambda one, _: re.sub(r"([.!?]\W*)$", r" (we use cookies, privacy policy)\1", one), text)


@shape("dilution", "boilerplate")
def references(text: str) -> str:
    """A list of twenty references below the text."""
    listed = (
        f"[{i}] {NAMES[i % 8]}, {'ABCDEF'[i % 6]}. and {NAMES[(3 * i + 1) % 8]}, {'GHKLM'[i % 5]}. ({1985 + i}). "
        f"Effects of temperature on thin films. Journal of Applied Studies {i + 3}({i % 4 + 1}), {17 * i}-{17 * i + 9}."
        for i in range(1, 21)
    )
    return f"{text}\n\nReferences\n\n" + "\n".join(listed)


@shape("dilution", "boilerplate")
def citations_in_sentences(text: str) -> str:
    """A citation in each sentence (Adler & Holm, 2004)."""

    def cited(one: str, number: int) -> str:
        cite = f" ({NAMES[number % 8]} & {NAMES[(number + 3) % 8]}, {1990 + number % 30})"
        return re.sub(r"([.!?]\W*)$", rf"{cite}\1", one)

    return by_sentence(cited, text)


@shape("dilution", "boilerplate")
def lorem_ipsum(text: str) -> str:
    """Placeholder text after each paragraph."""
    return _after(LOREM, text)


@shape("dilution", "boilerplate")
def lorem_ipsum_below(text: str) -> str:
    """Placeholder text below the text."""
    return f"{text}\n\n{LOREM}\n\n{LOREM}"


@shape("dilution", "boilerplate")
def foreign_paragraphs(text: str) -> str:
    """A German or Spanish paragraph below the text."""
    return f"{text}\n\n{GERMAN}\n\n{SPANISH}"


@shape("dilution", "boilerplate")
def bilingual(text: str) -> str:
    """German and Spanish paragraphs between those of the text."""
    others = count()
    return by_paragraph(lambda part: f"{part}\n\n{(GERMAN, SPANISH)[next(others) % 2]}", text)


@shape("dilution", "boilerplate")
def share_buttons(text: str) -> str:
    """The labels of buttons after each paragraph."""
    return _after("Share on Facebook\nTweet this\nPin it\nE-mail\nPrint", text)


@shape("dilution", "boilerplate")
def navigation(text: str) -> str:
    """A site's navigation above and below the text."""
    menu = "Home\nNews\nSport\nWeather\nAbout us\nContact\nSign in\nSubscribe\nSearch"
    return f"{menu}\n\nHome > News > Local\n\n{text}\n\n{menu}\nBack to top\nSite map"


@shape("dilution", "boilerplate")
def advertisements(text: str) -> str:
    """A label of advertising after each paragraph."""
    return _after("Advertisement\n\nStory continues below advertisement", text)


@shape("dilution", "boilerplate")
def newsletter(text: str) -> str:
    """An invitation to a newsletter after each paragraph."""
    return _after("Sign up for our free newsletter. Enter your email address. Subscribe now.", text)


@shape("dilution", "boilerplate")
def related_links(text: str) -> str:
    """Headlines of other articles after each paragraph."""
    return _after("READ MORE: Council votes on harbour plan\nRelated: Ten things to do this weekend", text)


@shape("dilution", "boilerplate")
def picture_captions(text: str) -> str:
    """A picture's credit after each paragraph."""
    return _after("Image: Harbour at dawn (Photo: J. Adler / Example Pictures)", text)


@shape("dilution", "boilerplate")
def mail_headers(text: str) -> str:
    """The header and the disclaimer of an e-mail."""
    head = "From: Anna Holm <anna@example.org>\nTo: list@example.org\nDate: Tue, 12 Mar 2019 09:12\nSubject: Fwd: notes"
    return f"{head}\n\n{text}\n\n-- \nAnna Holm\nExample Ltd, 12 High Street\n\n{DISCLAIMER}"


@shape("dilution", "boilerplate")
def code_between(text: str) -> str:
    """A few lines of a program after each paragraph."""
    return _after(
        "```python\nfor row in rows:\n    total += row.price * row.count\n    print(row.name, total)\n```", text
    )


@shape("dilution", "boilerplate")
def number_tables(text: str) -> str:
    """A table of numbers after each paragraph."""
    return _after("| Year | Sales | Share |\n|---|---|---|\n| 2017 | 1,204 | 12.5 % |\n| 2018 | 1,377 | 13.1 % |", text)


@shape("dilution", "boilerplate")
def comments_below(text: str) -> str:
    """The frame of a comment section below the text."""
    frame = "Leave a Reply\nYour email address will not be published.\nComment *\nName *\nEmail *\nPost Comment"
    return f"{text}\n\n3 Comments\n\n{frame}"


@shape("dilution", "diluted")
def article_below(text: str) -> str:
    """An article by a person below the text."""
    return f"{text}\n\n{(EXAMPLES / 'human' / '02-website-rebuild.txt').read_text('utf-8')}"


@shape("dilution", "diluted")
def sentences_between(text: str) -> str:
    """A sentence by a person after each paragraph."""
    added = iter(sentences((EXAMPLES / "human" / "05-cup-final.txt").read_text("utf-8")) * 50)
    return by_paragraph(lambda part: f"{part} {next(added)}", text)


# --- web pages --------------------------------------------------------------------------------------------------------

CLEAN = paragraphs((EXAMPLES / "human" / "02-website-rebuild.txt").read_text("utf-8"))[1:]
"""Paragraphs by a person, which pages hide."""


def _article(body: str, style: str = "") -> str:
    """Return what is read from a page with this body."""
    head = f'<meta charset="utf-8"><title>News</title><style>{style}</style>'
    page = f"<html lang='en'><head>{head}</head><body><main><article><h1>News</h1>{body}</article></main></body></html>"
    return extract_article(f"<!DOCTYPE html>{page}").text


def _elements(text: str) -> str:
    return by_paragraph(lambda part: f"<p>{html.escape(part)}</p>", text, "\n")


def _with_hidden(attributes: str, text: str, style: str = "") -> str:
    """Return what is read from a page that has a hidden paragraph by a person after each visible one."""
    hidden = cycle(CLEAN)
    body = by_paragraph(lambda part: f"<p>{html.escape(part)}</p><p {attributes}>{next(hidden)}</p>", text, "\n")
    return _article(body, style)


@shape("pages")
def page(text: str) -> str:
    """A web page."""
    return _article(_elements(text))


@shape("pages")
def hidden_by_display(text: str) -> str:
    """A page with text in elements with `display: none`."""
    return _with_hidden('style="display: none"', text)


@shape("pages")
def hidden_by_attribute(text: str) -> str:
    """A page with text in `hidden` elements."""
    return _with_hidden("hidden", text)


@shape("pages")
def hidden_by_aria(text: str) -> str:
    """A page with text in elements with `aria-hidden`."""
    return _with_hidden('aria-hidden="true"', text)


@shape("pages")
def hidden_by_visibility(text: str) -> str:
    """A page with text in invisible elements."""
    return _with_hidden('style="visibility:hidden"', text)


@shape("pages")
def hidden_by_opacity(text: str) -> str:
    """A page with transparent text."""
    return _with_hidden('style="opacity:0"', text)


@shape("pages")
def hidden_off_screen(text: str) -> str:
    """A page with text left of the screen."""
    return _with_hidden('style="position:absolute; left:-9999px"', text)


@shape("pages")
def hidden_by_colour(text: str) -> str:
    """A page with white text on white."""
    return _with_hidden('style="color:#fff;background:#ffffff"', text)


@shape("pages")
def hidden_by_size(text: str) -> str:
    """A page with text of no size."""
    return _with_hidden('style="font-size:0"', text)


@shape("pages")
def hidden_for_screen_readers(text: str) -> str:
    """A page with text for screen readers only."""
    return _with_hidden('class="sr-only"', text)


@shape("pages")
def hidden_by_style_sheet(text: str) -> str:
    """A page whose style sheet hides a class of elements."""
    return _with_hidden('class="x7"', text, ".x7 { display: none }")


@shape("pages")
def hidden_words(text: str) -> str:
    """A page with a hidden word after one word in three."""
    return _article(around("", '<span style="display:none"> of the</span>', _elements(text), 3))


@shape("pages")
def words_as_blocks(text: str) -> str:
    """A page that makes each word an inline block, with margins for spaces."""
    block = '<span style="display:inline-block;margin-right:.3em">{}</span>'
    return _article(by_paragraph(lambda p: f"<p>{''.join(map(block.format, html.escape(p).split()))}</p>", text, "\n"))


@shape("pages")
def linked_words(text: str) -> str:
    """A page whose long words are links."""
    return _article(around('<a href="/w/{}">', "</a>", _elements(text)))


@shape("pages")
def readers_replies(text: str) -> str:
    """A page with replies by readers below the article."""
    replies = "".join(f'<li class="comment"><b>reader{i}</b><p>{reply}</p></li>' for i, reply in enumerate(CLEAN))
    return _article(f'{_elements(text)}<section id="comments"><h2>Replies</h2><ol>{replies}</ol></section>')


# --- changes of the words ---------------------------------------------------------------------------------------------


@shape("words", "changed")
def no_space_after_sentences(text: str) -> str:
    """No space after full stops.Two words become one."""
    return re.sub(r"(?<=[a-z])([.,!?]) (?=\w)", r"\1", text)


@shape("words", "changed")
def no_punctuation(text: str) -> str:
    """No punctuation at all as in dictated text"""
    return re.sub(r"[.,;:!?()\"“”]", "", text)


@shape("words", "changed")
def dropped_ligatures(text: str) -> str:
    """Words that have lost ff, fi or fl."""
    return re.sub(r"ffi|ff|fi|fl", "", text)


@shape("words", "changed")
def digits_for_letters(text: str) -> str:
    """D1g1ts f0r l3tters in one word in three."""
    table = pairs("oie", "013")
    return re.sub(LONG, lambda found: letters(found[0], table) if drawn(found, 3) else found[0], text)


@shape("words", "changed")
def joined_words(text: str) -> str:
    """One space in ten is missing."""
    return re.sub(r"(?<=[a-z]) (?=[a-z])", lambda found: "" if drawn(found, 10) else " ", text)
