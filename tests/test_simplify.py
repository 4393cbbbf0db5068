"""Expressions with some known names: the simplified one has the same value, and reads as written by hand."""

from __future__ import annotations

import ast
import functools
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archspec.expressions.parse import parse
from archspec.expressions.simplify import as_condition, collected, difference, simplify, value_of

WHOLE = frozenset({"a", "b", "n"})
"""Names of integers; `r` is a fraction, `flag` a truth value."""

numbers = st.one_of(
    st.sampled_from(("a", "b", "n", "r", "0", "1", "2", "7", "64", "1.0", "2.0", "0.5", "8")),
    st.integers(-3, 9).map(lambda number: f"({number})"),
)


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.tuples(inner, st.sampled_from(("+", "-", "*", "//", "/", "%")), inner)
    compared = st.tuples(inner, st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), inner)
    truth = st.one_of(st.just("flag"), compared.map(lambda parts: f"({' '.join(parts)})"))
    both = st.tuples(st.one_of(truth, inner), st.sampled_from(("and", "or")), st.one_of(truth, inner)).map(
        lambda parts: f"({' '.join(parts)})"
    )
    chosen = st.tuples(inner, st.one_of(truth, both, truth.map(lambda text: f"(not {text})")), inner)
    return st.one_of(
        both,
        binary.map(lambda parts: f"({' '.join(parts)})"),
        chosen.map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        st.tuples(st.sampled_from(("int", "round", "ceil", "abs")), inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(inner, inner).map(lambda parts: f"max({parts[0]}, {parts[1]})"),
    )


expressions = st.recursive(numbers, _joined, max_leaves=12)
values = st.fixed_dictionaries({
    "a": st.integers(0, 9), "b": st.integers(-4, 70), "n": st.sampled_from((0, 1, 2, 64)),
    "r": st.sampled_from((0.0, 0.25, 1.0, 1.5)), "flag": st.booleans(),
})  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(text=expressions, scope=values, known=st.sets(st.sampled_from(("a", "b", "n", "r", "flag"))))
def test_the_value_stays(text: str, scope: dict[str, Any], known: set[str]) -> None:
    tree = parse(f"={text}").tree
    expected = value_of(tree, scope)
    assume(expected is not ...)  # a division by zero, say
    left = simplify(tree, {name: scope[name] for name in known}, WHOLE)
    found = value_of(left, {name: value for name, value in scope.items() if name not in known})
    assert found == expected, ast.unparse(left)
    assert isinstance(found, float) == isinstance(expected, float), ast.unparse(left)


@pytest.mark.parametrize(
    ("text", "known", "left"),
    [
        ("n != a", {"n": 8}, "a != 8"),
        ("n < a", {"n": 8}, "a > 8"),
        ("n >= a", {"n": 8}, "a <= 8"),
        ("a != n", {"n": 8}, "a != 8"),
        ("a + 0", {}, "a"), ("a - 0", {}, "a"), ("0 + a", {}, "a"), ("0 - a", {}, "0 - a"),
        ("a * n", {"n": 1}, "a"), ("n * a", {"n": 1}, "a"), ("a // 1", {}, "a"), ("r // 1", {}, "r // 1"),
        ("a * 0", {}, "0"), ("0 * a", {}, "0"), ("r * 0", {}, "r * 0"), ("0 * r", {}, "0 * r"),
        ("a / 1", {}, "a / 1"), ("a + 1", {}, "a + 1"), ("a % 1", {}, "a % 1"),
        ("int(a)", {}, "a"), ("int(r)", {}, "int(r)"), ("int(a * 2.0)", {}, "a * 2"), ("int(a * 1.0)", {}, "a"),
        ("int(a * 0.5)", {}, "int(a * 0.5)"), ("int(r * 2.0)", {}, "int(r * 2.0)"), ("round(a)", {}, "a"),
        ("round(a, 1)", {}, "round(a, 1)"), ("int(ceil(r))", {}, "ceil(r)"), ("int(a % b - n)", {}, "a % b - n"),
        ("int(a / b)", {}, "int(a / b)"), ("int(round(r, 1))", {}, "int(round(r, 1))"),
        ("a if n else b", {"n": 0}, "b"), ("a if n else b", {"n": 2}, "a"),
        ("a if flag else n", {"n": 3}, "a if flag else 3"), ("b + a if flag else b + a", {}, "b + a"),
        ("flag and n", {"n": 0}, "flag and 0"), ("flag and n", {"n": 1}, "flag and 1"), ("n and a", {"n": 0}, "0"),
        ("n and a", {"n": 1}, "a"), ("n or a", {"n": 0}, "a"), ("n and n", {"n": 1}, "1"), ("n or n", {"n": 0}, "0"),
        ("flag and n and a", {"n": 1}, "flag and a"), ("flag or n or a", {"n": 2}, "flag or 2"),
        ("a > 1 and n == 1", {"n": 1}, "a > 1"), ("a > 1 and n == 0", {"n": 1}, "False"),
        ("a > 1 or n == 1", {"n": 1}, "True"), ("not flag or a > 1 or n == 0", {"n": 1}, "not flag or a > 1"),
        ("a > 1 and n / 8", {"n": 4}, "a > 1 and 4 / 8"), ("b if flag and n else a", {"n": 1}, "b if flag else a"),
        ("(a > 1) + 0", {}, "(a > 1) + 0"), ("(not a) * 1", {}, "(not a) * 1"),
        ("0 + (a and a > 1)", {}, "0 + (a and a > 1)"),
        ("n * 3 + 1", {"n": 2}, "7"), ("n / 3", {"n": 2}, "2 / 3"), ("n / 2", {"n": 2}, "1.0"),
        ("a * (n / 64)", {"n": 4}, "a * (4 / 64)"), ("sqrt(n)", {"n": 4}, "2.0"), ("sqrt(n)", {"n": 2}, "sqrt(2)"),
        ("-n", {"n": 3}, "-3"), ("-a", {}, "-a"), ("max(n, 3)", {"n": 2}, "3"), ("max(a, 3)", {}, "max(a, 3)"),
    ],
)  # fmt: skip
def test_reads_as_one_would_write_it(text: str, known: dict[str, Any], left: str) -> None:
    assert ast.unparse(simplify(parse(f"={text}").tree, known, WHOLE)) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [("flag and 0", "False"), ("flag and 1", "flag"), ("flag or 1", "True"), ("flag or 0", "flag"), ("1 and 1", "True"),
     ("0 or 0", "False"), ("flag and (a or 0) and 2", "flag and a"), ("a", "a")],
)  # fmt: skip
def test_of_a_condition_only_the_truth_matters(text: str, left: str) -> None:
    assert ast.unparse(as_condition(parse(f"={text}").tree)) == left


