"""Finished images: a clean layout, the same bytes on every machine, legible on any page and by anyone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections import Counter
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from exhaustive import first, marked
from free_networks import free_network
from geometry import SVG, Image, Place, faults, read
from PIL import Image as Bitmap
from PIL import ImageFont

import archspec
from archspec.backends.diagram import DIRECTIONS, render
from archspec.backends.diagram.compose import compose
from archspec.backends.diagram.drawing import drawing
from archspec.backends.diagram.font import font, text_width
from archspec.backends.diagram.png import to_png
from archspec.backends.theme import STYLES
from archspec.diagnostics.diagnostic import TargetError
from archspec.frontend.loader import shipped
from archspec.frontend.yaml.writer import dump

DIFFERENT = ["googlenet", "resnet50", "densenet121", "shufflenet_v2_x1_0"]
"""Specs with very different images."""

EXAMPLES = Path(__file__).parent / "fixtures/examples"


def drawn(name: str, **options: Any) -> bytes:
    return render(archspec.compile(name), **options)


# -- layout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("name", DIFFERENT)
def test_no_edge_crosses_a_box_or_text(name: str, depth: int) -> None:
    assert faults(drawn(name, depth=depth)) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", shipped())
def test_no_edge_crosses_a_box_or_text_in_any_shipped_spec(name: str) -> None:
    graph = archspec.compile(name)
    for depth in (None, 1, 2, 3):
        assert faults(render(graph, depth=depth)) == [], depth


@pytest.mark.parametrize("path", [EXAMPLES / "yolov5s.yaml", *marked(sorted(EXAMPLES.glob("*.yaml")), "exhaustive")])
def test_no_edge_crosses_a_box_or_text_where_several_values_leave_a_frame(path: Path) -> None:
    graph = archspec.compile(path)
    for depth in (1, 2, 3):
        assert faults(render(graph, depth=depth)) == [], depth


@pytest.mark.parametrize("direction", DIRECTIONS[1:])
@pytest.mark.parametrize(("name", "depth"), [("googlenet", 2), ("resnet18", 3), ("mobilenet_v2", 2)])
def test_no_edge_crosses_a_box_or_text_in_any_direction(name: str, depth: int, direction: str) -> None:
    assert faults(drawn(name, depth=depth, direction=direction)) == []


@pytest.mark.parametrize("seed", first(range(150), 12, 50))
def test_no_edge_crosses_a_box_or_text_in_random_networks(seed: int) -> None:
    graph = archspec.compile(dump(free_network(seed)))
    assert faults(render(graph, depth=1)) == []
    assert faults(opened(graph)) == []


def opened(graph: archspec.Graph) -> bytes:
    """An image in which three levels are opened, or as many as the limits of images allow."""
    for depth in (3, 2):
        try:
            return render(graph, depth=depth)
        except archspec.SpecError as error:
            if "the image would have" not in str(error):
                raise
    return render(graph, depth=1)


def moved(svg: bytes, kind: str, element: str, **by: float) -> bytes:
    """An image in which the last element of a kind stands elsewhere."""
    root = ElementTree.fromstring(svg)
    found = [group for group in root.iter(f"{SVG}g") if group.attrib["class"] == kind][-1].find(f"{SVG}{element}")
    assert found is not None
    for name, distance in by.items():
        found.set(name, str(float(found.attrib[name]) + distance))
    return ElementTree.tostring(root)


@pytest.mark.parametrize(
    ("kind", "element", "by", "fault"),
    [
        ("label", "text", {"x": -20}, "an edge crosses the label"),
        ("label", "text", {"y": -30}, "text on a box"),
        ("frame", "text", {"x": 70}, "an edge crosses the frame"),
        ("node", "text", {"x": 200}, "text outside of its node"),
        ("node", "rect", {"y": -60, "height": 40}, "boxes overlap"),
        ("node", "rect", {"y": -30, "height": 40}, "an edge crosses a box"),
        ("heading", "text", {"x": -60}, "outside of the page"),
        ("frame", "rect", {"width": -90}, "a box is half in a frame"),
    ],
)
def test_faults_are_found(kind: str, element: str, by: dict[str, float], fault: str) -> None:
    svg = drawn("resnet18", depth=2)
    assert any(found.startswith(fault) for found in faults(moved(svg, kind, element, **by))), fault


def runs_of(image: Image) -> Counter[float]:
    """How many arrows end at each place across."""
    return Counter(wire[-1][0] for wire in image.wires)


def test_a_chain_is_one_straight_line() -> None:
    image = read(drawn("resnet101", depth=1))
    assert all(len(wire) == 2 for wire in image.wires)
    assert len({x for wire in image.wires for x, _ in wire}) == 1
    assert len({box.left + box.right for box in image.boxes}) == 1


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "vgg19_bn", "regnet_y_400mf"])
def test_the_trunk_of_a_column_does_not_drift(name: str) -> None:
    """Frames of all levels and boxes of the trunk stand on few lines: one for each column."""
    image = read(drawn(name, depth=3))
    columns = sum(len(wire) > 12 for wire in image.wires) + 1
    most = sum(count for _, count in runs_of(image).most_common(columns))
    assert most >= 0.7 * sum(runs_of(image).values())


@pytest.mark.parametrize("depth", [1, 2, 3, None])
@pytest.mark.parametrize(
    "name", ["mobilenet_v3_large", "googlenet", "vgg19", "efficientnet_b7", "densenet201", "resnet152"]
)
def test_tall_networks_are_wrapped_into_columns(name: str, depth: int | None) -> None:
    image = read(drawn(name, depth=depth))
    assert image.page.bottom <= max(1250, 1.9 * image.page.right)


def test_columns_are_joined_by_a_wire_beside_them() -> None:
    image = read(drawn("vgg19"))
    joints = [wire for wire in image.wires if len(wire) > 12]
    assert joints
    for wire in joints:
        assert any(start[0] == end[0] and start[1] > end[1] for start, end in pairwise(wire)), "it leads back up"


def test_a_parameter_comes_in_from_the_side() -> None:
    """The trunk stays straight, and nothing ends before the box that it leads to."""
    text = """
