"""A comment as GitHub shows it: GitHub-flavoured Markdown as HTML, and what that consists of."""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

from markdown_it import MarkdownIt

# What GitHub makes links of without brackets (linkify) is looked for in the text: see `pings`.
_GITHUB = MarkdownIt("gfm-like2", {"linkify": False})
_PINGS = re.compile(r"@\w|#\d|\bgh-\d|:[a-z+][\w+-]*:|\bwww\.|://", re.IGNORECASE)
_CODE = re.compile(r"<(code|pre)\b.*?</\1>|<a\b.*?</a>", re.DOTALL)
Tag = tuple[str, tuple[tuple[str, str | None], ...]]


@dataclass(kw_only=True, slots=True)
class Page:
    """Every start tag with its attributes, in order, and every visible text."""

    tags: list[Tag] = field(default_factory=list)
    text: str = ""

    @property
    def links(self) -> list[str | None]:
        """Where its links lead."""
        return [dict(attributes).get("href") for tag, attributes in self.tags if tag == "a"]


def to_html(text: str) -> str:
    """The body of a comment."""
    html: str = _GITHUB.render(text)
    return html


def read(text: str) -> Page:
    """What a comment consists of."""
    page = Page()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            page.tags.append((tag, tuple(attrs)))

        def handle_data(self, data: str) -> None:
            page.text += data

        def handle_comment(self, data: str) -> None:
            page.tags.append(("!--", ()))

        def handle_decl(self, decl: str) -> None:
            page.tags.append(("!", ()))

    reader = Reader()
    reader.feed(to_html(text))
    reader.close()
    return page


def pings(text: str) -> list[str]:
    """Mentions, references, emoji and bare addresses that GitHub would act on."""
    return _PINGS.findall(unescape(_CODE.sub("", to_html(text))))
