"""The graph: its invariants, receptive fields, and counts, which are per module or per run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

import archspec
from archspec.frontend.loader import shipped
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref
from archspec.ops import OPS
from archspec.ops.buffer import Buffer
from archspec.ops.shapes import is_parts, numel

SHARED = """
name: shared
input: [4, 8, 8]
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}
- relu: {op: relu}
- call: conv
- call: relu
- head: {op: conv2d, out_channels: 2, kernel_size: 1, from: conv, train_only: true}
"""


def unsaved(module: Module) -> int:
    """The numbers in buffers that are not saved."""
    targets = [step.target for step in module.steps]
    own = [numel(op.buffers()[""]) for op in targets if isinstance(op, Buffer) and not op.persistent]
    return sum(own) + sum(unsaved(target) for target in targets if isinstance(target, Module))


def macs_of_functions(module: Module) -> int:
    """The multiply-accumulates of what is no layer: products of matrices."""
    return sum(macs_of_functions(target) if isinstance(target := module.runs(step), Module) else
               module.step_macs(step) for step in module.steps
               if isinstance(module.runs(step), Module) or module.owner(step).name is None)  # fmt: skip


def around(key: str) -> Iterator[str]:
    """The names of the modules around a tensor: those of an attention lie in a module of its own module."""
    while key:
        key = key.rpartition(".")[0]
        yield key


@pytest.mark.parametrize("name", shipped())
def test_shipped_graphs_verify(name: str) -> None:
    net = archspec.compile(name)
    net.verify()
    names = {layer.name for layer in net.layers}
    own = [shape for key, shape in net.state_dict_shapes().items() if not names.intersection(around(key))]
    buffers = net.buffers - sum(layer.buffers for layer in net.layers) - unsaved(net.root)
    assert sum(layer.params for layer in net.layers) + sum(map(numel, own)) - buffers == net.params
    assert sum(layer.macs for layer in net.layers) + macs_of_functions(net.root) == net.macs
    assert sum(layer.params for layer in net.layers if layer.train_only) == net.train_only_params
    if not is_parts(net.output_shape):  # several outputs are enlarged to the size of the input
        assert numel(net.layers[-1].output_shape) == numel(net.output_shape)  # a flatten may follow


def test_shared_graph_verifies() -> None:
    archspec.compile(SHARED).verify()


def with_step(number: int, **changes: Any) -> Callable[[Module], Module]:
    """A change of one step of a module."""

    def change(root: Module) -> Module:
        steps = list(root.steps)
        steps[number] = replace(steps[number], **changes)
        return replace(root, steps=tuple(steps))

    return change


BREAKS: dict[str, Callable[[Module], Module]] = {
    "wrong shape": with_step(0, output=(4, 7, 8)),
    "reads ahead": with_step(1, inputs=(Ref(3),)),
    "reads itself": with_step(1, inputs=(Ref(1),)),
    "no such input": with_step(0, inputs=(Ref(-2),)),
    "two of one name": with_step(1, name="conv"),
    "named call": with_step(2, name="conv2"),
    "calls itself": with_step(2, target=2),
    "calls ahead": with_step(2, target=4),
    "op that does not fit": with_step(0, target=OPS["conv2d"].model_validate({"out_channels": 4, "kernel_size": 11})),
    "no such result": lambda root: replace(root, result=Ref(5)),
    "registers twice": lambda root: replace(root, registration=(0, 0, 1, 2, 4)),
    "registers too few": lambda root: replace(root, registration=(0, 1)),
    "other input": lambda root: replace(root, inputs=((4, 8, 9),)),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_a_broken_graph_does_not_verify(change: Callable[[Module], Module]) -> None:
    net = archspec.compile(SHARED)
    with pytest.raises(AssertionError):
        replace(net, root=change(net.root)).verify()


def test_a_broken_block_does_not_verify() -> None:
    """A sub-module that is given another shape than it was made for."""
    net = archspec.compile("resnet18")
    steps = list(net.root.steps)
    number = next(i for i, step in enumerate(steps) if step.name == "layer2")
    steps[number] = replace(steps[number], inputs=(Ref(0),))
    with pytest.raises(AssertionError):
        replace(net, root=replace(net.root, steps=tuple(steps))).verify()


def test_an_output_that_is_not_there_does_not_verify() -> None:
    net = archspec.compile("googlenet")
    assert net.outputs is not None
    broken = replace(net.outputs, fields={**net.outputs.fields, "logits": Ref(999)})
    with pytest.raises(AssertionError):
        replace(net, outputs=broken).verify()


# -- sharing, training-only items -------------------------------------------------------------------------------


def test_a_shared_module_is_registered_once_and_runs_twice() -> None:
    net = archspec.compile(SHARED)
    layers = {layer.name: layer for layer in net.layers}
    weights, pixels = 4 * 4 * 3 * 3, 8 * 8
    assert [layer.name for layer in net.layers] == ["conv", "relu", "head"]
    assert (layers["conv"].calls, layers["relu"].calls, layers["head"].calls) == (2, 2, 1)
    assert layers["conv"].params == weights + 4
    assert layers["conv"].macs == net.macs == 2 * weights * pixels
    assert layers["conv"].activations == 2 * 4 * pixels
    assert net.params == weights + 4 + (4 * 2 + 2)
    assert list(net.state_dict_shapes()) == ["conv.weight", "conv.bias", "head.weight", "head.bias"]


def test_training_only_items_are_counted_apart() -> None:
    net = archspec.compile(SHARED)
    head = net.layers[-1]
    assert (head.train_only, head.params, head.macs, head.output_shape) == (True, 10, 0, (2, 8, 8))
    assert net.train_only_params == 10
    assert net.output_shape == (4, 8, 8)


def test_a_shared_module_in_training_and_evaluation_is_not_training_only() -> None:
    net = archspec.compile("""
