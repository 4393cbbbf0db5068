"""Random valid networks in the core language, deterministic for each seed, that use all of the language.

Channel counts are expressions (text without `=`) whose values are multiples of 8. Values of one `level` have the
same height and width, so what may be added or put side by side is known without knowing sizes.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":  # `python -m tests.random_networks` knows this folder by another name
    sys.path.insert(0, str(Path(__file__).parent))


Data = dict[str, Any]

ACTIVATIONS = ("relu", "relu6", "silu", "gelu", "hardswish", "leaky_relu", "elu", "sigmoid", "tanh", "hardsigmoid")
AWKWARD = ("x", "out", "layer", "layers", "module", "name", "features", "shortcut", "int_", "result", "conv", "relu",
           "pos-1", "2-a")  # fmt: skip
"""Names of items and values that generated code might use itself."""


class Value(NamedTuple):
    """A value that items can take: its name, if it has one, its channels, and which values are as large."""

    name: str | None
    channels: str
    level: int


@dataclass
class Signature:
    """The facts about a block that a use of it needs: parameters by kind, and its effect on channels and size."""

    name: str
    params: dict[str, str]
    channels: str
    """The parameter that gives its number of output channels; empty if it keeps its input's."""
    stride: bool
    inputs: int = 1
    shrinks: bool = False
    """Whether it changes the size of the map whatever its stride."""
    needed: set[str] = field(default_factory=set)


