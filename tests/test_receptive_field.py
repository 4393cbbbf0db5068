"""Receptive fields against gradients: the input positions that an output depends on, measured on small networks.

All weights are positive, so that nothing cancels. Positions all over the output are measured, and many around its
middle, of all phases; the largest extent must be what is reported, or the whole input where that is more.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import archspec

SIZE = 48

HEAD = "name: net\ninput: [2, 48, 48]\n"
CONV = "{op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}"
DOWN = "{op: conv2d, out_channels: 2, kernel_size: 4, stride: 2, padding: 1}"
LAST = "- last: {op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}"

CASES: dict[str, str] = {
    "conv": f"- c: {CONV}\n{LAST}",
    "unpadded": """
- c: {op: conv2d, out_channels: 2, kernel_size: [3, 5]}
- last: {op: conv2d, out_channels: 2, kernel_size: 2}""",
    "dilated": f"- c: {{op: conv2d, out_channels: 2, kernel_size: 3, dilation: 3}}\n{LAST}",
    "strides": f"- a: {DOWN}\n- b: {DOWN}\n{LAST}",
    "grouped": f"- c: {{op: conv2d, out_channels: 4, kernel_size: 3, groups: 2}}\n{LAST}",
    "pools": f"""
- a: {{op: max_pool2d, kernel_size: 3, stride: 2, padding: 1}}
- b: {{op: avg_pool2d, kernel_size: 2}}
{LAST}""",
    "adaptive 7": f"- a: {{op: adaptive_avg_pool2d, output_size: 7}}\n{LAST}",
    "adaptive 12": f"- c: {CONV}\n- a: {{op: adaptive_avg_pool2d, output_size: 12}}\n{LAST}",
    "adaptive larger": f"- d: {DOWN}\n- a: {{op: adaptive_avg_pool2d, output_size: 36}}\n{LAST}",
    "nearest": f"- a: {CONV}\n- u: {{op: upsample, scale_factor: 2}}\n{LAST}",
    "nearest of stride 2": f"- a: {DOWN}\n- b: {DOWN}\n- u: {{op: upsample, scale_factor: 2}}\n{LAST}",
    "nearest 3, stride 2": f"- u: {{op: upsample, scale_factor: 3}}\n- b: {DOWN}\n{LAST}",
    "bilinear 2": f"- a: {DOWN}\n- u: {{op: upsample, scale_factor: 2, mode: bilinear}}",
    "bilinear 3": f"- a: {DOWN}\n- u: {{op: upsample, scale_factor: 3, mode: bilinear}}\n{LAST}",
    "bilinear 3, the middle of three": """
- u: {op: upsample, scale_factor: 3, mode: bilinear}
- last: {op: max_pool2d, kernel_size: 2, stride: 3}""",
    "bilinear 2, conv": f"- u: {{op: upsample, scale_factor: 2, mode: bilinear}}\n- c: {CONV}\n{LAST}",
    "to a size, bilinear": f"- a: {DOWN}\n- {{op: interpolate, size: [40, 30], mode: bilinear}}\n{LAST}",
    "to a smaller size, bilinear": f"- {{op: interpolate, size: [20, 36], mode: bilinear}}\n{LAST}",
    "by a fraction": f"- a: {DOWN}\n- {{op: interpolate, scale_factor: 1.5, mode: bilinear}}\n- b: {DOWN}\n{LAST}",
    "by a fraction, nearest": f"- a: {DOWN}\n- {{op: interpolate, scale_factor: [0.75, 1.75]}}\n{LAST}",
    "by a fraction, nearest-exact": f"""
- a: {DOWN}
- {{op: interpolate, scale_factor: 1.5, mode: nearest-exact}}
{LAST}""",
    "repeated": f"""
- a: {DOWN}
- {{op: repeat_interleave, repeats: 3, dim: 2}}
- {{op: repeat_interleave, repeats: 2, dim: 3}}
{LAST}""",
    "bicubic": f"- a: {DOWN}\n- {{op: interpolate, scale_factor: 2, mode: bicubic}}\n{LAST}",
    "corners stay": f"- a: {DOWN}\n- {{op: interpolate, size: 47, mode: bilinear, align_corners: true}}\n{LAST}",
    "area": f"- {{op: interpolate, size: 36, mode: area}}\n{LAST}",
    "as large as before": f"""
