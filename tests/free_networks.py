"""Random networks in which any item may read any value, since all values of a body have one shape.

An item keeps the shape of its input, or is followed directly by one that restores it (a convolution after a `cat`).
So `from`, `else`, `call`, `append`, `as`, `when`, `repeat` and groups may be put on any item in any combination, and
every two constructs that may meet do. `random_networks.py` has the networks whose shapes change.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import composed_networks
import shape_changes
import small_blocks
from container_networks import beside_a_cut, in_containers, with_rest
from interpreter import put_out

Data = dict[str, Any]

ACTIVATIONS: Final = ("relu", "relu6", "silu", "gelu", "hardswish", "leaky_relu", "elu", "sigmoid", "tanh", "softmax")
INDICES: Final = ("i", "j", "k")
PARAMS: Final[dict[str, tuple[Any, ...]]] = {
    "width": (8, 16), "rate": (0.0, 0.125), "flag": (True, False),
    "act": ("relu", {"op": "leaky_relu", "negative_slope": 0.25}), "count": (1, 2, 3),
    "kernels": ([1, 3, 3], [3, 1, 1]), "acts": (["relu", {"op": "elu", "alpha": 0.5}, "tanh"],),
    "rates": ([0.0, 0.1, 0.2],), "ratio": (1, 1, 2),
}  # fmt: skip
"""What parameters there may be, and their values."""
COUNTS: Final = {"count": 3}
"""The largest count of a repeat by a parameter; rounds are read by name only if the count is not a parameter."""

RULES: Final[tuple[Data, ...]] = (
    {"op": "conv2d", "weight": {"normal": {"std": "=1 / in_channels"}}, "bias": 0.25},
    {"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}}},
    {"op": ["conv2d", "linear"], "bias": {"uniform": {"a": -0.5, "b": 0.5}}},
    {"op": "batch_norm2d", "weight": {"uniform": {"a": 0.0, "b": "=1 / num_features"}}},
    {"op": "batch_norm2d", "when": "=flag", "weight": 0.5},
    {"op": "linear", "weight": {"normal": {"std": "=rate + 0.5"}}},
    {"path": "*1*", "bias": 0.125}, {"path": "s*", "op": "conv2d", "weight": {"trunc_normal": {"std": "=1 / width"}}},
    {"op": "conv2d", "bias": {"constant": {"val": "=(rate + 1) / out_channels"}}},
)  # fmt: skip


class Free:
    """The items of one body, whose values are all maps of one shape."""

    sizes: tuple[str, ...] = ("channels", "height", "width")
    size = "channels"
    norms: tuple[str, ...] = ("batch_norm2d",)
    shape: Callable[[int], list[int]] | None = None
    """The network's input, if it always has one shape."""
    detours = shape_changes.OF_MAPS

    def __init__(self, chance: random.Random, params: list[str], blocks: dict[str, Data], inputs: list[str]) -> None:
        self.chance = chance
        self.params = params
        self.all_blocks = blocks
        self.blocks = {
            name: block for name, block in blocks.items()
            if name not in (small_blocks.HALVES, small_blocks.JOINS) and "outputs" not in block
        }  # fmt: skip
        """The blocks that keep the shape of their input."""
        self.several = {name: block for name, block in blocks.items() if "outputs" in block}
        """Those that yield several values, all of the one shape."""
        self.is_extra = False
        """Whether blocks with several outputs are used; all else is drawn without them, so that it stays as it is."""
        self.uses_specs = False
        """Whether specs are used as convolutions are; values then have `composed_networks.CHANNELS` channels."""
        self.inputs = inputs
        self.items: list[Data] = []
        self.values: list[str] = []
        """Names of values that may be read here, in the words that read them here."""
        self.modules: list[str] = []
        """Names of modules that may be called here."""
        self.doubles: set[str] = set()
        """Those of them that take two values."""
        self.registered: list[str] = []
        self.heads: list[str] = []
        """Names of values that exist in training only."""
        self.ends: list[str] = []
        """Names of values of other shapes, which may be outputs."""
        self.lists: list[str] = []
        self.let: Data = {}
        self.indices: list[tuple[str, int | None]] = []
        """The indices of the repeats around, and how many rounds these have."""
        self.conditions = 0
        self.numbers = 0

    # -- small choices --

    def maybe(self, probability: float = 0.5) -> bool:
        return self.chance.random() < probability

    def named(self, stem: str) -> str:
        """A new name, with the index of every repeat around it; now and then in quotes."""
        self.numbers += 1
        name = f"{stem}{self.numbers}"
        for index, _ in self.indices:
            name += f'_{{{index} if {index} else "z"}}' if self.maybe(0.15) else f"_{{{index}}}"
        return name

    def value(self) -> str:
        """Any value, by its name."""
        return self.chance.choice([*self.values, *self.inputs])

    def has(self, *names: str) -> bool:
        return all(name in self.params for name in names)

    def index(self) -> str | None:
        return self.chance.choice(self.indices)[0] if self.indices else None

    def width(self) -> str:
        options = [
            "=width",
            "=2 * width + (0 - width)",
            *(f"={name}" for name in self.let),
            f"={self.chance.choice(self.inputs)}.{self.size}",
        ]
        options += [f"={name}.{self.size}" for name in self.values if name.isidentifier()][-2:]
        return self.chance.choice(options)

    def condition(self) -> str | bool:
        options: list[str | bool] = ["=flag", "=flag"] if self.has("flag") else []
        options += ["=not flag"] * self.has("flag") + ["=width > 8", f"={self.inputs[0]}.{self.size} == width"]
        options += [f"={index} > 0" for index, _ in self.indices] + [f"={index} != 1" for index, _ in self.indices]
        return self.chance.choice([*options, False] if self.maybe(0.2) else options)

    def count(self) -> tuple[Any, int | None]:
        """A count of repeats as written, and its value, if it is known."""
        if self.has("count") and self.maybe(0.4):
            return "=count", None
        many = self.chance.choice((1, 2, 3))
        return many, many

    # -- what an item may be --

    def operation(self) -> Data:
        """A named op that keeps the shape."""
        index = self.index()
        options: list[Callable[[], Data]] = [self.convolution, self.convolution, self.norm, self.activation, self.other]
        if index is not None and self.has("kernels"):
            options.append(lambda: self.by_kernel(f"kernels[{index}]"))
        if index is not None and self.has("acts"):
            options.append(lambda: {"op": f"=acts[{index}]"})
        if index is not None and self.has("rates"):
            options.append(lambda: {"op": "dropout", "p": f"=rates[{index}]"})
        return self.chance.choice(options)()

    def by_kernel(self, kernel: str) -> Data:
        return {"op": "conv2d", "out_channels": self.width(), "kernel_size": f"={kernel}", "padding": f"={kernel} // 2"}

    @staticmethod
    def widened(width: Any) -> Data:
        """An op with `channels` output channels."""
        return {"op": "conv2d", "out_channels": width, "kernel_size": 1}

    def convolution(self) -> Data:
        kernel = self.chance.choice((1, 3))
        body: Data = {"op": self.chance.choice(("conv2d", "conv2d", "conv2d", "conv_transpose2d"))}
        body |= {"out_channels": self.width(), "kernel_size": kernel}
        if kernel == 3:
            body["padding"] = 1
        if self.maybe(0.2):
            body["groups"] = self.chance.choice((2, "=width"))
        if self.maybe(0.2):
            body["bias"] = "=flag" if self.has("flag") and self.maybe() else False
        return body

    def norm(self) -> Data:
        return self.chance.choice([{"op": "batch_norm2d"}, {"op": "batch_norm2d", "momentum": 0.25},
                                   {"op": "layer_norm2d", "bias": False},
                                   {"op": "group_norm", "num_groups": 2}])  # fmt: skip

    def activation(self) -> Data:
        if self.has("act") and self.maybe(0.4):
            return {"op": "=act"}
        op = self.chance.choice(ACTIVATIONS)
        fields = {"leaky_relu": {"negative_slope": 0.25}, "elu": {"alpha": 0.5}}.get(op, {})
        return {"op": op, **(fields if self.maybe() else {})}

    def other(self) -> Data:
        rate = "=rate" if self.has("rate") and self.maybe(0.6) else 0.25
        size = self.chance.choice(self.inputs)
        return self.chance.choice([
            {"op": self.chance.choice(("dropout", "dropout2d", "stochastic_depth")), "p": rate},
            self.pool(),
            {"op": "avg_pool2d", "kernel_size": [3, 1], "stride": 1, "padding": [1, 0]},
            {"op": "adaptive_avg_pool2d", "output_size": [f"={size}.height", f"={size}.width"]},
            {"op": "identity"}, {"op": "channel_shuffle", "groups": 2},
        ])  # fmt: skip

    def pool(self) -> Data:
        return {"op": "max_pool2d", "kernel_size": 3, "stride": 1, "padding": 1}

    def by_list(self, channels: str) -> Data:
        """An op of a parameter, or one whose fields are from a list."""
        if self.has("acts") and self.maybe():
            return {"op": f"=acts[{self.index() or 0}]"}
        if self.has("act"):
            return {"op": "=act"}
        return {"op": "dropout", "p": "=rates[0]"} if self.has("rates") else self.widened(channels)

    # -- steps ------------------------------------------------------------------------------------------------

    def place(
        self, body: Data, name: str | None, *, reads: bool = True, may_be_left_out: bool = True, once: bool = False
    ) -> None:
        """Append an item, with further keys that items may have."""
        many: tuple[Any, int | None] | None = None
        if self.maybe(0.2) and len(self.indices) < 3 and not once:
            many = self.count()
            index = INDICES[len(self.indices)]
            name = None if name is None else f"{name}_{{{index}}}"
            body = {**body, "repeat": many[0], "index": index}
        if reads and "from" not in body and self.maybe(0.3):
            body = {**body, "from": self.value()}
        always = True
        if may_be_left_out and self.maybe(0.25):
            always = False
            body = {**body, "when": self.condition()}
            if self.maybe(0.6):
                body["else"] = self.value()
        if self.maybe(0.2):
            self.numbers += 1
            taken = [value for value in (*self.values, *self.inputs) if value.isidentifier() and value != "input"]
            taken += 2 * [name for name in self.inputs if name in ("left", "right", "side")]
            body = {**body, "as": self.chance.choice(taken) if taken and self.maybe(0.7) else f"v{self.numbers}"}
        if self.maybe(0.2):
            body = {**body, "append": self.list_name()}
        self.items.append(body if name is None else {name: body})
        self.settle(body, name, many, always)

    def list_name(self) -> str:
        if not self.lists or self.maybe(0.3):
            self.numbers += 1
            self.lists.append(f"list{self.numbers}")
            return self.lists[-1]
        return self.chance.choice(self.lists)

    def settle(self, body: Data, name: str | None, many: tuple[Any, int | None] | None, always: bool) -> None:
        """Record the names that exist now."""
        template = name if many is None else None
        rounds = [] if many is None or name is None else [
            name.replace(f"{{{body['index']}}}", str(k)) for k in range(many[1] or 1)]  # fmt: skip
        names = [template] if template is not None else rounds
        if "as" in body:
            self.values.append(body["as"])
        elif name is not None:
            self.values += [n for n in names if n is not None]
        is_module = "call" not in body and body.get("op") not in _NO_MODULES
        if always and is_module and name is not None and not name.startswith("mix"):
            found = [n for n in names if n is not None]
            self.modules += found
            self.doubles |= {*found} if isinstance(body.get("from"), list) else set()
            self.registered += found if not self.indices and not self.conditions else []

    def layer(self) -> Data:
        """A module with parameters that keeps the shape."""
        if self.uses_specs and self.maybe(0.4):
            return composed_networks.keeping(self.chance)
        return self.convolution()

    def step_op(self) -> None:
        if self.uses_specs and self.maybe(0.3):
            return self.place(composed_networks.keeping(self.chance), self.named("net"))
        body = self.operation()
        unnamed = body["op"] not in _NEED_NAMES and not body["op"].startswith("=") and self.maybe(0.4)
        return self.place(body, None if unnamed else self.named(self.stem(body["op"])))

    def stem(self, op: str) -> str:
        """How a name begins: what is called act is an activation that halves of values can take, too."""
        return "act" if op in ACTIVATIONS and op != "softmax" else self.chance.choice(("conv", "n", "x", "out"))

    def step_call(self) -> None:
        if not self.modules:
            return self.step_op()
        name = self.chance.choice(self.modules)
        return self.place(
            {"call": name, **({"from": [self.value(), self.value()]} if name in self.doubles else {})}, None
        )

    def step_arithmetic(self) -> None:
        body = {"op": self.chance.choice(("add", "sub", "mul")), "from": [self.value(), self.value()]}
        self.place(body, None if self.maybe(0.7) else self.named("sum"))

    def step_arithmetic_of_two(self) -> None:
        """Return to a value of the common shape."""
        self.place({"op": "add", "from": [self.value(), self.value()]}, None, may_be_left_out=False)

    def step_detour(self) -> None:
        self.chance.choice(self.detours)(self)

    def step_cat(self) -> None:
        """Values side by side, and a convolution that takes them at once."""
        names = [self.value() for _ in range(self.chance.randint(1, 3))]
        if self.lists and self.maybe(0.7):
            names.append(self.chance.choice(self.lists))
        body: Data = {"op": "cat", "from": names}
        if self.maybe(0.3):
            body["when"] = self.condition()
            body |= {"else": self.value()} if self.maybe() else {}
        named = [name for name in self.inputs if name in ("left", "right", "side")]
        over = {"as": self.chance.choice(named)} if named and self.maybe(0.4) else {}
        self.items.append({**body, **over})
        if not over:
            return self.restore()
        return self.items.append({self.named("mix"): {**self.widened("=width"), **over}})

    def then(self, *bodies: Data) -> None:
        """Items without names, the first of which may take any value."""
        first, *others = bodies
        taken = {} if "from" in first else {"from": self.value()}
        self.items += [{**first, **taken}, *others]

    def label(self, stem: str) -> str:
        """A name of a value."""
        self.numbers += 1
        return f"{stem}{self.numbers}"

    def back(self, body: Data) -> None:
        """An op after which the value has the common shape again."""
        self.place(body, None, reads=False, may_be_left_out=False, once=True)

    def restore(self) -> None:
        """A convolution that brings back the shape; it is always there, and takes the value before it."""
        body = self.widened(self.width())
        if self.maybe(0.3):
            body = {"seq": [self.rounds_of_one(), body]}
        self.place(body, self.named("mix"), reads=False, may_be_left_out=False)

    def rounds_of_one(self) -> Data:
        """The beginning of a seq: rounds of an op that has no parameters."""
        op: Data = {"op": self.chance.choice(("relu", "tanh"))}
        rounds = {"repeat": 2, "index": "r"}
        if self.maybe(0.3):
            return {"part_{r}": {**op, **rounds}}
        return {**op, **rounds} if self.maybe() else {"layers": [op], **rounds}

    def step_wide(self) -> None:
        """A convolution to another width, and back."""
        name = self.named("wide")
        self.items.append({name: self.widened("=width * 2")})
        self.items.append({"op": "relu"})
        self.restore()

    def step_chunk(self) -> None:
        """Halves, put together in another order."""
        name = self.named("halves")
        body: Data = {"op": "chunk", "chunks": 2}
        if small_blocks.HALVES in self.all_blocks and self.maybe():
            body = {"block": small_blocks.HALVES, "width": "=width"}
        if self.is_extra and self.several and self.maybe(0.25):
            return self.of_half(name, body)
        if self.maybe(0.3):
            body["from"] = self.value()
        called = name
        if self.maybe(0.2):
            self.numbers += 1
            called = body["as"] = f"parts{self.numbers}"
        self.items.append({name: body})
        if "{" in called:
            self.items.append({"op": "cat", "from": [self.value(), self.value()]})
            return self.restore()
        if small_blocks.JOINS in self.all_blocks and self.maybe(0.4):
            joined = self.named("joined")
            self.items.append({joined: {"block": small_blocks.JOINS, "width": "=width", "from": called}})
            return self.place({"op": "add", "from": [joined, self.value()]}, None)
        if self.maybe(0.3):
            self.items.append(
                {self.named("aux"): {**self.widened("=width"), "from": f"{called}.0", "train_only": True}}
            )
        double = [used for used, block in self.blocks.items() if len(block.get("inputs", ["input"])) == 2]
        if double and self.maybe(0.3):
            body = {**self.use(self.chance.choice(double), False), "from": [f"{called}.0", f"{called}.1"]}
            body |= {"width": f"={self.inputs[0]}.{self.size} // 2"} if "width" in body else {}
            joint = self.named("joint")
            self.items += [{joint: body}, {"op": "cat", "from": [joint, f"{called}.0"]}]
            return self.restore()
        if self.maybe(0.15) and not self.indices:
            act = self.named("act")
            self.items.append({f"{act}_{{i}}": {"op": "relu", "from": self.value(), "repeat": 2, "index": "i"}})
            self.items.append({"call": f"{act}_1", "from": f"{called}.0", "as": f"{act}half"})
            self.items.append({"op": "cat", "from": [f"{called}.0", f"{act}half"]})
            return self.restore()
        if self.maybe(0.3):
            self.items.append({"op": "cat", "from": [f"{called}.0", self.value(), f"{called}.1"]})
            return self.restore()
        if self.maybe(0.8):
            half = self.half(f"{called}.0")
            return self.place({"op": "cat", "from": [f"{called}.1", half]}, None, may_be_left_out=False)
        return self.place({"op": "cat", "from": [f"{called}.1", f"{called}.0"]}, None, may_be_left_out=False)

    def of_half(self, name: str, halves: Data) -> None:
        """A block with several outputs, of half a value."""
        used = self.chance.choice(list(self.several))
        body = self.use(used, False) | {"from": f"{name}.0"}
        body |= {"width": f"={self.inputs[0]}.{self.size} // 2"} if "width" in body else {}
        if "inputs" in self.several[used]:
            body["from"] = [f"{name}.1", f"{name}.0"]
        two = self.named("two")
        self.items += [{name: halves}, {two: body}]
        if "{" in two:
            return self.items.append({"op": "relu", "from": self.value()})
        part = self.chance.choice([*put_out(self.several[used])[0]])
        return self.place({"op": "cat", "from": [f"{two}.{part}", f"{name}.1"]}, None, may_be_left_out=False)

    def half(self, part: str) -> str:
        """An item on half a value; it may be left out, and is then replaced by the half."""
        name, channels = self.named("half"), f"={self.inputs[0]}.{self.size} // 2"
        single = [used for used, block in self.blocks.items() if "inputs" not in block]
        body: Data = self.chance.choice([
            self.widened(channels), self.norm(), self.activation(),
            {"op": "dropout"}, self.pool(), {"op": "identity"}, self.by_list(channels),
            {"seq": [{"op": "tanh"}, self.widened(channels)]},
            {"op": "relu"},
        ])  # fmt: skip
        calls = [called for called in self.modules if called.startswith("act")]
        if calls and self.maybe(0.3):
            body = {"call": self.chance.choice(calls)}
        if body.get("op") == "group_norm":
            body["num_groups"] = 1
        if single and self.maybe(0.3):
            self.numbers += 1
            body = {**self.use(self.chance.choice(single), False)}
            body |= {"width": channels} if "width" in body else {}
        if self.maybe(0.2):
            scale = self.named("gamma")
            self.items.append({scale: self.tensor(self.per_channel(channels))})
            body = {"op": "mul", "from": [scale, part]}
        if self.maybe(0.3):
            body |= {"when": self.condition(), "else": part}
        if self.maybe(0.2) and not self.indices:
            body["append"] = f"halves{self.numbers}"
        written = {"from": part, **body}
        unnamed = "call" in body or (body.get("op") in ACTIVATIONS and self.maybe())
        self.items.append({**written, "as": name.split("_")[0]} if unnamed else {name: written})
        name = name.split("_")[0] if unnamed else name
        return str(body.get("append", name)) if "when" not in body else name

    def tensor(self, shape: list[Any]) -> Data:
        """A tensor of the body itself, trained or not."""
        if self.maybe(0.4):
            index = self.index()
            saved = f"=rates[{index}] > 0.2" if index is not None and self.has("rates") else self.maybe()
            return {"op": "buffer", "values": "ones", "shape": shape, "persistent": saved}
        return self.parameter(shape, self.rate())

    def rate(self) -> Any:
        """A number, now and then from a list."""
        index = self.index()
        if index is not None and self.has("rates") and self.maybe():
            return f"=rates[{index}] + 0.5"
        return "=rate + 0.5" if self.has("rate") else 0.5

    def parameter(self, shape: list[Any], value: Any) -> Data:
        """A parameter of this value, or filled at random."""
        chance = random.Random(f"{self.numbers} {len(self.items)} {shape}")
        ways: list[Any] = [{"normal": {"std": value}}, {"trunc_normal": {"mean": 0.5, "std": 0.25, "b": value}},
                           {"uniform": {"a": -0.5, "b": value}}, "ones", {"constant": {"val": value}}]  # fmt: skip
        ways += ["orthogonal", {"kaiming_uniform": {"nonlinearity": "relu"}}, "xavier_normal"] * (len(shape) > 1)
        first = {"value": value} if chance.random() < 0.25 else {"init": chance.choice(ways)}
        return {"op": "parameter", "shape": shape, **first}

    def per_channel(self, channels: str) -> list[Any]:
        """The shape of a number for each channel, or now and then of one number for all."""
        is_one = random.Random(f"{self.numbers} {len(self.items)}").random() < 0.1
        return [] if is_one else [channels, 1, 1]

    def instead(self) -> str:
        """A value that replaces an item that is left out: any, or one made for this."""
        single = [used for used, block in self.blocks.items() if "seq" in block]
        name = self.named("stand").split("_")[0]
        rounds = [
            called for called in self.modules if called[-1:].isdigit() and "_" in called and called not in self.doubles
        ]
        if rounds and self.maybe(0.2):
            self.items.append({"call": self.chance.choice(rounds), "from": self.value(), "as": name})
            return name
        blocks = [value for value in self.values if value.startswith(("two", "b"))]
        if self.is_extra and blocks and self.maybe(0.4):
            return self.chance.choice(blocks)
        if self.maybe(0.5):
            return self.value()
        if single and self.maybe(0.7):
            made = self.named("stands")
            self.items.append({made: {**self.use(self.chance.choice(single), False), "as": name}})
        elif self.maybe():
            self.items += [{f"{name}parts": {"op": "chunk", "chunks": 2}} if not self.indices else {"op": "relu"}]
            parts = [f"{name}parts.1", f"{name}parts.0"]
            last = {"op": "cat", "from": parts} if not self.indices else {"op": "relu"}
            self.items.append({**last, "as": name})
        else:
            bodies: list[Data] = [{"op": "relu"}, {"op": "dropout"}, self.pool()]
            body = self.chance.choice(bodies)
            if self.indices:  # a repeated item needs a name of its own for each round
                body = {"op": "relu"}
            self.items.append({**body, "as": name} if body["op"] not in _NEED_NAMES else {name: body})
        return name

    def step_parameter(self) -> None:
        """A parameter that scales a value, or is added to one."""
        name, like = self.named("gamma"), self.chance.choice(self.inputs)
        full = self.maybe()
        shape = [f"={like}.{size}" for size in self.sizes] if full else self.per_channel("=width")
        body = self.tensor(shape)
        if self.maybe(0.6):
            body |= {"when": self.condition(), "else": self.instead()}
        self.items.append({name: body})
        if self.maybe(0.3):
            of, name = name, self.named("gate")
            ops = ["sigmoid", "relu", "identity", *["=act"] * self.has("act")]
            gate: Data = {"op": "mul", "value": self.rate()} if self.maybe(0.3) else {"op": self.chance.choice(ops)}
            self.items.append({name: {**gate, "from": of}})
        scaled = self.value()
        if self.maybe(0.25):
            of, scaled = scaled, self.named("pooled")
            self.items.append({scaled: {**self.pool(), "from": of}})
        pair = [name, scaled]
        self.chance.shuffle(pair)
        self.place({"op": self.chance.choice(("add", "sub", "mul")) if full else "mul", "from": pair}, None)
        if "when" in (placed := self.items[-1]):  # the item before it has no batch
            placed.setdefault("else", scaled)

    def step_last(self) -> None:
        """ConvNeXt's way of using linear layers on maps, or a number per channel."""
        if self.maybe(0.4):
            self.items.append({"op": "mean", "dim": [2, 3], "keepdim": True, "from": self.value()})
            if self.maybe():
                self.items.append({"op": "sigmoid"})
            self.numbers += 1
            self.items[-1]["as"] = f"gate{self.numbers}"
            pair = [f"gate{self.numbers}", self.value()]
            return self.place({"op": "mul", "from": pair}, None, may_be_left_out=False)
        self.items.append({"op": "permute", "dims": [0, 2, 3, 1]})
        self.last_items()
        return self.place({"op": "permute", "dims": [0, 3, 1, 2]}, None, reads=False, may_be_left_out=False, once=True)

    def last_items(self) -> None:
        """Items on channels-last values."""
        first, linear = self.named("fc"), {"op": "linear", "out_features": self.width()}
        self.items.append({first: dict(linear)})
        name = self.named("fc")
        own = "{" not in first
        options: list[Data] = [
            {"op": "relu"},
            {"op": "dropout"},
            {"op": "=act"} if self.has("act") else {"op": "gelu"},
            {name: {"op": "layer_norm"}},
            {name: {**linear, "when": self.condition(), "else": first}},
            {"op": "add", "from": [first, first]},
            {name: {"seq": [dict(linear), {"op": "tanh"}]}},
            {name: {**linear, "from": first, "append": f"tokens{self.numbers}"}},
            {name: {**linear, "train_only": True}},
            {name: {"op": "identity"}},
        ]
        if own:
            options.append({"call": first})
        if not self.indices:
            options += [{f"{name}_{{i}}": {**linear, "from": first, "repeat": 2, "index": "i"}},
                        {"repeat": 2, "index": "i", "layers": [{f"{name}_{{i}}": dict(linear)}, {"op": "relu"}]},
                        {"repeat": 2, "index": "i", "layers": [{"call": first}]}]  # fmt: skip
        self.items.append(self.chance.choice(options))
        if self.maybe(0.3):
            other = self.named("fc")
            self.items += [{other: dict(linear)}, {"op": "add", "from": [other, first]}]

    def step_train_only(self) -> None:
        """A head that exists in training only; nobody reads it but the outputs."""
        name = self.named("aux")
        body: Data = {**self.layer(), "train_only": True}
        if self.maybe(0.3):
            body = {"train_only": True, "seq": [self.layer(), {"op": "relu"}]}
        elif self.maybe(0.4):
            pair = {"from": [self.value(), self.value()], "train_only": True}
            body = {"op": self.chance.choice(("add", "sub", "mul")), **pair}
            if self.lists and self.maybe():
                body = {"op": "cat", "from": [self.value(), self.chance.choice(self.lists)], "train_only": True}
        elif self.modules and self.maybe(0.3):
            double = [called for called in self.modules if called not in self.doubles]
            if double:
                self.items.append({"call": self.chance.choice(double), "train_only": True})
                return
        if self.maybe(0.3) and "from" not in body:
            body["from"] = self.value()
        if self.maybe(0.3) and not self.conditions:
            body["when"] = self.condition()
        elif not self.conditions and not self.indices:
            self.heads.append(name)
        self.items.append({name: body})

    def step_block(self) -> None:
        if not self.blocks:
            return self.step_op()
        used = self.chance.choice(list(self.blocks))
        return self.place(self.use(used, True), self.named("b"))

    def step_several(self) -> None:
        """A block with several outputs, which whatever follows may read."""
        if not self.several:
            return self.step_op()
        used = self.chance.choice(list(self.several))
        name, body = self.named("two"), self.use(used, True)
        body = {"from": self.value(), **body}
        if isinstance(body["from"], list) and not self.indices and not self.conditions and self.maybe(0.4):
            both = self.label("list")
            self.items += [{"op": "relu", "append": both}, {"op": "tanh", "append": both}]
            body["from"] = both
        called = name
        if self.maybe(0.3) and "inputs" not in self.several[used]:
            last = {key: value for key, value in body.items() if key != "from"}
            named = {"last": last} if self.maybe() else last
            inner: list[Data] = [self.rounds_of_one(), {"layers": [last]} if self.maybe(0.4) else named]
            body = {"from": body["from"], "seq": inner[self.chance.randint(0, 1) :]}
        if self.maybe(0.2) and "seq" not in body:
            body["train_only"] = True
        elif self.maybe(0.25) and len(self.indices) < 3:
            many, known = self.count()
            index = INDICES[len(self.indices)]
            body |= {"repeat": many, "index": index}
            name, called = f"{name}_{{{index}}}", f"{name}_{(known or 1) - 1}"
        elif self.maybe(0.3):
            called = body["as"] = self.label("both")
        first, *others = put_out(self.several[used])[0]
        if body.get("train_only"):
            self.items.append({name: body})
            self.items.append({self.named("aux"): {**self.convolution(), "from": f"{called}.{first}",
                                                   "train_only": True}})  # fmt: skip
            return None
        if self.maybe(0.25):
            body["when"] = self.condition()
            self.items.append({name: body})
            return self.behind(called, [])
        self.items.append({name: body})
        if "repeat" not in body and "as" not in body and "{" not in name and self.maybe(0.3):
            again = {"from": [self.value(), self.value()]} if "inputs" in self.several[used] else {"from": self.value()}
            called = self.label("again")
            self.items.append({"call": name, **again, "as": called})
        return self.behind(called, [first, *others])

    def behind(self, called: str, parts: list[str]) -> None:
        """The item after a block with several outputs: it reads one of them, or another value."""
        self.values += [f"{called}.{part}" for part in parts if "{" not in called]
        taken = f"{called}.{self.chance.choice(parts)}" if parts and self.maybe(0.8) else self.value()
        body: Data = {"op": "relu", "from": taken}
        rounds = [name for name in self.modules if name[-1:].isdigit() and "_" in name and name not in self.doubles]
        single = [used for used, block in self.blocks.items() if "seq" in block]
        if rounds and self.maybe(0.4):
            body = {"call": self.chance.choice(rounds), "from": taken, "append": self.list_name()}
        elif single and self.maybe(0.3):
            body = self.use(self.chance.choice(single), False) | {"from": taken}
            return self.place(body, self.named("b"), may_be_left_out=False)
        elif self.maybe(0.3):
            group = {"layers": [{"op": "tanh"}, self.widened("=width")]}
            ways: list[Data] = [
                {"seq": [self.rounds_of_one(), group]},
                self.by_list("=width"),
                {"op": "dropout", "p": self.rate()},
            ]
            body = self.chance.choice(ways) | {"from": taken}
            return self.place(body, self.named("n"), may_be_left_out=False)
        elif self.maybe(0.2):
            scale, like = self.named("gamma"), self.chance.choice(self.inputs)
            shape = [f"={like}.{size}" for size in self.sizes]
            fixed: Data = {"op": "buffer", "values": "ones", "shape": shape}
            own = self.chance.choice([self.parameter(shape, self.rate()), fixed])
            self.items.append({scale: {**own, "when": self.condition(), "else": taken}})
            body = {"op": "mul", "from": [scale, self.value()]}
        elif self.maybe(0.4):
            pair = [taken, self.value()]
            self.chance.shuffle(pair)
            body = {"op": self.chance.choice(("add", "sub", "mul")), "from": pair}
        return self.place(body, None, may_be_left_out=False, once=True)

    def use(self, used: str, may_take_two: bool) -> Data:
        """A block with arguments."""
        block = self.all_blocks[used]
        body: Data = {"block": used}
        for name, default in block["params"].items():
            if name == "width":
                body[name] = "=width"
            elif name == "rate" and self.indices and self.has("rates") and self.maybe():
                body[name] = f"=rates[{self.index()}]"
            elif default is None or self.maybe(0.4):
                body[name] = f"={name}" if self.has(name) and self.maybe(0.6) else self.chance.choice(PARAMS[name])
        if len(block.get("inputs", ["input"])) == 2 and may_take_two:
            body["from"] = [self.value(), self.value()]
        return body

    def step_seq(self) -> None:
        double = [used for used, block in self.blocks.items() if len(block.get("inputs", ["input"])) == 2]
        if double and self.maybe(0.2):
            self.items.append({self.named("joint"): self.use(self.chance.choice(double), True)})
            self.items.append({self.named("seq"): {"seq": [self.rounds_of_one(), self.widened("=width")]}})
        self.place({"seq": self.inner(0)}, self.named("seq"))

    def inner(self, depth: int) -> list[Data]:
        """Items of a seq."""
        items: list[Data] = []
        for number in range(self.chance.randint(1, 3)):
            body = self.operation()
            if self.uses_specs and self.maybe(0.3):
                body = composed_networks.keeping(self.chance)
            single = [name for name, block in self.blocks.items() if "inputs" not in block]
            if single and self.maybe(0.2):
                body = self.use(self.chance.choice(single), False)
            elif depth < 2 and self.maybe(0.2):
                body = {"seq": self.inner(depth + 1)}
            elif depth < 2 and self.maybe(0.2):
                body = {"layers": self.inner(depth + 1)}
            if self.maybe(0.15) and self.size == "channels":
                body = {"layers": [{"op": "permute", "dims": [0, 2, 3, 1]}, self.last_in_seq(depth),
                                   {"op": "permute", "dims": [0, 3, 1, 2]}]}  # fmt: skip
            if self.maybe(0.25):
                body = {**body, "when": self.condition()}
            repeated = self.maybe(0.25) and "tokens" not in str(body)
            index = INDICES[-1] + str(depth)
            if repeated:
                body |= {"repeat": self.count()[0], **({"index": index} if self.maybe() else {})}
            plain = "layers" not in body and not (repeated and "index" not in body) and not self.in_group(depth)
            name = f"part{number}" + (f"_{{{index}}}" if repeated else "")
            items.append({name: body} if plain and self.maybe(0.4) else body)
        return items

    def last_in_seq(self, depth: int) -> Data:
        """An item of a seq on channels-last values."""
        linear: Data = {"op": "linear", "out_features": "=width"}
        if self.maybe(0.3):
            self.numbers += 1
            linear |= {"repeat": 2, "index": "t"}
            return {f"tokens{self.numbers}_{{t}}": linear} if self.maybe() and not depth else linear
        return {**linear, "when": self.condition()} if self.maybe(0.3) else linear

    def in_group(self, depth: int) -> bool:
        """Whether names might be given twice: in groups of a seq items go by their numbers."""
        return depth > 0

    def step_group(self) -> None:
        """A group under a condition, or repeated, or both, or of groups."""
        if len(self.indices) >= 2 or self.conditions >= 2:
            return self.step_op()
        body: Data = {}
        guarded, repeated = self.maybe(0.4), self.maybe(0.7)
        many: tuple[Any, int | None] = (None, None)
        known = (list(self.values), list(self.modules))
        if guarded:
            body["when"] = self.condition()
        if repeated or not guarded:
            many = self.count()
            index = INDICES[len(self.indices)]
            body |= {"repeat": many[0], "index": index}
            self.indices.append((index, many[1]))
        self.conditions += guarded
        with self.collecting() as items:
            for _ in range(self.chance.randint(1, 4)):
                self.step()
        self.conditions -= guarded
        if "repeat" in body:
            self.indices.pop()
        self.items.append({**body, "layers": items})
        self.leave(known, body, many[1], guarded)
        return None

    def leave(self, known: tuple[list[str], list[str]], body: Data, many: int | None, guarded: bool) -> None:
        """Record the names in a group, if it is not left out; rounds are numbered."""
        values, modules = self.values[len(known[0]) :], self.modules[len(known[1]) :]
        del self.values[len(known[0]) :], self.modules[len(known[1]) :]
        if guarded:
            return
        for found, kept in ((values, self.values), (modules, self.modules)):
            for name in found:
                rounds = rounds_of(name, body["index"], many or 1) if "{" in name else [name]
                self.doubles |= {*rounds} if name in self.doubles else set()
                kept += rounds
        if not self.indices and not self.conditions:
            self.registered += [name for name in self.modules if name not in self.registered and "{" not in name]

    @contextmanager
    def collecting(self) -> Iterator[list[Data]]:
        outer, self.items = self.items, []
        found = self.items
        try:
            yield found
        finally:
            self.items = outer

    def step_ladder(self) -> None:
        """Rounds that read the rounds before them, by computed names."""
        if len(self.indices) >= 3:
            return self.step_op()
        first = self.named("c")
        stem = first + "_"
        index = INDICES[len(self.indices)]
        many, known = self.count()
        self.items.append({f"{stem}0": {**self.layer(), "from": self.value()}})
        before, after = f"{stem}{{{index}}}", f"{stem}{{{index} + 1}}"
        extra = {"when": f"={index} != 1", "else": before} if self.maybe(0.3) else {}
        conv = {**self.layer(), "from": before, **extra}
        if self.maybe():
            self.items.append({after: {**conv, "repeat": many, "index": index}})
        else:
            items = [{after: conv}, {"op": "relu"}, {"op": "add", "from": [before, after], "as": "y"}]
            items += [{"call": f"{stem}0", "from": after}] if self.maybe(0.4) else []
            self.items.append({"layers": items, "repeat": many, "index": index})
        self.values += [f"{stem}{k}" for k in range(1 + (known or 1))]
        self.modules += [f"{stem}{k}" for k in range(1 if extra else 1 + (known or 1))]
        if self.is_extra and not self.indices and known and not extra and self.maybe(0.2):
            both = self.label("list")
            self.items += [{"call": f"{stem}1", "append": both}, {"op": "cat", "from": [both, self.value()]}]
            self.restore()
            self.items.append({"call": f"{stem}1"})
            return self.items.append({self.named("mix"): {"seq": [self.rounds_of_one(), self.widened("=width")]}})
        if not self.indices and known:
            computed = f"{stem}{{{known} - {index}}}"
            reads = {"op": "mul", "from": [self.value(), computed]} if self.maybe() or extra else {"call": computed}
            self.items.append({"layers": [reads], "repeat": known, "index": index})
        return None

    def step(self) -> None:
        """One random step."""
        self.chance.choice((
            self.step_op, self.step_op, self.step_op, self.step_call, self.step_call, self.step_arithmetic,
            self.step_cat, self.step_wide, self.step_chunk, self.step_parameter, self.step_last, self.step_train_only,
            self.step_block, self.step_block, self.step_seq, self.step_group, self.step_group, self.step_ladder,
            self.step_detour, self.step_detour,
            *[self.step_several] * (8 if self.is_extra else 0),
        ))()  # fmt: skip

    def rules(self) -> list[Data]:
        found = [rule for rule in RULES if self.maybe(0.12)]
        return [rule for rule in found if self.has("flag") or ("when" not in rule
                and (self.has("rate") or "rate" not in str(rule)))]  # fmt: skip

    def said(self) -> Data:
        """The keys of the body as a whole."""
        data: Data = {"let": self.let} if self.let else {}
        data["layers"] = self.items
        plain = [value for value in self.values if "{" not in value and value not in self.inputs]
        if plain and self.maybe(0.2):
            data["output"] = self.chance.choice(plain)
        registered = list(dict.fromkeys(name for name in self.registered if "{" not in name))
        if registered and self.maybe(0.25):
            data["register"] = self.chance.sample(registered, min(len(registered), self.chance.randint(1, 3)))
        rules = [rule for rule in self.rules() if "rate" not in str(rule) or self.has("rate")]
        rules = [rule for rule in rules if "when" not in rule or self.has("flag")]
        return data | ({"init": rules} if rules else {})


