"""YAML text → data with places: what is accepted, what is refused, and where the caret goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics.diagnostic import Diagnostic, DocumentError, Path
from archspec.frontend.loader import shipped
from archspec.frontend.yaml.document import Document
from archspec.frontend.yaml.reader import MAX_BYTES, MAX_DEPTH, MAX_SCALAR, MAX_VALUES, parse
from archspec.frontend.yaml.writer import dump


def refused(text: str) -> Diagnostic:
    """The one error of a text."""
    with pytest.raises(DocumentError) as caught:
        parse(text, "net.yaml")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.file == "net.yaml"
    return diagnostic


# -- values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("1", 1), ("-7", -7), ("+3", 3), ("0", 0), ("1.5", 1.5), ("1e-5", 1e-5), ("1E3", 1000.0), (".5", 0.5),
        ("2.", 2.0), ("-0.25", -0.25), ("true", True), ("True", True), ("FALSE", False),
        ("null", None), ("~", None), ("Null", None), ("'1'", "1"), ('"true"', "true"), ("'yes'", "yes"), ("'~'", "~"),
        ("''", ""), ("M", "M"), ("y", "y"), ("n", "n"), ("'.inf'", ".inf"), ("inf", "inf"), (".info", ".info"),
        ("2001-01-01", "2001-01-01"),
        ("=a + b", "=a + b"), ("1x1", "1x1"), ("3x320x320", "3x320x320"), ("1.2.3", "1.2.3"), ("[]", []), ("{}", {}),
        ("[1, [2, {a: 3}]]", [1, [2, {"a": 3}]]), ("a:", {"a": None}), ("{a: , b: 1}", {"a": None, "b": 1}),
        ("|\n  two\n  lines\n", "two\nlines\n"), ("héhé: ×", {"héhé": "×"}),
    ],
)  # fmt: skip
def test_values(text: str, data: Any) -> None:
    found = parse(text).data
    assert found == data
    assert type(found) is type(data)


@pytest.mark.parametrize("word", [".inf", "-.inf", "+.inf", ".Inf", "-.INF", ".nan", ".NaN", ".NAN"])
def test_numbers_that_are_not_finite_are_refused(word: str) -> None:
    diagnostic = refused(f"a: 1\nslope: [{word}]\n")
    assert diagnostic.message == f"'{word}' is not a finite number"
    assert (diagnostic.line, diagnostic.column, diagnostic.width) == (2, 9, len(word))
    assert dump({"a": word}) == f"a: '{word}'\n"


@pytest.mark.parametrize("half", [0xD800, 0xDCFF, 0xDFFF])
def test_half_a_character_is_refused(half: int) -> None:
    diagnostic = refused(f"a: 1\né: x{chr(half)}\n")
    assert diagnostic.message == f"the character U+{half:04X} is not allowed in YAML"
    assert (diagnostic.line, diagnostic.column) == (2, 5)
    assert str(diagnostic).isascii() or "é" in str(diagnostic)


INVISIBLE = "\x7f\x85\x9b\xa0\u200b\u202e\u2028\u2066\ufeff\U000e0001"


@pytest.mark.parametrize("text", [f"é{c} x" for c in INVISIBLE] + ["a\n" + INVISIBLE, INVISIBLE * 40, "=" + INVISIBLE])
def test_invisible_characters_are_written_as_escapes(text: str) -> None:
    for data in ({"key": text}, [text, {text: [text]}]):
        written = dump(data)
        assert all(character == "\n" or character.isprintable() for character in written)
        assert parse(written).data == data


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO", "On", "OFF"])
def test_booleans_of_yaml_1_1_are_refused(word: str) -> None:
    diagnostic = refused(f"a: 1\nbias: {word}\n")
    assert "boolean in YAML 1.1" in diagnostic.message
    assert f"'{word}'" in diagnostic.help
    assert (diagnostic.line, diagnostic.column, diagnostic.width) == (2, 7, len(word))


@pytest.mark.parametrize("word", ["010", "-010", "0x1F", "0o17", "0b11", "1_000", "1:30", "1:30:00", "190:20:30"])
def test_numbers_of_yaml_1_1_are_refused(word: str) -> None:
    diagnostic = refused(f"stages: [3, {word}]\n")
    assert "different numbers" in diagnostic.message
    assert (diagnostic.line, diagnostic.column, diagnostic.width) == (1, 13, len(word))


@pytest.mark.parametrize("word", ["1e999", "-1e400", "9" * 400 + "."])
def test_numbers_without_end_are_refused(word: str) -> None:
    assert refused(f"eps: {word}").kind == "limit"


@pytest.mark.parametrize("word", ["yes", "010", "1_000", "1:30", "on"])
def test_quoted_words_are_text(word: str) -> None:
    assert parse(f"'{word}'").data == word


# -- what is not part of the language ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate key 'a'", (3, 1)),
        ("a: {b: 1, c: 2, b: 3}\n", "duplicate key 'b'", (1, 17)),
        ('a: {b: 1, "b": 3}\n', "duplicate key 'b'", (1, 11)),
        ("a: !!python/object/apply:os.system [ls]\n", "YAML tags", (1, 4)),
        ("a: !!int '3'\n", "YAML tags", (1, 4)),
        ("a: !mine 3\n", "YAML tags", (1, 4)),
        ("!!map {a: 1}\n", "YAML tags", (1, 1)),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "merge keys", (3, 3)),
        ("a: *nowhere\n", "alias '*nowhere'", (1, 4)),
        ("a: &x [1, *x]\n", "alias '*x' has no anchor", (1, 11)),
        ("1: a\n", "a key must be text", (1, 1)),
        ("true: a\n", "a key must be text", (1, 1)),
        ("[1, 2]: a\n", "a key must be text", (1, 1)),
        ("~: a\n", "a key must be text", (1, 1)),
        ("a: 1\n---\nb: 2\n", "a second document", (2, 1)),
        ("a: [1, 2\nb: 3\n", "expected ',' or ']'", (2, 2)),
        ("a: {b: 1\n", "expected ',' or '}'", (1, 9)),
        ("a: 'open\n", "the quotes are never closed", (1, 9)),
        ("a: 1\n  b: 2\n", "a ':' has no meaning here", (2, 4)),
        ("\tconv1: 3\n", "tabs cannot be used for indentation", (1, 1)),
        ("é: \0\n", "the character U+0000 is not allowed in YAML", (1, 4)),
        ("é: {×: 1, b: yes}\n", "boolean", (1, 14)),
        ("", "the file is empty", None),
        ("# nothing\n", "the file is empty", None),
    ],
)
def test_refused(text: str, message: str, place: tuple[int, int] | None) -> None:
    diagnostic = refused(text)
    assert message in diagnostic.message
    assert place is None or (diagnostic.line, diagnostic.column) == place


def test_a_duplicate_key_says_where_the_first_is() -> None:
    assert refused("a: 1\nb: 2\na: 3\n").notes == ("first on line 1",)


def test_all_errors_are_reported_up_to_the_first_that_ends_the_reading() -> None:
    with pytest.raises(DocumentError) as caught:
        parse("a: yes\nb: 010\na: 3\n1: 2\nd: *x\ne: !!int 3\nf: [\n", "net.yaml")
    assert [(d.line, d.column) for d in caught.value.diagnostics] == [
        (1, 4), (2, 4), (3, 1), (4, 1), (5, 4), (6, 4), (7, 5)
    ]  # fmt: skip


# -- limits ------------------------------------------------------------------------------------------------------

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(20)
)

LIMITS = {
    "bytes": "a: 1 #" + "x" * MAX_BYTES,
    "depth": "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    "much deeper": "[" * 100_000,
    "deep in block style": "".join(f"{' ' * i}a{i}:\n" for i in range(MAX_DEPTH + 2)),
    "scalar": "a: " + "x" * (MAX_SCALAR + 1),
    "digits": "a: " + "9" * 4000,
    "values": "[" + "1," * (MAX_VALUES + 1) + "]",
    "alias bomb": BOMB,
}


@pytest.mark.parametrize("text", LIMITS.values(), ids=LIMITS)
def test_limits(text: str) -> None:
    """None of these may be traversed, which would take hours."""
    assert refused(text).kind in ("limit", "syntax")


@pytest.mark.parametrize(
    "text",
    [
        "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1),
        "a: " + "x" * MAX_SCALAR,
        "a: " + "9" * 18,
        "[" + "1," * (MAX_VALUES - 1) + "]",
    ],
    ids=["depth", "scalar", "digits", "values"],
)
def test_within_the_limits(text: str) -> None:
    assert parse(text).data


def test_aliases_stand_for_what_they_name() -> None:
    assert parse("a: &x [1, 2]\nb: *x\n").data == {"a": [1, 2], "b": [1, 2]}


# -- places ------------------------------------------------------------------------------------------------------

NET = """\
name: net
stages: [3, 4,
         6, 3]
