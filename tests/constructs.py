"""Which constructs of the language a spec has, and which pairs of constructs occur together in it.

Constructs are read off the plain data, so the same holds of random networks and of specs that people write. Two meet

- in one item: it carries both (`repeat` and `else`);
- where an item that carries one stands in an item that carries the other (a `call` in a repeated group);
- where an item that carries one takes, calls or stands in for the value of an item that carries the other;
- where one is said of a whole body (`output`, `register`, `init`, `let`, named inputs, …) and an item of it, at any
  depth of groups, carries the other, or both are said of one body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, Final

from interpreter import put_out

Data = dict[str, Any]
Pair = tuple[str, str]

KINDS: Final = {
    "convolution": ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    "linear": ("linear",),
    "embedding": ("embedding",),
    "norm": ("batch_norm1d", "batch_norm2d", "batch_norm3d", "instance_norm1d", "instance_norm2d", "instance_norm3d",
             "group_norm", "layer_norm", "layer_norm2d", "rms_norm"),
    "heads": ("multi_head_attention",),
    "activation": ("relu", "relu6", "leaky_relu", "prelu", "elu", "silu", "gelu", "hardswish", "hardsigmoid", "sigmoid",
                   "tanh", "softmax", "log_softmax", "mish", "selu", "celu", "softplus", "softsign", "log_sigmoid",
                   "hardtanh", "glu"),
    "dropout": ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "stochastic_depth"),
    "pool": ("max_pool1d", "max_pool3d", "avg_pool1d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool3d",
             "adaptive_max_pool1d", "adaptive_max_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "min", "var", "std",
             "logsumexp", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "upsample",
             "interpolate", "mean", "sum", "max", "vector_norm"),
    "arithmetic": ("add", "sub", "mul", "div", "addcmul", "maximum", "minimum"),
    "cat": ("cat", "stack"),
    "chunk": ("chunk", "split"),
    "tensor": ("matmul", "einsum", "flip", "cumsum", "sliding_window", "scaled_dot_product_attention",
               "functional_conv1d", "functional_conv2d", "functional_conv3d", "functional_linear",
               "functional_instance_norm",
               "rearrange", "select", "slice", "index", "expand", "pad", "roll", "normalize", "exp", "clamp",
               "tile", "repeat_interleave",
               "log", "sqrt", "rsqrt", "abs", "neg", "sign", "square", "reciprocal", "sin", "cos", "erf", "pow"),
    "shape": ("flatten", "identity", "contiguous", "permute", "channel_shuffle", "channel_affine", "unfold", "fold",
              "pixel_shuffle", "pixel_unshuffle", "flatten_batch", "unflatten_batch"),
    "parameter": ("parameter",),
    "buffer": ("buffer",),
}  # fmt: skip
"""Op kinds that the compiler treats alike."""

RAW: Final = ("parameter", "buffer")
"""Ops without inputs, whose value is not the input of the next item."""

_KIND_OF: Final = {op: kind for kind, ops in KINDS.items() for op in ops}

CONSTRUCTS: Final = (
    *KINDS, "op of a parameter", "function", "call", "call of a round", "like", "when", "else", "repeat",
    "repeat in a seq", "index in a seq", "index of a list", "group", "group in a seq", "nested group", "seq",
    "named in a seq", "block", "block in seq form", "block with two inputs", "block with outputs", "from several",
    "from the input", "computed reference", "round read by name", "part", "part by name", "as", "as over an input",
    "append", "list read", "train_only", "quoted name", "size of a value", "named inputs", "let", "init",
    "init of attributes", "register", "output", "outputs", "outputs always", "outputs of a block", "list parameter",
    "drawn parameter", "container", "entry of a container", "any number of inputs", "spec", "features of a spec",
    "submodule of a spec", "cut", "construct", "seq and layers",
)  # fmt: skip

WAYS: Final = frozenset({"round read by name", "part", "part by name"})
"""How a value is read by its name."""

_INDEXED: Final = re.compile(r"\{[^{}]+\}")


@dataclass
class _Found:
    """The constructs and pairs found in a spec."""

    constructs: set[str] = field(default_factory=set)
    pairs: set[Pair] = field(default_factory=set)

    def meet(self, left: Iterable[str], right: Iterable[str]) -> None:
        self.pairs |= {pair(a, b) for a, b in product(left, right)}


def pair(left: str, right: str) -> Pair:
    """A pair without an order: the construct that is listed first comes first."""
    return (left, right) if CONSTRUCTS.index(left) <= CONSTRUCTS.index(right) else (right, left)


def split(written: Data) -> tuple[str | None, Data]:
    """An item's name, if it has one, and its body."""
    if len(written) == 1:
        ((name, item),) = written.items()
        if isinstance(item, dict):
            return name, item
    return None, written


