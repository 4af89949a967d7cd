"""Figures as SVG that belongs to the page: its colours, its font, its dark mode, its readers."""

import re
from io import StringIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from onegig.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A figure is drawn in these stand-in colours, which the page's custom properties then replace.
ROLES = ("ink", "soft", "line", "paper", "os", "engine", "rest", "shared", "free", "go", "over")
COLORS = {role: f"#fe00{number:02x}" for number, role in enumerate(ROLES)}
SERIES = tuple(f"#fd00{number:02x}" for number in range(1, 8))
_PROPERTIES = {color: f"var(--{role})" for role, color in COLORS.items()} | {
    color: f"var(--c{number})" for number, color in enumerate(SERIES, start=1)
}
SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_FAMILY = re.compile(r"\s*font-family: [^;]+;?")
_LONG = re.compile(r"-?\d+\.\d{2,}")


def to_svg(figure: "Figure", key: str, title: str, description: str, kind: str) -> str:
    """The figure as an inline <svg>; `key` keeps its ids apart, `kind` is its CSS class."""
    from matplotlib import rc_context  # slow to import: paid only where a report has figures

    out = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(out.getvalue())  # noqa: S314  # matplotlib's own output
    _strip(root)
    _rename_ids(root, key)
    _restyle(root)
    _describe(root, key, title, description, kind)
    return ET.tostring(root, encoding="unicode")


def _strip(root: ET.Element) -> None:
    """Drop metadata and matplotlib's page-wide style sheet."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)


def _rename_ids(root: ET.Element, key: str) -> None:
    """Ids are shared by the whole page: keep only those that are referred to, prefixed."""
    used = set(re.findall(r"(?:url\(|href=\")#([^\")]+)", ET.tostring(root).decode()))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", f"{key}-{name}")
        for attribute, value in element.attrib.items():
            if value.startswith("url(#"):
                element.set(attribute, value.replace("url(#", f"url(#{key}-"))
            elif attribute.endswith("href") and value.startswith("#"):
                element.set(attribute, f"#{key}-{value[1:]}")


def _restyle(root: ET.Element) -> None:
    for element in root.iter():
        style = element.get("style")
        if style:
            style = _FAMILY.sub("", style)
            for color, own in _PROPERTIES.items():
                style = style.replace(color, own)
            element.set("style", style)
        for name in ("d", "transform", "x", "y"):
            if name in element.attrib:
                element.set(name, _LONG.sub(_tenth, element.attrib[name]))


def _tenth(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _describe(root: ET.Element, key: str, title: str, description: str, kind: str) -> None:
    root.set("class", f"plot {kind}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-title {key}-desc")
    for place, (name, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{{{SVG}}}{name}", {"id": f"{key}-{name}"})
        element.text = plain(text, 4000)
        root.insert(place, element)