class Vectors(Free):
    """The items of one body, whose values are all vectors of one length."""

    sizes: tuple[str, ...] = ("features",)
    size = "features"
    norms: tuple[str, ...] = ("batch_norm1d",)
    detours = shape_changes.OF_VECTORS

    def convolution(self) -> Data:
        return self.widened(self.width()) | ({"bias": False} if self.maybe(0.2) else {})

    def by_kernel(self, kernel: str) -> Data:
        return {"op": "dropout", "p": f"={kernel} / 32"}

    @staticmethod
    def widened(width: Any) -> Data:
        return {"op": "linear", "out_features": width}

    def norm(self) -> Data:
        return self.chance.choice([{"op": "batch_norm1d"}, {"op": "layer_norm"},
                                   {"op": "group_norm", "num_groups": 2, "bias": False}])  # fmt: skip

    def other(self) -> Data:
        return self.chance.choice([{"op": "dropout", "p": self.rate() if self.has("rate") else 0.5},
                                   {"op": "identity"}, {"op": "flatten"}])  # fmt: skip

    def rate(self) -> Any:
        return "=rate / 2 + 0.5" if self.has("rate") else 0.5

    def pool(self) -> Data:
        return {"op": "layer_norm"}

    def per_channel(self, channels: str) -> list[Any]:
        return [channels]

    def step_last(self) -> None:
        return self.step_op()


