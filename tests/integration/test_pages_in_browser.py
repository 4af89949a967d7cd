"""The HTML report and the comment in a real browser: they fit, read well, and load nothing."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import github_markdown
import reviews
from onegig.report import comment, html
from scenarios import REPORTS, make_hostile

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
GOLDENS = Path(__file__).parents[1] / "golden" / "comment"
STYLE = Path(__file__).parents[1] / "npm/node_modules/github-markdown-css/github-markdown.css"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("gpu", "quic", "background-networking", "component-update", "sync")
MAKERS = {
    **REPORTS,
    "hostile": make_hostile,
    "compared": reviews.make_waived,
    "compared-hostile": reviews.make_hostile,
}
PHONE, COMMENT, DESK = 360, 780, 1200
TEXT_CONTRAST, PLOT_CONTRAST = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11 (level AA)
STATES = ("go", "warn", "no-go", "incomplete")
TEXTS = [
    ("ink", "paper"),
    ("soft", "paper"),
    ("ink", "wash"),
    ("over", "paper"),
    *((text, f"{state}-wash") for state in STATES for text in ("ink", "soft", state)),
    *((state, "paper") for state in STATES),
]
MARKS = ("engine", "os", "rest", "shared", "over", *(f"c{number}" for number in range(1, 8)))
PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>comment</title>
<link rel="icon" href="data:,"><style>{style}
body {{ margin: 0 }} .markdown-body {{ padding: 16px; font-size: 14px; min-height: 100vh }}</style>
<article class="markdown-body">{body}</article></html>"""
CONTRAST = """([front, back]) => {
  const probe = document.body.appendChild(document.createElement("i"));
  const light = name => {
    probe.style.color = `var(--${name})`;
    const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number).map(v => {
      const s = v / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [light(front), light(back)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
LOW_CONTRAST = """least => {
  const rgb = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(s => s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = node => {
    const layers = [];
    for (let el = node; el; el = el.parentElement) {
      const [r, g, b, a = 1] = rgb(getComputedStyle(el).backgroundColor);
      layers.unshift([r, g, b, a]);
    }
    return layers.reduce((under, [r, g, b, a]) =>
      [r, g, b].map((v, at) => v * a + under[at] * (1 - a)), [255, 255, 255]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) low.push([texts.currentNode.data, ratio]);
  }
  return low;
}"""
TOO_WIDE = """width => [...document.querySelectorAll(".markdown-body > *, details > *")]
  .filter(node => node.checkVisibility() && node.getBoundingClientRect().right > width)
  .map(node => node.outerHTML.slice(0, 200))"""
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed (Debian: apt install chromium)")
    flags = ["--no-first-run", *(f"--disable-{name}" for name in FLAGS)]
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(executable_path=path, args=flags, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: "playwright.Browser", tmp_path: Path) -> Iterator[Open]:
    """Show a document; fail when it asks for anything else or has something to complain of."""
    events: list[str] = []
    path = tmp_path / "page.html"
    pages = []

    def show(text: str, width: int = DESK, height: int = 800, scheme: str = "light") -> Any:
        path.write_text(text, encoding="utf-8")
        viewport = {"width": width, "height": height}
        page = browser.new_page(viewport=viewport, color_scheme=scheme)
        pages.append(page)
        page.on("console", lambda message: events.append(message.text))
        page.on("pageerror", lambda error: events.append(str(error)))
        page.on("request", lambda request: events.append(request.url))
        page.goto(path.as_uri())
        return page

    yield show
    for page in pages:
        page.close()
    assert events == [path.as_uri()] * len(pages)


def open_details(page: Any) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(node => node.open = true)")


@pytest.fixture(scope="module", params=MAKERS)
def report(request: pytest.FixtureRequest) -> str:
    return html.render(MAKERS[request.param]())


@pytest.fixture(scope="module")
def to_comment() -> Callable[[str], str]:
    """Make a page of a comment with GitHub's own style, light and dark by the reader's wish."""
    if not STYLE.exists():
        pytest.skip(f"{STYLE} is not there: npm ci in tests/npm")
    style = STYLE.read_text(encoding="utf-8")
    return lambda text: PAGE.format(style=style, body=github_markdown.to_html(text))


@pytest.fixture(scope="module", params=[*reviews.REVIEWS, "endless-names"])
def review(request: pytest.FixtureRequest, to_comment: Callable[[str], str]) -> str:
    if request.param != "endless-names":
        return to_comment((GOLDENS / f"{request.param}.md").read_text(encoding="utf-8"))
    names = [f"{at}{'w' * 2000}" for at in range(8)]
    return to_comment(comment.render(reviews.make_hostile(names)))


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_report_fits_and_the_text_of_its_plots_is_readable(
    open_page: Open, report: str, width: int, scheme: str
) -> None:
    page = open_page(report, width, scheme=scheme)
    texts = page.eval_on_selector_all(
        ".plot text",
        """all => all.filter(node => node.checkVisibility()).map(node => {
          const [box, plot] = [node.getBoundingClientRect(), node.ownerSVGElement];
          const whole = plot.getBoundingClientRect();
          const scale = whole.width / plot.viewBox.baseVal.width;
          const pixels = scale * parseFloat(getComputedStyle(node).fontSize);
          return {text: node.textContent, pixels,
                  inside: box.left >= whole.left - 1 && box.right <= whole.right + 1};
        })""",
    )
    assert texts
    assert [text for text in texts if not text["inside"]] == []
    assert min(text["pixels"] for text in texts) >= 11
    open_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_of_the_report_have_enough_contrast(open_page: Open, scheme: str) -> None:
    page = open_page(html.render(REPORTS["go"]()), scheme=scheme)
    texts = {pair: page.evaluate(CONTRAST, list(pair)) for pair in TEXTS}
    marks = {mark: page.evaluate(CONTRAST, [mark, "paper"]) for mark in MARKS}
    assert {pair: ratio for pair, ratio in texts.items() if ratio < TEXT_CONTRAST} == {}
    assert {mark: ratio for mark, ratio in marks.items() if ratio < PLOT_CONTRAST} == {}


@pytest.mark.parametrize(
    ("width", "scheme"), [(PHONE, "dark"), (COMMENT, "light"), (DESK, "light"), (DESK, "dark")]
)
def test_comment_fits_and_reads_well(open_page: Open, review: str, width: int, scheme: str) -> None:
    page = open_page(review, width, scheme=scheme)
    open_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE, width) == []
    assert page.evaluate(LOW_CONTRAST, TEXT_CONTRAST) == []


@pytest.mark.parametrize("name", ["go", "warn", "first-run", "new-and-removed", "main-behind"])
def test_verdict_and_table_are_on_the_first_screen(
    open_page: Open, to_comment: Callable[[str], str], name: str
) -> None:
    text = (GOLDENS / f"{name}.md").read_text(encoding="utf-8")
    page = open_page(to_comment(text), COMMENT, 600)
    assert page.locator("table").first.bounding_box()["y"] < 120
    assert page.locator("article").bounding_box()["height"] < 1600


@pytest.mark.parametrize(("kind", "selector"), [("report", "body"), ("comment", ".markdown-body")])
def test_pages_are_dark_for_who_likes_it_dark(
    open_page: Open, to_comment: Callable[[str], str], kind: str, selector: str
) -> None:
    text = html.render(REPORTS["go"]()) if kind == "report" else to_comment("x")
    color = f"getComputedStyle(document.querySelector({selector!r})).backgroundColor"
    shades = {
        scheme: sum(map(int, re.findall(r"\d+", open_page(text, scheme=scheme).evaluate(color))))
        for scheme in ("light", "dark")
    }
    assert shades["dark"] < 150 < 600 < shades["light"]
