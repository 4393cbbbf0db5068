"""Free networks of sequences and maps, whose dimensions the general ops on tensors split, merge and reorder.

All values of a body have one shape: sequences 6 × width, or maps. What `free_networks.py` may put on an item it may
put on these ops, too; a step that leaves the shape returns to it, or its value is an output.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import shape_changes
from folded_batches import groups_in_the_batch, positions_in_the_batch
from free_networks import Free, Vectors, network_of
from token_networks import LENGTH, of_tokens

Data = dict[str, Any]


class Sequences(Vectors):
    """The items of one body, whose values are all sequences of one shape."""

    sizes = ("length", "features")
    norms = ("layer_norm",)

    @staticmethod
    def shape(size: int) -> list[int]:
        return [LENGTH, size]

    def norm(self) -> Data:
        return self.chance.choice([{"op": "layer_norm"}, {"op": "layer_norm", "bias": False}, {"op": "rms_norm"},
                                   {"op": "layer_norm", "num_dims": 2}, {"op": "prelu", "num_parameters": LENGTH},
                                   {"op": "rms_norm", "eps": 0.001}])  # fmt: skip

    def activation(self) -> Data:
        return {"op": "gelu", "approximate": "tanh"} if self.maybe(0.1) else super().activation()

    def other(self) -> Data:
        return self.chance.choice([{"op": "dropout", "p": self.rate()}, {"op": "identity"},
                                   {"op": "softmax", "dim": self.dim()}])  # fmt: skip

    def step_op(self) -> None:
        if self.maybe(0.3):
            return self.place(self.several_heads(), self.named("heads"))
        return super().step_op()

    def several_heads(self) -> Data:
        """Attention of a value, or of three, of which the second may have fewer features."""
        heads = "=width // 4" if self.maybe(0.3) else 2
        fields: Data = {"num_heads": heads, **({"dropout": self.rate()} if self.maybe(0.3) else {})}
        for name in ("bias", "add_bias_kv", "add_zero_attn"):
            if self.maybe(0.15):
                fields[name] = "=flag" if self.has("flag") and self.maybe() else name != "bias"
        return {"op": "multi_head_attention", **fields}

    def dim(self) -> int:
        """A dimension of a sequence."""
        return self.chance.choice((1, 2, -1, -2))

    def step(self) -> None:
        steps: tuple[Callable[[], None], ...] = (super().step, super().step, self.step_function, self.step_apart)
        self.chance.choice(steps)()

    def step_arithmetic(self) -> None:
        """Of two values or more, or of a value and a number."""
        if self.maybe():
            return super().step_arithmetic()
        op = self.chance.choice(("add", "sub", "mul", "div"))
        if self.maybe() and op != "div":
            return self.place({"op": op, "from": [self.value() for _ in range(3)]}, None)
        number = "=rate + 0.5" if self.has("rate") and self.maybe() else self.chance.choice((0.5, -2))
        reverse = {"reverse": True} if op == "sub" and self.maybe() else {}
        return self.place({"op": op, "value": number, **reverse}, None)

    def step_function(self) -> None:
        """A function that keeps the shape."""
        rate = "=rate + 0.5" if self.has("rate") and self.maybe() else 0.75
        ways: list[Data] = [
            {"op": "roll", "shifts": [self.chance.randint(-7, 7)], "dims": [self.dim()]},
            {"op": "roll", "shifts": [1, -2], "dims": [1, -1]},
            {"op": "normalize", "dim": self.dim(), "eps": 0.5}, {"op": "clamp", "min": -0.5, "max": rate},
            {"op": "expand", "size": [-1, -1]},
        ]  # fmt: skip
        self.place(self.chance.choice(ways), self.named("t") if self.maybe() else None)

    def step_apart(self) -> None:
        """Dimensions split and merged again."""
        self.chance.choice(APART)(self)


def bounded(body: Sequences) -> None:
    """A function of a value that is neither small nor large."""
    kinds = ("exp", "log", "sqrt", "rsqrt", "abs", "neg", "square", "reciprocal", "sin", "cos", "erf")
    power = "=rate + 0.5" if body.has("rate") and body.maybe() else 1.5
    body.then({"op": "sigmoid"})
    for kind in body.chance.sample(kinds, 3):
        body.items += [{"op": "add", "value": 0.5, "as": (low := body.label("low"))}]
        if kind == "abs":
            sign = body.label("sign")
            body.items += [{"op": "sign", "as": sign}, {"op": "mul", "from": [low, sign]}]
        body.items += [{"op": kind}, {"op": "sigmoid"}]
    body.back({"op": "pow", "exponent": power} if body.maybe() else {"op": body.chance.choice(kinds[:4])})


def bent(body: Sequences) -> None:
    """An activation that fewer networks have."""
    ways: list[Data] = [
        {"op": "mish"}, {"op": "selu"}, {"op": "celu", "alpha": 0.5}, {"op": "softplus", "beta": 2}, {"op": "softsign"},
        {"op": "log_sigmoid"}, {"op": "hardtanh", "max_val": 0.5}, {"op": "log_softmax", "dim": -1},
        {"op": "alpha_dropout", "p": 0.25},
    ]  # fmt: skip
    for way in body.chance.sample(ways, 3):
        body.place(way, body.named("bend") if body.maybe() else None)


def halved(body: Sequences) -> None:
    """The features twice, and one half gated by the other."""
    one, other = body.value(), body.value()
    twice: Data = {"op": "cat", "from": [one, other], "dim": -1}
    if one == other:
        ways: list[Data] = [{"op": "tile", "repeats": [1, 2]}, {"op": "repeat_interleave", "repeats": 2, "dim": -1}]
        twice = {**ways[len(body.items) % 2], "from": one}
    body.items.append(twice)
    body.back({"op": "glu"})


def along_the_features(body: Sequences) -> None:
    """The positions as channels, and windows that slide over the features."""
    window: Data = {"kernel_size": 3, "stride": 1, "padding": 1}
    named: list[Data] = [
        {"op": "conv1d", "out_channels": LENGTH, "kernel_size": 3, "padding": body.chance.choice((1, "same")),
         "padding_mode": body.chance.choice(("zeros", "circular"))},
        {"op": "conv1d", "out_channels": LENGTH, "kernel_size": 4, "padding": "same", "groups": 2, "dilation": 2},
        {"op": "conv_transpose1d", "out_channels": LENGTH, "kernel_size": 3, "padding": 1}, {"op": "batch_norm1d"},
        {"op": "instance_norm1d"}, {"op": "instance_norm1d", "affine": True, "track_running_stats": True},
    ]  # fmt: skip
    plain: list[Data] = [
        {"op": "max_pool1d", **window}, {"op": "avg_pool1d", **window, "count_include_pad": False},
        {"op": "adaptive_avg_pool1d", "output_size": "=width"}, {"op": "dropout1d", "p": 0.25},
        {"op": "adaptive_max_pool1d", "output_size": "=width"}, {"op": "lp_pool1d", "norm_type": 2, "kernel_size": 1},
    ]  # fmt: skip
    for way in body.chance.sample(named, 2):
        body.place(way, body.named("slid"))
    body.then({"op": "softplus"}, body.chance.choice(plain))
    body.place(body.chance.choice(plain), body.named("slid") if body.maybe() else None, reads=False)


def in_parts(body: Sequences) -> None:
    """Parts of a dimension, of equal sizes or not, in another order."""
    parts, dim = body.label("parts"), body.dim()
    along = dim in (1, -2)
    sizes: list[Data] = [{"sections": 2}, {"sizes": [2, LENGTH - 2] if along else [3, "=width - 3"]}]
    body.then({"op": "split", **body.chance.choice(sizes), "dim": dim, "as": parts})
    head = f"{parts}.0"
    if body.maybe():
        head = body.label("part")
        ways: list[Data] = [{"op": "relu"}, {"op": "roll", "shifts": [1], "dims": [dim]}, {"op": "clamp", "max": 0.5}]
        act = {**body.chance.choice(ways), "from": f"{parts}.0", "as": head}
        body.items.append({**act, "when": body.condition(), "else": f"{parts}.0"} if body.maybe() else act)
    body.back({"op": "cat", "from": [f"{parts}.1", head], "dim": dim})


def padded(body: Sequences) -> None:
    """More positions, and fewer again."""
    before, behind = body.chance.randint(0, 2), body.chance.randint(1, 2)
    mode = body.chance.choice(("constant", "reflect", "replicate", "circular"))
    value = {"value": 0.5} if mode == "constant" and body.maybe() else {}
    body.then({"op": "pad", "pad": [before, behind], "mode": mode, **value})
    if body.maybe():
        return body.back({"op": "slice", "dim": -1, "start": before, "stop": -behind})
    return body.restore()


def positions(body: Sequences) -> None:
    """Some positions, beside others of the same value."""
    whole, first = body.label("whole"), body.label("first")
    body.then({"op": "tanh", "as": whole})
    dim, step = body.dim(), body.chance.randint(1, 2)
    if step == 2:
        other = {"op": "slice", "dim": dim, "start": 1, "step": 2, "from": whole}
        body.items += [{"op": "slice", "dim": dim, "step": 2, "from": whole, "as": first}, other]
    else:
        body.items.append({"op": "slice", "dim": dim, "start": -2, "from": whole, "as": first})
        body.items.append({"op": "slice", "dim": dim, "stop": -2, "from": whole})
    last = body.label("last")
    body.items[-1]["as"] = last
    body.back({"op": "cat", "from": [first, last], "dim": dim})


def selected(body: Sequences) -> None:
    """Single positions, joined again or used as outputs."""
    whole = body.label("whole")
    body.then({"op": "tanh", "as": whole})
    names = [body.label("one") for _ in range(LENGTH)]
    order = body.chance.sample(range(-LENGTH, 0), LENGTH)
    if body.maybe(0.3):
        body.items.append({"op": "select", "dim": 1, "position": order[0], "from": whole})
        end = body.label("end")
        body.items.append({body.named("fc"): {"op": "linear", "out_features": body.width(), "as": end}})
        return shape_changes.put_out(body, end)
    body.items += [{"op": "select", "dim": 1, "position": place, "from": whole, "as": name}
                   for place, name in zip(order, names, strict=True)]  # fmt: skip
    return body.back({"op": "stack", "from": names, "dim": 1})


def stacked(body: Sequences) -> None:
    """Values along a new dimension, and one number for each of its positions."""
    dim = body.chance.choice((1, 2, 3, -1, -2, -3))
    names = [body.value() for _ in range(body.chance.randint(1, 3))]
    if body.lists and body.maybe():
        names.append(body.chance.choice(body.lists))
    body.items.append({"op": "stack", "from": names, "dim": dim})
    if body.maybe(0.3):
        body.items.append({"op": "softmax", "dim": body.chance.choice((1, 2, 3))})
    body.back({"op": body.chance.choice(("sum", "max", "mean")), "dim": [dim]})


def with_a_token(body: Sequences) -> None:
    """A parameter for every sample before the sequence, which goes again or comes to be the whole."""
    token, of = body.named("token"), body.value()
    body.items.append({token: body.parameter([1, 1, "=width"], body.rate())})
    name, like = body.label("tokens"), of
    if body.maybe(0.2):
        like = body.label("parts")
        body.items.append({"op": "split", "sections": 2, "from": of, "as": like})
        like = f"{like}.1"
    taken = {"from": [token, like]} if body.maybe() else {"from": token, "like": like}
    body.items += [{"op": "expand", **taken, "as": name}, {"op": "cat", "from": [name, of], "dim": 1}]
    if body.maybe():
        return body.back({"op": "slice", "start": 1, "dim": -2})
    body.items.append({"op": "select", "position": 0})
    return body.back({"op": "mul", "from": [f"{single(body)}", body.value()]})


def single(body: Sequences) -> str:
    """The vector before it as a sequence of one."""
    name = body.label("row")
    body.items.append({"op": "stack", "as": name})
    return name


REDUCTIONS: Final = ("sum", "max", "mean", "min", "var", "std", "logsumexp")


def reduced(body: Sequences) -> None:
    """Numbers for whole dimensions, spread again."""
    dim, other = body.dim(), body.value()
    name = body.label("low")
    body.then({"op": body.chance.choice(REDUCTIONS), "dim": [dim], "keepdim": True, "as": name})
    if body.maybe(0.4):
        body.items.append({"op": "expand", "size": [LENGTH, -1] if dim in (1, -2) else [-1, "=width"]})
        return body.back({"op": "tanh"})
    pair = [name, other]
    body.chance.shuffle(pair)
    op = body.chance.choice(("add", "sub", "mul"))
    if op == "add" and dim < 0:
        return body.back({"op": "addcmul", "from": [*pair, other], **({"value": 0.5} if dim == -1 else {})})
    extremes = {"sub": "maximum", "mul": "minimum"} if dim < 0 else {}
    return body.back({"op": extremes.get(op, op), "from": pair})


def attention(body: Sequences) -> None:
    """Products of the sequence with itself."""
    q, k, v = (body.value() for _ in range(3))
    scores = body.label("scores")
    body.items.append({"op": "matmul", "from": [q, k], "transpose_b": True, "as": scores})
    body.items.append({"op": "softmax", "dim": -1, "as": scores})
    if body.maybe(0.3):
        mask = body.named("mask")
        body.items.append({mask: {"op": "parameter", "shape": [LENGTH, LENGTH], "value": 0.25}})
        body.items.append({"op": "add", "from": [scores, mask], "as": scores})
    body.back({"op": "matmul", "from": [scores, v]})


def rearranged(body: Sequences) -> None:
    """Positions and features in another order, and back."""
    forth, back, given, needed = body.chance.choice(ORDERS)
    body.then({"op": "rearrange", "pattern": forth, **given})
    if body.maybe(0.3):
        body.items.append({"op": "tanh"})
    if back:
        return body.back({"op": "rearrange", "pattern": back, **needed})
    return body.back({"op": "relu"})


ORDERS: Final[tuple[tuple[str, str, Data, Data], ...]] = (
    ("l f -> f l", "f l -> l f", {}, {}),
    ("(a b) f -> (b a) f", "", {"a": 2}, {}),
    ("l (a b) -> l (b a)", "", {"b": 4}, {}),
    ("(a b) (c d) -> (a c) (b d)", "(a c) (b d) -> (a b) (c d)", {"b": 3, "c": 2}, {"c": 2, "b": 3}),
    ("l (h d) -> h l d", "h l d -> l (h d)", {"h": 2}, {}),
    ("l f -> (l f)", "(l f) -> l f", {}, {"l": LENGTH}),
    ("l f -> l 1 f", "l () f -> l f", {}, {}),
    ("(a b) f -> a b f", "a b f -> (a b) f", {"b": 2}, {}),
)
"""Patterns, those that lead back to the one shape, and the sizes that each is given."""


def with_heads(body: Sequences) -> None:
    """Attention as one function, of one head or several, with a mask or without; now and then of windows."""
    q, k, v = body.label("q"), body.label("k"), body.label("v")
    heads: list[Data] = []
    parts: dict[str, list[str]] = {}
    if body.maybe(0.6):  # the features of two heads, side by side
        for name in (q, k, v):
            halves = body.label("halves")
            body.items.append({"op": "split", "sections": 2, "dim": -1, "from": body.value(), "as": halves})
            parts[name] = [f"{halves}.0", f"{halves}.1"]
            body.items.append({"op": "stack", "from": parts[name], "dim": 1, "as": name})
        if body.maybe(0.4):  # of one window each, which is folded into the batch
            body.items += [{"op": "stack", "from": [name], "dim": 1, "as": name} for name in (q, k, v)]
            heads.append({"op": "sum", "dim": [1]})
        back = body.label("back")
        heads += [{"op": "split", "sections": 2, "dim": 1, "as": back},
                  {"op": "cat", "from": [f"{back}.0", f"{back}.1"], "dim": -1}, {"op": "sum", "dim": [1]}]  # fmt: skip
    else:
        body.items += [{"op": "tanh", "from": body.value(), "as": name} for name in (q, k, v)]
    fields: Data = body.chance.choice([{}, {"causal": True}, {"scale": 0.5, "folded": not heads}])
    for field, name in (("causal", v), ("scale", k)):
        if field in fields and name in parts:
            parts[name].pop(0)  # one head for both of the query
    taken = [q, k, v]
    if body.maybe(0.4) and "causal" not in fields:
        mask = body.named("mask")
        body.items.append({mask: {"op": "parameter", "shape": [LENGTH, LENGTH], "value": 0.25}})
        taken.append(mask)
    attended: Data = {"op": "scaled_dot_product_attention", "from": taken, **fields}
    if not heads:
        return body.back(attended)
    body.items += [attended, *heads]
    return body.back({"op": "tanh"})


def by_a_matrix(body: Sequences) -> None:
    """A parameter that multiplies from the right or from the left, and one made of parameters only."""
    weight = body.named("weight")
    left = body.maybe()
    shape: list[Any] = [LENGTH, LENGTH] if left else ["=width", "=width"]
    body.items.append({weight: {"op": "parameter", "shape": shape, "value": 0.125}})
    factor = weight
    if body.maybe(0.6):
        factor = body.label("factor")
        body.items.append(body.chance.choice([
            {"op": "softmax", "dim": 0, "from": weight, "as": factor},
            {"op": "roll", "shifts": [1], "dims": [0], "from": weight, "as": factor},
            {"op": "mul", "value": 2, "from": weight, "as": factor},
            {"op": "matmul", "from": [weight, weight], "as": factor},
            {"op": "normalize", "dim": -1, "from": weight, "as": factor},
        ]))  # fmt: skip
    body.back({"op": "matmul", "from": [factor, body.value()] if left else [body.value(), factor]})


def across(body: Sequences) -> None:
    """Attention of one sequence to another, of other features or fewer positions, with a mask or without."""
    key, query, positions = body.label("key"), body.value(), LENGTH
    if body.maybe(0.4):
        query = queries(body, query)
    body.then({"op": "tanh", "as": key})
    if body.maybe(0.4):
        parts = body.label("parts")
        body.items.append({"op": "split", "sizes": [1, "=width - 1"], "dim": -1, "from": key, "as": parts})
        key = f"{parts}.1"
    elif body.maybe(0.4):
        key, whole, positions = body.label("rows"), key, 4
        body.items.append({"op": "slice", "dim": 1, "start": 1, "stop": 5, "from": whole, "as": key})
    taken = [query, key, key]
    if not body.indices and body.maybe(0.3):
        taken = [body.label("three")]
        body.items += [{"op": "relu", "from": value, "append": taken[0]} for value in (query, key, key)]
    elif body.maybe(0.5):
        mask = body.named("mask")
        fixed: Data = {"op": "buffer", "values": "ones", "shape": [LENGTH, positions]}
        body.items.append({mask: fixed if body.maybe(0.3) else body.parameter([LENGTH, positions], 0.25)})
        taken.append(mask)
    body.place({**body.several_heads(), "from": taken}, body.named("mix"), may_be_left_out=False, once=True)


def queries(body: Sequences, of: str) -> str:
    """Learned queries for every sample, or what an op makes of a value."""
    name = body.label("queries")
    if body.maybe(0.4):
        learned = body.named("learned")
        body.items.append({learned: body.parameter([1, LENGTH, "=width"], 0.5)})
        body.items.append({"op": "expand", "from": learned, "like": of, "as": name})
        return name
    ways: list[Data] = [{"op": "dropout"}, {"op": "=act"} if body.has("act") else {"op": "relu"}, {"op": "identity"}]
    op = {"op": "dropout", "p": "=rates[1]"} if body.has("rates") else body.chance.choice(ways)
    body.items.append({body.named("q"): {**op, "from": of, "as": name}})
    return name


def by_a_table(body: Sequences) -> None:
    """Rows of a table, which is a parameter or made of constants: one for each position."""
    table, index, rows = body.named("table"), body.named("index"), body.label("rows")
    learned: Data = body.parameter([9, "=width"], body.rate())
    if body.maybe(0.6):
        fixed = body.named("fixed")
        body.items.append({fixed: {"op": "buffer", "values": "ones", "shape": [9, "=width"]}})
        scaled = body.label("fixed")
        factor = "=rates[1] + 0.5" if body.has("rates") else body.rate()
        body.items.append({"op": "mul", "value": factor, "from": fixed, "as": scaled})
        learned |= {"when": body.condition(), "else": body.chance.choice((fixed, scaled))}
    body.items.append({table: learned})
    of = table
    if body.maybe():
        of = body.label("scaled")
        body.items.append({"op": "softmax", "dim": 0, "from": table, "as": of})
    saved = {"persistent": False} if body.maybe() else {}
    body.items += [{index: {"op": "buffer", "values": "arange", "shape": [LENGTH], **saved}},
                   {"op": "index", "from": [of, index], "as": rows}]  # fmt: skip
    pair = [rows, body.value()]
    body.chance.shuffle(pair)
    body.back({"op": body.chance.choice(("add", "sub", "mul")), "from": pair})


def by_the_steps(body: Sequences) -> None:
    """Attention in a window of 2 × 3 positions, with a bias for each step between two of them, and a mask."""
    table, index, bias = body.named("table"), body.named("steps"), body.label("bias")
    kind = "distance_index" if random.Random(f"{body.numbers} {index}").random() < 0.3 else "relative_position_index"
    if body.maybe():
        body.items.append({table: {"op": "parameter", "shape": [15, 1], "value": body.rate()}})
    else:
        coords = body.named("coords")
        trained = {"pretrained_window_size": body.chance.choice((2, [4, 3]))} if body.maybe() else {}
        steps = {"op": "buffer", "values": "relative_coords_table", "window_size": [2, 3], **trained}
        body.items.append({coords: steps})
        body.items.append({"op": "rearrange", "pattern": "1 r c f -> (r c) f", "from": coords})
        body.items.append({table: {"op": "linear", "out_features": 1, "bias": body.maybe()}})
    flat = {"shape": [-1]} if body.maybe() else {}
    body.items.append({index: {"op": "buffer", "values": kind, "window_size": [2, 3], **flat}})
    body.items.append({"op": "index", "from": [table, index], "as": bias})
    pattern = "(q k) 1 -> q k" if flat else "q k 1 -> q k"
    body.items.append({"op": "rearrange", "pattern": pattern, **({"q": LENGTH} if flat else {}), "as": bias})
    if body.maybe():
        mask, shift = body.named("mask"), [body.chance.randint(0, 1), body.chance.randint(0, 2)]
        body.items.append({mask: {"op": "buffer", "values": "shift_mask", "size": [2, 3], "window_size": [2, 3],
                                  "shift_size": shift, "shape": [LENGTH, -1], "persistent": False}})  # fmt: skip
        body.items.append({"op": "add", "from": [bias, mask], "as": bias})
    scores = body.label("scores")
    body.items.append({"op": "matmul", "from": [body.value(), body.value()], "transpose_b": True, "as": scores})
    body.items.append({"op": "add", "from": [scores, bias]})
    body.items.append({"op": "softmax", "dim": -1, "as": scores})
    body.back({"op": "matmul", "from": [scores, body.value()]})


def partly_biased(body: Sequences) -> None:
    """A linear layer without a bias for some features, or whose weight is transposed."""
    body.items.append({"op": "tanh", "from": body.value()})
    zero = body.chance.choice(([0, 2], [1, "=width"], ["=width // 2", "=width"]))
    way: Data = {"transposed": True} if len(body.items) % 3 == 1 else {"zero_bias": zero}
    body.items.append({body.named("fc"): {"op": "linear", "out_features": "=width", **way}})
    body.back({"op": "relu"})


def filtered(body: Sequences) -> None:
    """Weights that are values: a parameter that is standardised, or made of constants."""
    weight, made, shift = body.named("weight"), body.label("made"), body.named("shift")
    if body.maybe():
        gain = body.named("gain")
        body.items += [
            {weight: body.parameter([LENGTH, LENGTH, 3], 0.25)}, {gain: body.parameter([LENGTH], 0.5)},
            {shift: {"op": "parameter", "shape": [LENGTH]}},
            {"op": "rearrange", "pattern": "o i k -> 1 o (i k)", "from": weight, "as": made},
            {"op": "functional_instance_norm", "eps": 0.5, "from": [made, gain]},
            {"op": "rearrange", "pattern": "1 o (i k) -> o i k", "k": 3, "as": made},
        ]  # fmt: skip
        return body.back({"op": "functional_conv1d", "padding": "same", "from": [body.value(), made, shift]})
    body.items += [{weight: {"op": "buffer", "values": "eye", "shape": ["=width", "=width"]}},
                   {shift: body.parameter(["=width"], 0.25)},
                   {"op": "softmax", "dim": -1, "from": weight, "as": made}]  # fmt: skip
    return body.back({"op": "functional_linear", "from": [body.value(), made, *[shift] * body.maybe()]})


def by_letters(body: Sequences) -> None:
    """Products over named dimensions."""
    if body.maybe():
        scores = body.label("scores")
        body.items.append({"op": "einsum", "equation": "tf,sf->ts", "from": [body.value(), body.value()]})
        body.items.append({"op": "softmax", "dim": -1, "as": scores})
        return body.back({"op": "einsum", "equation": "ts, sf -> tf", "from": [scores, body.value()]})
    table, powers = body.named("table"), body.label("powers")
    numbers = [0.5, 0.25, 0, 1, 2, 3]
    body.items.append({table: {"op": "buffer", "values": numbers, "shape": [1, -1], "persistent": body.maybe()}})
    body.items.append({"op": "pow", "base": 0.5, "from": table, "as": powers})
    return body.back({"op": "einsum", "equation": "tf,xt->tf", "from": [body.value(), powers]})


def by_single_numbers(body: Sequences) -> None:
    """Numbers of which each sample has one: values without dimensions, joined, and with dimensions again."""
    one, other, factor = body.label("one"), body.label("other"), body.label("factor")
    body.items += [
        {"op": "mean", "dim": [1, 2], "from": body.value(), "as": one},
        {"op": "sum", "dim": [-1, -2], "keepdim": True, "from": body.value(), "as": other},
        {"op": "rearrange", "pattern": "1 1 ->", "as": other},
    ]
    if body.maybe():
        body.items += [{"op": "stack", "from": [one, other, one][: body.chance.choice((2, 3))], "as": factor},
                       {"op": "max", "dim": [-1]}]  # fmt: skip
    else:
        body.items.append({"op": "add", "from": [one, other]})
    body.items += [{"op": "tanh"}, {"op": "rearrange", "pattern": "-> 1 1", "as": factor}]
    body.back({"op": "mul", "from": [factor, body.value()]})


def turned(body: Sequences) -> None:
    """Positions in reverse order, sums up to each of them, and windows of several."""
    dim = body.dim()
    body.then({"op": "flip", "dims": [dim]}, {"op": "cumsum", "dim": dim}, {"op": "tanh"})
    if random.Random(f"{body.numbers} {dim}").random() < 0.5:
        body.items.append({"op": "contiguous"})
    body.items += [{"op": "pad", "pad": [0, 1]}, {"op": "sliding_window", "dim": -1, "size": 2}]
    body.back({"op": "vector_norm", "ord": body.chance.choice((1, 2)), "dim": [-1]})


APART: Final[tuple[Callable[[Sequences], None], ...]] = (
    bounded, bent, halved, along_the_features, along_the_features,
    in_parts, in_parts, padded, positions, selected, stacked, stacked, with_a_token, reduced, attention,
    with_heads, with_heads, rearranged, rearranged, by_a_matrix,
    by_a_table, by_the_steps,
    across, across,
    partly_biased,
    filtered, by_letters, by_single_numbers, turned,
    positions_in_the_batch,
)  # fmt: skip


RESIZED: Final[tuple[Data, ...]] = (
    {}, {"mode": "nearest-exact"}, {"mode": "bilinear", "align_corners": False}, {"mode": "bicubic", "antialias": True},
    {"mode": "bilinear", "align_corners": True},
)  # fmt: skip
"""Ways to resize maps."""

SMALLER: Final[tuple[Data, ...]] = (
    {"op": "max_pool2d", "kernel_size": 2, "ceil_mode": True}, {"op": "upsample", "size": 5},
    {"op": "interpolate", "scale_factor": [0.5, 1.25], "mode": "bicubic"},
    {"op": "interpolate", "size": [3, 9], "mode": "area"},
)  # fmt: skip
"""Ops that change the size of maps."""


class Maps(Free):
    """The items of one body, whose values are all maps of one shape, with the same ops."""

    def step(self) -> None:
        steps: tuple[Callable[[], None], ...] = (super().step, super().step, self.step_function, self.step_apart,
                                                 self.step_like, self.step_like)  # fmt: skip
        self.chance.choice(steps)()

    def of_places(self) -> None:
        """A number for each place of a smaller map, trained or not, is resized and added."""
        places, sized = self.named("places"), self.label("sized")
        resized = {"op": "interpolate", "from": places, "like": self.value(), **self.chance.choice(RESIZED)}
        self.items += [{places: self.tensor([1, "=width", 3, 4])}, {**resized, "as": sized}]
        self.place({"op": "add", "from": [self.value(), sized]}, None, may_be_left_out=False)

    def step_like(self) -> None:
        """A map as large as another one, which it may have been before; a parameter that is."""
        if random.Random(f"{self.numbers} {len(self.items)}").random() < 0.15:
            return self.of_places()
        body = {"op": "interpolate", "like": self.value(), **self.chance.choice(RESIZED)}
        name = self.named("like") if self.maybe() else None
        if self.maybe():
            self.place(body, name)
            return self.chance.choice((self.step_seq, self.step_block, self.step_op, self.step_group))()
        if self.maybe(0.2):
            return self.items.append({**body, "train_only": True})
        if self.lists and self.maybe():
            self.items += [{"op": "cat", "from": [self.value(), self.chance.choice(self.lists)]}, body]
            return self.restore()
        first = self.by_list("=width") if self.maybe(0.3) else self.activation()
        self.then(first if first["op"] != "conv2d" else {"op": "relu"}, self.chance.choice(SMALLER))
        return self.place(body, name, reads=False, may_be_left_out=False)

    def step_function(self) -> None:
        """A function that keeps the shape."""
        ways: list[Data] = [
            {"op": "roll", "shifts": [self.chance.randint(-2, 2)], "dims": [self.chance.choice((1, 2, 3, -1))]},
            {"op": "normalize", "eps": 0.5}, {"op": "clamp", "min": -0.5}, {"op": "mul", "value": 0.5},
        ]  # fmt: skip
        self.place(self.chance.choice(ways), self.named("t") if self.maybe() else None)

    def step_apart(self) -> None:
        """Rows and columns taken away and put back."""
        self.chance.choice((shifted, shifted, halved_and_joined, one_row, of_two_maps, gated, in_space, in_space,
                            of_windows, of_pixels, by_filters, groups_in_the_batch))(self)  # fmt: skip


def shifted(body: Maps) -> None:
    """Rows and columns more, then fewer, or the other way round."""
    rows, columns = body.chance.randint(0, 2), body.chance.randint(0, 2)
    if body.maybe():
        body.then({"op": "pad", "pad": [columns, 2 - columns, rows, 2 - rows]})
        wider = {**body.widened("=width"), "kernel_size": 3}
        return body.place(wider, body.named("conv"), reads=False, may_be_left_out=False, once=True)
    body.then({"op": "slice", "dim": 2, "start": rows}, {"op": "slice", "dim": -1, "stop": -1})
    return body.back({"op": "pad", "pad": [0, 1, rows, 0]})


def halved_and_joined(body: Maps) -> None:
    """Some rows or columns before the others."""
    parts, dim = body.label("parts"), body.chance.choice((2, 3))
    like = body.chance.choice(body.inputs)
    sizes = [2, f"={like}.{('height', 'width')[dim - 2]} - 2"]
    body.then({"op": "split", "sizes": sizes, "dim": dim, "as": parts})
    body.back({"op": "cat", "from": [f"{parts}.1", f"{parts}.0"], "dim": dim})


def one_row(body: Maps) -> None:
    """A row of a map, which may be an output."""
    body.then({"op": "select", "dim": 2, "position": body.chance.choice((2, 3))})
    end = body.label("end")
    body.items.append({body.named("n"): {"op": "layer_norm", "as": end}})
    shape_changes.put_out(body, end)


def of_two_maps(body: Maps) -> None:
    """Maps along a new dimension, and one number for each of their positions."""
    dim = body.chance.choice((1, 2, -1))
    body.items.append({"op": "stack", "from": [body.value(), body.value()], "dim": dim})
    body.back({"op": body.chance.choice(("sum", "max", "mean")), "dim": [dim]})


def gated(body: Maps) -> None:
    """Numbers for rows, columns or channels, spread over a map."""
    gate, dims = body.label("gate"), body.chance.choice(([2, 3], [1], [3], [1, 2]))
    op = body.chance.choice(("max", "sum", "mean"))
    body.then({"op": op, "dim": dims, "keepdim": True}, {"op": "tanh", "as": gate})
    pair = [gate, body.value()]
    body.chance.shuffle(pair)
    body.back({"op": body.chance.choice(("mul", "add")), "from": pair})


def in_space(body: Maps) -> None:
    """Half of the channels as a third axis, and windows that slide over all three."""
    window: Data = {"kernel_size": [1, 3, 3], "stride": 1, "padding": [0, 1, 1]}
    size = [2, *(f"={body.inputs[0]}.{name}" for name in ("height", "width"))]
    named: list[Data] = [
        {"op": "conv3d", "out_channels": "=width // 2", "kernel_size": 3, "padding": 1, "padding_mode": "replicate"},
        {"op": "conv3d", "out_channels": "=width // 2", "kernel_size": [1, 2, 3], "padding": "same", "groups": 2},
        {"op": "conv_transpose3d", "out_channels": "=width // 2", "kernel_size": [1, 3, 1], "padding": [0, 1, 0]},
        {"op": "batch_norm3d"}, {"op": "instance_norm3d", "affine": True},
    ]  # fmt: skip
    plain: list[Data] = [
        {"op": "max_pool3d", **window}, {"op": "avg_pool3d", **window}, {"op": "dropout3d", "p": 0.25},
        {"op": "adaptive_avg_pool3d", "output_size": size}, {"op": "adaptive_max_pool3d", "output_size": size},
        {"op": "lp_pool3d", "norm_type": 2, "kernel_size": 1}, {"op": "interpolate", "size": size, "mode": "trilinear"},
    ]  # fmt: skip
    body.then({"op": "softplus"}, {"op": "rearrange", "pattern": "(c d) h w -> c d h w", "d": 2})
    body.items += [body.chance.choice(plain), {body.named("space"): body.chance.choice(named)}]
    body.items += [{"op": "softplus"}, body.chance.choice(plain)]
    body.back({"op": "rearrange", "pattern": "c d h w -> (c d) h w"})


def of_windows(body: Maps) -> None:
    """Windows as columns, and added where they overlap; or a norm in each channel or window."""
    way = body.chance.randrange(3)
    if way == 0:
        body.place({"op": "instance_norm2d", "affine": body.maybe()}, body.named("n"))
    elif way == 1:
        body.then({"op": "softplus"})
        body.back({"op": "lp_pool2d", "norm_type": 2, "kernel_size": 1})
    else:
        size = [f"={body.inputs[0]}.{name}" for name in ("height", "width")]
        body.then({"op": "unfold", "kernel_size": 3, "padding": 1})
        body.items.append({"op": "tanh"})
        body.back({"op": "fold", "output_size": size, "kernel_size": 3, "padding": 1})


def of_pixels(body: Maps) -> None:
    """Pixels as channels, and channels as pixels."""
    like = body.value()
    body.then({"op": "interpolate", "size": [4, 6]}, {"op": "pixel_unshuffle", "downscale_factor": 2})
    body.items.append({body.named("pixels"): {"op": "conv2d", "out_channels": "=width * 4", "kernel_size": 1}})
    body.items.append({"op": "pixel_shuffle", "upscale_factor": 2})
    body.back({"op": "interpolate", "like": like})


def by_filters(body: Maps) -> None:
    """Convolutions whose weights are values: a fixed filter for each channel, or a learned one in space."""
    weight, made = body.named("filter"), body.label("filters")
    if body.maybe():
        fixed = {"op": "buffer", "values": [0.25, 0.5, 0.25], "shape": [1, 1, 1, 3], "persistent": body.maybe()}
        body.items += [{weight: fixed}, {"op": "tile", "repeats": ["=width", 1, 1, 1], "from": weight, "as": made}]
        op = {"op": "functional_conv2d", "padding": [0, 1], "groups": "=width"}
        return body.back({**op, "from": [body.value(), made]})
    body.items += [{weight: body.parameter(["=width // 2", "=width // 2", 1, 3, 3], 0.25)},
                   {"op": "softmax", "dim": 0, "from": weight, "as": made}]  # fmt: skip
    space = body.label("space")
    body.then({"op": "rearrange", "pattern": "(c d) h w -> c d h w", "d": 2, "as": space})
    body.items.append({"op": "functional_conv3d", "padding": "same", "from": [space, made]})
    return body.back({"op": "rearrange", "pattern": "c d h w -> (c d) h w"})


def of_features(written: Any) -> Any:
    """A spec of vectors as one of sequences: what is split and put side by side are the features."""
    if isinstance(written, list):
        return [of_features(part) for part in written]
    if not isinstance(written, dict):
        return written
    made = {key: of_features(value) for key, value in written.items()}
    if made.get("op") == "chunk":
        chunks = made.pop("chunks")
        return {**made, "op": "split", "sections": chunks, "dim": -1}
    return {**made, "dim": -1} if made.get("op") == "cat" and "dim" not in made else made


def tensor_network(seed: int) -> Data:
    """The network of a seed, as plain data."""
    if seed % 4 == 3:
        made = network_of(seed, random.Random(seed), Maps)
    else:
        made = of_features(network_of(seed, random.Random(seed), Sequences))
    if seed % 4 == 2:
        made = of_tokens(made, random.Random(f"{seed} tokens"))
    last = made["layers"][-1]
    if "op" in last and "else" not in last:  # what would stand for it may have no batch
        last.pop("when", None)
    return {**made, "name": f"tensor{seed}"}