class Body:
    """The items of one body (a network's or a block's) as they are being written."""

    def __init__(self, chance: random.Random, params: dict[str, str], blocks: list[Signature], root: bool) -> None:
        self.chance = chance
        self.params = params
        self.blocks = blocks
        self.root = root
        self.items: list[Data] = []
        self.let: Data = {}
        self.numbers: dict[str, int] = {}
        self.values: list[Value] = []
        self.current = Value(None if root else "input", "3" if root else "input.channels", 0)
        self.levels = 0
        self.indices: list[str] = []
        self.callable: dict[str, str] = {}
        """Activations by name that may be called again."""
        self.guarded = False

    # -- small choices --------------------------------------------------------------------------------------

    def maybe(self, probability: float = 0.5) -> bool:
        return self.chance.random() < probability

    def named(self, stem: str) -> str:
        """A new name; now and then one that could clash."""
        awkward = self.chance.choice(AWKWARD)
        if self.maybe(0.08) and awkward not in self.numbers and not self.indices:
            self.numbers[awkward] = 1
            return awkward
        self.numbers[stem] = self.numbers.get(stem, 0) + 1
        index = f"_{{{self.indices[-1]}}}" if self.indices else ""
        return f"{stem}{self.numbers[stem]}{index}"

    def of_kind(self, kind: str) -> list[str]:
        return [name for name, found in self.params.items() if found == kind]

    def width(self) -> str:
        """An expression for a number of channels."""
        known = [*self.of_kind("width"), *self.let]
        if not known or self.maybe(0.2):
            return str(self.chance.choice((8, 16, 24)))
        name = self.chance.choice(known)
        forms = ("{0}", "{0}", "{0}", "{0} + 8", "max({0} // 2 // 8 * 8, 8)", "make_divisible({0} * 0.75, 8)",
                 "int({0} * (64 / 64))", "({0} if {0} > 8 else 16)", "[8, {0}][1]", "round({0} / 8) * 8")  # fmt: skip
        if self.indices and self.maybe(0.4):
            return f"{name} + 8 * {self.indices[-1]}"
        return self.chance.choice(forms).format(name)

    def condition(self) -> str | bool:
        """An expression for `when`, mostly with different values in the uses of a block."""
        options = [f"={name}" for name in self.of_kind("flag")] + [f"=not {name}" for name in self.of_kind("flag")]
        options += [f"={name} > 0" for name in self.of_kind("rate")]
        options += [f"={name} > 16" for name in self.of_kind("width")]
        options += ["=input.channels > 16", "=input.channels != 8"] if not self.root else []
        options += [f"={index} > 0" for index in self.indices]
        if not options or self.maybe(0.05):
            return self.chance.choice([True, False])
        return self.chance.choice(options)

    def constant_or(self, kind: str, *constants: Any) -> Any:
        found = self.of_kind(kind)
        return f"={self.chance.choice(found)}" if found and self.maybe(0.6) else self.chance.choice(constants)

    # -- adding items ---------------------------------------------------------------------------------------

    def add(self, body: Data, name: str | None = None, channels: str | None = None, level: int | None = None) -> None:
        """Append an item; its value becomes the current one."""
        before = self.current
        if "as" not in body and "op" in body and name is None and not self.indices and self.maybe(0.15):
            body["as"] = self.named("value")
        self.items.append(body if name is None else {name: body})
        label = body.get("as", name)
        self.current = Value(
            label, before.channels if channels is None else channels, before.level if level is None else level
        )
        if label is not None:
            self.values = [value for value in self.values if value.name != label]
            self.values.append(self.current)

    def new_level(self) -> int:
        self.levels += 1
        return self.levels

    def optional(self, body: Data) -> Data:
        """An item that keeps its value's shape may be conditional."""
        if self.maybe(0.2) and not self.guarded:
            body = {**body, "when": self.condition()}
        return body

    def shaped_like(self, other: Value) -> list[Value]:
        found = [v for v in self.values if (v.channels, v.level) == (other.channels, other.level) and v != other]
        return found if self.root or (other.channels, other.level) != ("input.channels", 0) else [
            *found, Value("input", "input.channels", 0)]  # fmt: skip

    def name_current(self) -> Value:
        """The current value with a name: an identity gives it one if it has none."""
        if self.current.name is None:
            name = self.named("keep")
            self.add({"op": "identity"}, name)
        return self.current

    # -- what a body may hold -------------------------------------------------------------------------------

    def conv(self, out: str | None = None, stride: bool | None = None) -> None:
        out = self.width() if out is None else out
        kernel = self.chance.choice((1, 3, 3, 5))
        level, body = self.current.level, {"op": "conv2d", "out_channels": f"={out}", "kernel_size": kernel}
        if out.isdecimal() and self.maybe():
            body["out_channels"] = int(out)
        if kernel > 1:
            body["padding"] = kernel // 2
        if stride is not False and (stride or self.maybe(0.12)) and not self.indices and not self.guarded:
            body["stride"], level = self.constant_or("stride", 2), self.new_level()
        if self.maybe(0.3):
            body["bias"] = self.constant_or("flag", False)
        elif self.maybe(0.15) and self.current.channels != "3":
            body["groups"] = 2 if {"/", "+", "."} & {*self.current.channels} else self.chance.choice((2, 4, 8))
        self.add(body, self.named("conv"), out, level)

    def depthwise(self) -> None:
        if self.current.channels == "3":
            return self.conv()
        channels = self.current.channels
        body = {"op": "conv2d", "out_channels": f"={channels}", "kernel_size": 3, "padding": 1}
        return self.add({**body, "groups": f"={channels}", "bias": False}, self.named("dw"))

    def norm(self) -> None:
        kinds: list[Data] = [{"op": "batch_norm2d"}, {"op": "batch_norm2d", "eps": 0.001}, {"op": "layer_norm2d"}]
        if self.current.channels != "3":
            kinds.append({"op": "group_norm", "num_groups": self.chance.choice((1, 4))})
        self.add(self.optional(self.chance.choice(kinds)), self.named("norm"))

    def activation(self) -> None:
        if self.callable and self.maybe(0.3):
            self.items.append({"call": self.chance.choice(list(self.callable))})
            self.current = self.current._replace(name=None)
            return
        op = self.constant_or("act", *ACTIVATIONS)
        if op.startswith("="):
            self.add({"op": op}, self.named("act"))
        elif self.maybe(0.6):
            name = self.named(op)
            body = self.optional({"op": op})
            self.add(body, name)
            if "when" not in body and not self.indices and not self.guarded:
                self.callable[name] = op
        else:
            self.add(self.optional({"op": op}))

    def pool(self) -> None:
        op = self.chance.choice(("max_pool2d", "avg_pool2d"))
        body = self.optional({"op": op, "kernel_size": 3, "stride": 1, "padding": 1})
        self.add(body, self.named("pool") if self.maybe() else None)

    def dropout(self) -> None:
        op = self.chance.choice(("dropout", "stochastic_depth", "dropout2d"))
        unnamed = op != "stochastic_depth" and self.maybe()
        body = self.optional({"op": op, "p": self.constant_or("rate", 0.1, 0.25)})
        self.add(body, None if unnamed else self.named("drop"))

    def residual(self) -> None:
        """A branch that is added to where it began."""
        start = self.name_current()
        self.conv(start.channels if start.channels != "3" else "8", stride=False)
        if start.channels == "3":
            return
        if self.maybe():
            self.norm()
        if self.maybe(0.3):
            self.dropout()
        end = self.name_current()
        pair = [end.name, start.name] if self.maybe() else [start.name, end.name]
        body: Data = {"op": self.chance.choice(("add", "add", "sub")), "from": pair}
        if self.maybe(0.2) and not self.guarded:
            body["when"] = self.condition()
        self.add(body)

    def projection(self) -> None:
        """ResNet's shortcut: a projection only where the shapes differ."""
        strides = self.of_kind("stride")
        if self.root or not strides or self.indices or self.guarded:
            return self.residual()
        stride, out = strides[0], self.width()
        name = self.named("main")
        self.add({"op": "conv2d", "from": "input", "out_channels": f"={out}", "kernel_size": 3, "padding": 1,
                  "stride": f"={stride}"}, name, out, self.new_level())  # fmt: skip
        main = self.current
        if self.maybe():
            self.norm()
        main = self.name_current()
        body: Data = {"from": "input", "when": f"={stride} != 1 or input.channels != {out}", "else": "input", "seq": [
            {"op": "conv2d", "out_channels": f"={out}", "kernel_size": 1, "stride": f"={stride}"},
            {"op": "batch_norm2d"},
        ]}  # fmt: skip
        short = self.named("downsample")
        if self.maybe(0.3):
            body["as"] = self.named("side")
        self.add(body, short, out, main.level)
        return self.add({"op": "add", "from": [main.name, self.current.name]})

    def expansion(self) -> None:
        """An item that changes the channels, and is left out where they would stay."""
        ratios = self.of_kind("ratio")
        if self.root or not ratios or self.indices or self.guarded or self.current.channels != "input.channels":
            return self.conv()
        hidden = f"input.channels * {ratios[0]}"
        body: Data = {"op": "conv2d", "out_channels": f"={hidden}", "kernel_size": 1, "when": f"={ratios[0]} != 1"}
        return self.add(body, self.named("expand"), hidden)

    def branches(self) -> None:
        """Parallel branches, side by side."""
        start, names, widths = self.name_current(), [], []
        for _ in range(self.chance.randint(2, 3)):
            width = self.width()
            name = self.named("branch")
            if self.maybe(0.4):
                self.current = start
                inner = self.inner(width)
                self.add({"from": start.name, "seq": inner}, name, width)
            else:
                body = {"op": "conv2d", "from": start.name, "out_channels": f"={width}", "kernel_size": 1}
                self.add(body, name, width, start.level)
            names.append(name)
            widths.append(f"({width})")
        if self.maybe(0.3) and start.channels != "3":
            names.insert(0, str(start.name))
            widths.append(start.channels)
        self.add({"op": "cat", "from": names}, None, " + ".join(widths), start.level)

    def chunk(self) -> None:
        if self.current.channels == "3" or "//" in self.current.channels:
            return self.conv()
        start, name = self.current, self.named("halves")
        self.add({"op": "chunk", "chunks": 2}, name)
        self.values = [value for value in self.values if value.name != name]
        self.current = Value(None, f"({start.channels}) // 2", start.level)
        side = self.named("half")
        width = self.width()
        self.add({"op": "conv2d", "from": f"{name}.1", "out_channels": f"={width}", "kernel_size": 1}, side, width)
        return self.add({"op": "cat", "from": [f"{name}.0", side]}, None, f"({start.channels}) // 2 + ({width})")

    def excite(self) -> None:
        """Squeeze and excitation, or a scale that is a parameter."""
        start = self.name_current()
        if start.channels == "3":
            return self.conv()
        if self.maybe():
            name = self.named("scale")
            first = self.constant_or("rate", 0.5)
            body = {"op": "parameter", "shape": [f"={start.channels}", 1, 1], "init": {"uniform": {"b": first}}}
            self.items.append({name: body})
            return self.add({"op": "mul", "from": [name, start.name] if self.maybe() else [start.name, name]})
        self.add({"op": "adaptive_avg_pool2d", "output_size": 1}, self.named("squeeze") if self.maybe() else None,
                 level=self.new_level())  # fmt: skip
        gate = self.named("gate")
        self.add({"op": "conv2d", "out_channels": f"={start.channels}", "kernel_size": 1}, gate)
        self.add({"op": "sigmoid"}, gated := self.named("sigmoid"))
        return self.add({"op": "mul", "from": [gated, start.name]}, None, start.channels, start.level)

    def jump(self) -> None:
        """Continue from an earlier value, with an item that names it in `from`."""
        if not self.values or self.guarded:
            return self.conv()
        self.current = self.chance.choice(self.values)
        width = self.width()
        body = {"op": "conv2d", "from": self.current.name, "out_channels": f"={width}", "kernel_size": 1}
        return self.add(body, self.named("jump"), width)

    def sum_of_any(self) -> None:
        """Two values with matching shapes."""
        start = self.name_current()
        others = self.shaped_like(start)
        if not others:
            return self.residual()
        return self.add(
            {"op": self.chance.choice(("add", "mul")), "from": [start.name, self.chance.choice(others).name]}
        )

    def run_block(self) -> None:
        """An item that is a block of the spec."""
        fitting = [b for b in self.blocks if not (b.shrinks and (self.indices or self.guarded))]
        if not fitting or self.current.channels == "3":
            return self.conv()
        block = self.chance.choice(fitting)
        if block.inputs == 2:
            return self.run_joint(block)
        body, channels, moved = self.use(block)
        return self.add(body, self.named("block"), channels, self.new_level() if moved else None)

    def use(self, block: Signature) -> tuple[Data, str, bool]:
        """A block with arguments; the channels it yields; whether it changes the size of the map."""
        body: Data = {"block": block.name}
        channels = self.current.channels
        for name, kind in block.params.items():
            if name in block.needed or self.maybe(0.6):
                body[name] = self.argument(kind)
        if block.channels:
            channels = str(body[block.channels]).removeprefix("=")
        moved = block.stride or block.shrinks
        if moved and (self.indices or self.guarded):
            body[next(name for name, kind in block.params.items() if kind == "stride")] = 1
        return body, channels, moved

    def argument(self, kind: str) -> Any:
        match kind:
            case "width":
                width = self.width()
                return int(width) if width.isdecimal() and self.maybe() else f"={width}"
            case "rate":
                return self.constant_or("rate", 0.0, 0.1, 0.2)
            case "flag":
                return self.constant_or("flag", True, False)
            case "act":
                return self.constant_or("act", *ACTIVATIONS[:5])
            case "stride":
                return self.constant_or("stride", 1, 2)
            case "count":
                return self.constant_or("count", 1, 2, 3, 4)
        return self.constant_or(kind, 1, 2)

    def run_joint(self, block: Signature) -> None:
        """A block of two inputs of one size."""
        start = self.name_current()
        others = [value for value in self.values if value.level == start.level] or [start]
        body, channels, moved = self.use(block)
        body["from"] = [start.name, self.chance.choice(others).name]
        self.add(body, self.named("joint"), channels, self.new_level() if moved else None)

    def sequence(self) -> None:
        """A named nn.Sequential."""
        width = self.width()
        self.add(self.optional_seq(self.inner(width), width), self.named("seq"), width)

    def optional_seq(self, items: list[Data], width: str) -> Data:
        same = width == self.current.channels
        return self.optional({"seq": items}) if same else {"seq": items}

    def inner(self, width: str, depth: int = 0) -> list[Data]:
        """Items of a seq that yields `width` channels at the same size; they have names now and then."""
        convolution = {"op": "conv2d", "out_channels": f"={width}", "kernel_size": 3, "padding": 1}
        rest: list[Data] = [{"op": self.chance.choice(("batch_norm2d", "layer_norm2d"))}]
        rest.append({"op": self.constant_or("act", *ACTIVATIONS)})
        if self.maybe(0.3):
            rest.append({"op": "dropout", "p": self.constant_or("rate", 0.5)})
        if self.maybe(0.3):
            rest.append({**convolution, "repeat": self.constant_or("count", 2, 3), "index": "k"} | {"kernel_size": 3})
        if self.maybe(0.3) and depth < 2:
            rest.append({"seq": self.inner(width, depth + 1)})
        if self.maybe(0.3):
            rest += self.transformer(width)
        if self.maybe(0.25):
            place = self.chance.randrange(len(rest))
            if rest[place].get("op") not in ("permute", "layer_norm", "linear"):
                rest[place] = {**rest[place], "when": self.condition()}
        simple = [b for b in self.blocks if b.inputs == 1 and not b.shrinks]
        if simple and self.maybe(0.5):
            rest += self.block_entries(self.chance.choice(simple), width)
        if self.maybe(0.2):
            rest.append({"repeat": 2, "index": "k", "layers": [dict(convolution), {"op": "relu"}]})
        items = [convolution, *rest]
        if self.maybe(0.25):
            items = [{f"part{number}": item} if self.may_name(item) else item for number, item in enumerate(items)]
        return items

    def may_name(self, item: Data) -> bool:
        return self.maybe(0.6) and "repeat" not in item

    def transformer(self, width: str) -> list[Data]:
        """ConvNeXt's way of using linear layers on maps."""
        return [{"op": "permute", "dims": [0, 2, 3, 1]}, {"op": "layer_norm", "eps": 1.0e-6},
                {"op": "linear", "out_features": f"={width}"}, {"op": "permute", "dims": [0, 3, 1, 2]}]  # fmt: skip

    def block_entries(self, block: Signature, width: str) -> list[Data]:
        """Blocks in a seq, the way stages of networks are written."""
        stride = {name: 1 for name, kind in block.params.items() if kind == "stride"}
        outer, self.indices = self.indices, []
        first = self.use(block)[0]
        body = {**first, **stride, block.channels: f"={width}"}
        self.indices = outer
        if self.maybe(0.6):
            body |= {"repeat": self.constant_or("count", 1, 2, 3), "index": "j"}
            rates = [name for name, kind in block.params.items() if kind == "rate"]
            if rates and self.maybe():
                body[rates[0]] = "=0.1 * (j + 1) / 8"
        return [body]

    def group(self) -> None:
        """Items that are left out together; they keep the shape."""
        if self.guarded or self.current.channels == "3":
            return self.conv()
        start, names = self.name_current(), list(self.values)
        with self.collecting() as items:
            self.guarded = True
            for _ in range(self.chance.randint(1, 3)):
                self.chance.choice(
                    (self.activation, self.norm, self.residual, self.depthwise, self.excite, self.dropout)
                )()
            self.guarded = False
        self.values = [value for value in self.values if value in names]
        self.items.append({"when": self.condition(), "layers": items})
        self.current = Value(None, start.channels, start.level)
        return None

    def repeated(self) -> None:
        """A group of items, unrolled."""
        if self.indices or self.guarded or self.current.channels == "3":
            return self.conv()
        index, names, level = self.chance.choice(("i", "n")), list(self.values), self.current.level
        if index in self.params:
            return self.conv()
        width = self.width()
        self.conv(width, stride=False)
        with self.collecting() as items:
            self.indices.append(index)
            self.conv(width, stride=False)
            for _ in range(self.chance.randint(0, 3)):
                self.chance.choice((self.activation, self.norm, self.residual, self.depthwise, self.dropout))()
            self.indices.pop()
        self.values = [value for value in self.values if value in names]
        self.items.append({"repeat": self.constant_or("count", 1, 2, 4), "index": index, "layers": items})
        self.current = Value(None, width, level)
        return None

    def pyramid(self) -> None:
        """Rounds that widen with their index: items, or seqs that have more in them from round to round."""
        index = self.chance.choice(("i", "n"))
        if self.indices or self.guarded or self.current.channels == "3" or index in self.params:
            return self.conv()
        width, many, stem = self.width(), self.constant_or("count", 1, 2, 3, 4), self.named("step")
        name = f"{stem}_{{{index}}}"
        wide = self.chance.choice((f"=({width}) * ({index} + 1)", f"=({index} + 1) * ({width})"))
        conv = {"op": "conv2d", "out_channels": wide, "kernel_size": 3, "padding": 1}
        if self.maybe(0.3):
            conv |= {"kernel_size": [f"=2 * {index} + 1", 1], "padding": [f"={index}", 0]}
        rest: list[Data] = [{"op": self.chance.choice(("batch_norm2d", "layer_norm2d"))}]
        if self.maybe():
            rest.append({**conv, "repeat": f"={index} + 1"})
        if self.maybe():
            rest.append({"op": self.chance.choice(("relu", "batch_norm2d")), "when": f"={index} > 0"})
        if self.maybe():
            rest.append({"layers": [dict(conv), {"op": "relu"}], "repeat": f"={index} + 1"})
        rounds = {"repeat": many, "index": index}
        forms = ({name: {**conv, **rounds}}, {name: {"seq": [conv, *rest], **rounds}},
                 {"layers": [{name: conv}, {"op": "relu"}], **rounds})  # fmt: skip
        self.items.append(self.chance.choice(forms))
        self.current = Value(None, f"({width}) * {str(many).removeprefix('=')}", self.current.level)
        self.values.append(Value(f"{stem}_0", f"({width})", self.current.level))  # read by its name, now and then
        return None

    def dense(self) -> None:
        """DenseNet's list that grows by what each round makes."""
        if self.indices or self.guarded or self.current.channels == "3":
            return self.conv()
        start, growth, many = self.name_current(), self.width(), self.constant_or("count", 1, 2, 3, 5)
        listed, name = self.named("features"), self.named("dense")
        conv = {"op": "conv2d", "out_channels": f"={growth}", "kernel_size": 3, "padding": 1, "append": listed}
        items: list[Data] = [{"op": "cat", "from": [start.name, listed]}]
        if self.maybe():
            items += [{f"{name}_norm{{i}}": {"op": "batch_norm2d"}}, {"op": "relu"}]
        items.append({f"{name}_{{i + 1}}": conv})
        if "i" in self.params:
            return self.conv()
        self.items.append({"repeat": many, "index": "i", "layers": items})
        total = f"{start.channels} + ({growth}) * {str(many).removeprefix('=')}"
        return self.add({"op": "cat", "from": [start.name, listed]}, None, total, start.level)

    @contextmanager
    def collecting(self) -> Any:
        outer, self.items = self.items, []
        found: list[Data] = []
        try:
            yield found
        finally:
            found += self.items
            self.items = outer

    def local_name(self) -> None:
        """A `let` name for a width."""
        name = f"hidden{len(self.let) + 1}"
        self.let[name] = f"={self.width()}"

    def fill(self, count: int) -> None:
        """`count` random steps."""
        common = (self.conv, self.norm, self.activation)
        rare: tuple[Callable[[], None], ...] = (
            self.pool, self.dropout, self.residual, self.projection, self.expansion, self.branches, self.chunk,
            self.excite,
            self.jump, self.sum_of_any, self.run_block, self.run_block, self.sequence, self.sequence, self.group,
            self.repeated, self.dense, self.depthwise, self.pyramid,
        )  # fmt: skip
        for _ in range(count):
            self.chance.choice(common if self.maybe(0.4) else rare)()


