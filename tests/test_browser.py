"""Pages in headless Chromium: every control, on networks of all sizes; and that nothing in a spec runs in them.

Needs Chromium, which `.ci/run` installs: `apt-get install chromium`. Run with `pytest -m browser`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import archspec
from archspec.backends.html.page import Page

pytestmark = pytest.mark.browser

HOSTILE = """
name: net
description: "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'> \\u202e"
reference: "javascript:window.ran = 1"
class_name: Net
input: [3, 8, 8]
blocks:
  constructor:
    description: "<svg onload='window.ran = 1'>"
    layers:
    - valueOf: {op: relu}
layers:
- toString: {block: constructor}  # </script><script>window.ran = 1</script>
- hasOwnProperty: {op: conv2d, out_channels: 3, kernel_size: 1}
"""

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "pages are tested in Chromium: apt-get install chromium"
    with sync_playwright() as running:
        started = running.chromium.launch(executable_path=program, args=QUIET)
        yield started
        started.close()


class Shown:
    """A page in a browser. What it logs, which errors it has, and what it asks of a network is kept in `said`."""

    def __init__(self, browser: Any, page: Page, folder: Path, address: str = "", **options: Any) -> None:
        self.file = folder / "net.html"
        self.file.write_text(page, encoding="utf-8")
        self.context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True, **options)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(120_000)  # on a busy machine, too
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on(
            "request",
            lambda request: (
                self.said.append(request.url) if "://" in request.url and not request.url.startswith("file:") else None
            ),
        )
        self.page.goto(f"file://{self.file}{address}")

    def paths(self, host: str = "#view") -> list[str]:
        """The paths of all boxes."""
        found: list[str] = self.page.eval_on_selector_all(f"{host} [data-path]", "all => all.map(e => e.dataset.path)")
        return found

    def item(self, path: str, host: str = "#view") -> Any:
        return self.page.locator(f'{host} [data-path="{path}"]')

    def click(self, path: str, part: str = "> text", host: str = "#view", **options: Any) -> None:
        """Press a part of a box, where it is in sight."""
        self.item(path, host).locator(part).first.dispatch_event("click", options or None)

    def text(self, what: str) -> str:
        return str(self.page.inner_text(what))

    def details(self) -> dict[str, str]:
        """The facts and fields of what is selected."""
        found: dict[str, str] = self.page.evaluate("""() => Object.fromEntries(
            [...document.querySelectorAll("#details dt")].map(e => [e.textContent, e.nextSibling.textContent]))""")
        return found

    @property
    def selected(self) -> list[str]:
        found: list[str] = self.page.eval_on_selector_all("#view .item.selected", "all => all.map(e => e.dataset.path)")
        return found

    @property
    def address(self) -> str:
        return "#" + str(self.page.url).partition("#")[2]

    def saved(self, control: str) -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            self.page.click(control)
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()


Open = Callable[..., Shown]


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open the page of a spec. A test fails if a page has logged anything."""
    opened: list[Shown] = []

    def show(source: Any, address: str = "", **options: Any) -> Shown:
        page = source if isinstance(source, Page) else archspec.explore(source)
        opened.append(Shown(browser, page, tmp_path, address, **options))
        return opened[-1]

    yield show
    said = [line for shown in opened for line in shown.said]
    for shown in opened:
        shown.context.close()
    assert said == []


# -- blocks -------------------------------------------------------------------------------------------------------


def test_blocks_open_and_close_one_by_one(show: Open) -> None:
    shown = show("resnet18")
    assert "layer1.0" in shown.paths()  # as at first
    assert "layer2.0.conv1" not in shown.paths()
    for part, opens in ((".toggle", True), (".toggle", False)):
        shown.click("layer2.0", part)
        assert ("layer2.0.conv1" in shown.paths()) is opens
        assert shown.item("layer2.0").get_attribute("aria-expanded") == str(opens).lower()
    shown.item("layer2.0").locator("> text").first.dispatch_event("dblclick")
    assert "layer2.0.conv1" in shown.paths()