_NO_MODULES: Final = ("einsum", "contiguous", "flip", "cumsum", "sliding_window", "vector_norm", "functional_conv1d",
                      "functional_linear", "functional_instance_norm",
                      "maximum", "minimum", "tile", "repeat_interleave",
                      "add", "sub", "mul", "div", "cat", "stack", "chunk", "split", "mean", "sum", "max", "parameter",
                      "interpolate", "buffer", "index", "addcmul", "sign",
                      "matmul", "scaled_dot_product_attention",
                      "rearrange", "select", "slice", "expand", "pad", "roll", "normalize", "exp", "clamp",
                      "log", "sqrt", "rsqrt", "abs", "neg", "square", "reciprocal", "sin", "cos", "erf", "pow", "min",
                      "var", "std", "logsumexp")  # fmt: skip
_NEED_NAMES: Final = ("conv2d", "conv_transpose2d", "batch_norm2d", "layer_norm2d", "group_norm", "identity",
                      "stochastic_depth", "linear", "layer_norm", "batch_norm1d", "rms_norm", "prelu",
                      "conv1d", "conv_transpose1d", "instance_norm1d")  # fmt: skip


def rounds_of(name: str, index: str, many: int) -> list[str]:
    """The names of an item in the rounds of a repeat, as far as they are known."""
    quoted = f'{{{index} if {index} else "z"}}'
    return [name.replace(quoted, str(k or "z")).replace(f"{{{index}}}", str(k)) for k in range(many)]