DEFAULTS: dict[str, tuple[Any, ...]] = {
    "width": (8, 16, 24), "rate": (0.0, 0.1), "flag": (True, False), "act": ("relu", "silu"), "stride": (1,),
    "count": (1, 2, 3), "ratio": (1, 2),
}  # fmt: skip


def _block(chance: random.Random, number: int, blocks: list[Signature]) -> tuple[Signature, Data]:
    """A block, and how to use it."""
    kinds = [kind for kind in DEFAULTS if chance.random() < 0.5]
    params = {chance.choice((kind, f"{kind}{number}")): kind for kind in ["width", *kinds]}
    needed = {name for name in params if chance.random() < 0.3}
    width = next(iter(params))
    joint = chance.random() < 0.15
    stride = "stride" in params.values() and not joint
    if not stride:
        params = {name: kind for name, kind in params.items() if kind != "stride"}
    needed = (needed & params.keys()) | {width}
    body = Body(chance, params, blocks, root=joint)
    if joint:
        _join(body)
    return _finish(body, Signature(f"Block{number}", params, width, stride, 1 + joint, needed=needed), chance)


def _join(body: Body) -> None:
    """The beginning of a block of two inputs: each gets a convolution, and they meet."""
    for name in ("left", "right"):
        conv = {"op": "conv2d", "from": name, "out_channels": "=width_", "kernel_size": 1}
        body.items.append({f"{name}_conv": conv})
    width = body.of_kind("width")[0]
    for item in body.items:
        next(iter(item.values()))["out_channels"] = f"={width}"
    body.items.append({"op": "add", "from": ["left_conv", "right_conv"]})
    body.current = Value(None, width, 0)