- a: {DOWN}
- b: {DOWN}
- {{op: interpolate, like: a, mode: bilinear}}
- {{op: add, from: [interpolate, a]}}
{LAST}""".replace("mode: bilinear}", "mode: bilinear, as: interpolate}"),
    "transposed 2/2": f"- a: {DOWN}\n- u: {{op: conv_transpose2d, out_channels: 2, kernel_size: 2, stride: 2}}\n{LAST}",
    "transposed 4/2": f"""
- a: {DOWN}
- u: {{op: conv_transpose2d, out_channels: 2, kernel_size: 4, stride: 2, padding: 1}}
{LAST}""",
    "transposed 3/2": f"""
- u: {{op: conv_transpose2d, out_channels: 2, kernel_size: 3, stride: 2, output_padding: 1}}
{LAST}""",
    "transposed 5/3": "- u: {op: conv_transpose2d, out_channels: 2, kernel_size: 5, stride: 3, padding: 1}\n" + LAST,
    "transposed, dilated": f"""
- u: {{op: conv_transpose2d, out_channels: 2, kernel_size: 3, stride: 2, dilation: 3}}
{LAST}""",
    "transposed 1/2": "- u: {op: conv_transpose2d, out_channels: 2, kernel_size: 1, stride: 2}\n" + LAST,
    "u-net": f"""
- skip: {CONV}
- down: {DOWN}
- deep: {CONV}
- up: {{op: upsample, scale_factor: 2}}
- {{op: cat, from: [skip, up]}}
{LAST}""",
    "u-net, transposed": f"""
- skip: {CONV}
- a: {DOWN}
- b: {DOWN}
- up1: {{op: conv_transpose2d, out_channels: 2, kernel_size: 2, stride: 2}}
- {{op: add, from: [up1, a]}}
- up2: {{op: upsample, scale_factor: 2, mode: bilinear}}
- {{op: add, from: [skip, up2]}}
{LAST}""",
    "branches": f"""
- a: {{op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}}
- b: {{op: conv2d, out_channels: 2, kernel_size: 7, padding: 3, from: input}}
- {{op: add, from: [a, b]}}
{LAST}""",
    "branches beside each other": f"""
- a: {{op: conv2d, out_channels: 2, kernel_size: [3, 1], stride: 2, padding: [1, 0]}}
- b: {{op: conv2d, out_channels: 2, kernel_size: [2, 1], stride: 2, from: input}}
- c: {{op: conv2d, out_channels: 2, kernel_size: [1, 1], stride: 2, from: input}}
- {{op: cat, from: [a, b, c]}}
{LAST}""",
    "one left, one right": """
- a: {op: conv2d, out_channels: 2, kernel_size: 3, stride: 2, padding: 1}
- b: {op: max_pool2d, kernel_size: 4, stride: 2, padding: 1, from: input}
- c: {op: conv_transpose2d, out_channels: 2, kernel_size: 1, stride: 2, output_padding: 1, from: b}
- d: {op: upsample, scale_factor: 2, from: a}
- {op: add, from: [c, d]}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "squeeze and excitation": f"""
- c: {CONV}
- pool: {{op: adaptive_avg_pool2d, output_size: 1}}
- {{op: mul, from: [pool, c]}}
{LAST}""",
    "a gate that does not see the last row": """
- s: {op: interpolate, size: 24}
- m: {op: mean, dim: [2, 3], keepdim: true}
- {op: mul, from: [input, m]}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "a gate of a gated map": f"""
- m: {{op: mean, dim: [2, 3], keepdim: true}}
- s: {{op: mul, from: [input, m]}}
- c: {CONV}
- t: {{op: slice, dim: 2, start: 4, stop: 20}}
- n: {{op: mean, dim: [2], keepdim: true}}
- {{op: add, from: [t, n]}}
{LAST}""",
    "a norm that does not see the last row": """