layers:
- conv1: {op: conv2d, out_channels: 8}
- {op: relu}
- down:
    seq:
    - {op: conv2d, stride: 2}
blocks:
  Block: &block
    params: {planes: , stride: 1}
again: *block
"""


@pytest.fixture(scope="module")
def net() -> Document:
    return parse(NET, "net.yaml")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (1, 1)),
        (("name",), (1, 7)),
        (("stages",), (2, 9)),
        (("stages", 1), (2, 13)),
        (("stages", 2), (3, 10)),
        (("layers", 0), (5, 3)),
        (("layers", 0, "conv1"), (5, 10)),
        (("layers", 0, "conv1", "out_channels"), (5, 37)),
        (("layers", 0, "out_channels"), (5, 37)),
        (("layers", 1, "op"), (6, 8)),
        (("layers", 2, "down", "seq", 0, "stride"), (9, 28)),
        (("layers", 2, "seq", 0, "stride"), (9, 28)),
        (("layers", 0, "tagged-union", "conv1", "op"), (5, 15)),
        (("layers", 0, "conv1", "missing"), (5, 10)),
        (("nothing", "here"), (1, 1)),
        (("again", "params", "stride"), (12, 32)),
    ],
)
def test_locate(net: Document, path: Path, place: tuple[int, int]) -> None:
    node = net.locate(path)
    assert (node.line + 1, node.column + 1) == place


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        (("stages",), "stages"),
        (("stages", 1), "4"),
        (("layers", 0), "conv1"),
        (("layers", 0, "conv1"), "conv1"),
        (("layers", 0, "conv1", "out_channels"), "8"),
        (("layers", 0, "out_channels"), "8"),
        (("layers", 1), "{op: relu}"),
        (("layers", 1, "op"), "relu"),
        (("layers", 2), "down"),
        (("layers", 2, "seq", 0), "{op: conv2d, stride: 2}"),
        (("layers", 2, "seq", 0, "stride"), "2"),
        (("blocks", "Block"), "Block"),
        (("blocks", "Block", "params", "planes"), "planes"),
        (("again",), "again"),
    ],
)
def test_the_caret_is_under_the_value(net: Document, path: Path, marked: str) -> None:
    """A value on several lines, or a mapping, is marked at its key."""
    found = net.locate_diagnostic(Diagnostic("schema", "wrong", path))
    assert found.file == "net.yaml"
    assert found.source == NET.splitlines()[found.line - 1]
    assert found.source[found.column - 1 : found.column - 1 + found.width] == marked


@pytest.mark.parametrize(
    ("diagnostic", "marked"),
    [
        (Diagnostic("schema", "wrong", ("layers", 0, "conv1", "out_channels"), about_key=True), "out_channels"),
        (Diagnostic("schema", "wrong", ("name",), word="et"), "net"),
        (Diagnostic("schema", "wrong", ("layers", 0, "conv1", "op"), word="2d"), "conv2d"),
        (Diagnostic("schema", "wrong", ("layers", 1), word="relu"), "relu"),
    ],
)
def test_the_caret_is_under_the_word(net: Document, diagnostic: Diagnostic, marked: str) -> None:
    """The caret is under the key if the key is wrong, and under a word of a value if it is not part of another word."""
    found = net.locate_diagnostic(diagnostic)
    assert found.source[found.column - 1 : found.column - 1 + found.width] == marked


def test_a_located_diagnostic_stays_where_it_is(net: Document) -> None:
    located = Diagnostic("schema", "wrong", ("name",), file="override")
    assert net.locate_diagnostic(located) == located


# -- round trip --------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["yes", "010", "1_000", "~", "<<", "null", "", " a ", "a: b", "- x", "=a + b", "#", "*a", "&a", "!t", "\u2028\x85"]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | WORDS
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**16), 10**16) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
KEYS = TEXT.filter(lambda key: key != "<<")
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of equal types all the way down: 1, 1.0 and true are three things."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@given(DATA)
def test_dump_is_read_back(data: Any) -> None:
    assert same(parse(dump(data)).data, data)


@pytest.mark.parametrize("name", shipped())
def test_shipped_specs_survive(name: str) -> None:
    data = parse(shipped()[name].read_text(encoding="utf-8")).data
    assert same(parse(dump(data)).data, data)


def test_dump_is_what_a_person_would_write() -> None:
    text = """\
name: net
input: [3, 8, 8]
params: {num_classes: 10}
layers:
- conv1: {op: conv2d, out_channels: 8, kernel_size: [3, 3]}
- {op: relu}
- down:
    when: =num_classes > 3
    seq:
    - {op: max_pool2d, kernel_size: 2}
init:
- {op: conv2d, weight: {kaiming_normal: {mode: fan_out}}}
"""
    assert dump(parse(text).data) == text