def _finish(body: Body, signature: Signature, chance: random.Random) -> tuple[Signature, Data]:
    if body.maybe(0.4):
        body.local_name()
    body.fill(chance.randint(1, 5))
    width = signature.channels
    last: Data = {"op": "conv2d", "out_channels": f"={width}", "kernel_size": 1}
    if signature.stride:
        stride = body.of_kind("stride")[0]
        last["stride"] = f"={stride}"
    if signature.stride or body.levels or body.current.channels != width:
        body.add(last, body.named("last"), width)
    signature.shrinks = body.current.level != 0 and any(_strided(item) for item in body.items)
    params = {name: None if name in signature.needed else chance.choice(DEFAULTS[kind])
              for name, kind in signature.params.items()}  # fmt: skip
    data: Data = {"params": params}
    if signature.inputs == 2:
        data["inputs"] = ["left", "right"]
    if body.let:
        data["let"] = body.let
    data["layers"] = body.items
    if chance.random() < 0.2:
        flags = body.of_kind("flag")
        when = {"when": f"={flags[0]}"} if flags else {}
        data["init"] = [{"op": "batch_norm2d", **when, "weight": 0.5}]
    return signature, data


def _strided(item: Data) -> bool:
    """Whether an item has a stride that is no parameter, or a block that may have one."""
    only = next(iter(item.values()))
    body = only if len(item) == 1 and isinstance(only, dict) else item
    if "layers" in body:
        return any(map(_strided, body["layers"]))
    return body.get("stride") == 2 or "output_size" in body or "block" in body