def test_levels(show: Open) -> None:
    shown = show("resnet18", "#level=0")
    counts = [len(shown.paths())]
    while shown.page.is_enabled("#deeper"):
        shown.page.click("#deeper")
        counts.append(len(shown.paths()))
    assert counts == sorted(set(counts))
    assert len(counts) == 4  # layer1, layer1.0, layer1.0.downsample
    assert "level=3" in shown.address
    shown.page.click("#higher")
    assert len(shown.paths()) == counts[2]
    shown.page.click("#close-all")
    assert len(shown.paths()) == counts[0]
    assert not shown.page.is_enabled("#higher")
    shown.page.click("#open-all")
    assert len(shown.paths()) == counts[-1]


def test_moves_are_animated_unless_the_reader_wants_none(show: Open) -> None:
    for motion, moves in (("no-preference", True), ("reduce", False)):
        shown = show("resnet18", reduced_motion=motion)
        running = shown.page.evaluate("""() => {
            const sign = document.querySelector('#view [data-path="layer1.0"] .toggle');
            sign.dispatchEvent(new MouseEvent("click", { bubbles: true }));
            return document.getAnimations().filter(a => a.effect.target.closest("#view")).length; }""")
        assert (running > 10) is moves


def test_equal_blocks_are_one_until_they_are_taken_apart(show: Open) -> None:
    shown = show("resnet50")
    assert "layer3.1" in shown.paths()
    assert "layer3.2" not in shown.paths()
    assert shown.item("layer3.1").locator(".badge .times").text_content() == "×5"
    shown.click("layer3.1")
    rows = shown.page.locator("#details [data-use]")
    assert [row.get_attribute("data-use") for row in rows.all()] == [f"layer3.{n}" for n in range(1, 6)]
    rows.nth(3).click()
    assert shown.selected == ["layer3.1"]  # which stands for the fourth
    assert "layer3.4" in shown.address
    fields = {layer.name: layer.receptive_field for layer in archspec.compile("resnet50").layers}
    shown.click("layer3.1", ".toggle")
    shown.click("layer3.1.conv2")
    assert "at=layer3.4.conv2" in shown.address  # in the same block as before
    assert shown.details()["receptive field"] == str((fields["layer3.4.conv2"] or (0,))[0])
    shown.page.click("#use-next")
    assert "at=layer3.5.conv2" in shown.address
    shown.page.click("#use-before")
    assert "at=layer3.4.conv2" in shown.address
    shown.page.click("#split")
    assert {f"layer3.{n}" for n in range(6)} <= set(shown.paths())
    assert shown.selected == ["layer3.4.conv2"]
    shown.page.click("#split")
    assert "layer3.2" not in shown.paths()
    shown.click("layer2.1", ".badge .times")
    assert "layer2.2" in shown.paths()


def test_values_that_differ_stand_behind_the_equal_blocks(show: Open) -> None:
    shown = show("convnext_tiny", "#at=features.5.3")
    assert "stochastic" in shown.text("#details") or re.search(r"\n?p\b", shown.text("#details .values"))
    found = [row.inner_text().split("\t")[-1] for row in shown.page.locator("#details [data-use]").all()]
    assert len(set(found)) == len(found) > 3  # each block has its own rate


# -- what is selected ---------------------------------------------------------------------------------------------


def test_what_is_selected_is_shown_in_full(show: Open) -> None:
    shown = show("resnet18")
    shown.click("conv1")
    details = shown.details()
    net = archspec.compile("resnet18")
    layer = net.layers[0]
    assert details["input"] == "3×224×224"
    assert details["output"] == "64×112×112"
    assert (details["parameters"], details["MACs"]) == (f"{layer.params:,}", f"{layer.macs:,}")
    assert (details["receptive field"], details["stride"]) == ("7", "2")
    assert (details["kernel_size"], details["bias"], details["spec"]) == ("7", "false", "line 6")
    assert "kaiming_normal(mode=fan_out" in shown.text("#details .keys")
    shown.page.click("#details .copy")
    assert shown.page.evaluate("navigator.clipboard.readText()") == "conv1.weight"
    shown.click("layer4")
    shown.page.click("#details .copy")
    copied = shown.page.evaluate("navigator.clipboard.readText()").split("\n")
    assert copied == [key for key in net.state_dict_shapes() if key.startswith("layer4.")]
    shown.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('none')); }")
    shown.page.click("#details .copy")  # as in a notebook's frame


def test_hovering_shows_the_same(show: Open) -> None:
    shown = show("lenet")
    shown.item("conv1").locator("> .title").hover()
    tip = shown.page.locator(".tip")
    assert tip.is_visible()
    for words in ("conv1", "out_channels", "6", "parameters", "1,216", "receptive field", "spec", "line"):
        assert words in tip.inner_text(), words
    shown.page.mouse.move(5, 5)
    assert tip.is_hidden()