name: net
input: [4]
layers:
- fc: {op: linear, out_features: 4, train_only: true}
- call: fc
- call: fc
""")
    (layer,) = net.layers
    assert (layer.train_only, layer.calls, layer.macs, net.macs) == (False, 3, 32, 32)


def test_equal_instances_of_a_block_are_one_module() -> None:
    layer3 = next(step.target for step in archspec.compile("resnet101").root.steps if step.name == "layer3")
    assert isinstance(layer3, Module)
    first, *rest = [step.target for step in layer3.steps]
    assert len(rest) == 22
    assert all(block is rest[0] for block in rest)
    assert first is not rest[0]


def test_buffers_are_no_parameters() -> None:
    net = archspec.compile("name: net\ninput: [6, 4, 4]\nlayers:\n- bn: {op: batch_norm2d}\n")
    assert (net.params, net.buffers) == (12, 6 + 6 + 1)


def test_flops_are_twice_the_macs() -> None:
    net = archspec.compile("lenet")
    assert (net.flops, net.layers[0].flops) == (2 * net.macs, 2 * net.layers[0].macs)


# -- receptive fields, measured ---------------------------------------------------------------------------------

Step = dict[str, Any]
ODD = st.sampled_from([1, 3, 5])
PAIR = st.tuples(ODD, ODD)


@st.composite
def chain(draw: st.DrawFn) -> list[Step]:
    """Convolutions and pools with odd kernels, padded or not."""
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 4))):
        kernel = draw(PAIR)
        steps.append({
            "op": draw(st.sampled_from(["conv2d", "max_pool2d", "avg_pool2d"])),
            "kernel_size": list(kernel),
            "stride": draw(st.integers(1, 2)),
            "padding": [draw(st.sampled_from([0, k // 2])) for k in kernel],
        })  # fmt: skip
        if steps[-1]["op"] == "conv2d":
            steps[-1].update(out_channels=1, dilation=draw(st.integers(1, 2)))
    return steps


def network(steps: list[Step], size: int) -> Graph:
    items = [f"- n{i}: {step}".replace("'", "") for i, step in enumerate(steps)]
    return archspec.compile(f"name: net\ninput: [1, {size}, {size}]\nlayers:\n" + "\n".join(items) + "\n")


def run(step: Step, x: Tensor) -> Tensor:
    """A step with positive weights; a max pool looks at the same window as a mean."""
    kernel, settings = step["kernel_size"], {"stride": step["stride"], "padding": step["padding"]}
    return F.conv2d(x, torch.ones(1, 1, *kernel, dtype=x.dtype), dilation=step.get("dilation", 1), **settings)


def reach(gradient: Tensor) -> tuple[int, int]:
    rows, columns = gradient[0, 0].nonzero().unbind(1)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


@settings(max_examples=25, deadline=None)
@given(steps=chain())
def test_receptive_field_is_what_gradients_reach(steps: list[Step]) -> None:
    size = 201  # larger than the largest receptive field, so that the middle sees no border
    x = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    value = x
    for step, layer in zip(steps, network(steps, size).layers, strict=True):
        value = run(step, value)
        middle = value[0, 0, value.shape[2] // 2, value.shape[3] // 2]
        (gradient,) = torch.autograd.grad(middle, x, retain_graph=True)
        assert layer.receptive_field == reach(gradient)
        assert layer.output_shape == tuple(value.shape[1:])


def test_receptive_field_behind_an_upsampling_counts_pixels_it_touches() -> None:
    """Two neighbouring positions of a map of twice the size may lie on two of its pixels."""
    net = archspec.compile(
        "name: up\ninput: [3, 8, 8]\nlayers:\n- up: {op: upsample, scale_factor: 2}\n"
        "- conv: {op: conv2d, out_channels: 4, kernel_size: 2}\n"
    )
    assert [layer.receptive_field for layer in net.layers] == [(1, 1), (2, 2)]


def test_receptive_field_of_branches_is_the_widest() -> None:
    net = archspec.compile("""
name: net
input: [1, 32, 32]
layers:
- small: {op: conv2d, out_channels: 1, kernel_size: 3, padding: 1}
- large: {op: conv2d, out_channels: 1, kernel_size: 7, padding: 3, from: input}
- {op: add, from: [small, large]}
- last: {op: conv2d, out_channels: 1, kernel_size: 3}
""")
    assert [layer.receptive_field for layer in net.layers] == [(3, 3), (7, 7), (9, 9)]


def test_a_number_per_channel_leaves_the_stride_of_the_map_it_is_spread_over() -> None:
    net = archspec.compile("""