- s: {op: interpolate, size: 24}
- u: {op: upsample, scale_factor: 2}
- n: {op: group_norm, num_groups: 1}
- {op: add, from: [input, n]}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "a row of places between rows": """
- {op: interpolate, size: [16, 36], mode: bilinear}
- s: {op: select, dim: 2, position: 5}
- last: {op: layer_norm}""",
    "bicubic places between rows, and on them": """
- {op: interpolate, scale_factor: 3, mode: bicubic}
- last: {op: max_pool2d, kernel_size: 2}""",
    "bicubic places on rows only": """
- {op: interpolate, size: 16, mode: bicubic}
- last: {op: conv2d, out_channels: 2, kernel_size: 3}""",
    "mean, kept": f"- c: {CONV}\n- m: {{op: mean, dim: [2, 3], keepdim: true}}\n- n: {{op: mul, from: [c, m]}}\n{LAST}",
    "mean over the width": f"- c: {DOWN}\n- m: {{op: mean, dim: [3]}}\n- last: {{op: layer_norm}}",
    "mean over the height, linear": f"""
- c: {DOWN}
- m: {{op: mean, dim: [2]}}
- last: {{op: linear, out_features: 3}}""",
    "mean over one, kept": f"""
- c: {DOWN}
- m: {{op: mean, dim: [3], keepdim: true}}
- last: {{op: conv2d, out_channels: 1, kernel_size: [3, 1]}}""",
    "mean over the channels": f"- c: {DOWN}\n- m: {{op: mean, dim: [1]}}\n- last: {{op: identity}}",
    "sum over the width": f"""
- c: {DOWN}
- m: {{op: sum, dim: [-1], keepdim: true}}
- n: {{op: mul, from: [c, m]}}
{LAST}""",
    "one row": f"- c: {CONV}\n- d: {DOWN}\n- s: {{op: select, dim: 2, position: 9}}\n- last: {{op: layer_norm}}",
    "some rows": f"- c: {CONV}\n- s: {{op: slice, dim: 2, start: 8, stop: -8}}\n- d: {DOWN}\n{LAST}",
    "every third column": f"- c: {CONV}\n- s: {{op: slice, dim: -1, step: 3}}\n- d: {DOWN}\n{LAST}",
    "every third column, mean": f"""
- c: {CONV}
- s: {{op: slice, dim: -1, start: 1, step: 3}}
- m: {{op: mean, dim: [3]}}
- last: {{op: layer_norm}}""",
    "parts of unequal heights": f"""
- c: {DOWN}
- s: {{op: split, sizes: [8, 16], dim: 2}}
- d: {{op: conv2d, out_channels: 2, kernel_size: 3, padding: 1, from: s.1}}
- last: {{op: conv2d, out_channels: 2, kernel_size: 3, padding: 1}}""",
    "padded on one side": f"- p: {{op: pad, pad: [0, 2, 3, 1]}}\n- c: {CONV}\n- d: {DOWN}\n{LAST}",
    "stacked": f"""
- c: {CONV}
- d: {CONV}
- s: {{op: stack, from: [c, d], dim: 2}}
- m: {{op: sum, dim: [2]}}
{LAST}""",
    "spread over the map": f"""
- c: {DOWN}
- m: {{op: mean, dim: [2], keepdim: true}}
- e: {{op: expand, size: [-1, 24, -1]}}
{LAST}""",
    "rows by a matrix": f"""
- c: {CONV}
- w: {{op: parameter, shape: [48, 5], value: 1}}
- s: {{op: matmul, from: [c, w]}}
- last: {{op: identity}}""",
    "flatten": f"- c: {DOWN}\n- last: {{op: flatten}}",
    "flatten, linear": f"- c: {DOWN}\n- {{op: flatten}}\n- last: {{op: linear, out_features: 3}}",
    "flatten, cat, linear": f"""
- c: {DOWN}
- f: {{op: flatten}}
- d: {{op: conv2d, out_channels: 1, kernel_size: 9, stride: 8, from: input}}
- g: {{op: flatten}}
- both: {{op: cat, from: [f, g]}}
- last: {{op: linear, out_features: 3}}""",
    "flatten, cat": f"""
- c: {DOWN}
- f: {{op: flatten}}
- d: {{op: conv2d, out_channels: 1, kernel_size: 9, stride: 8, from: input}}
- g: {{op: flatten}}
- both: {{op: cat, from: [f, g]}}
- last: {{op: identity}}""",
    "linear over channels": f"""
- c: {DOWN}
- {{op: permute, dims: [0, 2, 3, 1]}}
- l: {{op: linear, out_features: 2}}
- back: {{op: permute, dims: [0, 3, 1, 2]}}
{LAST}""",
    "turned": """
- c: {op: conv2d, out_channels: 2, kernel_size: [3, 1]}
- turn: {op: permute, dims: [0, 1, 3, 2]}
- last: {op: conv2d, out_channels: 2, kernel_size: [5, 1]}""",
    "rows as channels": f"""
- c: {DOWN}
- turn: {{op: permute, dims: [0, 2, 1, 3]}}
- last: {{op: conv2d, out_channels: 2, kernel_size: 1}}""",
    "rows as channels, depthwise": f"""
- c: {DOWN}
- turn: {{op: permute, dims: [0, 2, 1, 3]}}
- last: {{op: conv2d, out_channels: 24, groups: 24, kernel_size: [1, 3]}}""",
    "mixed over the height": f"""
- c: {DOWN}
- m: {{op: mean, dim: [1]}}
- t: {{op: permute, dims: [0, 2, 1]}}
- l: {{op: linear, out_features: 5}}
- last: {{op: permute, dims: [0, 2, 1]}}""",
    "rows in two parts, added": f"""
- c: {DOWN}
- t: {{op: permute, dims: [0, 2, 3, 1]}}
- h: {{op: chunk, chunks: 2}}
- {{op: add, from: [h.0, h.1]}}
- last: {{op: layer_norm}}""",
    "a part of the rows": f"""
- c: {CONV}
- t: {{op: permute, dims: [0, 2, 3, 1]}}
- h: {{op: chunk, chunks: 3}}
- b: {{op: permute, dims: [0, 3, 1, 2], from: h.1}}
{LAST}""",
    "channels in two parts": f"""
- c: {CONV}
- h: {{op: chunk, chunks: 2}}
- a: {{op: conv2d, out_channels: 1, kernel_size: 5, padding: 2, from: h.0}}
- {{op: mul, from: [a, h.1]}}
{LAST}""",
    "rows side by side": f"""
- c: {CONV}
- t: {{op: permute, dims: [0, 2, 3, 1]}}
- h: {{op: chunk, chunks: 3}}
- {{op: cat, from: [h.2, h.0]}}
- last: {{op: layer_norm}}""",
    "group norm": f"- c: {DOWN}\n- n: {{op: group_norm, num_groups: 1}}\n{LAST}",
    "layer norm": f"- c: {DOWN}\n- n: {{op: layer_norm2d}}\n{LAST}",
    "softmax over the channels": f"- c: {DOWN}\n- s: {{op: softmax}}\n{LAST}",
    "softmax over the height": "- c: {op: conv2d, out_channels: 2, kernel_size: 1}\n- last: {op: softmax, dim: 2}",
    "shuffle": f"- c: {CONV}\n- s: {{op: channel_shuffle, groups: 2}}\n{LAST}",
    "a parameter": f"""
- c: {CONV}
- p: {{op: parameter, shape: [2, 1, 1], value: 2}}
- {{op: mul, from: [p, c]}}
{LAST}""",
    "batch statistics": f"- c: {DOWN}\n- n: {{op: batch_norm2d, track_running_stats: false}}\n{LAST}",
    "a block behind the rows": f"""
- c: {DOWN}
- m: {{op: mean, dim: [3]}}
- last: {{seq: [{{op: linear, out_features: 4}}]}}""",
    "a block on turned rows": f"""
- c: {DOWN}
- t: {{op: permute, dims: [0, 2, 1, 3]}}
- last: {{seq: [{{op: relu}}, {{op: conv2d, out_channels: 2, kernel_size: [1, 3]}}]}}""",
    "an enlarging block": f"""
- c: {DOWN}
- up: {{seq: [{{op: upsample, scale_factor: 2}}, {CONV}]}}
- up2: {{seq: [{{op: upsample, scale_factor: 2, mode: bilinear}}, {CONV}, {DOWN}]}}
{LAST}""",
}


