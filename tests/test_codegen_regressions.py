"""Specs that compile but once could not be written as source: exceptions escaped, or the validator refused the file.

Found by mutating the shipped specs and the fixtures. Each network is built, generated and compared.
"""

from __future__ import annotations

import pytest
from checks import check_network

import archspec

HEAD = "name: net\ninput: [3, 8, 8]\n"

WITH_AN_OP = """\
blocks:
  Unit:
    params: {act: %s, bare: true}
    layers:
    - body:
        seq:
        - {op: conv2d, out_channels: 4, kernel_size: 1}
        - {op: =act, when: =not bare}
        - {op: conv2d, out_channels: 3, kernel_size: 1}
"""
WITHIN = """\
  Outer:
    params: {act: %s, bare: true}
    layers:
    - unit: {block: Unit, act: =act, bare: =bare}
"""
NO_OPS = ("word", "'$(id)'", "3", "true", "0.5", "[relu]", "[[relu]]", "[]", "conv", "=1", "'=[1]'")


@pytest.mark.parametrize("given", NO_OPS)
def test_the_default_of_an_op_that_no_instance_runs(given: str) -> None:
    text = HEAD + WITH_AN_OP % given
    check_network(text + "layers:\n- a: {block: Unit, act: relu6, bare: false}\n- b: {block: Unit}\n")
    check_network(text + "layers:\n- a: {block: Unit, act: relu6, bare: false}\n- b: {block: Unit, act: relu}\n")


@pytest.mark.parametrize("given", [*NO_OPS, "null"])
def test_an_argument_for_an_op_that_this_instance_does_not_run(given: str) -> None:
    uses = f"layers:\n- a: {{block: Unit, act: relu6, bare: false}}\n- b: {{block: Unit, act: {given}}}\n"
    check_network(HEAD + WITH_AN_OP % "relu" + uses + "- c: {block: Unit, bare: false}\n")


@pytest.mark.parametrize("given", NO_OPS)
def test_an_op_that_is_passed_on(given: str) -> None:
    uses = f"layers:\n- a: {{block: Outer, act: relu6, bare: false}}\n- b: {{block: Outer, act: {given}}}\n"
    check_network(HEAD + WITH_AN_OP % "relu" + WITHIN % "relu" + uses)
    uses = "layers:\n- a: {block: Outer, act: relu6, bare: false}\n- b: {block: Outer}\n"
    check_network(HEAD + WITH_AN_OP % "relu" + WITHIN % given + uses)


@pytest.mark.parametrize("given", NO_OPS)
def test_an_op_that_is_a_parameter_of_the_network(given: str) -> None:
    uses = "layers:\n- a: {block: Unit, act: relu6, bare: false}\n- b: {block: Unit, act: =act, bare: =bare}\n"
    check_network(HEAD + f"params: {{act: {given}, bare: true}}\n" + WITH_AN_OP % "relu" + uses)


TRUTHS = (
    "a > 2 and 0.5", "(a > 2 or 0.5) + 0", "a * 1.0 and 0.5", "input.channels > 2 and 0.5", "0.5 and a > 2",
    "(a > 2) * 1", "+(a > 2)", "-(a < 0)", "not (a > 2) or 0.25", "0.5 if a and 1 else 0.25", "a == 3 and 0.5 or 0.25",
    "0 + (a > 2)",
)  # fmt: skip


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("others", [(4, 5), (4, 1), (3, 3)])
def test_numbers_that_come_from_a_condition(truth: str, others: tuple[int, int]) -> None:
    """As arguments of ops, where torch takes True for 1, and of initialisers, where it may be refused."""
    uses = f"layers:\n- a: {{block: Unit, a: {others[0]}}}\n- b: {{block: Unit, a: {others[1]}}}\n"
    conv = "    - conv: {op: conv2d, out_channels: 3, kernel_size: 1}\n"
    init = f"    init:\n    - {{op: conv2d, weight: {{normal: {{std: '={truth}'}}}}}}\n"
    for rest in (f"    - {{op: dropout, p: '={truth}'}}\n", init):
        text = f"{HEAD}blocks:\n  Unit:\n    params: {{a: 3}}\n    layers:\n{conv}{rest}{uses}"
        if (refusal := refused(text)) is None:
            check_network(text)
        else:
            assert "expected a number, got" in refusal or "must be a number" in refusal


def refused(text: str) -> str | None:
    """Why a spec is refused; `None` if it compiles."""
    try:
        archspec.compile(text)
    except archspec.SpecError as error:
        return str(error)
    return None


@pytest.mark.parametrize("length", [300, 301, 10_000])
@pytest.mark.parametrize("place", ["network", "block"])
def test_local_names_for_long_lists(length: int, place: str) -> None:
    let = f"let: {{many: [{', '.join(['8'] * length)}]}}\n"
    item = "{op: conv2d, out_channels: '=many[0]', kernel_size: 1}\n"
    if place == "network":
        check_network(HEAD + let + f"layers:\n- conv: {item}")
    else:
        check_network(
            HEAD + f"blocks:\n  Unit:\n    {let}    layers:\n    - conv: {item}layers:\n- a: {{block: Unit}}\n"
        )


