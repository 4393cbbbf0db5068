"""The semantics of the core language, tested with small networks."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.frontend.reserved_names import class_name
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op

HEAD = "name: net\ninput: [4, 8, 8]\n"


def compiled(text: str, **overrides: Any) -> Graph:
    net = archspec.compile(text if text.startswith("name:") else HEAD + text, **overrides)
    net.verify()
    return net


def names(net: Graph) -> list[str]:
    return [layer.name for layer in net.layers]


def steps(net: Graph) -> dict[str, Step]:
    return {step.label: step for step in net.root.steps}


def problems(text: str, **overrides: Any) -> list[tuple[str, int, str]]:
    """Kind, line and message of each error, in the order of the text."""
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(text if text.startswith("name:") else HEAD + text, **overrides)
    return sorted(((d.kind, d.line, d.message) for d in caught.value.diagnostics), key=lambda found: found[1])


# -- where values come from --------------------------------------------------------------------------------------


def test_an_item_takes_the_value_before_it() -> None:
    net = compiled("""
layers:
- a: {op: conv2d, out_channels: 6, kernel_size: 3}
- {op: relu}
- b: {op: conv2d, out_channels: 2, kernel_size: 3}
""")
    assert names(net) == ["a", "b"]  # a relu without a name is a function
    assert net.output_shape == (2, 4, 4)


def test_from_a_name_and_from_a_list() -> None:
    net = compiled("""
layers:
- a: {op: conv2d, out_channels: 6, kernel_size: 1}
- b: {op: conv2d, out_channels: 5, kernel_size: 1, from: input}
- c: {op: conv2d, out_channels: 3, kernel_size: 1, from: a}
- {op: cat, from: [a, b, c, input]}
""")
    assert net.output_shape == (6 + 5 + 3 + 4, 8, 8)
    assert net.state_dict_shapes()["c.weight"] == (3, 6, 1, 1)


def test_parts_of_a_value() -> None:
    net = compiled("""
layers:
- halves: {op: chunk, chunks: 2}
- a: {op: conv2d, out_channels: 6, kernel_size: 1, from: halves.1}
- {op: cat, from: [halves.0, a]}
""")
    assert net.output_shape == (8, 8, 8)


def test_a_value_can_have_another_name_than_its_module() -> None:
    net = compiled("""
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 1, as: first}
- {op: relu, as: second}
- {op: add, from: [first, second]}
""")
    assert names(net) == ["conv"]
    assert net.output_shape == (4, 8, 8)


def test_output_names_the_result() -> None:
    net = compiled("""
layers:
- a: {op: conv2d, out_channels: 6, kernel_size: 1}
- b: {op: conv2d, out_channels: 5, kernel_size: 1}
output: a
""")
    assert net.output_shape == (6, 8, 8)


def test_a_part_by_an_expression() -> None:
    net = compiled("""
layers:
- {op: chunk, chunks: 4, as: parts}
- b{i}: {op: relu, from: "parts.{3 - i}", when: =i > 0, else: "parts.{i}", repeat: 2, index: i}
- c: {op: relu, from: "{'input' if input.channels > 3 else 'parts.1'}"}
output: c
""")
    assert [step.inputs for step in net.root.steps] == [(Ref(-1),), (Ref(0, 2),), (Ref(-1),)]
    skipped = "- b{i}: {op: sigmoid, when: false, else: 'parts.{2 - i}', repeat: 2, index: i}\n"
    rest = "- {op: sub, from: [b0, b1]}\n"
    net = compiled("layers:\n- {op: chunk, chunks: 4, as: parts}\n" + skipped + rest)
    assert net.root.steps[-1].inputs == (Ref(0, 2), Ref(0, 1))


NO_VALUES = {
    "a: {op: relu, from: parts.4}": "'parts' has no part '4'",
    "a: {op: relu, from: 'parts.{2 * 2}'}": "'parts' has no part '4'",
    "a: {op: relu, from: 'parts.{1 / 2}'}": "expected an integer or text as part of a name, got 0.5",
    "a: {op: relu, from: 'parts.{1 / 0}'}": "division by zero in '1 / 0'",
    "a: {op: relu, from: 'part{1}.0'}": "unknown value 'part1'",
    "a: {op: relu, from: 'parts {1}'}": "unknown value 'parts 1'",
    "a: {op: relu, when: false, else: 'parts.{9}'}": "'parts' has no part '9'",
    "{call: 'parts{1 / 0}'}": "division by zero in '1 / 0'",
    "a{i}: {op: relu, from: 'parts.{i + 3}', repeat: 3, index: i}\n- {op: cat, from: [a0, a1, a2]}":
        "'parts' has no part '4'",
}  # fmt: skip


@pytest.mark.parametrize("item", NO_VALUES)
def test_a_wrong_reference_is_one_error(item: str) -> None:
    ((_, line, message),) = problems(f"layers:\n- {{op: chunk, chunks: 4, as: parts}}\n- {item}\n")
    assert (line, message.rpartition(": ")[2]) == (5, NO_VALUES[item])


# -- seq, numbers, when ------------------------------------------------------------------------------------------


def test_items_of_a_seq_are_numbered() -> None:
    net = compiled("""