def _mean(x: Tensor, sizes: tuple[Any, ...]) -> Tensor:
    return torch.nn.functional.avg_pool2d(x, *sizes)


def measured(spec: str) -> tuple[int, int]:
    """The largest extent of the gradient of any position of the output: (height, width)."""
    torch.manual_seed(0)
    model = archspec.build(spec).eval().double()
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1.5)
    for module in model.modules():  # the largest of a window hides the others
        if isinstance(module, torch.nn.MaxPool2d):
            sizes = (module.kernel_size, module.stride, module.padding)
            setattr(module, "forward", partial(_mean, sizes=sizes))  # noqa: B010
    x = torch.rand(1, 2, SIZE, SIZE, dtype=torch.double, requires_grad=True)
    output: Tensor = model(x).flatten()
    every, middle = max(1, len(output) // 250), len(output) // 2
    height = width = 0
    for number in {*range(0, len(output), every), *range(middle, min(middle + 60, len(output)))}:
        (gradient,) = torch.autograd.grad(output[number], x, retain_graph=True)
        rows, columns = gradient[0].abs().sum(0).nonzero().unbind(1)
        if len(rows):
            height = max(height, int(rows.max() - rows.min()) + 1)
            width = max(width, int(columns.max() - columns.min()) + 1)
    return height, width


@pytest.mark.parametrize("name", CASES)
def test_receptive_field_is_what_gradients_reach(name: str) -> None:
    spec = f"{HEAD}layers:\n{CASES[name].strip()}\n"
    graph = archspec.compile(spec)
    graph.verify()
    layer = graph.layers[-1]
    assert layer.receptive_field is not None
    height, width = layer.receptive_field
    assert (min(height, SIZE), min(width, SIZE)) == measured(spec)


UNSAID: dict[str, Any] = {
    "paths of two strides": """
- a: {op: conv2d, out_channels: 2, kernel_size: 3, stride: 2, padding: 1}
- b: {op: conv2d, out_channels: 2, kernel_size: 25, from: input}
- {op: add, from: [a, b]}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "rows meet columns": """
- t: {op: permute, dims: [0, 1, 3, 2]}
- {op: add, from: [t, input]}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "rows as channels, in groups": """
- t: {op: permute, dims: [0, 2, 1, 3]}
- last: {op: conv2d, out_channels: 6, kernel_size: 1, groups: 2}""",
    "windows over a flattened map": """
- f: {op: flatten}
- c: {op: chunk, chunks: 2}
- last: {op: identity, from: c.0}""",
    "smoothed": """
- {op: interpolate, size: 20, mode: bilinear, antialias: true}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "a position that torch's rounding misses": """
- {op: interpolate, size: 37, mode: nearest-exact}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "by a factor, and as large as before": """
- {op: interpolate, scale_factor: 1.015625}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}""",
    "behind it": """
- t: {op: permute, dims: [0, 1, 3, 2]}
- sum: {op: add, from: [t, input]}
- last: {seq: [{op: relu}, {op: conv2d, out_channels: 2, kernel_size: 3}]}""",
}


@pytest.mark.parametrize("name", UNSAID)
def test_no_receptive_field_is_made_up(name: str) -> None:
    graph = archspec.compile(HEAD + "layers:\n" + UNSAID[name].strip() + "\n")
    assert (graph.layers[-1].receptive_field, graph.layers[-1].output_stride) == (None, None)


@pytest.mark.parametrize("shape", ["[16]", "[10, 16]"])
def test_vectors_and_sequences_have_no_receptive_field(shape: str) -> None:
    spec = (
        f"name: net\ninput: {shape}\nlayers:\n- fc: {{op: linear, out_features: 4}}\n- out: {{seq: [{{op: relu}}]}}\n"
    )
    graph = archspec.compile(spec)
    assert {(layer.receptive_field, layer.output_stride) for layer in graph.layers} == {(None, None)}
    assert re.search("Receptive field +–, stride –", archspec.summary(spec))
    assert '"receptive_field": null' in archspec.summary(spec, format="json")


def test_a_layer_on_parameters_only_has_none() -> None:
    spec = f"""{HEAD}layers:
- p: {{op: parameter, shape: [2, 1, 1]}}
- act: {{op: gelu, from: p}}
- {{op: mul, from: [input, act]}}
"""
    (layer,) = archspec.compile(spec).layers
    assert (layer.receptive_field, layer.output_stride) == (None, None)


def test_features_tell_it_too() -> None:
    spec = f"""{HEAD}layers:
- c: {DOWN}
- t: {{op: permute, dims: [0, 1, 3, 2]}}
- {{op: add, from: [t, c]}}
- last: {{op: conv2d, out_channels: 1, kernel_size: 1}}
"""
    info: Any = archspec.build(spec, features=["c", "last"]).feature_info
    first, last = info
    assert (first.receptive_field, first.stride) == ((4, 4), (2, 2))
    assert (last.receptive_field, last.stride) == (None, None)
    assert str(last).endswith("stride –, receptive field –")
