"""Leaves out what surrounds the article of a page: readers' comments, consent notices and lists of other articles.

The extractor leaves out most of these, but it takes comments for the article if they are longer. Elements are known by
the words of their names, all of which must fit, so that an article in `<div class="post has-comments">` stays.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from unspun.reading.pages.visibility import INLINE

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


WHERE = _set(
    "post article entry story blog page user users reader readers visitor customer wp fb facebook js c l o m the my "
    "site single section block module widget component"
)
"""Words that may come first in a name."""
COMMENTS = _set(
    "comment comments commentlist reply replies respond responses thread threads talkback talkbacks disqus dsq "
    "livefyre intensedebate coral giscus utterances webmention webmentions trackback trackbacks pingback pingbacks "
    "guestbook"
)
PARTS = _set(
    "list lists section area wrap wrapper container content contents body text item items inner outer box block form "
    "holder feed tree thread threads panel pane region root main entry group card bubble node meta author message "
    "template embed module widget component view app by user byuser depth level parent child children odd even alt "
    "id comment comments reply replies count title header"
)
"""Words that may follow."""
CONSENT = _set(
    "cookie cookies gdpr ccpa consent onetrust didomi cookielaw cookiebot cybotcookiebot usercentrics quantcast qc cmp "
    "osano truste trustarc iubenda termly complianz cmplz borlabs privacy"
)
NOTICES = _set(
    "banner bar notice notification popup pop modal message msg overlay warning alert dialog dialogue wall disclaimer "
    "prompt sdk sheet layer window host preferences settings consent cmp root box"
)
CONSENT_BOXES = _set("cc-window cc-banner cc_banner cc-revoke")
CONSENT_ALONE = _set(
    "gdpr ccpa consent onetrust didomi cookiebot cybotcookiebot usercentrics cmp cookielaw cookieconsent"
)
OTHERS = _set("post posts article articles story stories news reads reading items")
RELATED = {
    **dict.fromkeys(
        (
            "related",
            "recommended",
            "recommendations",
            "recommendation",
            "recirc",
            "recirculation",
            "suggested",
            "similar",
        ),
        OTHERS | _set("content contents links link list box section widget module block wrapper container grid"),
    ),
    **dict.fromkeys(("popular", "trending", "latest", "more", "further", "other", "next"), OTHERS),
    "most": _set("read popular viewed shared"),
}
"""Words for other articles, and those of which one must follow or precede."""
RELATED_ALONE = _set("related recommended recommendations recirc recirculation outbrain taboola trending")
COMMENT_TYPES = ("/comment", "/usercomments")
COMMENT_TITLE = re.compile(
    r"(?i)(?:(?:all|no|reader|readers|readers['’]|your|user|top|latest|recent|\d[\d,.]*) ){0,3}"
    r"(?:comments?|replies|responses)(?: ?[(\[]?\d[\d,.]*[)\]]?)?(?: (?:on|to) .{1,200})?:?|"
    r"(?:leave|post|write|add) (?:a|your) (?:reply|comment|response)|\d+ thoughts? on .{1,200}|"
    r"(?:join|have your say in) the (?:discussion|conversation|debate)"
)
RELATED_TITLE = re.compile(
    r"(?i)(?:related|recommended|similar|more|latest|most (?:read|popular|viewed)) "
    r"(?:articles?|stories|posts?|news|reads?|reading|content):?|related|most (?:read|popular|viewed)|"
    r"trending(?: now)?|you (?:may|might) (?:also )?(?:like|enjoy|be interested in)|recommended for you|"
    r"read (?:more|next|also):?|"
    r"more (?:from|in|on|like) .{1,60}|what to read next|up next"
)
NO_PROSE = _set("a aside button footer form header label nav option script select style title")
HEADINGS = ("h2", "h3", "h4", "h5", "h6")
LONGEST_HEADING = 250
LONGEST_NAME = 100
FEWEST = 40
"""Words that must be left of a page. If there are fewer, the comments are what the page is about."""


def leave_out_clutter(root: Any) -> None:
    """Remove comments, consent notices and lists of other articles from a page, but never its article."""
    body = root.find("body")
    if body is None:
        return
    named = [element for element in body.iter() if isinstance(element.tag, str) and _is_clutter(element)]
    kept = _around_the_article(body, set(named))
    found = [element for element in named if element not in kept]
    for heading in body.iter(*HEADINGS):
        if heading not in kept and _is_title_of_clutter(heading):
            found += _section(heading, kept)
    every = set(found)
    outermost = [one for one in dict.fromkeys(found) if not any(above in every for above in one.iterancestors())]
    if outermost and _prose(body, set(outermost)) < FEWEST:
        outermost = []
    for element in outermost:
        element.drop_tree()
    for element in named if not outermost else kept.intersection(named):
        # The extractor has rules of its own about such names, without these exceptions.
        for name in ("class", "id"):
            element.attrib.pop(name, None)


def _around_the_article(body: Any, clutter: set[Any]) -> set[Any]:
    """Return the elements that contain the page's headline, its main part or its article."""
    kept = {body}
    articles: list[set[Any]] = []
    for element in body.iter("h1", "main", "article", "div", "section"):
        if element.tag in ("h1", "main") or "articlebody" in element.get("itemprop", "").lower():
            kept.update((element, *element.iterancestors()))
        elif element.tag == "article":  # comments and other articles are often elements of this kind, too
            around = {element, *element.iterancestors()}
            if not around & clutter:
                articles.append(around)
    return kept | set.intersection(*articles) if articles else kept


