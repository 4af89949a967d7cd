"""The HTML report in a real browser: a phone and a desk, light and dark, nothing from outside."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import reviews
from onegig.report import html
from scenarios import REPORTS, make_hostile

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MAKERS = {
    **REPORTS,
    "hostile": make_hostile,
    "compared": reviews.make_waived,
    "compared-hostile": reviews.make_hostile,
}
SIZES = {"phone": 360, "desk": 1200}
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


@pytest.fixture(scope="module", params=MAKERS)
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.render(MAKERS[request.param]()), encoding="utf-8")
    return path


@pytest.fixture(params=("light", "dark"))
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desk", "light")])
def test_page_fits_and_asks_for_nothing(
    browser: "playwright.Browser", document: Path, size: str, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": SIZES[size], "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(document.as_uri())
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]
    assert said == []
    assert asked == [document.as_uri()]
    context.close()


@pytest.mark.parametrize("size", SIZES)
def test_text_of_plots_is_readable_and_inside(
    browser: "playwright.Browser", document: Path, size: str
) -> None:
    context = browser.new_context(viewport={"width": SIZES[size], "height": 800})
    page = context.new_page()
    page.goto(document.as_uri())
    texts = page.eval_on_selector_all(
        ".plot text",
        """all => all.filter(one => one.checkVisibility()).map(one => {
          const [box, plot] = [one.getBoundingClientRect(), one.ownerSVGElement];
          const whole = plot.getBoundingClientRect();
          const scale = whole.width / plot.viewBox.baseVal.width;
          return {text: one.textContent, pixels: scale * parseFloat(getComputedStyle(one).fontSize),
                  inside: box.left >= whole.left - 1 && box.right <= whole.right + 1};
        })""",
    )
    assert texts
    assert [text for text in texts if not text["inside"]] == []
    assert min(text["pixels"] for text in texts) >= 11
    context.close()


def test_colors_have_enough_contrast(
    browser: "playwright.Browser", scheme: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(REPORTS["go"]()), encoding="utf-8")
    page = browser.new_page(color_scheme=scheme)
    page.goto(path.as_uri())
    texts = {pair: page.evaluate(CONTRAST, list(pair)) for pair in TEXTS}
    marks = {mark: page.evaluate(CONTRAST, [mark, "paper"]) for mark in MARKS}
    assert {pair: ratio for pair, ratio in texts.items() if ratio < TEXT_CONTRAST} == {}
    assert {mark: ratio for mark, ratio in marks.items() if ratio < PLOT_CONTRAST} == {}
    page.close()


def test_dark_page_is_dark(browser: "playwright.Browser", tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(REPORTS["go"]()), encoding="utf-8")
    shades = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(path.as_uri())
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[scheme] = sum(map(int, re.findall(r"\d+", color)))
        page.close()
    assert shades["dark"] < 150 < 600 < shades["light"]