@settings(max_examples=200, deadline=None)
@given(text=expressions, times=st.integers(1, 4), scope=values)
def test_collected_terms_have_the_same_value(text: str, times: int, scope: dict[str, Any]) -> None:
    tree = parse(f"={text}").tree
    tree = functools.reduce(lambda left, right: ast.BinOp(left, ast.Add(), right), [tree] * times)
    expected = value_of(tree, scope)
    assume(expected is not ...)
    assert value_of(collected(tree, WHOLE), scope) == expected


@pytest.mark.parametrize(
    ("text", "left"),
    [("8 + a + a + a", "8 + 3 * a"), ("a * 2 + a * 2", "a * 4"), ("r + r", "r + r"), ("r * 2 + r * 2", "r * 2 + r * 2"),
     ("a + b", "a + b"), ("(a + a) // 2 + b", "2 * a // 2 + b"), ("a * b + a * b", "2 * (a * b)")],
)  # fmt: skip
def test_equal_terms_are_one_product(text: str, left: str) -> None:
    assert ast.unparse(collected(parse(f"={text}").tree, WHOLE)) == left


@pytest.mark.parametrize(
    ("larger", "smaller", "rest"),
    [("a + b + n", "a + n", "b"), ("a + b + n", "b", "a + n"), ("a + b", "a + b", None), ("a", "a + b", None),
     ("a + a", "a", "a"), ("a * 2 + b", "a * 2", "b"), ("a - b", "a", None)],
)  # fmt: skip
def test_difference(larger: str, smaller: str, rest: str | None) -> None:
    found = difference(parse(f"={larger}").tree, parse(f"={smaller}").tree)
    assert (found and ast.unparse(found)) == rest