def _seq_block(chance: random.Random, number: int) -> tuple[Signature, Data]:
    """A block that is an nn.Sequential."""
    params = {"out": "width", "kernel": "odd", "act": "act", "norm": "flag"}
    items: list[Data] = [
        {"op": "conv2d", "out_channels": "=out", "kernel_size": "=kernel", "padding": "=kernel // 2",
        "bias": "=not norm"},
        {"op": "batch_norm2d", "when": "=norm"}, {"op": "=act"},
    ]  # fmt: skip
    if chance.random() < 0.3:
        items = items[:2]
    if chance.random() < 0.3:
        items = [{"convolution": items[0]}, *items[2:]]
    data: Data = {"params": {"out": None, "kernel": 3, "act": "relu", "norm": True}, "seq": items}
    del params["kernel"]
    return Signature(f"Block{number}", params, "out", False, needed={"out"}), data


_RULES: tuple[Data, ...] = (
    {"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}}},
    {"op": ["conv2d", "linear"], "weight": {"normal": {"std": 0.02}}, "bias": 0},
    {"op": "linear", "weight": {"uniform": {"a": "=-1 / out_features ** 0.5", "b": "=1 / out_features ** 0.5"}}},
    {"path": "*.conv1", "weight": {"trunc_normal": {"std": 0.1}}}, {"op": "batch_norm2d", "weight": 0.75, "bias": 0.25},
    {"path": "fc*", "when": "=flag", "weight": "xavier_uniform", "bias": "zeros"},
    {"path": "*1", "bias": 0.5}, {"path": "s*", "when": "=flag", "weight": {"normal": {"std": 0.5}}}, {"weight": 0.125},
)  # fmt: skip


def network(seed: int) -> Data:
    """The network of a seed, as plain data."""
    chance = random.Random(seed)
    blocks: dict[str, Data] = {}
    signatures: list[Signature] = []
    for number in range(chance.randint(0, 4)):
        maker = _seq_block(chance, number) if chance.random() < 0.25 else _block(chance, number, list(signatures))
        signatures.append(maker[0])
        blocks[maker[0].name] = maker[1]
    params = {"width": "width", "rate": "rate", "flag": "flag", "act": "act", "count": "count"}
    body = Body(chance, {name: kind for name, kind in params.items() if chance.random() < 0.7}, signatures, root=True)
    body.conv(stride=chance.random() < 0.5)
    body.fill(chance.randint(1, 9))
    data: Data = {"name": f"random{seed}", "input": [3, *chance.choice(((8, 8), (12, 12), (9, 13)))]}
    given: Data = {name: chance.choice(DEFAULTS[kind]) for name, kind in body.params.items()}
    outputs = _head(body, chance, given)
    data |= {"params": given, "blocks": blocks, "layers": body.items}
    rules = [rule for rule in _RULES if chance.random() < 0.15 and ("when" not in rule or "flag" in given)]
    if seed % 10 == 3:  # the size that images are resized to before they reach a network
        body.items.insert(0, {"op": "channel_affine", "scale": [0.5, 2, 1.25], "shift": [0.25, -1, 0]})
    return data | ({"init": rules} if rules else {}) | outputs


def _head(body: Body, chance: random.Random, given: Data) -> Data:
    """The end of a network: a feature map, a classifier, or a classifier with one in training beside it."""
    if chance.random() < 0.2:
        return {}
    if chance.random() < 0.8:
        given["num_classes"] = 7
    features = "=num_classes" if "num_classes" in given else 5
    trunk = body.name_current()
    heads = chance.random() < 0.25
    if heads:
        body.items.append({"aux": {"train_only": True, "from": trunk.name, "seq": [
            {"op": "adaptive_avg_pool2d", "output_size": 1}, {"op": "flatten"}, {"op": "linear",
            "out_features": features},
        ]}})  # fmt: skip
    if chance.random() < 0.5:
        body.items.append({"op": "mean", "dim": [2, 3], "from": trunk.name})
    else:
        body.items += [{"op": "adaptive_avg_pool2d", "output_size": 1, "from": trunk.name}, {"op": "flatten"}]
    body.items.append({"fc": {"op": "linear", "out_features": features}})
    if heads:
        return {"outputs": {"type": "Outputs", "fields": {"logits": "fc", "aux_logits": "aux"}}}
    if chance.random() < 0.1:  # two values, of which the last is not the one that evaluation yields
        return {"outputs": {"type": "Outputs", "fields": {"trunk": trunk.name, "logits": "fc"}}}
    return {}


# -- all of them --------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """`python -m tests.random_networks`: `--pairs N` prints which constructs meet in the networks of N seeds, `--run N`
    tries them, from `--start S` on: a line for each that fails, with its seed and reason, and a total."""
    parser = argparse.ArgumentParser(prog="python -m tests.random_networks")
    parser.add_argument("--pairs", type=int, metavar="N", help="print which constructs meet in the networks of N seeds")
    parser.add_argument("--run", type=int, metavar="N", help="try N networks, a third of each kind")
    parser.add_argument("--start", type=int, default=0, metavar="S", help="the first seed")
    given = parser.parse_args(arguments)
    if given.pairs is not None:
        from test_constructs import table

        print(table(range(given.start, given.start + given.pairs)))
    if given.run is not None:
        from long_run import long_run

        return long_run(given.start, given.run)
    return 0


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
