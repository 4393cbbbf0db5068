"""The picture of a network up to the layer whose input has a wrong shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from exhaustive import one_of_each_family

import archspec
from archspec.backends.diagram import render
from archspec.backends.diagram.drawing import Box, drawing
from archspec.backends.theme import END, FAILED
from archspec.cli.commands import app
from archspec.diagnostics.diagnostic import ElaborationError, SpecError
from archspec.frontend.families.vit import ViT
from archspec.frontend.loader import shipped
from archspec.ir.graph import Graph

WRONG_SUM = """
name: wrong_sum
input: [3, 32, 32]
blocks:
  Pair:
    params: {width: }
    layers:
    - left: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
    - right: {op: conv2d, out_channels: =width, kernel_size: 3, from: input}
    - sum: {op: add, from: [left, right]}
    - after: {op: relu}
layers:
- stem: {op: conv2d, out_channels: 8, kernel_size: 3}
- body:
    seq:
    - {op: relu}
    - {block: Pair, width: 16}
- fc: {op: linear, out_features: 10}
"""

SHARED = """
name: shared
input: [3, 32, 32]
layers:
- conv: {op: conv2d, out_channels: 8, kernel_size: 3}
- {op: sigmoid}
- {call: conv}
"""


def partial(text: str) -> Graph:
    with pytest.raises(ElaborationError) as caught:
        archspec.compile(text)
    assert isinstance(caught.value.partial, Graph)
    return caught.value.partial


def failed(graph: Graph, depth: int | None = None) -> Box:
    drawn = drawing(graph, depth)
    (found,) = (box for box in drawn.boxes if box.role == FAILED)
    assert [box.title for box in drawn.boxes if box.role == END] == ["input"]
    assert not [edge for edge in drawn.edges if edge.tail == found.id]
    return found


@pytest.mark.parametrize("depth", [None, 1, 2, 9])
def test_what_contains_the_layer_is_opened(depth: int | None) -> None:
    graph = partial(WRONG_SUM)
    box = failed(graph, depth)
    assert (box.title, box.details) == ("sum · add", ("cannot add 16×30×30 and 16×28×28",))
    labels = {edge.label for edge in drawing(graph, depth).edges if edge.head == box.id}
    assert labels == {"16×30×30", "16×28×28"}


def test_nothing_behind_the_layer_is_drawn() -> None:
    titles = [box.title for box in drawing(partial(WRONG_SUM)).boxes]
    assert not [title for title in titles if "linear" in title]
    assert any("conv 3×3, 8" in title for title in titles)


def test_the_first_layer_may_fail() -> None:
    graph = partial("name: n\ninput: [3, 4, 4]\nlayers:\n- conv: {op: conv2d, out_channels: 8, kernel_size: 7}\n")
    assert failed(graph).title == "conv · conv 7×7, 8"


def test_a_module_that_runs_again_may_fail() -> None:
    box = failed(partial(SHARED))
    assert box.title == "conv · conv 3×3, 8"
    assert "was built for 3×32×32" in " ".join(box.details)


def test_the_first_of_several_errors_is_drawn() -> None:
    text = WRONG_SUM.replace("- fc:", "- other: {op: add, from: [stem, input]}\n- fc:")
    with pytest.raises(ElaborationError) as caught:
        archspec.compile(text)
    assert len(caught.value.diagnostics) == 2
    assert failed(caught.value.partial).title == "sum · add"


def test_errors_of_other_kinds_have_no_picture() -> None:
    with pytest.raises(ElaborationError) as caught:
        archspec.compile(WRONG_SUM.replace("[left, right]", "[left, rihgt]"))
    assert caught.value.partial is None


def error_of(name: str, shape: list[int]) -> SpecError | None:
    try:
        archspec.compile(name, input=shape)
    except SpecError as error:
        return error
    return None


@pytest.mark.parametrize("name", one_of_each_family(shipped()))
def test_every_shipped_spec_on_too_small_an_input(name: str) -> None:
    """A failing layer is drawn wherever it is; some networks run on a single pixel, or a single patch.

    A size that is not a multiple of the patch is refused before there is a network to draw.
    """
    model = archspec.load(name).model
    least = model.patch_size if isinstance(model, ViT) else 1
    frames = model.input[1:-2]
    sizes = (14, 6, 4, 2, 1)
    refused = (error_of(name, [3, *frames, size, size]) for size in sizes if size % least)
    assert all(f"is not a multiple of the patch size {least}" in str(error) for error in refused)
    tried = (error_of(name, [3, *frames, size, size]) for size in sizes if size % least == 0)
    error = next(filter(None, tried), None)
    if error is None:
        assert archspec.compile(name, input=[3, *frames, least, least]).layers
    else:
        assert isinstance(error, ElaborationError)
        assert b"fails here" in render(error.partial)


def test_the_command_writes_the_picture_and_fails(tmp_path: Path) -> None:
    spec, output = tmp_path / "net.yaml", tmp_path / "net.svg"
    spec.write_text(WRONG_SUM, encoding="utf-8")
    result = CliRunner().invoke(app, ["render", str(spec), "-o", str(output)])
    assert result.exit_code == 1
    assert f"wrote {output}: the network up to the layer that fails" in result.stderr
    assert "net.yaml:10:7: body.1.sum: cannot add" in result.stderr
    assert "cannot add 16×30×30 and 16×28×28" in output.read_text(encoding="utf-8")


def test_the_message_stays_text() -> None:
    """Names in it come from the spec."""
    graph = partial(WRONG_SUM.replace("stem", "a-b").replace("name: wrong_sum", "name: wrong_sum\ndescription: '<b>&'"))
    assert b"<b>" not in render(graph)