name: net
input: [4, 32, 32]
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 3, stride: 2, padding: 1}
- pool: {op: adaptive_avg_pool2d, output_size: 1}
- {op: mul, from: [pool, conv]}
- last: {op: conv2d, out_channels: 1, kernel_size: 3}
""")
    pool, last = net.layers[1:]
    assert (pool.receptive_field, last.receptive_field) == ((33, 33), (33, 33))
    assert last.output_stride == (2, 2)


def test_receptive_field_of_a_head_is_the_whole_map() -> None:
    net = archspec.compile("""
name: net
input: [1, 12, 20]
layers:
- conv: {op: conv2d, out_channels: 1, kernel_size: 3, stride: 1}
- pool: {op: adaptive_avg_pool2d, output_size: 1}
- {op: flatten}
- fc: {op: linear, out_features: 2}
""")
    assert [layer.receptive_field for layer in net.layers] == [(3, 3), (12, 20), (12, 20)]


@pytest.mark.parametrize(("size", "count"), [(20, 3), (5, 7), (21, 4), (15, 2), (12, 7), (9, 9), (30, 6), (7, 1)])
def test_receptive_field_of_an_adaptive_pool_is_its_largest_window(size: int, count: int) -> None:
    """Where windows overlap they are larger than size / count; what sees all of them sees the map and no more."""
    net = archspec.compile(f"""
name: net
input: [1, {size}, {size}]
layers:
- pool: {{op: adaptive_avg_pool2d, output_size: {count}}}
- {{op: flatten}}
- fc: {{op: linear, out_features: 2}}
""")
    x = torch.ones(1, 1, size, size, requires_grad=True)
    pooled = torch.nn.functional.adaptive_avg_pool2d(x, count)[0, 0]
    seen = [reach(torch.autograd.grad(value, x, retain_graph=True)[0]) for value in pooled.flatten()]
    assert [layer.receptive_field for layer in net.layers] == [max(seen), (size, size)]


def test_receptive_fields_inside_blocks_are_in_pixels_of_the_network() -> None:
    layers = {layer.name: layer for layer in archspec.compile("resnet101").layers}
    stem = 1 + 6 + 2 * 2  # 7×7, then 3×3 at a distance of 2
    stages = 2 * (3 * 4 + 4 + 3 * 8 + 8 + 22 * 16 + 16 + 2 * 32)  # a 3×3 each; the first of a stage at the old distance
    assert layers["layer1.0.conv1"].receptive_field == (stem, stem)
    assert layers["layer4.2.conv3"].receptive_field == (stem + stages, stem + stages)
    assert layers["layer4.2.conv3"].output_stride == (32, 32)


@pytest.mark.parametrize(
    ("item", "transposed"),
    [
        ("{op: conv_transpose2d, out_channels: 1, kernel_size: 4, stride: 2, padding: 1}", (4, 2, 1)),
        ("{op: conv_transpose2d, out_channels: 1, kernel_size: 3, stride: 3}", (3, 3, 0)),
        ("{op: conv_transpose2d, out_channels: 1, kernel_size: 5, stride: 1, padding: 2}", (5, 1, 2)),
    ],
)
def test_receptive_field_of_a_transposed_convolution(item: str, transposed: tuple[int, int, int]) -> None:
    """The largest extent that any output position depends on."""
    net = archspec.compile(f"name: net\ninput: [1, 16, 16]\nlayers:\n- up: {item}\n")
    kernel, stride, padding = transposed
    x = torch.ones(1, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    out = F.conv_transpose2d(x, torch.ones(1, 1, kernel, kernel, dtype=x.dtype), stride=stride, padding=padding)
    middles = [out[0, 0, 16 + i, 16 + i] if stride > 1 else out[0, 0, 8, 8] for i in range(stride)]
    seen = [reach(torch.autograd.grad(middle, x, retain_graph=True)[0]) for middle in middles]
    assert net.layers[0].receptive_field == max(seen)


def test_a_block_of_two_inputs_sees_each_as_far_as_it_looks() -> None:
    net = archspec.compile(
        """
name: net
input: [3, 32, 32]
blocks:
  Up:
    inputs: [deep, skip]
    layers:
    - up: {op: conv_transpose2d, out_channels: 8, kernel_size: 2, stride: 2, from: deep}
    - {op: cat, from: [up, skip]}
    - conv: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1}
layers:
- skip: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1}
- deep: {op: conv2d, out_channels: 8, kernel_size: 4, stride: 4}
- wide: {op: conv_transpose2d, out_channels: 8, kernel_size: 2, stride: 2}
- joined: {block: Up, from: [wide, skip]}
"""
    )
    strides = {layer.name: layer.output_stride for layer in net.layers}
    assert strides["wide"] == (2.0, 2.0)
    assert strides["joined.up"] == (1.0, 1.0)
    assert strides["joined.conv"] == (1.0, 1.0)
