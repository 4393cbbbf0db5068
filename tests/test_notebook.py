"""What notebooks show: tables and images that agree with the graph, and nothing that could run."""

from __future__ import annotations

import pickle
import re
from base64 import b64decode
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import archspec
from archspec.backends.summary.html import MAX_ROWS, to_html
from archspec.backends.summary.rows import rows, totals

HOSTILE = """
name: net
description: "</table><script>alert(1)</script><img src=x onerror=alert(2)>"
class_name: Net
input: [3, 8, 8]
layers:
- relu: {op: relu}
"""

BAD = "name: bad\ninput: [3, 8, 8]\nlayers:\n- {op: relu}\n- {op: conv2d, out_channels: 3, kernel_size: 30}\n"


def shown(value: Any) -> dict[str, str]:
    bundle: dict[str, str] = value._repr_mimebundle_()
    return bundle


def image_in(page: str) -> bytes:
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    return b64decode(data)


def cells(page: str) -> list[list[str]]:
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [[unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line)]
            for line in re.findall("<tr>(.*?)</tr>", body)]  # fmt: skip


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "lenet"])
def test_a_graph_shows_its_image_and_its_table(name: str) -> None:
    net = archspec.compile(name)
    bundle = shown(net)
    assert bundle["text/plain"] == repr(net)
    assert image_in(bundle["text/html"]) == archspec.render(net)
    found = cells(bundle["text/html"])
    assert [row[0].lstrip("│├└─\N{NO-BREAK SPACE} ") for row in found] == [row.name for row in rows(net)]
    assert found[0][3] == f"{net.params:,}"
    assert found[0][4] == f"{net.macs:,}"
    ElementTree.fromstring(closed(bundle["text/html"]))


def closed(page: str) -> str:
    """HTML as XML: images have no end tag in HTML."""
    return re.sub(r"(<img [^>]*)>", r"\1/>", page)


def test_a_spec_shows_its_graph() -> None:
    spec = archspec.load("lenet", num_classes=5)
    assert shown(spec) == {"text/plain": repr(spec), "text/html": shown(archspec.compile(spec))["text/html"]}


def test_a_spec_that_does_not_compile_shows_its_errors_and_the_network_up_to_there() -> None:
    page = shown(archspec.load(BAD))["text/html"]
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(BAD)
    assert unescape(page.partition("<pre>")[2].partition("</pre>")[0]) == str(caught.value)
    assert image_in(page) == archspec.render(caught.value.partial)  # type: ignore[attr-defined]


def test_nothing_in_a_spec_is_markup() -> None:
    page = shown(archspec.compile(HOSTILE))["text/html"]
    assert {element.tag for element in ElementTree.fromstring(closed(page)).iter()} == {
        "div", "img", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"}  # fmt: skip
    assert "alert(1)" in page
    svg = ElementTree.fromstring(image_in(page))
    assert not [element for element in svg.iter() if element.tag.endswith("script")]


def test_a_long_table_is_cut() -> None:
    net = archspec.compile("efficientnet_b7")
    everything = rows(net, 99)
    page = to_html(net, everything, totals(net))
    assert len(everything) > MAX_ROWS
    assert len(cells(page)) == MAX_ROWS + 1
    assert f"… and {len(everything) - MAX_ROWS:,} more rows" in page


def test_results_show_themselves() -> None:
    diff = archspec.diff("lenet", num_classes=5)
    assert shown(diff) == {"text/plain": str(diff), "text/markdown": diff.to_markdown()}
    report = archspec.verify("lenet", skip=["training", "gradients"])
    assert shown(report) == {"text/plain": str(report)}


def test_images_show_themselves() -> None:
    forms = {"svg": "_repr_svg_", "png": "_repr_png_", "pdf": "_repr_pdf_", "dot": ""}
    for format in forms:
        image = archspec.render("lenet", format=format)
        assert isinstance(image, bytes)
        assert repr(image) == str(image) == f"Image({format}, {len(image):,} bytes)"
        for other, method in forms.items():
            expected = None if other != format else image.decode() if format == "svg" else bytes(image)
            assert not method or getattr(image, method)() == expected
        again = pickle.loads(pickle.dumps(image))
        assert (again, again.format) == (image, format)


def test_render_writes_a_file(tmp_path: Path) -> None:
    for suffix in ("svg", "png", "dot"):
        path = tmp_path / f"net.{suffix}"
        image = archspec.render("lenet", path=path)
        assert image.format == suffix
        assert path.read_bytes() == image
    assert archspec.render("lenet", "svg", path=tmp_path / "net.svg") == archspec.render("lenet")


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [("net.jpg", None, "is not an image file"), ("net.svg", "png", r"does not end in \.png")],
)
def test_render_refuses_a_file_of_another_format(name: str, format: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(archspec.SpecError, match=message):
        archspec.render("lenet", format, path=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# -- a notebook ---------------------------------------------------------------------------------------------------

CELLS = {
    "import archspec\narchspec.load('lenet')": {"text/html", "text/plain"},
    "archspec.compile('resnet18')": {"text/html", "text/plain"},
    "archspec.render('lenet')": {"image/svg+xml", "text/plain"},
    "archspec.render('lenet', 'png', depth=1)": {"image/png", "text/plain"},
    "archspec.diff('lenet', num_classes=5)": {"text/markdown", "text/plain"},
    "archspec.compile('lenet').explore()": {"text/html", "text/plain"},
}
"""The cells of a notebook, and the forms in which each is shown."""


@pytest.mark.exhaustive
def test_a_notebook_runs(tmp_path: Path) -> None:
    """In Jupyter's own kernel, as a reader of it would run all cells."""
    import nbformat
    from nbclient import NotebookClient

    new: Any = nbformat.v4  # its functions have no types
    notebook = new.new_notebook(cells=[new.new_code_cell(source) for source in CELLS])
    ran = NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [cell.outputs[-1].data for cell in ran.cells]
    assert [{*output} for output in outputs] == [*CELLS.values()]
    assert outputs[0]["text/html"] == shown(archspec.load("lenet"))["text/html"]
    assert outputs[2]["image/svg+xml"] == archspec.render("lenet").decode()
    assert outputs[4]["text/markdown"] == archspec.diff("lenet", num_classes=5).to_markdown()
    assert outputs[5]["text/html"] == archspec.explore("lenet")._repr_html_()