layers:
- features:
    seq:
    - {op: conv2d, out_channels: 6, kernel_size: 1}
    - {op: relu}
    - named: {op: batch_norm2d}
    - {op: max_pool2d, kernel_size: 2}
    - seq: [{op: tanh}, {op: relu}]
""")
    assert names(net) == [
        "features.0", "features.1", "features.named", "features.3", "features.4.0", "features.4.1",
    ]  # fmt: skip


@pytest.mark.parametrize(("norm", "numbers"), [(True, ["0", "1", "2", "3"]), (False, ["0", "1", "2"])])
def test_an_item_left_out_uses_no_number(norm: bool, numbers: list[str]) -> None:
    net = compiled("""
params: {norm: true}
layers:
- f:
    seq:
    - {op: conv2d, out_channels: 6, kernel_size: 1}
    - {op: batch_norm2d, when: =norm}
    - {op: relu}
    - {op: conv2d, out_channels: 6, kernel_size: 1}
""", norm=norm)  # fmt: skip
    assert names(net) == [f"f.{number}" for number in numbers]


@pytest.mark.parametrize(("stride", "shape", "keys"), [(1, (4, 8, 8), 2), (2, (4, 4, 4), 4)])
def test_else_takes_the_place(stride: int, shape: tuple[int, ...], keys: int) -> None:
    net = compiled("""
params: {stride: 1}
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1, stride: =stride}
- short:
    from: input
    when: =stride != 1
    else: input
    seq: [{op: conv2d, out_channels: 4, kernel_size: 1, stride: =stride}]
- {op: add, from: [conv, short]}
""", stride=stride)  # fmt: skip
    assert net.output_shape == shape
    assert len(net.state_dict_shapes()) == keys


def test_an_item_left_out_without_else_is_the_value_before_it() -> None:
    net = compiled("""
layers:
- conv: {op: conv2d, out_channels: 6, kernel_size: 1}
- pool: {op: max_pool2d, kernel_size: 2, when: false}
- {op: cat, from: [conv, pool]}
""")
    assert net.output_shape == (12, 8, 8)


# -- repeats and groups ------------------------------------------------------------------------------------------


def test_repeat_with_index_in_names_and_numbers() -> None:
    net = compiled("""
params: {n: 3}
layers:
- "conv{i + 1}": {op: conv2d, out_channels: =4 * (i + 1), kernel_size: 1, repeat: =n, index: i}
- last: {op: conv2d, out_channels: 1, kernel_size: 1, from: "conv{n - 1}"}
""")
    assert names(net) == ["conv1", "conv2", "conv3", "last"]
    assert [layer.output_shape[0] for layer in net.layers] == [4, 8, 12, 1]
    assert net.state_dict_shapes()["last.weight"] == (1, 8, 1, 1)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_repeat_in_a_seq(n: int) -> None:
    net = compiled("""
params: {n: 2}
layers:
- f: {seq: [{op: conv2d, out_channels: 6, kernel_size: 1}, {op: conv2d, out_channels: 6, kernel_size: 1, repeat: =n}]}
""", n=n)  # fmt: skip
    assert names(net) == [f"f.{i}" for i in range(n + 1)]


def test_groups_repeat_together_and_nest() -> None:
    net = compiled(
        """