def _block(chance: random.Random, blocks: dict[str, Data], kind: type[Free]) -> Data:
    """A block that keeps the shape of its input."""
    if chance.random() < 0.15:
        return small_blocks.loop(chance, kind.widened("=width"))
    names = ["width", *(name for name in PARAMS if name != "width" and chance.random() < 0.4)]
    params = {name: None if chance.random() < 0.3 else chance.choice(PARAMS[name]) for name in names}
    inputs = chance.choice((["input"], ["left", "right"], ["input", "side"]))
    body = kind(chance, names, blocks, inputs)
    if inputs == ["input"] and chance.random() < 0.45:
        rules = [{"op": "conv2d", "bias": 0.125}] if chance.random() < 0.2 else []
        made = {"params": params, "seq": body.inner(0), **({"init": rules} if rules else {})}
        return composed_networks.with_layers(made, body, len(str(made)))
    _fill(body, chance.randint(1, 6))
    composed_networks.now_and_then(body, 0.15)
    said = composed_networks.constructed(body.said(), body.registered)
    said = in_containers(said, len(str(said)))
    made = {"params": params, **({"inputs": inputs} if inputs != ["input"] else {}), **said}
    return with_rest(made, len(str(said)))


def _with_outputs(chance: random.Random, blocks: dict[str, Data], kind: type[Free]) -> Data:
    """A block that yields several values of the shape of its input."""
    names = ["width", *(name for name in PARAMS if name != "width" and chance.random() < 0.3)]
    params = {name: None if chance.random() < 0.3 else chance.choice(PARAMS[name]) for name in names}
    inputs = chance.choice((["input"], ["left", "right"], ["input", "side"]))
    body = kind(chance, names, blocks, inputs)
    body.is_extra = True
    _fill(body, chance.randint(1, 3))
    composed_networks.now_and_then(body, 0.3)
    said = {key: value for key, value in body.said().items() if key != "output"}
    named = {"inputs": inputs} if inputs != ["input"] else {}
    data = {
        "params": params,
        **named,
        **composed_networks.constructed(said, body.registered),
        "outputs": _several(body, chance),
    }
    data = composed_networks.cut(data, body, len(str(data)))
    if isinstance(data.get("outputs"), list):
        return data
    if "cut" in data:
        return with_rest(beside_a_cut(data, len(str(said))), len(str(said)))
    return with_rest(in_containers(data, len(str(said))), len(str(said)))


