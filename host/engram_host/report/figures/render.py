"""A picture as PNG for documents, and as SVG that follows the theme of the page it is in."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

from .style import COLOURS, Picture, colour, style_context

DPI = 200


def save_png(picture: Picture, path: Path) -> Path:
    """Writes the picture in light colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style_context():
        picture.figure.savefig(
            path, dpi=DPI, facecolor=colour("surface"), metadata={"Software": None}
        )
    return path


def save_svg(picture: Picture, path: Path) -> Path:
    """Writes the picture in light colours, to stand alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style_context():
        picture.figure.savefig(
            path, facecolor=colour("surface"), metadata={"Date": None, "Creator": None}
        )
    return path


def inline_svg(picture: Picture, name: str) -> str:
    """The picture as an <svg> element to stand in a page.

    name: prefix of its ids, so that several pictures can share a page.
    """
    buffer = io.StringIO()
    with style_context():
        picture.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'<svg[^>]*?viewBox="([^"]+)"[^>]*>', _open_tag(picture.alt), svg, count=1)
    for role, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--{role})")
    svg = re.sub(r"font: (?:(\w+) )?([\d.]+)px [^;\"]*", _font, svg)
    for gid, text in picture.tips.items():
        mark = f'<g id="{gid}">'
        svg = svg.replace(mark, f"{mark}<title>{html.escape(text)}</title>")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", svg)
    return svg.replace("xlink:href", "href").strip()


def _open_tag(alt: str) -> str:
    label = html.escape(alt, quote=True).replace("\\", "")
    return rf'<svg viewBox="\1" role="img" aria-label="{label}">'


def _font(match: re.Match[str]) -> str:
    weight, size = match.groups()
    return f"font-size: {size}px; font-weight: {weight or 'normal'}"