layers:
- repeat: 2
  index: i
  layers:
  - "stage{i}": {op: conv2d, out_channels: =8 << 0, kernel_size: 1, when: false}
  - "down{i}": {op: max_pool2d, kernel_size: 2}
  - repeat: =i + 1
    index: j
    layers:
    - "conv{i}_{j}": {op: conv2d, out_channels: =10 * i + j + 1, kernel_size: 1}
    - {op: relu}
""".replace("=8 << 0", "8")
    )
    assert names(net) == ["down0", "conv0_0", "down1", "conv1_0", "conv1_1"]
    assert net.output_shape == (12, 2, 2)


def test_a_group_can_be_left_out() -> None:
    net = compiled("""
layers:
- a: {op: conv2d, out_channels: 6, kernel_size: 1}
- when: =a.channels > 6
  layers:
  - b: {op: conv2d, out_channels: 1, kernel_size: 1}
""")
    assert names(net) == ["a"]


def test_a_value_accumulates_over_a_repeat() -> None:
    """DenseNet: each layer sees all values before it."""
    net = compiled("""
layers:
- {op: cat, from: [input], as: all}
- repeat: 3
  index: i
  layers:
  - "conv{i}": {op: conv2d, out_channels: 2, kernel_size: 3, padding: 1, from: all}
  - {op: cat, from: [all, "conv{i}"], as: all}
""")
    shapes = net.state_dict_shapes()
    assert [shapes[f"conv{i}.weight"][1] for i in range(3)] == [4, 6, 8]
    assert net.output_shape == (10, 8, 8)


# -- parameters, let, shapes in expressions ----------------------------------------------------------------------


def test_params_and_let() -> None:
    text = """
params: {width: 8, factor: 2}
let: {wide: =width * factor, wider: =wide * factor}
layers:
- a: {op: conv2d, out_channels: =wide, kernel_size: 1}
- b: {op: conv2d, out_channels: =wider, kernel_size: 1}
"""
    assert [layer.output_shape[0] for layer in compiled(text).layers] == [16, 32]
    assert [layer.output_shape[0] for layer in compiled(text, width=3).layers] == [6, 12]
    assert compiled(text, input=[1, 5, 5]).input_shape == (1, 5, 5)


def test_a_parameter_can_depend_on_one_before() -> None:
    net = compiled("""
params: {a: 2, b: =a * 3}
layers:
- conv: {op: conv2d, out_channels: =b, kernel_size: 1}
""", a=5)  # fmt: skip
    assert net.output_shape[0] == 15


def test_shapes_in_expressions() -> None:
    net = compiled("""
layers:
- conv: {op: conv2d, out_channels: =input.channels * 2, kernel_size: [3, 1]}
- pool: {op: avg_pool2d, kernel_size: ["=conv.height", "=conv.width"]}
- {op: flatten, as: flat}
- fc: {op: linear, out_features: =flat.features + conv.height}
""")
    assert [layer.output_shape for layer in net.layers] == [(8, 6, 8), (8, 1, 1), (14,)]


def test_an_op_can_be_a_parameter() -> None:
    text = """
params: {act: relu}
layers:
- act: {op: =act}
"""
    assert [layer.type for layer in compiled(text).layers] == ["relu"]
    assert [layer.type for layer in compiled(text, act="silu").layers] == ["silu"]


# -- blocks ------------------------------------------------------------------------------------------------------

BLOCKS = """
blocks:
  Inner:
    params: {out: , kernel: 1}
    layers:
    - conv: {op: conv2d, out_channels: =out, kernel_size: =kernel}
    - {op: relu}
  Outer:
    params: {out: 6}
    layers:
    - first: {block: Inner, out: =out}
    - second: {block: Inner, out: =out * 2, kernel: 3}
"""


def test_nested_blocks() -> None:
    net = compiled(BLOCKS + "layers:\n- a: {block: Outer}\n- b: {block: Outer, out: 2}\n")
    assert names(net) == ["a.first.conv", "a.second.conv", "b.first.conv", "b.second.conv"]
    assert [layer.output_shape for layer in net.layers] == [(6, 8, 8), (12, 6, 6), (2, 6, 6), (4, 4, 4)]


def test_a_block_sees_nothing_of_what_is_around_it() -> None:
    text = "params: {secret: 3}\nblocks: {B: {layers: [{c: {op: conv2d, out_channels: =secret, kernel_size: 1}}]}}\n"
    assert [(kind, message) for kind, _, message in problems(text + "layers:\n- b: {block: B}\n")] == [
        ("expression", "unknown name 'secret'")
    ]


def test_a_block_with_two_inputs() -> None:
    net = compiled("""