name: net
input: [4, 8, 8]
blocks:
  Scaled:
    layers:
    - scale: {op: parameter, shape: [4, 8, 8], init: {ones: {}}}
    - {op: mul, from: [input, scale]}
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 1}
- scaled: {block: Scaled}
- last: {op: conv2d, out_channels: 4, kernel_size: 1}
"""
    svg = archspec.render(text, depth=2)
    image = read(svg)
    assert faults(svg) == []
    trunk = Counter((box.left + box.right) / 2 for box in image.boxes)
    assert max(trunk.values()) == len(image.boxes) - 1
    ends = {point for wire in image.wires for point in (wire[0], wire[-1])}
    for x, y in ends:
        others = [point for wire in image.wires for point in (wire[0], wire[-1]) if point == (x, y)]
        near = [box for box in image.boxes if box.left <= x <= box.right and box.top - 8.5 <= y <= box.bottom + 1]
        assert near or len(others) > 1, f"an edge ends in the middle of nothing: {x}, {y}"


def test_branches_are_placed_evenly_about_the_middle() -> None:
    """An Inception block: the point where its ways part and the concatenation stand where their middle is."""
    text = "name: net\ninput: [8, 9, 9]\nlayers:\n"
    ways = ["{op: conv2d, out_channels: 8, kernel_size: 1, from: stem}"] * 4
    text += "- stem: {op: conv2d, out_channels: 8, kernel_size: 1}\n"
    text += "".join(f"- b{number}: {way}\n" for number, way in enumerate(ways))
    text += "- {op: cat, from: [b0, b1, b2, b3]}\n"
    boxes = read(archspec.render(text)).boxes
    middle = {(box.left + box.right) / 2 for box in (boxes[0], boxes[1], *boxes[6:])}
    branches = [(box.left + box.right) / 2 for box in boxes[2:6]]
    assert middle == {sum(branches) / 4}
    assert len({after - before for before, after in pairwise(branches)}) == 1


# -- equal everywhere -------------------------------------------------------------------------------------------

SHOWN = """
import sys, archspec
for shown in ("googlenet svg", "googlenet dot", "resnet18 svg", "lenet pdf", "lenet png"):
    name, format = shown.split()
    sys.stdout.buffer.write(archspec.render(name, format, depth=2))
