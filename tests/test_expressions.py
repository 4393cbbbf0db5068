"""The `=…` language: Python's semantics, a restricted grammar, and bounds on everything."""

from __future__ import annotations

import ast
import math
import warnings
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archspec.expressions.errors import ExpressionError, UnknownName
from archspec.expressions.evaluate import evaluate
from archspec.expressions.functions import FUNCTIONS
from archspec.expressions.parse import is_expression, parse
from archspec.expressions.rewrite import substitute
from archspec.expressions.sizes import Dim
from archspec.passes.specialize.scope import Scope, ShapeView, bind_value, fill

NAMES: dict[str, Any] = {"a": 3, "b": -7, "planes": 64, "x": 2.5, "ok": True, "xs": [1, 2, 3], "word": "M"}


def value(text: str, **scope: Any) -> Any:
    return parse(text).evaluate(scope)


def refusal(text: str, **scope: Any) -> str:
    with pytest.raises(ExpressionError) as caught:
        value(text, **scope)
    return str(caught.value)


# -- Python's semantics ------------------------------------------------------------------------------------------


def _wrap(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def join(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(*parts).map(lambda texts: form.format(*texts))

    binary = st.sampled_from(["+", "-", "*", "/", "//", "%"])
    compare = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    return st.one_of(
        join("({} {} {})", inner, binary, inner),
        join("({} {} {} {} {})", inner, compare, inner, compare, inner),
        join("({} ** {})", inner, st.sampled_from(["0", "1", "2", "3", "-1", "0.5"])),
        join("({} {} {})", inner, st.sampled_from(["and", "or"]), inner),
        join("({} {})", st.sampled_from(["-", "+", "not"]), inner),
        join("({} if {} else {})", inner, inner, inner),
        join("[{}, {}]", inner, inner),
        join("{}[{}]", inner, st.sampled_from(["0", "1", "-1", "a", "ok"])),
        join("{}({})", st.sampled_from(["int", "round", "ceil", "floor", "sum", "len", "abs", "float", "max"]), inner),
        join("round({}, {})", inner, st.sampled_from(["0", "1", "-1", "None"])),
        join("{}({}, {})", st.sampled_from(["min", "max", "make_divisible"]), inner, inner),
    )


WORDS = st.sampled_from(["True", "False", "None", "'M'"])
LITERALS = st.integers(0, 300).map(str) | st.floats(0, 100).map(repr) | WORDS
EXPRESSIONS = st.recursive(LITERALS | st.sampled_from(sorted(NAMES)), _wrap, max_leaves=8)


def by_python(text: str) -> Any:
    """The result of Python's own `eval` of an expression, or the exception it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of 0[0], where it may not even be reached
            return eval(text, {"__builtins__": {}}, {**FUNCTIONS, **NAMES})
    except Exception as error:
        return error


def by_archspec(text: str) -> Any:
    try:
        return parse(f"={text}").evaluate(NAMES)
    except ExpressionError as error:
        return error


BOUNDS = ("on a string", "multiply a list", "2^62", "finite", "real", "exponent", "digits")
"""Words of the messages about what Python would compute."""


def out_of_bounds(found: Any) -> bool:
    """Whether a value is one that a spec may not compute."""
    if isinstance(found, list):
        return any(map(out_of_bounds, found))
    if isinstance(found, float):
        return not math.isfinite(found)
    return isinstance(found, complex) or (isinstance(found, int) and abs(found) > 2**62)


@settings(max_examples=400)
@given(EXPRESSIONS)
@example("round(2.5) + round(3.5)")
@example("int(-2.5) - floor(-2.5)")
@example("(-8) ** 0.5")
@example("7 // -2 + 7 % -2")
@example("0.1 + 0.2 == 0.3")
@example("'a' + 'b'")
def test_like_python(text: str) -> None:
    expected, found = by_python(text), by_archspec(text)
    if isinstance(found, ExpressionError):
        assert isinstance(expected, Exception) or any(reason in str(found) for reason in BOUNDS)
    else:
        assert not out_of_bounds(found)
        assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=int(planes * (width / 64)) * groups", 128),
        ("=stride != 1 or planes > 3", True),
        ("= planes", 64),
        ("=[planes, planes * 2]", [64, 128]),
        ("=(1, 2)", [1, 2]),
        ("=max(1, 2, 3)", 3),
        ("=sum([1, 2, 3])", 6),
        ("=1 < 2 < 3", True),
        ("=make_divisible(0.35 * 32)", 16),
        ("=make_divisible(3, 8, 1)", 9),
        ("=ceil(2.1) + floor(2.9)", 5),
        ("='a' if groups == 32 else 'b'", "a"),
        ("=not stride", False),
    ],
)
def test_values(text: str, expected: Any) -> None:
    found = value(text, planes=64, width=4, groups=32, stride=1)
    assert (type(found), found) == (type(expected), expected)


def test_the_untaken_side_is_not_evaluated() -> None:
    assert value("=1 if True else nothing") == 1
    assert value("=False and nothing") is False
    assert value("=1 or nothing") == 1


def test_what_is_an_expression() -> None:
    assert is_expression("=1")
    assert not is_expression("1")
    assert not is_expression(1)
    assert repr(parse("= a + 1")) == "=a + 1"
    assert parse("=a + max(b, a) + conv1.channels").names == {"a", "b"}


# -- what is not in the grammar ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "=", "=1 +", "=(", "=a b", "=a = 1", "=a := 1", "=import os", "=a; b", "=\0", "=1\n+ 2",
        "=__import__('os')", "=open('x')", "=eval('1')", "=print(1)", "=a.b", "=a.__class__", "=(1).real",
        "=a.channels.real", "=a.shape",
            "=a.shape[1:]", "=a[0:1].channels", "=a.channels()", "=int.channels()", "=a()()", "=lambda: 1",
            "=[i for i in xs]",
        "={1: 2}", "={1}", "=f'{a}'", "=b'a'", "=1j", "=...", "=a @ b", "=a | b", "=a & b", "=a ^ b", "=a << b",
        "=a >> b", "=~a", "=a is b", "=a is not b", "=xs[0:1]", "=xs[0, 1]", "=max(*xs)", "=max(key=a)",
        "=round(1, ndigits=2)", "=await a", "=yield a", "=*xs,", "=[*xs]", "=range(3)", "=str(1)",
        "=getattr(a, 'b')", "=pow(2, 9)",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_an_unknown_name_says_what_is_known() -> None:
    scope: Scope = {"planes": 1}
    bind_value(scope, "conv1", (8, 4, 4))
    with pytest.raises(UnknownName) as caught:
        parse("=plans").evaluate(scope)
    assert (caught.value.word, caught.value.known) == ("plans", ["planes"])
    with pytest.raises(UnknownName) as caught:
        parse("=conv2.channels").evaluate(scope)
    assert (caught.value.word, caught.value.known) == ("conv2", ["conv1"])


@pytest.mark.parametrize("text", ["=xs[9]", "=1 + None", "=len(1)", "=max()", "=1 < 'a'", "=round(None, 1)"])
def test_errors_quote_the_expression(text: str) -> None:
    message = refusal(text, xs=[1])
    assert "cannot evaluate" in message
    assert text[1:] in message


@pytest.mark.parametrize("text", ["=1 / 0", "=1 // 0", "=1 % 0"])
def test_division_by_zero(text: str) -> None:
    assert refusal(text) == f"division by zero in '{text[1:]}'"


# -- bounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "=2 ** 10 ** 9", "=9 ** 9 ** 9", "=2 ** 63", "=2 ** 65", "=2.0 ** 1e9", "=2 ** -100", "=10 ** 64",
        "=-(2 ** 62) - 1", "=4611686018427387904 * 2", "=99999999999999999999", "=1e308 * 10", "=1e999",
        "=float('nan')", "=float('inf')", "=int(1e300)", "=(-8) ** 0.5", "=[0] * 1000000", "=1000000 * [0]",
        "='a' * 1000000", "='a' + 'b'", "='%999999999d' % 1", "=round(5, -999999999)", "=round(5, -(2 ** 61))",
    ],
)  # fmt: skip
def test_bounds(text: str) -> None:
    """None of these may take noticeable time or memory."""
    assert refusal(text)


def test_lists_are_bounded() -> None:
    assert "10,000" in refusal("=xs + xs", xs=[0] * 6000)


@pytest.mark.parametrize(
    "text",
    [
        "=" + "1 + " * 200 + "1", "=" + "(" * 300 + "1" + ")" * 300, "=" + "-" * 400 + "1", "=" + "~" * 490 + "1",
        "=" + "not " * 120 + "a", "=a" + "[0]" * 150, "=a" + ".b" * 240, "=" + "[" * 150 + "]" * 150,
        "=" + "f(" * 90 + ")" * 90, "=" + "1" * 600, "=" + "a ** " * 90 + "a", "=a" + "()" * 200,
    ],
)  # fmt: skip
def test_deep_or_long(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_messages_are_short() -> None:
    """A hostile expression must not fill the screen."""
    assert len(refusal("=" + "1 + " * 100 + "'a' * 3")) < 300
    assert len(refusal("=" + "[" + "a, " * 100 + "]", b=1)) < 300


# -- shapes ------------------------------------------------------------------------------------------------------


def test_properties_of_shapes() -> None:
    scope: Scope = {"conv1": 5}  # a parameter of the same name
    bind_value(scope, "conv1", (8, 4, 6))
    bind_value(scope, "flat", (100,))
    bind_value(scope, "tokens", (49, 768))
    bind_value(scope, "halves", ((4, 2, 2), (4, 2, 2)))
    texts = "=conv1", "=conv1.channels", "=conv1.height", "=conv1.width", "=conv1.parts"
    assert [parse(text).evaluate(scope) for text in texts] == [5, 8, 4, 6, 1]
    assert parse("=[flat.features, tokens.features, tokens.length]").evaluate(scope) == [100, 768, 49]
    assert parse("=halves.parts").evaluate(scope) == 2


@pytest.mark.parametrize("text", ["=flat.channels", "=flat.width", "=flat.length", "=halves.channels", "=map.features"])
def test_a_shape_without_that_property(text: str) -> None:
    scope: Scope = {}
    for name, shape in {"flat": (100,), "halves": ((4, 2, 2), (4, 2, 2)), "map": (8, 4, 6)}.items():
        bind_value(scope, name, shape)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match=r"has no"):
        parse(text).evaluate(scope)


def test_names_are_filled_in() -> None:
    assert fill("layer{i + 1}-{j}", {"i": 0, "j": Dim(2, ast.Name("j"))}) == "layer1-2"
    assert ShapeView((1, 2, 3)).width == 3


# -- numbers that remember their expression ----------------------------------------------------------------------

SYMBOLS: dict[str, int] = {"planes": 64, "groups": 2, "zero": 0, "one": 1, "less": -3}


def _arithmetic(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from("+-*/"), inner, inner)


RECIPES = st.recursive(st.sampled_from(sorted(SYMBOLS)) | st.integers(-4, 4), _arithmetic, max_leaves=8)


def cook(recipe: Any, symbolic: bool) -> int:
    """The value of a recipe, with `Dim`s for the symbols or with plain ints."""
    if isinstance(recipe, str):
        return Dim(SYMBOLS[recipe], ast.Name(recipe)) if symbolic else SYMBOLS[recipe]
    if isinstance(recipe, int):
        return recipe
    sign, *operands = recipe
    left, right = (cook(operand, symbolic) for operand in operands)
    if sign == "/":
        return left if int(right) == 0 else left // right
    return left + right if sign == "+" else left - right if sign == "-" else left * right


@settings(max_examples=300)
@given(RECIPES)
def test_dims_calculate_like_ints(recipe: Any) -> None:
    dim = cook(recipe, symbolic=True)
    assert dim == cook(recipe, symbolic=False)
    if isinstance(dim, Dim):
        assert evaluate(dim.tree, SYMBOLS) == int(dim)
        printed = parse(ast.unparse(dim.tree))
        assert printed.evaluate(SYMBOLS) == int(dim)
        known = {name: ast.Constant(number) for name, number in SYMBOLS.items()}
        assert evaluate(substitute(printed.tree, known), {}) == int(dim)


def test_dims_are_ints() -> None:
    planes = Dim(64, ast.Name("planes"))
    assert {planes: 1} == {64: 1}
    assert math.prod((planes, 2)) == 128
    assert ast.unparse((planes * 4 + planes).tree) == "planes * 4 + planes"
    assert ast.unparse(((planes + 2) * 4 // 3).tree) == "(planes + 2) * 4 // 3"
    assert planes * 1 is planes
    assert planes + 0 is planes
    assert planes // 1 is planes