def constructs_of(spec: Data) -> _Found:
    """The constructs of a spec, and the pairs that meet in it."""
    found = _Found()
    for body in (spec, *(spec.get("blocks") or {}).values()):
        _Body(found, body, spec.get("blocks") or {}).read()
    return found


class _Body:
    """One body while it is read: which item made which value."""

    def __init__(self, found: _Found, body: Data, blocks: dict[str, Data]) -> None:
        self.found = found
        self.body = body
        self.blocks = blocks
        declared = body.get("inputs", ["input"])
        self.inputs = [f"{name[1:]}.0" if name.startswith("*") else name for name in declared]
        self.makers: dict[str, set[str]] = {}
        self.within = ""
        """The container around, with a dot."""
        self.previous: set[str] = set()
        self.all: set[str] = set()
        self.said = set(self.of_body())

    def of_body(self) -> Iterator[str]:
        body = self.body
        for key in ("let", "init", "register", "output", "cut", "construct"):
            if body.get(key):
                yield key
        if "seq" in body and body.get("layers"):
            yield "seq and layers"
        _, always = put_out(body)
        if body.get("outputs"):
            yield ("outputs always" if always else "outputs") if "input" in body else "outputs of a block"
        if body.get("inputs", ["input"]) != ["input"]:
            yield "named inputs"
        if any(name.startswith("*") for name in body.get("inputs", [])):
            yield "any number of inputs"
        if any(isinstance(value, list) for value in (body.get("params") or {}).values()):
            yield "list parameter"
        if re.search(r"=[^']*\b(in_channels|in_features|num_features|out_channels|out_features)\b",
                     str(body.get("init") or "")):  # fmt: skip
            yield "init of attributes"

    def read(self) -> None:
        self.items(self.body.get("seq", []), set(), True, 0)
        self.items(self.body.get("layers", []), set(), False, 0)
        named, _ = put_out(self.body)
        last = set().union(*(self.maker(name) for name in (self.body.get("output", ""), *named.values()) if name))
        self.all |= last & WAYS
        self.found.meet(self.said, self.all)
        self.found.pairs |= {pair(a, b) for a, b in combinations(self.said, 2)}
        self.found.constructs |= self.said | self.all

    def items(self, items: list[Data], around: set[str], in_seq: bool, depth: int) -> None:
        for written in items:
            name, item = split(written)
            self.item(name, item, around, in_seq, depth)

    def item(self, name: str | None, item: Data, around: set[str], in_seq: bool, depth: int) -> None:
        carried = set(self.carried(name, item, in_seq, depth))
        taken = set().union(*self.taken(carried, item, around))
        carried |= taken & WAYS
        self.found.pairs |= {pair(a, b) for a, b in combinations(sorted(carried), 2)}
        self.found.meet(carried, around | (taken - WAYS))
        self.all |= carried
        for key in ("layers", "seq"):
            if key in item:
                before, around_it = self.previous, self.within
                self.within += f"{name}." if key == "layers" and name is not None else ""
                self.items(item[key], around | carried, in_seq or key == "seq", depth + (key == "layers"))
                self.previous = before if key == "seq" else self.previous
                self.within = around_it
        self.settle(name, item, carried)

    def settle(self, name: str | None, item: Data, carried: set[str]) -> None:
        label = item.get("as", None if name is None else self.within + name)
        made = carried - WAYS
        if label is not None:
            self.makers[label] = made
        if "append" in item:
            self.makers[item["append"]] = self.makers.get(item["append"], set()) | made
        if not item.get("train_only") and "layers" not in item and item.get("op") not in RAW:
            self.previous = made

    # -- what an item carries ---------------------------------------------------------------------------------

    def carried(self, name: str | None, item: Data, in_seq: bool, depth: int) -> Iterator[str]:
        yield from self.what(name, item, in_seq, depth)
        for key in ("like", "when", "else", "as", "append", "train_only"):
            if key in item:
                yield key
        if item.get("as") in self.inputs:
            yield "as over an input"
        if "repeat" in item:
            yield "repeat in a seq" if in_seq else "repeat"
        if in_seq and "index" in item:
            yield "index in a seq"
        if in_seq and name is not None:
            yield "named in a seq"
        if "layers" in item and name is not None:
            yield "container"
        if name is not None and "." in re.sub(r"\{[^{}]*\}", "", name):
            yield "entry of a container"
        if name is not None and re.search("[\"']", name):
            yield "quoted name"
        values = [value for key, value in item.items() if key not in ("layers", "seq")]
        if re.search(r"\w\.(channels|height|width|features|length)\b", str(values)):
            yield "size of a value"
        if re.search(r"=[^']*\w\[", str(values)):
            yield "index of a list"

    def what(self, name: str | None, item: Data, in_seq: bool, depth: int) -> Iterator[str]:
        if "op" in item:
            yield _KIND_OF.get(item["op"], "op of a parameter")
            if name is None and not in_seq and _KIND_OF.get(item["op"]) in ("activation", "pool", "dropout", "shape"):
                yield "function"
        if item.get("op") == "parameter" and "init" in item:
            yield "drawn parameter"
        if "block" in item and "spec" not in item:
            block = self.blocks.get(item["block"], {})
            yield "block in seq form" if "seq" in block else "block"
            if len(block.get("inputs", ["input"])) > 1:
                yield "block with two inputs"
            if "outputs" in block:
                yield "block with outputs"
        if "spec" in item:
            yield from _of_a_spec(item)
        if "seq" in item:
            yield "seq"
        if "call" in item:
            yield "call"
            if _INDEXED.search(item["call"]) or self.is_round(item["call"]):
                yield "call of a round"
        if "layers" in item:
            yield "group in a seq" if in_seq else "nested group" if depth else "group"

    # -- what an item reads -----------------------------------------------------------------------------------

    def taken(self, carried: set[str], item: Data, around: set[str]) -> Iterator[set[str]]:
        """The constructs of whoever made what an item takes; how it is read meets them, the item and what is around."""
        given = item.get("from", [])
        names = [
            *(given if isinstance(given, list) else [given]),
            *(item[k] for k in ("like", "else", "call") if k in item),
        ]
        several = {"from several"} if isinstance(given, list) and len(given) > 1 else set()
        ways: set[str] = set()
        for value in names:
            own, made = several | self.reading(value), self.maker(value)
            self.found.meet(own, carried | around | made)
            ways |= own | (made & WAYS)
            yield made
        self.found.pairs |= {pair(a, b) for a, b in combinations(ways, 2)}
        self.all |= ways
        if "from" not in item and "layers" not in item and item.get("op") not in RAW:
            yield self.previous

    def reading(self, value: str) -> set[str]:
        own = {"from the input"} if value in self.inputs else set()
        if _INDEXED.search(value):
            own.add("computed reference")
        if any(item.get("append") == value for item in _flat(self.body)):
            own.add("list read")
        return own

    def maker(self, value: str) -> set[str]:
        """The item that made a value; a round given by number belongs to the item that is repeated."""
        if value in self.makers:
            return self.makers[value]
        base, _, part = value.rpartition(".")
        if part and not part.isdecimal() and (made := self.maker(base)):
            return made | {"part by name"}
        if part and base in self.makers:
            return self.makers[base] | {"part"}
        found = next((self.makers[name] for name in self.makers if _is_round(value, name)), set())
        return found | {"round read by name"} if found and not _INDEXED.search(value) else found

    def is_round(self, value: str) -> bool:
        return value not in self.makers and any(_is_round(value, name) for name in self.makers)


def _of_a_spec(item: Data) -> Iterator[str]:
    """What an item carries that uses a spec as a block."""
    yield "spec"
    if "features" in item:
        yield "features of a spec"
        if not isinstance(item["features"], str):
            yield "block with outputs"
    if "submodule" in item:
        yield "submodule of a spec"


def _is_round(value: str, name: str) -> bool:
    """Whether a name is one that an item with an index in its own gives, or reads like it."""
    if "{" not in name:
        return False
    pattern = "".join(r".+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^{}]*\})", name))
    return re.fullmatch(pattern, value) is not None


def _flat(body: Data) -> Iterator[Data]:
    queue = [*body.get("seq", []), *body.get("layers", [])]
    while queue:
        _, item = split(queue.pop())
        yield item
        queue += item.get("layers", [])
