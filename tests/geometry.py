"""Finds errors in the layout of an SVG image from the finished file, independently of the code that made it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from typing import NamedTuple
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"

Point = tuple[float, float]


class Place(NamedTuple):
    """A rectangle that an element occupies, from corner to corner."""

    name: str
    left: float
    top: float
    right: float
    bottom: float

    def shrunk(self, by: float) -> Place:
        return Place(self.name, self.left + by, self.top + by, self.right - by, self.bottom - by)

    def meets(self, other: Place) -> bool:
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)  # fmt: skip

    def contains(self, other: Place) -> bool:
        return (self.left <= other.left and other.right <= self.right
                and self.top <= other.top and other.bottom <= self.bottom)  # fmt: skip


class Image(NamedTuple):
    """The elements of an image."""

    page: Place
    boxes: list[Place]
    frames: list[Place]
    texts: list[tuple[str, Place, Place | None]]
    """The kind of group each stands in, and the rectangle of that group."""
    wires: list[list[Point]]


def read(svg: bytes) -> Image:
    root = ElementTree.fromstring(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    found = Image(Place("page", 0, 0, width, height), [], [], [], [])
    for group in root.iter(f"{SVG}g"):
        kind, place = group.attrib["class"], None
        for element in group:
            if element.tag == f"{SVG}rect" and kind in ("node", "frame"):
                place = _rectangle(element)
                (found.boxes if kind == "node" else found.frames).append(place)
            elif element.tag == f"{SVG}text":
                found.texts.append((kind, _text(element), place))
            elif element.tag == f"{SVG}path":
                numbers = re.findall(r"(-?[\d.]+),(-?[\d.]+)", element.attrib["d"])
                found.wires.append([(float(x), float(y)) for x, y in numbers])
    return found


def _rectangle(element: ElementTree.Element) -> Place:
    x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
    return Place("box", x, y, x + width, y + height)


def _text(element: ElementTree.Element) -> Place:
    """The area of a line of text: from the top of its capitals to its baseline."""
    x, y, width, size = (float(element.attrib[name]) for name in ("x", "y", "textLength", "font-size"))
    left = x - width / 2 if element.get("text-anchor") == "middle" else x
    return Place(str(element.text), left, y - 0.72 * size, left + width, y)


def faults(svg: bytes) -> list[str]:
    """All violations of the rules of a clean layout."""
    image = read(svg)
    return [*_overlaps(image), *_texts(image), *_crossings(image)]


def _overlaps(image: Image) -> Iterator[str]:
    for one, other in combinations(image.boxes, 2):
        if one.shrunk(0.5).meets(other):
            yield f"boxes overlap: {one}, {other}"
    for frame in image.frames:
        for box in image.boxes:
            if frame.meets(box) and not frame.contains(box):
                yield f"a box is half in a frame: {box}, {frame}"
    for one, other in combinations(image.frames, 2):
        if one.meets(other) and not (one.contains(other) or other.contains(one)):
            yield f"frames overlap: {one}, {other}"
    for place in (*image.boxes, *image.frames, *(text for _, text, _ in image.texts)):
        if not image.page.contains(place):
            yield f"outside of the page: {place}"


def _texts(image: Image) -> Iterator[str]:
    for kind, text, place in image.texts:
        if place is not None and not place.contains(text):
            yield f"text outside of its {kind}: {text}"
        if kind != "node" and any(text.meets(box) for box in image.boxes):
            yield f"text on a box: {text}"
        if kind == "label" and any(_cuts(frame, text) for frame in image.frames):
            yield f"a label on the edge of a frame: {text}"
    for (_, one, _), (_, other, _) in combinations(image.texts, 2):
        if one.meets(other):
            yield f"text on text: {one}, {other}"


def _cuts(frame: Place, text: Place) -> bool:
    return frame.meets(text) and not frame.contains(text)


def _crossings(image: Image) -> Iterator[str]:
    obstacles = [("a box", box.shrunk(0.6)) for box in image.boxes]
    obstacles += [(f"the {kind} '{text.name}'", text) for kind, text, _ in image.texts]
    for wire in image.wires:
        for segment in pairwise(wire):
            swept = _swept(segment)
            yield from (f"an edge crosses {what}: {segment}, {place}"
                        for what, place in obstacles if place.meets(swept))  # fmt: skip


def _swept(segment: Iterable[Point]) -> Place:
    """The area of a straight part of a wire; wires run along the axes."""
    xs, ys = zip(*segment, strict=True)
    assert len(set(xs)) == 1 or len(set(ys)) == 1, f"an edge is not straight: {xs}, {ys}"
    return Place("edge", min(xs) - 0.5, min(ys) - 0.5, max(xs) + 0.5, max(ys) + 0.5)