@pytest.mark.parametrize("place", ["let: {a: %s}\n", "params: {a: %s}\n", "let: {a: [[1], %s]}\n"])
def test_lists_that_are_longer_than_those_of_expressions_are_refused(place: str) -> None:
    for length in (10_000, 10_001):
        text = HEAD + place % f"[{', '.join(['1'] * length)}]" + "layers:\n- {op: relu}\n"
        if length == 10_000:
            assert archspec.codegen(text)
        else:
            with pytest.raises(archspec.SpecError, match=r"error\[limit\]: <text>:3:\d+: .*more than 10,000 values"):
                archspec.compile(text)


@pytest.mark.parametrize("rounds", [0, 1, 2, 5])
def test_a_group_of_nothing(rounds: int) -> None:
    check_network(HEAD + f"layers:\n- {{op: relu}}\n- {{layers: [], repeat: {rounds}, index: i}}\n- {{layers: []}}\n")


@pytest.mark.parametrize("value", ["=None", "true", "0.5", "[1]", "7", "word"])
def test_values_in_names(value: str) -> None:
    conv = "{op: conv2d, out_channels: 3, kernel_size: 1}"
    block = f"blocks:\n  Unit:\n    params: {{n: null}}\n    seq:\n    - conv{{n}}-{{1 + 1}}: {conv}\n"
    text = HEAD + block + f"layers:\n- a: {{block: Unit, n: {value}}}\n- b: {{block: Unit, n: 3}}\n"
    if value in ("7", "word"):
        check_network(text)
    else:
        assert "expected an integer or text as part of a name, got" in str(refused(text))


OVERRIDES = (
    float("inf"), float("nan"), [1, float("-inf")], "\ud800", "a\udcff", {"\udcff": 1}, {"a": ["\udc80"]},
)  # fmt: skip


@pytest.mark.parametrize("value", OVERRIDES, ids=ascii)
@pytest.mark.parametrize("name", ["dropout", "description", "nope"])
def test_overrides_that_no_spec_could_hold(value: object, name: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile("efficientnet_b0", overrides={name: value})
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.file, diagnostic.path) == ("override", (name,))
    assert "finite" in diagnostic.message or "surrogate" in diagnostic.message
    assert str(caught.value).encode("utf-8")


def test_an_override_that_holds_itself() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(archspec.SpecError, match="override: input: nested more than 64 levels deep"):
        archspec.compile("lenet", input=endless)


NUMBER = "must be a number"
ATTRIBUTES = (
    ("out_channels > 2", NUMBER), ("not kernel_size", NUMBER), ("kernel_size", NUMBER), ("stride == (1, 1)", NUMBER),
    ("1 / (out_channels - 8)", "division by zero"), ("bias", "is a parameter, not a number"),
    ("out_channels - 9", "at least 0"),
    ("kernel_size[2]", "index out of range"), ("sqrt(-out_channels)", "math domain error"),
    ("out_channels * 1e300 * 1e300", "not a finite number"), ("out_channels ** 64", "out of range"),
    ("scale / out_channels", "unsupported operand"), ("word / out_channels", "arithmetic on a string"),
)  # fmt: skip


@pytest.mark.parametrize(("given", "message"), ATTRIBUTES)
@pytest.mark.parametrize("op", ["op: conv2d, ", "path: a.conv, ", ""])
def test_arguments_of_initialisers_over_attributes(given: str, message: str, op: str) -> None:
    """They are calculated where the module is filled, and checked where the spec is."""
    blocks = "blocks:\n  Unit:\n    layers:\n    - conv: {op: conv2d, out_channels: 8, kernel_size: 3}\n"
    rule = f"init:\n- {{{op}weight: {{normal: {{std: '={given}'}}}}}}\n"
    text = f"{HEAD}params: {{word: fan, scale: [0.5]}}\n{blocks}layers:\n- a: {{block: Unit}}\n- {{op: relu}}\n"
    refusal = refused(text + rule)
    assert refusal is not None
    assert message in refusal
    assert refusal.startswith("error[expression]: <text>:12:")
    assert "= for a.conv (conv2d)" in refusal
    first = "init:\n- {op: conv2d, weight: ones}\n"
    assert refused(text + first + rule.removeprefix("init:\n")) is None  # the first rule is the one that applies


def test_rules_over_attributes_are_for_modules_that_have_the_parameter() -> None:
    text = HEAD + "layers:\n- {op: relu}\n- conv: {op: conv2d, out_channels: 8, kernel_size: 3, bias: false}\n"
    assert refused(text + "init:\n- {bias: {normal: {std: =1 / (out_channels - 8)}}}\n") is None
    check_network(text + "init:\n- {weight: {normal: {std: '=1 / out_channels'}}}\n")


def test_an_output_size_follows_from_a_default_that_reads_another_parameter() -> None:
    text = """
name: net
input: [3, 8, 8]
params: {w: 4}
blocks:
  B: {params: {width: , out: =width * 2}, layers: [c: {op: conv2d, out_channels: =out, kernel_size: 1}]}
layers:
- a: {block: B, width: =w + 1}
- b: {op: conv2d, out_channels: =a.channels + 1, kernel_size: 1}
"""
    assert "self.b = nn.Conv2d((w + 1) * 2, (w + 1) * 2 + 1, kernel_size=1)" in archspec.codegen(text)