def test_the_selection_is_the_same_everywhere(show: Open) -> None:
    shown = show("resnet18")
    marked = {name: f"#{name} .selected" for name in ("layers", "text0", "text1", "text2")}
    shown.click("layer1.0", ".toggle")
    shown.click("layer1.0.conv1")
    assert shown.text(marked["layers"]).startswith("layer1.0.conv1\tconv2d\t64×56×56\t64×56×56\t36,864")
    assert "stages" in shown.text(marked["text0"])
    assert shown.text(marked["text1"]).strip().startswith("- conv1: {op: conv2d")
    lines = shown.page.locator(marked["text2"]).all_inner_texts()
    assert [line.strip()[:24] for line in lines] == [
        "self.conv1 = nn.Conv2d(i",
        "x = self.relu(self.bn1(s",
    ] or "self.conv1(" in lines[1]
    shown.page.locator('#layers [data-row="layer4.1.bn2"]').click()  # in a block that is not open
    assert shown.selected == ["layer4.1.bn2"]
    assert "bn2" in shown.text(marked["text1"])
    shown.page.locator("#text2 .line", has_text="self.fc = ").click()
    assert shown.selected == ["fc"]
    shown.page.locator("#text1 .line", has_text="- maxpool:").click()
    assert shown.selected == ["maxpool"]
    shown.page.locator("#details .trail button").first.click()
    assert shown.selected == []
    assert shown.details()["parameters"] == f"{archspec.compile('resnet18').params:,}"


def test_the_table_is_sorted(show: Open) -> None:
    shown = show("resnet18")
    layers = archspec.compile("resnet18").layers
    rows = shown.page.locator("#layers tbody tr")
    assert [row.get_attribute("data-row") for row in rows.all()] == [layer.name for layer in layers]
    heads = shown.page.locator("#layers th")
    by = {head.inner_text().strip(): number for number, head in enumerate(heads.all())}
    heads.nth(by["parameters"]).locator("button").click()
    assert heads.nth(by["parameters"]).get_attribute("aria-sort") == "descending"
    most = sorted(layers, key=lambda layer: -layer.params)
    assert [row.get_attribute("data-row") for row in rows.all()] == [layer.name for layer in most]
    heads.nth(by["parameters"]).locator("button").click()
    assert heads.nth(by["parameters"]).get_attribute("aria-sort") == "ascending"
    assert rows.first.get_attribute("data-row") == "relu"
    heads.nth(by["type"]).locator("button").click()
    assert rows.first.get_attribute("data-row") == "avgpool"
    rows.first.click()
    shown.page.keyboard.press("ArrowDown")
    assert shown.selected == [str(rows.nth(1).get_attribute("data-row"))]


def test_search(show: Open) -> None:
    shown = show("resnet18")
    for words, count in (("kernel_size=7", 1), ("downsample", 9), ("CONV2D layer1", 4), ("nothing such", 0)):
        shown.page.fill("#search", words)
        assert shown.text("#found") == f"{count} found", words
    shown.page.fill("#search", "downsample.0")
    assert shown.page.locator("#layers tbody tr").count() == 3
    assert shown.page.locator("#view .match").count() > 0
    shown.page.keyboard.press("Enter")
    assert "at=layer2.0.downsample.0" in shown.address
    shown.page.keyboard.press("Enter")
    assert "at=layer3.0.downsample.0" in shown.address
    shown.page.keyboard.press("Escape")
    assert shown.text("#found") == ""
    assert shown.page.locator("#layers tbody tr").count() == len(archspec.compile("resnet18").layers)


def test_colours(show: Open) -> None:
    shown = show("resnet18", "#level=9")
    assert shown.page.locator("#view .role-convolution").count() > 10
    for by in ("params", "macs", "activations"):
        shown.page.select_option("#colour", by)
        layers = archspec.compile("resnet18").layers
        most = max(layers, key=lambda layer: getattr(layer, by)).name
        classes = {c for c in str(shown.item(most).get_attribute("class")).split() if c.startswith("heat")}
        assert classes == {"heat-9"}, by
        assert shown.page.locator("#view .legend .swatch").count() == 10
        assert f"colour={by}" in shown.address
    shown.page.select_option("#colour", "kind")
    assert shown.page.locator("#view [class*=heat-]").count() == 0