blocks:
  Up:
    inputs: [x, skip]
    layers:
    - {op: upsample, scale_factor: 2, from: x, as: big}
    - {op: cat, from: [big, skip]}
    - conv: {op: conv2d, out_channels: =skip.channels, kernel_size: 1}
layers:
- a: {op: conv2d, out_channels: 3, kernel_size: 1}
- b: {op: max_pool2d, kernel_size: 2}
- up: {block: Up, from: [b, a]}
""")
    assert net.output_shape == (3, 8, 8)
    assert net.state_dict_shapes()["up.conv.weight"] == (3, 6, 1, 1)


def test_a_spec_can_replace_a_block_of_the_library() -> None:
    net = compiled("""
blocks: {BasicConv2d: {layers: [{only: {op: batch_norm2d}}]}}
layers:
- a: {block: BasicConv2d}
""")
    assert names(net) == ["a.only"]


def test_literals_of_unlike_type_are_unlike_arguments() -> None:
    """1 and true are equal in Python, and two instances here."""
    net = compiled("""
blocks:
  B:
    params: {v: }
    layers: [{d: {op: dropout, p: "=v * 0.5"}}]
layers:
- a: {block: B, v: 1}
- b: {block: B, v: true}
- c: {block: B, v: 1.0}
""")
    targets = [step.target for step in net.root.steps]
    assert all(isinstance(target, Module) for target in targets)
    assert [type(target.arguments["v"]) for target in targets if isinstance(target, Module)] == [int, bool, float]


# -- calls, registration, outputs, training ----------------------------------------------------------------------


def test_a_call_shares_weights() -> None:
    net = compiled("""
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1}
- call: conv
- call: conv
  from: input
  as: again
- {op: add, from: [conv, again]}
""")
    assert list(net.state_dict_shapes()) == ["conv.weight", "conv.bias"]
    assert net.macs == 3 * net.params * 64 - 3 * 4 * 64


def test_a_block_can_be_called() -> None:
    net = compiled(BLOCKS + "layers:\n- a: {block: Inner, out: 4}\n- call: a\n")
    assert net.params == 4 * 4 + 4
    assert net.layers[0].calls == 2


def test_register_puts_modules_last() -> None:
    net = compiled("""
layers:
- a: {op: conv2d, out_channels: 4, kernel_size: 1, bias: false}
- b: {op: conv2d, out_channels: 4, kernel_size: 1, bias: false}
- c: {op: conv2d, out_channels: 4, kernel_size: 1, bias: false}
register: [b, a]
""")
    assert list(net.state_dict_shapes()) == ["c.weight", "b.weight", "a.weight"]
    assert names(net) == ["a", "b", "c"]


def test_training_only_items_and_named_outputs() -> None:
    net = compiled("""
layers:
- conv: {op: conv2d, out_channels: 4, kernel_size: 1}
- aux: {op: conv2d, out_channels: 9, kernel_size: 1, train_only: true}
- last: {op: conv2d, out_channels: 2, kernel_size: 1}
outputs: {type: NetOutputs, fields: {main: last, side: aux}}
""")
    assert net.output_shape == (2, 8, 8)
    assert net.state_dict_shapes()["last.weight"] == (2, 4, 1, 1)  # it takes conv's value, not aux's
    assert net.outputs is not None
    assert {field: net.root.value(ref) for field, ref in net.outputs.fields.items()} == {
        "main": (2, 8, 8),
        "side": (9, 8, 8),
    }
    assert net.outputs.type == "NetOutputs"


# -- initialisation ----------------------------------------------------------------------------------------------


def test_init_rules() -> None:
    text = """