def _several(body: Free, chance: random.Random) -> Any:
    """The outputs of a block: names of values, or other names for them."""
    plain = [value for value in [*body.values, *body.inputs] if "{" not in value]
    named = [value for value in dict.fromkeys(plain) if value.isidentifier() and value != "input"]
    if named and chance.random() < 0.4:
        return chance.sample(named, min(len(named), 2))
    return {word: chance.choice(plain) for word in ("low", "mid", "high")[: chance.randint(1, 3)]}


def _fill(body: Free, count: int) -> None:
    if body.maybe(0.3):
        sizes: list[str] = [] if body.inputs == ["stem"] else [f"={body.inputs[0]}.{body.size}"]
        body.let["hidden"] = body.chance.choice(["=width", "=width * 2 // 2", *sizes])
    for _ in range(count):
        body.step()


def free_network(seed: int) -> Data:
    """The network of a seed, as plain data."""
    chance = random.Random(seed)
    return network_of(seed, chance, Vectors if chance.random() < 0.25 else Free)


def network_of(seed: int, chance: random.Random, kind: type[Free]) -> Data:
    """A network whose values are of one kind."""
    blocks = small_blocks.some(chance, kind.widened("=width"))
    for number in range(chance.randint(0, 3)):
        blocks[small_blocks.block_name(chance, number, blocks)] = _block(chance, dict(blocks), kind)
    more = random.Random(f"{seed} several")
    for number in range(more.choice((0, 1, 2))):
        blocks[f"Several{number}"] = _with_outputs(more, dict(blocks), kind)
    names = ["width", *(name for name in PARAMS if name != "width" and chance.random() < 0.5)]
    own = chance.random() < 0.2  # whether the input has the shape of all values, and may be read
    uses_specs = seed % 8 in (1, 7) and kind.size == "channels"
    own |= uses_specs
    body = kind(chance, names, blocks, ["input" if own else "stem"])
    body.uses_specs = uses_specs
    params = {name: chance.choice(PARAMS[name]) for name in names}
    if own:
        del params["width"]
        body.let = {"width": f"=input.{body.size}"}
    else:
        body.items.append({"stem": body.widened("=width")})
        body.registered.append("stem")
    _fill(body, chance.randint(2, 8))
    size = 8 if own else 3
    shape = [size] if kind is Vectors else kind.shape(size) if kind.shape else [size, *chance.choice(([6, 6], [7, 5]))]
    data: Data = {"name": f"free{seed}", "input": shape, "params": params, "blocks": blocks}
    said, outputs = body.said(), _outputs(body, chance)
    if body.several:
        body.chance, body.is_extra = more, True
        for _ in range(more.randint(1, 3)):
            body.step()
    if seed % 4 in (0, 2):
        body.chance = random.Random(f"{seed} specs")
        for _ in range(body.chance.randint(1, 2)):
            composed_networks.step(body)
    if seed % 3 == 1:
        body.chance = random.Random(f"{seed} gathers")
        _gather(body)
    said = composed_networks.constructed(said, body.registered)
    if body.values and more.random() < 0.4:
        outputs = _returned(body, more)
    if put_out(outputs)[1]:
        said.pop("output", None)
    if seed % 5 == 4:
        items = shape_changes.last("input" if own else "stem", kind.widened("=width"), list(kind.sizes), seed // 5 % 3)
        said["layers"] += items
    made = in_containers({**data, **said, **outputs}, seed)
    put: Any = made.get("outputs")
    if isinstance(put, list) and any("." in name for name in put):  # paths, which fields are not called by
        fields = {f"field{number}": name for number, name in enumerate(put)}
        made["outputs"] = {"type": "tuple", "when": "always", "fields": fields}
    return made


def _gather(body: Free) -> None:
    """A block of any number of inputs, on several numbers of them."""
    block = small_blocks.gathers(body.chance, body.widened, body.size)
    body.all_blocks[small_blocks.GATHERS] = block
    for _ in range(body.chance.randint(1, 3)):
        given: Data = {"level": body.chance.randint(0, 1)} if body.maybe() else {}
        taken = [body.value() for _ in range(len(block["inputs"]) + body.chance.randint(1, 3))]
        used = {"block": small_blocks.GATHERS, "width": "=width", **given, "from": taken}
        body.place(used, body.named("mix"))


def _outputs(body: Free, chance: random.Random) -> Data:
    """Named outputs, of any values and of those that exist in training only."""
    plain = [value for value in body.values if "{" not in value]
    if not plain or chance.random() < (0.3 if body.ends else 0.7):
        return {}
    names = [chance.choice(plain), *chance.sample(plain, min(len(plain), 2)), *body.heads[:1], *body.ends[:2]]
    words = [name for name in body.blocks if name not in small_blocks.NAMES]
    return {
        "outputs": {
            "type": chance.choice(["Maps", "Maps", "x2", *names[:2], *words]),
            "fields": {f"field{number}": name for number, name in enumerate(names)},
        }
    }


def _returned(body: Free, chance: random.Random) -> Data:
    """What a network returns in a container of any kind, in training or always."""
    plain = list(dict.fromkeys(value for value in body.values if "{" not in value))
    always = chance.random() < 0.7
    names = [*chance.sample(plain, min(len(plain), chance.randint(1, 3))), *([] if always else body.heads[:1])]
    names += [name for name in body.ends[:2] if name not in names]
    if always and all(name.isidentifier() and name != "input" for name in names):
        return {"outputs": names}
    kind, fields = chance.choice(["tuple", "list", "dict", "Maps"]), {f"field{k}": name for k, name in enumerate(names)}
    return {"outputs": {"type": kind, **({"when": "always"} if always else {}), "fields": fields}}
