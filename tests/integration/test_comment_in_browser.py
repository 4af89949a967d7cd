"""The comment with GitHub's own style sheet in a browser: it fits, reads well, loads nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import github_markdown
from onegig.report import comment
from reviews import REVIEWS, make_hostile

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
GOLDENS = Path(__file__).parents[1] / "golden" / "comment"
STYLES = Path(__file__).parents[1] / "npm" / "node_modules" / "github-comment-css"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3 (level AA)
PHONE, COMMENT, DESK = 360, 780, 1000
PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>comment</title>
<link rel="icon" href="data:,"><style>{style}
body {{ margin: 0 }} .markdown-body {{ padding: 16px; font-size: 14px; min-height: 100vh }}</style>
<article class="markdown-body">{body}</article></html>"""
LOW_CONTRAST = """least => {
  const rgb = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(s => s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = one => {
    const layers = [];
    for (let el = one; el; el = el.parentElement) {
      const [r, g, b, a = 1] = rgb(getComputedStyle(el).backgroundColor);
      layers.unshift([r, g, b, a]);
    }
    return layers.reduce((under, [r, g, b, a]) =>
      [r, g, b].map((v, at) => v * a + under[at] * (1 - a)), [255, 255, 255]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !one.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) low.push([texts.currentNode.data, ratio]);
  }
  return low;
}"""
TOO_WIDE = """width => [...document.querySelectorAll(".markdown-body > *, details > *")]
  .filter(one => one.checkVisibility() && one.getBoundingClientRect().right > width)
  .map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed (Debian: apt install chromium)")
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(
            executable_path=path, args=list(FLAGS), chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def style() -> str:
    """GitHub's own, light and dark by the reader's preference."""
    path = STYLES / "github-comment.css"
    if not path.exists():
        pytest.skip(f"{path} is not there: npm ci in tests/npm")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[*REVIEWS, "endless-names"])
def document(
    request: pytest.FixtureRequest, style: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    if request.param == "endless-names":
        text = comment.render(make_hostile([f"{at}{'w' * 2000}" for at in range(8)]))
    else:
        text = (GOLDENS / f"{request.param}.md").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("page") / "comment.html"
    page = PAGE.format(style=style, body=github_markdown.to_html(text))
    path.write_text(page, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("width", "scheme"), [(PHONE, "dark"), (COMMENT, "light"), (DESK, "light"), (DESK, "dark")]
)
def test_comment_fits_reads_well_and_loads_nothing(
    browser: "playwright.Browser", document: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(document.as_uri())
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE, width) == []
    assert page.evaluate(LOW_CONTRAST, TEXT_CONTRAST) == []
    assert asked == [document.as_uri()]
    assert said == []
    context.close()


@pytest.mark.parametrize("name", ["go", "warn", "first-run", "new-and-removed", "main-behind"])
def test_verdict_and_table_are_on_the_first_screen(
    browser: "playwright.Browser", style: str, name: str, tmp_path: Path
) -> None:
    text = (GOLDENS / f"{name}.md").read_text(encoding="utf-8")
    path = tmp_path / "comment.html"
    path.write_text(PAGE.format(style=style, body=github_markdown.to_html(text)), encoding="utf-8")
    page = browser.new_page(viewport={"width": COMMENT, "height": 600})
    page.goto(path.as_uri())
    assert page.locator("table").first.bounding_box()["y"] < 120
    assert page.locator("article").bounding_box()["height"] < 1600
    page.close()


def test_both_schemes_are_github_s_own(
    browser: "playwright.Browser", style: str, tmp_path: Path
) -> None:
    path = tmp_path / "comment.html"
    path.write_text(PAGE.format(style=style, body="<p>x</p>"), encoding="utf-8")
    shades = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(path.as_uri())
        color = "getComputedStyle(document.querySelector('.markdown-body')).backgroundColor"
        shades[scheme] = page.evaluate(color)
        page.close()
    assert shades["light"] == "rgb(255, 255, 255)"
    assert shades["dark"] != shades["light"]