def _is_clutter(element: Any) -> bool:
    if element.tag in INLINE or element.tag in ("pre", "body"):  # comments in code are no readers' comments
        return False
    get = element.get
    if element.tag == "comment" or get("itemprop") == "comment" or get("role") == "comment":
        return True
    if (kind := get("itemtype")) and kind.lower().endswith(COMMENT_TYPES):
        return True
    if (label := get("aria-label")) and len(label) <= LONGEST_HEADING and COMMENT_TITLE.fullmatch(label.strip()):
        return True
    names = f"{get('class', '')} {get('id', '')} {get('data-testid', '')} {get('data-component', '')}".split()
    if "-" in element.tag:  # an element of the site's own
        names.append(element.tag)
    return any(_names_clutter(name[:LONGEST_NAME]) for name in names)


@lru_cache(maxsize=10_000)
def _names_clutter(name: str) -> bool:
    """Return whether a class or id is a usual name of comments, consent notices or lists of other articles."""
    words = [word.lower() for word in WORD.findall(name)]
    if not words:
        return False
    if name in CONSENT_BOXES:
        return True
    core = words
    while len(core) > 1 and core[0] in WHERE:
        core = core[1:]
    if core[0] in COMMENTS and all(word in PARTS or word in COMMENTS or word.isdigit() for word in core[1:]):
        return True
    found = set(words)
    if found & CONSENT and (found & NOTICES - CONSENT or len(found & CONSENT) > 1):
        return True
    if len(words) == 1:
        return words[0] in CONSENT_ALONE or words[0] in RELATED_ALONE
    return any(word in found and found & others for word, others in RELATED.items())


def _is_title_of_clutter(heading: Any) -> bool:
    title = " ".join("".join(heading.itertext()).split()).strip(" .!?:…»›→|-–—")
    if not title or len(title) > LONGEST_HEADING:
        return False
    return COMMENT_TITLE.fullmatch(title) is not None or RELATED_TITLE.fullmatch(title) is not None


def _section(heading: Any, kept: set[Any]) -> list[Any]:
    """Return a heading and what follows it, up to the next heading of its rank; nothing if the article follows."""
    section = [heading]
    for element in heading.itersiblings():
        if element.tag == heading.tag:
            break
        if element in kept:
            return []
        section.append(element)
    return section


def _prose(body: Any, without: set[Any]) -> int:
    """Return the words of a page that may be an article: those outside links, menus and some other elements."""
    count = 0
    waiting = [body]
    while waiting:
        element = waiting.pop()
        count += len((element.text or "").split())
        for child in element:
            count += len((child.tail or "").split())
            if isinstance(child.tag, str) and child.tag not in NO_PROSE and child not in without:
                waiting.append(child)
    return count