# -- the view -----------------------------------------------------------------------------------------------------


def camera(shown: Shown) -> list[float]:
    found = re.findall(r"-?[\d.]+", str(shown.page.get_attribute("#view .picture > g", "transform")))
    return [float(number) for number in found]


def test_the_view_is_moved_and_scaled(show: Open) -> None:
    shown = show("resnet18", "#level=3")
    for control, larger in (("#larger", True), ("#smaller", False)):
        before = camera(shown)[2]
        shown.page.click(control)
        assert (camera(shown)[2] > before) is larger
    shown.page.click("#fit")
    assert camera(shown)[2] < 0.6
    x, y, scale = camera(shown)
    shown.page.mouse.move(200, 200)
    shown.page.mouse.down()
    shown.page.mouse.move(230, 180)
    shown.page.mouse.up()
    assert camera(shown) == pytest.approx([x + 30, y - 20, scale], abs=0.1)
    shown.page.mouse.wheel(0, 50)
    shown.page.wait_for_function(
        f"document.querySelector('#view .picture > g').getAttribute('transform').includes('{y - 70:.0f}')"
    )
    shown.page.keyboard.down("Control")
    shown.page.mouse.wheel(0, -200)
    shown.page.keyboard.up("Control")
    shown.page.wait_for_function(
        "least => document.querySelector('.picture > g').getAttribute('transform').match(/scale.(.*).$/)[1] > least",
        arg=scale * 1.5,
    )


def test_the_overview_shows_where_one_is(show: Open) -> None:
    shown = show("googlenet", "#level=2")
    shown.page.click("#larger")
    y = camera(shown)[1]
    box = shown.page.locator(".minimap svg").bounding_box()
    shown.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8)
    assert camera(shown)[1] < y - 500
    sight = shown.page.locator(".minimap .sight").bounding_box()
    assert abs(sight["y"] + sight["height"] / 2 - (box["y"] + box["height"] * 0.8)) < 3


def test_keys(show: Open) -> None:
    shown = show("resnet18", "#level=0")
    press = shown.page.keyboard.press
    shown.click("conv1")
    for key, path in (("ArrowDown", "bn1"), ("End", "fc"), ("Home", "conv1"), ("ArrowUp", "conv1")):
        press(key)
        assert shown.selected == [path], key
        assert shown.page.evaluate("document.activeElement.dataset.path") == path
    shown.click("layer2")
    press("ArrowRight")
    assert "layer2.0" in shown.paths()
    press("ArrowRight")
    assert shown.selected == ["layer2.0"]
    press("ArrowLeft")
    assert shown.selected == ["layer2"]
    press("ArrowLeft")
    assert "layer2.0" not in shown.paths()
    press("Enter")
    assert "layer2.0" in shown.paths()
    press(" ")
    assert "layer2.0" not in shown.paths()
    _, y, scale = camera(shown)
    press("+")
    assert camera(shown)[2] > scale
    press("0")
    press("Shift+ArrowDown")
    assert camera(shown)[1] != y
    press("/")
    assert shown.page.evaluate("document.activeElement.id") == "search"
    press("Escape")
    shown.click("conv1")
    press("?")
    assert shown.page.locator("dialog").is_visible()
    shown.page.click("#close-help")
    assert shown.page.locator("dialog").is_hidden()
    shown.page.click("#help")
    assert "Shift + arrows" in shown.text("dialog")


def test_keys_of_equal_blocks(show: Open) -> None:
    shown = show("resnet50", "#at=layer3.1")
    shown.click("layer3.1")
    shown.page.keyboard.press("]")
    assert "at=layer3.2" in shown.address
    shown.page.keyboard.press("[")
    shown.page.keyboard.press("[")
    assert "at=layer3.5" in shown.address
    shown.page.keyboard.press("x")
    assert "layer3.4" in shown.paths()


