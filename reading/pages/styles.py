"""The styles of a page's elements, as far as they decide what a reader sees.

This is a small part of CSS: the `style` attribute and the page's own `<style>` blocks, with selectors made of tags,
classes, ids and attributes. Style sheets in other files are not read. A full CSS parser would take longer than
extracting the article.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

LONGEST_SHEET = 1_000_000
"""Most characters of a `<style>` block that are read."""
LONGEST_VALUE = 500
LONGEST_REMEMBERED = 500
"""Most characters of a value, and of a `style` attribute whose reading is remembered. This bounds time and memory."""
FARTHEST = 50
"""Ancestors and siblings of an element that a selector is compared with."""
MOST_COMPARED = 500_000
"""Comparisons of an element with a rule in one page; then its style sheets are ignored. This bounds the time."""

PROPERTIES = (
    *("display", "visibility", "content-visibility", "opacity", "filter", "position", "left", "right", "top", "bottom"),
    *("text-indent", "clip", "clip-path", "height", "max-height", "width", "max-width", "overflow", "overflow-x"),
    *("overflow-y", "font-size", "font", "color", "-webkit-text-fill-color", "background", "background-color"),
    *("background-image", "background-clip", "-webkit-background-clip", "margin", "margin-left", "margin-right"),
    *("margin-top", "padding", "padding-left", "padding-right", "transform", "flex-direction", "float", "content"),
)
DECLARATION = re.compile(rf"(?:^|[;{{\s])({'|'.join(map(re.escape, PROPERTIES))})\s*:\s*([^;{{}}]+)", re.IGNORECASE)
COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
BLOCK = re.compile(r"([^{}]*)([{}]|\Z)")  # with `\Z`, so that what follows the last brace is read once
COMPOUND = re.compile(r"([\w-]+|\*)?((?:[#.][\w-]+|\[[^\]]*\])*)")
PART = re.compile(r"([#.])([\w-]+)|\[\s*([\w-]+)\s*(?:([~|^$*]?=)\s*[\"']?([^\"'\]]*?)[\"']?\s*(?:[iIsS]\s*)?)?\]")
PSEUDO_ELEMENT = re.compile(r"::?(before|after)$", re.IGNORECASE)
COMBINATOR = re.compile(r"\s*([>+~])\s*|\s+")
BLANK = re.compile(r"""^["'](?:\s|\\0*a0\b|\\0*20\b|\\200[0-9ab])+["']$""", re.IGNORECASE)
"""The `content` of a pseudo-element that is a space."""
UNSEEN_MEDIA = re.compile(
    r"print|speech|max-(?:device-)?(?:width|height)|prefers|orientation|hover|pointer|not\b", re.I
)
MIN_WIDTH = re.compile(r"min-(?:device-)?width\s*:\s*(\d+\.?\d*|\.\d+)(px|em|rem)?")
SCREEN = 1280
"""Width of the reader's window in pixels, for media queries."""

Declarations = dict[str, str]
Declaration = tuple[str, str, bool]
"""A property, its value, and whether it is important."""


@dataclass(frozen=True, slots=True)
class Compound:
    """A selector of one element, such as `p.note#first[lang]`."""

    tag: str | None
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    attributes: tuple[tuple[str, str, str], ...]

    def matches(self, element: Any) -> bool:
        """Return whether an element is selected."""
        if self.tag is not None and element.tag != self.tag:
            return False
        if self.ids and any(element.get("id") != name for name in self.ids):
            return False
        if self.classes:
            names = (element.get("class") or "").split()
            if any(name not in names for name in self.classes):
                return False
        return all(_has(element.get(name), how, value) for name, how, value in self.attributes)


@dataclass(frozen=True, slots=True)
class Rule:
    """A selector with its declarations. `steps` are the combinators and compounds to the left, the nearest first."""

    subject: Compound
    steps: tuple[tuple[str, Compound], ...]
    specificity: tuple[int, int, int]
    order: int
    declarations: tuple[Declaration, ...]

    def matches(self, element: Any) -> bool:
        """Return whether the rule applies to an element. Of several ancestors that fit, only the nearest is tried."""
        if not self.subject.matches(element):
            return False
        for combinator, compound in self.steps:
            others = islice(_candidates(element, combinator), FARTHEST)
            element = next((other for other in others if compound.matches(other)), None)
            if element is None:
                return False
        return True


@dataclass
class StyleSheet:
    """The rules of a page, found by the id, class or tag of the element that they select."""

    by_key: dict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    compared: int = 0

    def add(self, rule: Rule) -> None:
        """Add a rule."""
        subject = rule.subject
        if subject.ids:
            key = f"#{subject.ids[0]}"
        elif subject.classes:
            key = f".{subject.classes[0]}"
        else:
            key = subject.tag or "*"
        self.by_key[key].append(rule)

    def declared(self, element: Any) -> Declarations:
        """Return the declarations that apply to an element, with those of its `style` attribute."""
        inline = element.get("style")
        rules: list[Rule] = []
        if self.by_key and self.compared < MOST_COMPARED:
            keys = ["*", element.tag]
            if (name := element.get("id")) is not None:
                keys.append(f"#{name}")
            if names := element.get("class"):
                keys += [f".{name}" for name in names.split()]
            for key in keys:
                if key in self.by_key:
                    self.compared += sum(10 if rule.steps else 1 for rule in self.by_key[key])
                    rules += [rule for rule in self.by_key[key] if rule.matches(element)]
        if not rules and inline is None:
            return {}
        rules.sort(key=lambda rule: (rule.specificity, rule.order))
        found: Declarations = {}
        layers = [*(rule.declarations for rule in rules), _declarations(inline) if inline else ()]
        for wanted in (False, True):  # important ones come last
            for layer in layers:
                for name, value, important in layer:
                    if important is wanted:
                        found[name] = value
        return found


def style_sheet(root: Any) -> StyleSheet:
    """Return the rules of a page's `<style>` blocks."""
    sheet = StyleSheet()
    order = 0
    for block in root.iter("style"):
        if not (block.text and _applies(block.get("media") or "")):
            continue
        for rule in _rules(block.text[:LONGEST_SHEET]):
            order += 1
            sheet.add(Rule(rule.subject, rule.steps, rule.specificity, order, rule.declarations))
    return sheet


@lru_cache(maxsize=16)  # the pages of a site share their styles
def _rules(css: str) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for selectors, body in _blocks(COMMENT.sub(" ", css)):
        declared = _declarations(body)
        if not declared:
            continue
        for selector in selectors.split(","):
            rule = _rule(selector.strip(), declared)
            if rule is not None:
                rules.append(rule)
    return tuple(rules)


def _blocks(css: str) -> Iterator[tuple[str, str]]:
    """Yield the selectors and the declarations of each rule that applies to a screen."""
    stack: list[tuple[str, bool]] = []
    for found in BLOCK.finditer(css):
        before, brace = found.groups()
        if brace == "{":
            prelude = before.rpartition(";")[2].strip()
            stack.append((prelude, (not stack or stack[-1][1]) and _is_read(prelude)))
        elif brace and stack:
            prelude, applies = stack.pop()
            if applies and not prelude.startswith("@"):
                yield prelude, before


def _is_read(prelude: str) -> bool:
    if not prelude.startswith("@"):
        return True
    name, _, query = prelude[1:].partition(" ")
    name = name.partition("(")[0].lower()
    return name in ("supports", "layer", "container") or (name == "media" and _applies(query or prelude))


def _applies(query: str) -> bool:
    """Return whether a media query applies to a window of usual size."""
    if UNSEEN_MEDIA.search(query):
        return False
    widths = (float(number) * (1 if unit in ("px", "") else 16) for number, unit in MIN_WIDTH.findall(query))
    return all(width <= SCREEN for width in widths)


def _declarations(text: str) -> tuple[Declaration, ...]:
    """Return the declarations that matter here."""
    return _few_declarations(text) if len(text) <= LONGEST_REMEMBERED else tuple(_read_declarations(text))


@lru_cache(maxsize=4096)  # the elements of a page share their styles
def _few_declarations(text: str) -> tuple[Declaration, ...]:
    return tuple(_read_declarations(text))


def _read_declarations(text: str) -> Iterator[Declaration]:
    for name, value in DECLARATION.findall(text):
        value = value.strip().lower()[:LONGEST_VALUE]
        important = value.endswith("important") and "!" in value
        yield name.lower(), value.rpartition("!")[0].rstrip() if important else value, important


def _rule(selector: str, declared: tuple[Declaration, ...]) -> Rule | None:
    """Return the rule of one selector; None if the selector is not supported or declares nothing here."""
    pseudo = PSEUDO_ELEMENT.search(selector)
    if pseudo is not None:
        if not any(name == "content" and BLANK.match(value) for name, value, _ in declared):
            return None
        selector = selector[: pseudo.start()]
        declared = ((f"space-{pseudo[1].lower()}", "", False),)
    pieces = COMBINATOR.split(selector.strip())
    compounds = [_compound(piece) for piece in pieces[::2]]
    known = [one for one in compounds if one is not None]
    if len(known) != len(compounds) or not known:
        return None
    combinators = [piece or " " for piece in pieces[1::2]]
    specificity = (
        sum(len(one.ids) for one in known),
        sum(len(one.classes) + len(one.attributes) for one in known),
        sum(one.tag is not None for one in known),
    )
    steps = tuple(zip(reversed(combinators), reversed(known[:-1]), strict=True))
    return Rule(known[-1], steps, specificity, 0, declared)


def _compound(text: str) -> Compound | None:
    found = COMPOUND.fullmatch(text)
    if found is None or not text:
        return None
    tag, rest = found.groups()
    ids, classes, attributes = [], [], []
    for mark, name, attribute, how, value in PART.findall(rest):
        if mark == "#":
            ids.append(name)
        elif mark == ".":
            classes.append(name)
        else:
            attributes.append((attribute.lower(), how, value))
    return Compound(None if tag in (None, "*") else tag.lower(), tuple(ids), tuple(classes), tuple(attributes))


def _has(found: str | None, how: str, value: str) -> bool:
    """Return whether an attribute has a value, compared as the operator of a selector says."""
    if found is None:
        return False
    match how:
        case "":
            return True
        case "=":
            return found == value
        case "~=":
            return value in found.split()
        case "|=":
            return found == value or found.startswith(f"{value}-")
        case "^=":
            return bool(value) and found.startswith(value)
        case "$=":
            return bool(value) and found.endswith(value)
    return bool(value) and value in found


def _candidates(element: Any, combinator: str) -> Iterator[Any]:
    """Yield the elements that a combinator leads to from an element."""
    match combinator:
        case ">":
            parent = element.getparent()
            if parent is not None:
                yield parent
        case "+":
            before = element.getprevious()
            if before is not None:
                yield before
        case "~":
            yield from element.itersiblings(preceding=True)
        case _:
            yield from element.iterancestors()