params: {zero: false, spread: 0.5}
layers:
- a: {op: conv2d, out_channels: 4, kernel_size: 1}
init:
- {path: a, when: =zero, weight: 0}
- {op: [conv2d, linear], weight: {normal: {std: =spread / 2}}, bias: zeros}
"""
    (rule,) = compiled(text).init
    assert rule.parameters == {"weight": {"normal": {"std": 0.25}}, "bias": {"zeros": {}}}
    first, second = compiled(text, zero=True, spread=1.0).init
    assert (first.path, first.parameters) == ("a", {"weight": {"constant": {"val": 0}}})
    assert second.parameters["weight"] == {"normal": {"std": 0.5}}


def test_a_block_has_rules_of_its_own() -> None:
    block = next(step.target for step in archspec.compile("resnet18", zero_init_residual=True).root.modules[0].steps)
    assert isinstance(block, Op | Module)
    rules = [
        rule for module in archspec.compile("resnet18", zero_init_residual=True).root.modules for rule in module.init
    ]
    assert {rule.path for rule in rules if rule.path} == {"bn2"}
    plain = [rule for module in archspec.compile("resnet18").root.modules for rule in module.init]
    assert not [rule for rule in plain if rule.path]


@pytest.mark.parametrize(("name", "expected"), [("lenet", "Lenet"), ("my_net", "MyNet"), ("net_v2__big", "NetV2Big")])
def test_class_name(name: str, expected: str) -> None:
    assert class_name(name) == expected


# -- what is in place --------------------------------------------------------------------------------------------


def test_in_place_only_where_nobody_else_reads() -> None:
    net = compiled("""
layers:
- a: {op: conv2d, out_channels: 4, kernel_size: 1}
- r1: {op: relu}
- b: {op: conv2d, out_channels: 4, kernel_size: 1}
- r2: {op: relu}
- {op: add, from: [r2, b]}
- r3: {op: relu}
- c: {op: sigmoid}
- r4: {op: relu}
""")
    found = {label: step.inplace for label, step in steps(net).items() if label.startswith("r")}
    assert found == {
        "r1": True,
        "r2": False,
        "r3": True,
        "r4": False,
    }  # b has two readers; sigmoid's backward reads


@pytest.mark.parametrize(
    ("pair", "overwrites"),
    [
        ("[b, a]", True),
        ("[a, b]", False),  # `c` reads `a`, too
        ("[input, b]", False),  # the caller has it
        ("[c, b]", False),  # the sigmoid's backward reads what it yields
        ("[b, b]", False),
    ],
)
@pytest.mark.parametrize("op", ["add", "sub", "mul"])
def test_a_sum_overwrites_its_first_input_only_if_nobody_else_reads_it(op: str, pair: str, overwrites: bool) -> None:
    net = compiled(f"""
