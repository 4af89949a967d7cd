"""Make the README's pictures in a real browser: docs/pictures/comment.png and report.png.

Usage: .venv/bin/python scripts/setup/pictures.py COMMENT.md REPORT.html

COMMENT.md is a comment of `onegig comment`, REPORT.html a page of `onegig check`. Needs Chromium
and GitHub's style sheet, which scripts/test installs, and a font with emoji (on Debian
fonts-noto-color-emoji). Each picture shows the top of its document, as much as a screen holds.
"""

import shutil
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
STYLE = ROOT / "tests/npm/node_modules/github-markdown-css/github-markdown-light.css"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COMMENT_SIZE, REPORT_SIZE = (860, 720), (1000, 1240)  # CSS pixels: width, height
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>{style}
body {{ margin: 0 }} .markdown-body {{ padding: 16px 24px; font-size: 14px }}</style>
<article class="markdown-body">{body}</article>"""


def main() -> None:
    """Draw both pictures."""
    if len(sys.argv) != 3:
        sys.exit("usage: pictures.py COMMENT.md REPORT.html")
    comment, report = map(Path, sys.argv[1:])
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit(f"none of {', '.join(BROWSERS)} is installed; run scripts/test, or install one")
    body = MarkdownIt("gfm-like2", {"linkify": False}).render(comment.read_text(encoding="utf-8"))
    page = PAGE.format(style=STYLE.read_text(encoding="utf-8"), body=body)
    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=path, chromium_sandbox=False)
        _draw(browser, page, COMMENT_SIZE, PICTURES / "comment.png")
        _draw(browser, report.read_text(encoding="utf-8"), REPORT_SIZE, PICTURES / "report.png")
        browser.close()


def _draw(browser: Browser, html: str, size: tuple[int, int], target: Path) -> None:
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=2, color_scheme="light"
    )
    page.set_content(html, wait_until="load")
    page.screenshot(path=target)
    page.close()


if __name__ == "__main__":
    main()