def test_all_controls_are_named_and_reached_by_the_tab_key(show: Open) -> None:
    shown = show("lenet")
    unnamed = shown.page.evaluate("""() => [
        ...document.querySelectorAll("button, select, input, section, aside, [role=separator], [role=treeitem]")
    ].filter(e => !(e.getAttribute("aria-label") || e.textContent.trim() || e.closest("label"))).map(e => e.id)""")
    assert unnamed == []
    reached = set()
    shown.page.evaluate("document.body.focus()")
    for _ in range(60):
        shown.page.keyboard.press("Tab")
        reached.add(
            shown.page.evaluate(
                "document.activeElement.id || document.activeElement.dataset.path || document.activeElement.tagName"
            )
        )
    assert {
        "close-all",
        "fit",
        "colour",
        "search",
        "show-layers",
        "save-svg",
        "theme",
        "help",
        "conv1",
        "side-bar",
        "details",
        "dock-bar",
    } <= reached


def test_a_screen_reader_is_told_of_the_tree(show: Open) -> None:
    shown = show("resnet18")
    tree = shown.page.locator("[role=tree]")
    assert tree.get_attribute("aria-label") == "The network resnet18"
    item = shown.item("layer1.0")
    assert (
        item.get_attribute("aria-label") == "layer1.0, BasicBlock, 2 equal blocks, output 64×56×56, 73,984 parameters"
    )
    assert [
        item.get_attribute(f"aria-{name}") for name in ("level", "posinset", "setsize", "expanded", "selected")
    ] == ["2", "1", "1", "false", "false"]
    shown.click("layer1.0", ".toggle")
    assert shown.text("#said") == "layer1.0 opened, 7 parts"
    assert shown.page.locator('[role=treeitem][tabindex="0"]').count() == 1


def test_panels_and_bars(show: Open) -> None:
    shown = show("lenet")
    for panel in ("layers", "text0", "text1"):
        assert shown.page.locator(f"#{panel}").is_visible()
        shown.page.click(f"#show-{panel}")
        assert shown.page.locator(f"#{panel}").is_hidden()
        assert shown.page.get_attribute(f"#show-{panel}", "aria-pressed") == "false"
    assert shown.page.locator("#dock").is_hidden()
    shown.page.click("#show-text0")
    assert "panels=text0" in shown.address
    for bar, key, part, side in (
        ("#side-bar", "ArrowLeft", "#details", "width"),
        ("#dock-bar", "ArrowUp", "#dock", "height"),
    ):
        before = shown.page.locator(part).bounding_box()[side]
        shown.page.focus(bar)
        shown.page.keyboard.press(key)
        assert shown.page.locator(part).bounding_box()[side] == before + 24
        box = shown.page.locator(bar).bounding_box()
        shown.page.mouse.move(box["x"] + 1, box["y"] + 1)
        shown.page.mouse.down()
        shown.page.mouse.move(box["x"] + 1 + 40 * (side == "width"), box["y"] + 1 + 40 * (side == "height"))
        shown.page.mouse.up()
        assert shown.page.locator(part).bounding_box()[side] == pytest.approx(before - 16, abs=1)


# -- state, themes, files -----------------------------------------------------------------------------------------


def test_the_state_is_in_the_address(show: Open) -> None:
    shown = show("resnet50")
    shown.click("layer1.0", ".toggle")
    shown.click("layer1.1", ".badge .times")
    shown.click("layer1.0.conv2")
    shown.page.select_option("#colour", "macs")
    shown.page.select_option("#theme", "dark")
    shown.page.fill("#search", "kernel_size=3")
    shown.page.click("#show-text1")
    again = show("resnet50", shown.address)
    assert again.paths() == shown.paths()
    assert again.selected == ["layer1.0.conv2"]
    assert [again.page.input_value(control) for control in ("#colour", "#theme", "#search")] == [
        "macs",
        "dark",
        "kernel_size=3",
    ]
    assert again.text("#found") == shown.text("#found")
    assert again.page.locator("#text1").is_hidden()
    assert again.address == shown.address
    again.page.evaluate("location.hash = '#level=0&at=fc'")
    again.page.wait_for_function("document.querySelector('.item.selected')?.dataset.path === 'fc'")
    assert "layer1.0" not in again.paths()