"""


def in_a_process(**environment: str) -> bytes:
    path = os.pathsep.join(sys.path)
    environment = {"PYTHONPATH": path, "PATH": "", "HOME": "/nowhere", **environment}
    return subprocess.run([sys.executable, "-c", SHOWN], env=environment, capture_output=True, check=True).stdout


def test_images_are_the_same_whatever_fonts_are_installed(tmp_path: Path) -> None:
    (tmp_path / "none.conf").write_text(f"<fontconfig><cachedir>{tmp_path}</cachedir></fontconfig>")
    usual = in_a_process(PYTHONHASHSEED="1", TZ="Asia/Tokyo", **fonts_of_this_machine())
    assert usual == in_a_process(PYTHONHASHSEED="2", FONTCONFIG_FILE=str(tmp_path / "none.conf"))
    assert usual.startswith(render(archspec.compile("googlenet"), depth=2)), "as in this process"


def fonts_of_this_machine() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("FONTCONFIG")}


def test_text_has_the_width_of_the_font_that_archspec_carries() -> None:
    """As FreeType measures it, for all characters of the font; others have some width, too."""
    for bold in (False, True):
        chosen = font(bold)
        face = ImageFont.truetype(str(chosen.path), chosen.units, layout_engine=ImageFont.Layout.BASIC)
        for character, glyph in chosen.glyphs.items():
            assert chosen.advances[glyph] == round(face.getlength(character)), hex(ord(character))
        assert {*map(chr, range(32, 127)), *"×·–→µΩЖ"} <= chosen.glyphs.keys()
    assert text_width("層", 10) == 10
    assert text_width("a\u0301", 10) == text_width("a", 10)


def test_every_line_says_how_wide_it_is() -> None:
    """So that it fits where the reader has none of the fonts that have these widths."""
    for element in ElementTree.fromstring(drawn("googlenet")).iter(f"{SVG}text"):
        width = text_width(str(element.text), int(element.attrib["font-size"]), element.get("font-weight") == "bold")
        assert float(element.attrib["textLength"]) == width
        assert element.attrib["lengthAdjust"] == "spacingAndGlyphs"


# -- readable on any page ---------------------------------------------------------------------------------------


def colours(svg: bytes) -> set[str]:
    return set(re.findall(r"#[0-9a-f]{6}", svg.decode()))


def test_themes() -> None:
    light, dark, auto = (drawn("googlenet", theme=theme) for theme in ("light", "dark", "auto"))
    assert not colours(light) & colours(dark)
    assert colours(auto) == colours(light) | colours(dark)
    assert b"<style>" not in light + dark
    (style,) = re.findall(r"<style>(.*)</style>", auto.decode())
    assert style.startswith("@media (prefers-color-scheme:dark){.archspec ")
    without = re.sub(r"<style>.*</style>\n", "", re.sub(r' class="[fs]-[^"]*"', "", auto.decode()))
    assert without == light.decode(), "viewers that know no CSS show the light theme"


def test_the_dark_theme_is_what_an_automatic_image_is_on_a_dark_page() -> None:
    auto, dark = drawn("resnet18", theme="auto").decode(), drawn("resnet18", theme="dark").decode()
    rules = dict(re.findall(r"\.archspec \.([\w-]+)\{\w+:(#\w+)\}", auto))

    def darker(tag: re.Match[str]) -> str:
        names = re.findall(r"([fs])-([\w-]+)", re.findall(r'class="([^"]*)"', tag[0])[0])
        text = re.sub(r' class="[^"]*"', "", tag[0])
        for kind, name in names:
            attribute = {"f": "fill", "s": "stroke"}[kind]
            text = re.sub(rf'{attribute}="#\w+"', f'{attribute}="{rules[f"{kind}-{name}"]}"', text)
        return text

    shown = re.sub(r'<\w+ [^>]*class="[fs]-[^>]*>', darker, auto)
    assert re.sub(r"<style>.*</style>\n", "", shown) == dark


def luminance(colour: str) -> float:
    """As in WCAG 2.1."""
    parts = [part / 255 for part in bytes.fromhex(colour[1:])]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_its_ground(theme: str) -> None:
    """A contrast of 4.5 or more, which WCAG asks for."""
    image = ElementTree.fromstring(drawn("googlenet", depth=3, theme=theme))
    page = {"light": "#ffffff", "dark": "#0d1117"}[theme]
    for group in image.iter(f"{SVG}g"):
        rectangle = group.find(f"{SVG}rect") if group.attrib["class"] in ("node", "frame") else None
        ground = page if rectangle is None else rectangle.attrib["fill"]
        for text in group.iter(f"{SVG}text"):
            assert contrast(text.attrib["fill"], ground) >= 4.5, (text.text, ground)


def hue(colour: str) -> tuple[float, float]:
    """In degrees, and how much of it there is."""
    from colorsys import rgb_to_hls

    turn, _, saturation = rgb_to_hls(*(part / 255 for part in bytes.fromhex(colour[1:])))
    return turn * 360, saturation


def test_red_is_for_failure_only() -> None:
    for role, style in STYLES.items():
        for colour in (*style.fill[1:], *style.line[1:]):
            turn, saturation = hue(colour)
            is_red = saturation > 0.2 and (turn < 20 or turn > 340)
            assert is_red == (role == "failed"), (role, colour)


def test_the_page_is_transparent() -> None:
    image = read(drawn("lenet"))
    assert not any(box.contains(image.page.shrunk(5)) for box in (*image.boxes, *image.frames))
    for theme in ("light", "dark"):
        bitmap = Bitmap.open(BytesIO(drawn("lenet", format="png", theme=theme)))
        assert bitmap.mode == "RGBA"
        assert bitmap.getpixel((0, 0)) == (0, 0, 0, 0)


def test_unknown_themes() -> None:
    with pytest.raises(TargetError, match=r"(?s)unknown theme 'blue'.*expected one of auto, light, dark"):
        drawn("lenet", theme="blue")


# -- by anyone --------------------------------------------------------------------------------------------------


def test_an_image_says_what_it_shows() -> None:
    root = ElementTree.fromstring(drawn("resnet101"))
    assert root.attrib["role"] == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text == "resnet101"
    assert str(root[1].text).startswith(
        "44.5 M params · 7.80 G MACs · 3×224×224 → 1000. input, conv 7×7/2, 64 · bn · relu, "
    )
    assert "Bottleneck ×22, " in str(root[1].text)


def tooltips(svg: bytes, kind: str) -> list[str]:
    groups = (group for group in ElementTree.fromstring(svg).iter(f"{SVG}g") if group.attrib["class"] == kind)
    return [str(title.text) for group in groups if (title := group.find(f"{SVG}title")) is not None]


def test_tooltips_say_path_shapes_and_exact_counts() -> None:
    svg = drawn("resnet101")
    boxes, frames = ([found.split("\n") for found in tooltips(svg, kind)] for kind in ("node", "frame"))
    assert boxes[0] == ["conv 7×7/2, 64 · bn · relu", "conv1", "3×224×224 → 64×112×112", "9,536 params",
                        "118,013,952 MACs", "2,408,448 activations"]  # fmt: skip
    assert boxes[7] == [
        "Bottleneck", "layer3.1 – layer3.22", "1024×14×14 → 1024×14×14", "1,117,184 params each, 24,578,048 in all",
        "218,365,952 MACs each, 4,804,050,944 in all", "903,168 activations each, 19,869,696 in all",
    ]  # fmt: skip
    assert frames[2][:4] == ["layer3", "layer3", "512×28×28 → 1024×14×14", "26,090,496 params"]


def test_no_internal_names() -> None:
    """They contain only what a reader understands: no identifiers of boxes, no comments."""
    svg = drawn("googlenet", depth=3).decode()
    assert not re.search(r"\bid=|href=|<!--|cluster|n\d+_|xlink", svg)
    classes = {name for found in re.findall(r'class="([^"]*)"', svg) for name in found.split()}
    assert {name for name in classes if name[1] != "-"} == {"archspec", "heading", "frame", "edge", "label", "node"}


# -- PDF and PNG ------------------------------------------------------------------------------------------------


def objects(pdf: bytes) -> dict[int, bytes]:
    """The objects of a PDF, each found where its table says."""
    start = int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    assert pdf[start:].startswith(b"xref\n0 ")
    places = [int(entry) for entry in re.findall(rb"(\d{10}) 00000 n ", pdf[start:])]
    found = {}
    for number, place in enumerate(places, 1):
        head = b"%d 0 obj\n" % number
        assert pdf[place:].startswith(head)
        found[number] = pdf[place + len(head) : pdf.index(b"\nendobj", place)]
    return found


def stream(body: bytes) -> bytes:
    head, _, packed = body.partition(b"\nstream\n")
    packed = packed.removesuffix(b"\nendstream")
    assert head.endswith(b"/Length %d >>" % len(packed))
    return zlib.decompress(packed)


@pytest.mark.parametrize("theme", ["auto", "dark"])
def test_a_pdf_carries_its_font_and_its_text(theme: str) -> None:
    found = objects(drawn("googlenet", format="pdf", theme=theme))
    for number, bold in ((6, False), (11, True)):
        assert b"/Type /Font " in found[number]
        assert stream(found[number + 3]) == font(bold).content
    content = stream(found[4]).decode()
    shown = []
    for name, glyphs in re.findall(r"BT /F([01]) \d+ Tf\n.* Tm <([0-9A-F]*)> Tj ET", content):
        characters = dict(re.findall(r"<(\w{4})> <(\w+)>", stream(found[6 + 5 * int(name) + 4]).decode()))
        codes = [characters[glyphs[place : place + 4]] for place in range(0, len(glyphs), 4)]
        shown.append("".join(bytes.fromhex(code).decode("utf-16-be") for code in codes))
    texts = ElementTree.fromstring(drawn("googlenet")).iter(f"{SVG}text")
    assert shown == [text.text for text in texts]
    assert ("0.902 0.929 0.953 rg" in content) == (theme == "dark")


def test_a_png_shows_the_same_as_the_svg() -> None:
    """Twice the size; each box is filled with its colour beside its text."""
    svg = drawn("lenet", theme="light")
    bitmap: Any = Bitmap.open(BytesIO(drawn("lenet", format="png")))
    image = read(svg)
    assert bitmap.size == (2 * image.page.right, 2 * image.page.bottom)
    rectangles = [element for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
                  if group.attrib["class"] == "node" for element in group.iter(f"{SVG}rect")]  # fmt: skip
    for box, rectangle in zip(image.boxes, rectangles, strict=True):
        inside = (round(2 * box.left + 9), round(box.top + box.bottom))
        if box.right - box.left > 20:
            assert bitmap.getpixel(inside) == (*bytes.fromhex(rectangle.attrib["fill"][1:]), 255), box
    dark = [sum(bitmap.getpixel((x, y))[3] > 0 for x in range(*span(text))) for text, y in rows(image)]
    assert min(dark) > 0, "every line of text is there"


def span(text: Place) -> tuple[int, int]:
    return int(2 * text.left), int(2 * text.right)


def rows(image: Image) -> list[tuple[Place, int]]:
    return [(text, int(text.top + text.bottom)) for kind, text, _ in image.texts if kind in ("label", "heading")]


def test_very_large_images_are_refused_as_png(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = compose(drawing(archspec.compile("lenet")), "TB")
    large = type(picture)(20_000, 20_000, "", "", ())
    with pytest.raises(TargetError, match=r"(?s)400,000,000 pixels.*draw it as svg or pdf"):
        to_png(large, "light")
    monkeypatch.setattr("archspec.backends.diagram.png.LARGE", 3 * picture.width * picture.height)
    assert Bitmap.open(BytesIO(to_png(picture, "light"))).size == (picture.width, picture.height), "half the scale"