layers:
- a: {{op: conv2d, out_channels: 4, kernel_size: 1}}
- c: {{op: sigmoid}}
- b: {{op: conv2d, out_channels: 4, kernel_size: 1, from: a}}
- sum: {{op: {op}, from: {pair}}}
- all: {{op: cat, from: [sum, c]}}
""")
    assert steps(net)["sum"].inplace == (overwrites and op != "mul")


def test_the_input_is_never_overwritten() -> None:
    assert not steps(compiled("layers:\n- r: {op: relu}\n"))["r"].inplace


# -- errors ----------------------------------------------------------------------------------------------------

CONV = "{op: conv2d, out_channels: 4, kernel_size: 1"

MISTAKES: dict[str, tuple[str, str, str]] = {
    "unknown value": (f"layers:\n- a: {CONV}, from: b}}\n", "reference", "unknown value 'b'"),
    "value after": (
        f"layers:\n- a: {CONV}, from: b}}\n- b: {CONV}}}\n",
        "reference",
        "unknown value 'b'",
    ),
    "unknown part": (
        "layers:\n- h: {op: chunk, chunks: 2}\n- {op: relu, from: h.2}\n",
        "reference",
        "'h' has no part '2'",
    ),
    "all parts": (
        "layers:\n- h: {op: chunk, chunks: 2}\n- {op: relu}\n",
        "reference",
        "relu expects one tensor, got 2 parts",
    ),
    "unknown op": ("layers:\n- a: {op: conv4d}\n", "schema", "unknown op 'conv4d'"),
    "unknown op later": ("params: {act: rleu}\nlayers:\n- a: {op: =act}\n", "reference", "unknown op 'rleu'"),
    "unknown block": ("layers:\n- a: {block: Botleneck}\n", "reference", "unknown block 'Botleneck'"),
    "unknown parameter": (
        "layers:\n- a: {block: BasicBlock, planes: 4, strid: 2}\n",
        "reference",
        "BasicBlock has no parameter 'strid'",
    ),
    "unknown field": (f"layers:\n- a: {CONV}, strid: 2}}\n", "schema", "conv2d has no field 'strid'"),
    "missing parameter": ("layers:\n- a: {block: BasicBlock}\n", "reference", "BasicBlock requires planes"),
    "missing field": ("layers:\n- a: {op: conv2d, kernel_size: 3}\n", "schema", "conv2d: 'out_channels' is required"),
    "recursion": (
        "blocks: {B: {layers: [{b: {block: B}}]}}\nlayers:\n- a: {block: B}\n",
        "reference",
        "the block 'B' contains itself",
    ),
    "too few values": ("layers:\n- {op: add}\n", "reference", "add expects 2 inputs, got 1"),
    "too many values": (
        "layers:\n- {op: relu, from: [input, input]}\n",
        "reference",
        "relu expects 1 input, got 2",
    ),
    "block's values": (
        "layers:\n- a: {block: BasicBlock, planes: 4, from: [input, input]}\n",
        "reference",
        "BasicBlock expects 1 input, got 2",
    ),
    "two of one name": (f"layers:\n- a: {CONV}}}\n- a: {CONV}}}\n", "reference", "duplicate name 'a'"),
    "repeat without index": (f"layers:\n- a: {CONV}, repeat: 2}}\n", "reference", "duplicate name 'a'"),
    "huge repeat": ("layers:\n- {op: relu, repeat: 100000000}\n", "limit", "more than 200,000 rounds"),
    "fractional repeat": (
        "layers:\n- {op: relu, repeat: =3 / 2}\n",
        "expression",
        "expected an integer, 0 or more, got 1.5",
    ),
    "negative repeat": (
        "layers:\n- {op: relu, repeat: =-1}\n",
        "expression",
        "expected an integer, 0 or more, got -1",
    ),
    "unknown name": ("layers:\n- {op: relu, when: =stirde > 1}\n", "expression", "unknown name 'stirde'"),
    "division": (
        "params: {n: 0}\nlayers:\n- {op: relu, repeat: =4 // n}\n",
        "expression",
        "division by zero in '4 // n'",
    ),
    "no call": ("layers:\n- call: conv\n", "reference", "unknown module 'conv'"),
    "call of another shape": (
        f"layers:\n- a: {CONV.replace('4', '5')}}}\n- call: a\n",
        "shape",
        "a was built for 4×8×8, got 5×8×8",
    ),
    "unnamed block": (
        "layers:\n- {block: BasicBlock, planes: 4}\n",
        "schema",
        "a block or seq needs a name to be registered under",
    ),
    "unnamed conv": (f"layers:\n- {CONV}}}\n", "schema", "conv2d needs a name to be registered under"),
    "function in a seq": (
        "layers:\n- s: {seq: [{op: mean, dim: [1]}]}\n",
        "schema",
        "mean is a function; a seq contains only modules",
    ),
    "unknown output": (f"layers:\n- a: {CONV}}}\noutput: b\n", "reference", "unknown value 'b'"),
    "unknown register": (f"layers:\n- a: {CONV}}}\nregister: [b]\n", "reference", "unknown module 'b'"),
    "unknown field value": (
        f"layers:\n- a: {CONV}}}\noutputs: {{type: Out, fields: {{x: b}}}}\n",
        "reference",
        "unknown value 'b'",
    ),
    "shape": (
        "layers:\n- a: {op: max_pool2d, kernel_size: 2}\n- {op: add, from: [a, input]}\n",
        "shape",
        "cannot add 4×4×4 and 4×8×8",
    ),
    "no value": ("params: {n: }\nlayers:\n- a: {op: relu}\n", "reference", "parameter 'n' has no value"),
    "op that is a list": ("layers:\n- a: {op: '=[1]'}\n", "reference", "unknown op '[1]'"),
    "window": (
        "layers:\n- a: {op: max_pool2d, kernel_size: 9}\n",
        "shape",
        "a window of 9 does not fit into 8",
    ),
}


@pytest.mark.parametrize(("text", "kind", "message"), MISTAKES.values(), ids=MISTAKES)
def test_errors(text: str, kind: str, message: str) -> None:
    """Each is reported once, with the right kind and a place."""
    ((found_kind, line, found_message),) = problems(text)
    assert (found_kind, found_message) == (kind, message)
    assert line > len(HEAD.splitlines())


def test_independent_errors_come_in_one_run() -> None:
    text = """\