def test_an_address_of_another_network_is_no_error(show: Open) -> None:
    shown = show("lenet", "#open=layer1~nothing&at=layer1.0&colour=none&panels=none~such&split=a/1&level=x")
    assert "conv1" in shown.paths()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes(scheme: str, show: Open) -> None:
    shown = show("lenet", color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    colours = {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}
    assert shown.page.evaluate(ground) == colours[scheme]
    for theme in ("dark", "light"):
        shown.page.select_option("#theme", theme)
        assert shown.page.evaluate(ground) == colours[theme]
    shown.page.select_option("#theme", "auto")
    assert shown.page.evaluate(ground) == colours[scheme]


def test_the_picture_is_saved(show: Open) -> None:
    from io import BytesIO

    from PIL import Image

    shown = show("resnet18", "#level=2&at=conv1")
    name, svg = shown.saved("#save-svg")
    assert name == "resnet18.svg"
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "conv 7×7/2, 64" in texts
    assert texts.count("64×112×112") == 1
    fills = {element.get("fill") for element in root.iter("{http://www.w3.org/2000/svg}path")}
    assert "rgb(214, 230, 255)" in fills  # of convolutions, with no style sheet
    assert not any("class" in element.attrib or "data-path" in element.attrib for element in root.iter())
    name, png = shown.saved("#save-png")
    assert name == "resnet18.png"
    image = Image.open(BytesIO(png))
    assert (
        image.size == (2 * round(float(str(root.get("width")))), 2 * round(float(str(root.get("height")))))
        or image.width > 500
    )
    assert len(image.convert("RGB").getcolors(1 << 24) or []) > 20


# -- networks of all sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["googlenet", "swin_t", "efficientnet_b7", "densenet201"])
def test_large_networks(name: str, show: Open) -> None:
    shown = show(name)
    net = archspec.compile(name)
    assert shown.details()["parameters"] == f"{net.params:,}"
    shown.page.click("#open-all")
    drawn = set(shown.paths())
    assert len(drawn) > 50
    assert overlaps(shown) == []
    last = net.layers[-1].name
    shown.page.locator(f'#layers [data-row="{last}"]').dispatch_event("click")
    assert shown.selected == [last]


def test_values_that_leave_together_come_from_the_boxes_that_compute_them(show: Open) -> None:
    shown = show("lraspp_mobilenet_v3_large", "#open=backbone")
    drawn = shown.page.eval_on_selector_all("#view text", "all => all.map(e => e.textContent)")
    assert "collect" not in drawn
    assert {"InvertedResidual", "InvertedResidualSE", "interpolate"} <= {*drawn}  # one without squeeze-and-excitation
    shown.page.fill("#search", "collect")
    assert shown.text("#found") == "0 found"


def overlaps(shown: Shown) -> list[Any]:
    """The boxes that cover one another."""
    found: list[Any] = shown.page.evaluate("""() => {
        const boxes = [...document.querySelectorAll("#view .unit, #view .end")].map(e => {
            const place = e.getAttribute("transform").match(/-?[0-9.e]+/g).map(Number), size = e.getBBox();
            const wide = e.querySelector("path, rect").getBBox().width;
            return [e.querySelector("[data-path]")?.dataset.path, ...place, wide, size.height];
        });
        boxes.sort((a, b) => a[2] - b[2]);
        const found = [];
        boxes.forEach(([name, x, y, w, h], at) => {
            for (const [other, left, top, wide] of boxes.slice(at + 1)) {
                if (top >= y + h - 8) break;
                if (left < x + w - 1 && x < left + wide - 1) found.push([name, other]);
            }
        });
        return found; }""")
    return found


def chain(count: int) -> str:
    lines = [
        f"- c{n}: {{op: conv2d, out_channels: 8, kernel_size: 3, padding: 1}}\n- r{n}: {{op: relu}}\n"
        for n in range(count // 2)
    ]
    return f"name: chain\ninput: [8, 16, 16]\nlayers:\n{''.join(lines)}"


def test_three_thousand_layers_do_not_freeze_it(show: Open) -> None:
    """They open, and answer: a bound on the work rather than on the time, which depends on the machine."""
    shown = show(chain(3000))
    assert len(shown.paths()) == 3000
    shown.page.locator('#layers [data-row="c1499"]').dispatch_event("click")
    assert shown.selected == ["c1499"]
    session = shown.context.new_cdp_session(shown.page)
    session.send("Performance.enable")
    spent = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    assert spent["Nodes"] < 150_000
    assert spent["LayoutCount"] < 60


# -- differences --------------------------------------------------------------------------------------------------


def test_a_difference_shows_both_networks(show: Open) -> None:
    shown = show(archspec.diff("resnet50", "resnet101").to_html())
    assert shown.page.locator("#view-b .added").count() == 17
    assert shown.page.locator("#view-a .added").count() == 0
    assert "layer3.4" not in shown.paths("#view-a")  # behind an equal one
    shown.page.locator("#changes tbody tr").first.click()
    assert shown.page.locator("#view-b .selected").get_attribute("data-path") == "layer3.6"
    assert shown.page.locator("#view-a .selected").count() == 0
    assert "added" in shown.text("#details")
    shown.click("layer4", host="#view-a")
    assert shown.page.locator("#view-b .selected").get_attribute("data-path") == "layer4"
    shown.click("layer4", ".toggle", host="#view-b")
    assert "layer4.0" in shown.paths("#view-a")
    differing = shown.page.locator("#details .differs th").all_inner_texts()
    assert differing == ["receptive field"]
    assert "+18,992,128 (+74.3 %)" in shown.text("#totals")
    assert "--allow-mismatch layer3" in shown.text("#weights")
    assert shown.page.locator("#view-b .removed, #view-a .removed").count() == 0


def test_controls_of_a_difference(show: Open) -> None:
    page = archspec.diff("resnet18", block="bottleneck", num_classes=5).to_html()
    shown = show(page)
    shown.page.click("#close-all")
    closed = [len(shown.paths(f"#view-{side}")) for side in "ab"]
    shown.page.click("#deeper")
    shown.page.click("#deeper")
    assert all(len(shown.paths(f"#view-{side}")) > count for side, count in zip("ab", closed, strict=True))
    shown.page.click("#higher")
    shown.page.click("#open-all")
    assert "layer1.0.downsample.0" in shown.paths("#view-b")
    for control, first in (("#next", 0), ("#next", 1), ("#before", 0)):
        shown.page.click(control)
        assert "selected" in str(shown.page.locator("#changes tbody tr").nth(first).get_attribute("class"))
    selected = shown.page.locator("#view-b .selected").get_attribute("data-path")
    again = show(page, shown.address)
    assert again.page.locator("#view-b .selected").get_attribute("data-path") == selected
    assert again.paths("#view-b") == shown.paths("#view-b")
    assert again.paths("#view-a") == shown.paths("#view-a")
    for control in ("#larger", "#smaller", "#fit", "#help"):
        shown.page.click(control)
    shown.page.click("#close-help")
    shown.page.select_option("#theme", "dark")
    assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    with shown.page.expect_download() as download:
        shown.page.click("#save-svg")
    assert Path(download.value.path()).read_bytes().startswith(b"<svg")


# -- hostile specs ------------------------------------------------------------------------------------------------


def test_nothing_of_a_spec_runs(show: Open) -> None:
    shown = show(HOSTILE, "#level=9")
    assert shown.paths() == ["toString", "toString.valueOf", "hasOwnProperty"]
    for path in shown.paths():
        shown.click(path)
        assert shown.selected == [path]
    shown.page.locator("#details .trail button").first.click()
    assert "</script><script>window.ran" in shown.text("#details")
    assert "\\u{202e}" in shown.text("#details")
    assert "\u202e" not in shown.page.content()
    shown.page.fill("#search", "<img src=x onerror='window.ran = 1'>")
    shown.saved("#save-svg")
    assert shown.page.evaluate("window.ran") is None
    assert shown.page.locator("main a, main img, header a").count() == 0


def test_what_is_put_into_a_page_does_not_run(browser: Any, tmp_path: Path) -> None:
    """The policy of the page, if its text nodes were not enough."""
    shown = Shown(browser, archspec.explore("lenet"), tmp_path)
    put = """<img src=x onerror="window.ran = 1"><b style="color: red" onclick="window.ran = 1">b</b>"""
    shown.page.evaluate("put => document.body.insertAdjacentHTML('beforeend', put)", put)
    shown.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))"
    )
    shown.page.evaluate("document.querySelector('b').click()")
    assert shown.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in line for line in shown.said)
    shown.context.close()


def test_the_page_in_the_frame_of_a_notebook(browser: Any, tmp_path: Path) -> None:
    page = archspec.explore("lenet")
    (tmp_path / "notebook.html").write_text(f"<!doctype html><title>x</title>{page._repr_html_()}", encoding="utf-8")
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"file://{tmp_path / 'notebook.html'}")
    frame = tab.frame_locator("iframe")
    frame.locator('[data-path="conv1"] > text').first.dispatch_event("click")
    assert "out_channels" in frame.locator("#details").inner_text()
    frame.locator("#details .copy").click()
    assert errors == []
    context.close()