layers:
- a: {op: conv2d, out_channels: 8, kernel_size: 9}
- b: {op: conv2d, out_channels: 8, kernel_size: 1, from: inptu}
- c: {op: conv2d, out_channels: =oops, kernel_size: 1, from: input}
- d: {op: conv2d, out_channels: 8, kernel_size: 1, from: c}
- e: {op: conv2d, out_channels: 6, kernel_size: 1, groups: 4, from: input}
- f: {block: Nothing, from: input}
"""
    assert [(kind, line) for kind, line, _ in problems(text)] == [
        ("shape", 4), ("reference", 5), ("expression", 6), ("shape", 8), ("reference", 9),
    ]  # fmt: skip


FOLLOW_UPS = {
    "failed item": "- a: {op: conv2d, out_channels: 8, kernel_size: 9}\n- call: a\n- {op: add, from: [a, input]}\n",
    "shape": "- a: {op: avg_pool2d, kernel_size: 9}\n- b: {op: conv2d, out_channels: =a.channels, kernel_size: 1}\n",
    "failed condition": "- a: {op: relu, when: =oops}\n- {op: add, from: [a, input]}\n- call: a\n",
    "failed repeat": "- 'a{i}': {op: relu, repeat: =oops, index: i}\n- {op: add, from: [a0, a1]}\nregister: [a0]\n",
    "failed group": "- when: =oops\n  layers: [{a: {op: relu}}]\n- b: {op: relu, from: a, when: =a.channels > 2}\n",
    "misplaced item": "- {op: batch_norm2d, as: a}\n- {op: add, from: [a, input]}\n",
    "failed seq": "- a: {seq: [{op: max_pool2d, kernel_size: 9}, {op: relu}]}\n- b: {op: relu}\noutput: a\n",
}


@pytest.mark.parametrize("items", FOLLOW_UPS.values(), ids=FOLLOW_UPS)
def test_what_depends_on_a_error_is_silent(items: str) -> None:
    assert len(problems(f"layers:\n{items}")) == 1


def test_errors_in_a_block_are_shown_in_the_block() -> None:
    text = (
        "blocks:\n  B:\n    layers:\n    - c: {op: conv2d, out_channels: 4, kernel_size: 9}\nlayers:\n- a: {block: B}\n"
    )
    assert problems(text) == [("shape", 6, "a window of 9 does not fit into 8")]


def test_errors_in_a_library_block_are_shown_at_its_use() -> None:
    text = "layers:\n- a: {block: BasicConv2d, out_channels: 4, kernel_size: 9}\n"
    assert problems(text) == [("shape", 4, "a window of 9 does not fit into 8")]


def test_a_shape_error_says_where_the_values_come_from() -> None:
    """The size of a value was decided by the last step that changed it."""
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(
            HEAD
            + """
layers:
- conv: {op: conv2d, out_channels: 6, kernel_size: 3, stride: 2}
- bn: {op: batch_norm2d}
- {op: relu, as: small}
- {op: add, from: [small, input]}
"""
        )
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.edges == (("small", "6×3×3", "from conv (stride 2)"), ("input", "4×8×8", "the network's input"))


def test_a_block_on_channels_last_is_no_block_on_a_map_of_the_same_sizes() -> None:
    """The same item, on 4×4×4 with the channels first and last: linear acts on channels only."""
    net = archspec.compile("""
name: net
input: [4, 4, 4]
blocks:
  B: {layers: [{op: relu}]}
layers:
- a: {block: B}
- t: {op: permute, dims: [0, 2, 3, 1]}
- b: {block: B}
- fc: {op: linear, out_features: 3}
""")
    assert net.output_shape == (4, 4, 3)
