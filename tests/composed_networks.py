"""Shipped specs as blocks of random networks, and bodies that are cut, constructed in another order than registered, or
both a `seq` and `layers`.

The specs are small: those of families with a few channels. `keeping` keeps the height and width of a map, so it may be
put wherever a map has as many channels; all others are followed by items that restore the shape of the body's values.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from container_networks import beside_a_cut, in_containers

if TYPE_CHECKING:
    from free_networks import Free

Data = dict[str, Any]

CHANNELS: Final = 8
"""The channels of the maps in bodies that use specs as they use convolutions."""

# -- specs --------------------------------------------------------------------------------------------------------


def _of_convolutions(chance: random.Random, channels: int) -> Data:
    """A VGG of few channels whose maps keep their size."""
    widths = chance.choice(([channels], [4, channels], [channels, channels]))
    norm = {"batch_norm": True} if chance.random() < 0.4 else {}
    return {"spec": chance.choice(("vgg11", "vgg11", "vgg13_bn")), "cfg": widths, "avgpool": 1, "classifier": [4],
            **norm}  # fmt: skip


def keeping(chance: random.Random, channels: int = CHANNELS) -> Data:
    """A spec that yields one map as large as its input."""
    ways: list[Data] = [{"submodule": "features"}, {"features": "features"}]
    return {**_of_convolutions(chance, channels), **chance.choice(ways)}


def several(chance: random.Random, channels: int = CHANNELS) -> Data:
    """A spec that yields two maps as large as its input; what they are called are the keys of its `features`."""
    names = chance.choice(({"low": "0", "high": "1"}, {"high": "1", "low": "0"}))
    fields = {**_of_convolutions(chance, channels), "cfg": [channels], "submodule": "features"}
    return {**fields, "features": names}


SMALLER: Final[tuple[Data, ...]] = (
    {"spec": "resnet18", "stages": [1], "features": "relu"},
    {"spec": "resnet18", "block": "bottleneck", "stages": [1], "zero_init_residual": True, "features": "layer1"},
    {"spec": "densenet121", "block_config": [1, 1], "growth_rate": 4, "num_init_features": 8, "bn_size": 1,
     "features": "features"},
    {"spec": "densenet121", "block_config": [1, 1], "growth_rate": 4, "num_init_features": 8, "bn_size": 1,
     "submodule": "features", "features": "relu0"},
    {"spec": "mobilenet_v2", "inverted_residual_setting": [[1, 8, 2, 1]], "submodule": "features", "features": "2"},
    {"spec": "mobilenet_v2", "inverted_residual_setting": [[1, 8, 1, 1]], "submodule": "features"},
    {"spec": "convnext_tiny", "depths": [2], "dims": [8], "stochastic_depth_prob": 0.25, "submodule": "features"},
    {"spec": "shufflenet_v2_x0_5", "stages_repeats": [2], "stages_out_channels": [8, 8, 16], "features": "stage2"},
    {"spec": "vgg11_bn", "cfg": [8, "M"], "avgpool": None, "classifier": [], "features": "features"},
)  # fmt: skip
"""Specs that yield a map of another size."""

WHOLE: Final[tuple[Data, ...]] = (
    {"spec": "vgg11", "cfg": [4], "avgpool": 1, "classifier": [6]},
    {"spec": "vgg11_bn", "cfg": [4, 4], "avgpool": None, "classifier": [], "dropout": None},
    {"spec": "resnet18", "stages": [1]},
    {"spec": "shufflenet_v2_x0_5", "stages_repeats": [1], "stages_out_channels": [8, 8, 16]},
    {"spec": "convnext_tiny", "depths": [1], "dims": [8]},
)
"""Specs that yield a vector."""


def whole(chance: random.Random) -> Data:
    """A spec that yields a vector of the body's width."""
    return {**chance.choice(WHOLE), "num_classes": "=width"}


# -- steps of bodies whose values have one shape --------------------------------------------------------------------


def step(body: Free) -> None:
    """Use a spec in the network of a body of maps, of vectors or of sequences."""
    ways: dict[int, tuple[Callable[[Free], None], ...]] = {
        1: (of_vectors,), 2: (of_sequences,), 3: (of_one_map, of_one_map, of_two_maps, to_a_vector),
    }  # fmt: skip
    body.chance.choice(ways[len(body.sizes)])(body)


def now_and_then(body: Free, probability: float) -> None:
    """Use a spec in a block."""
    before, body.chance = body.chance, random.Random(len(str(body.items)))
    if body.maybe(probability):
        step(body)
    body.chance = before


def of_one_map(body: Free) -> None:
    """A spec that yields one map of any size, which the items behind it read in any way."""
    spec = body.chance.choice((keeping(body.chance), keeping(body.chance), dict(body.chance.choice(SMALLER))))
    name, over = _placed(body, spec, has_size="cfg" in spec and "M" not in spec["cfg"])
    _behind(body, name, over)


def of_two_maps(body: Free) -> None:
    """A spec that yields two maps, one of which is read by name, and now and then through a call."""
    spec = several(body.chance)
    name, over = _placed(body, spec, has_size=True, parts=True)
    part = body.chance.choice(("low", "high"))
    _behind(body, f"{name}.{part}", over)


def _placed(body: Free, spec: Data, has_size: bool, parts: bool = False) -> tuple[str, str | None]:
    """Append an item that uses a spec, with further keys; returns the name of its value, and the input of the body that
    it replaces, if any."""
    name, item = body.named("net"), {**spec, "from": body.value()}
    if parts:
        called = item["as"] = body.label("seen") if body.maybe(0.3) else name
        over = None
    elif body.maybe(0.2):
        called, over = item["from"], None
        item["train_only"] = True
    else:
        name, called, over = _with_keys(body, name, item, has_size)
        if "repeat" not in item and body.maybe(0.15) and not body.indices:
            item = _in_a_seq(body, item)
    if body.maybe(0.15):
        halves = body.label("halves")
        body.items.append({"op": "chunk", "chunks": 2, "from": item["from"], "as": halves})
        item["from"] = f"{halves}.1"
    body.items.append({name: item})
    return called, over


def _with_keys(body: Free, name: str, item: Data, has_size: bool) -> tuple[str, str, str | None]:
    """Add keys to an item that uses a spec: its name, that of its value, and the input that it replaces, if any."""
    called, over = name, None
    if body.maybe(0.3) and has_size and len(body.indices) < 3:
        index = "ijk"[len(body.indices)]
        item |= {"repeat": body.count()[0], "index": index}
        name, called = f"{name}_{{{index}}}", f"{name}_0"
    inputs = [name for name in body.inputs if name in ("left", "right", "side")]
    if inputs and body.maybe(0.5):
        over = called = item["as"] = body.chance.choice(inputs)
    elif body.maybe(0.3):
        called = item["as"] = body.label("seen")
    if body.maybe(0.3):
        item |= {"when": body.condition(), "else": body.chance.choice((body.instead(), body.value()))}
    elif body.maybe(0.3) and not body.indices:
        called = item["append"] = body.label("seen")
    return name, called, over


def _in_a_seq(body: Free, item: Data) -> Data:
    """The item as the last of a seq."""
    outer: Data = {key: item[key] for key in ("from", "as", "when", "else", "append") if key in item}
    inner = {key: value for key, value in item.items() if key not in outer}
    return {**outer, "seq": [body.rounds_of_one(), body.chance.choice((inner, {"seen": inner}))]}


def _behind(body: Free, called: str, over: str | None) -> None:
    """The items behind a map of a spec, the last of which has the common shape."""
    size = body.chance.choice([name for name in body.inputs if name != over])
    back = {"op": "adaptive_avg_pool2d", "output_size": [f"={size}.height", f"={size}.width"]}
    if over is not None:
        body.items += [{body.named("mix"): {**body.widened("=width"), "from": over, "as": over}}, {**back, "as": over}]
        return
    _read(body, called)
    body.items.append(back)
    body.restore()


def _read(body: Free, called: str) -> None:
    """An item that takes a map of a spec, or several that do."""
    ((name, item),) = body.items[-1].items()
    if "append" in item:
        return body.items.append({"op": "cat", "from": [called, *[item.get("as", name)] * ("repeat" not in item)]})
    if body.maybe(0.3):
        halves = body.label("halves")
        body.items.append({"op": "chunk", "chunks": 2, "from": called, "as": halves})
        return body.items.append({"op": "cat", "from": [f"{halves}.1", f"{halves}.0"]})
    if body.maybe(0.3):
        scale, size = body.named("gamma"), called.replace(".low", "[0]").replace(".high", "[1]")
        shape = [f"={size}.channels", 1, 1] if "{" not in called and called.count(".") == 0 else [1, 1, 1]
        left_out = {"when": body.condition(), "else": called} if body.maybe() else {}
        body.items.append({scale: {**body.tensor(shape), **left_out}})
        return body.items.append({"op": "mul", "from": [scale, called]})
    ways: list[Data] = [{"op": "relu"}, {body.named("n"): {"op": "batch_norm2d", "from": called}}]
    way = body.chance.choice(ways)
    return body.items.append({**way, "from": called} if "op" in way else way)


def to_a_vector(body: Free) -> None:
    """A whole network, and its vector on every position of a map."""
    body.items.append({body.named("net"): {**whole(body.chance), "from": body.value()}})
    body.items += [{body.named("fc"): {"op": "linear", "out_features": "=width"}}] * body.maybe()
    row = body.label("row")
    body.items.append({"op": "rearrange", "pattern": "f -> f 1 1", "as": row})
    body.place({"op": "mul", "from": [body.value(), row]}, None, may_be_left_out=False, once=True)


def of_vectors(body: Free) -> None:
    """A vector as a map of one position, and a whole network of it."""
    body.items.append({"op": "rearrange", "pattern": "f -> f 1 1", "from": body.value()})
    spec = {"spec": "vgg11", "cfg": [4], "avgpool": 1, "classifier": [6], "num_classes": "=width"}
    body.place(spec, body.named("mix"), reads=False, may_be_left_out=False, once=True)


def of_sequences(body: Free) -> None:
    """A sequence as a map, whose positions are channels; or another sequence in its place, put flat like the map."""
    body.items.append({"op": "rearrange", "pattern": "l f -> l f 1", "from": body.value()})
    item = keeping(body.chance, 6)
    if body.maybe():
        body.items.append({body.named("net"): item})
        return body.back({"op": "rearrange", "pattern": "l f 1 -> l f"})
    heads = [value for value in body.values if value.startswith("heads")]
    other = body.chance.choice(heads) if heads else body.value()
    body.items.append({body.named("net"): {**item, "when": body.condition(), "else": other}})
    body.items.append({"op": "flatten"})
    body.items.append({body.named("fc"): {"op": "linear", "out_features": "=6 * width"}})
    return body.back({"op": "rearrange", "pattern": "(l f) -> l f", "l": 6})


# -- bodies ---------------------------------------------------------------------------------------------------------


def constructed(said: Data, registered: list[str]) -> Data:
    """A body, some of whose modules are made after all others."""
    names = list(dict.fromkeys(name for name in registered if "{" not in name))
    chance = random.Random(len(str(said)))
    if not names or chance.random() < 0.7:
        return said
    return {**said, "construct": chance.sample(names, min(len(names), chance.randint(1, 3)))}


def with_layers(block: Data, body: Free, seed: int) -> Data:
    """A block in seq form, with further items behind its entries now and then, which may read these by name or number,
    and which are cut off again now and then."""
    body.chance = random.Random(seed)
    if body.maybe(0.4):
        return block
    block = {**block, "seq": [*block["seq"], *_rounds_at_the_end(body)]}
    if body.maybe(0.3):
        body.let["hidden"] = "=width"
    named = [next(iter(written.items())) for written in block["seq"] if len(written) == 1]
    plain: Data = {name: item for name, item in named if isinstance(item, dict) and _is_always_there(item)}
    body.values += plain
    body.modules += [*plain, *["round_0", "round_1"] * any("round_{r}" in entry for entry in block["seq"])]
    first = block["seq"][0]
    if len(first) > 1 and _is_always_there(first):
        body.values.append("0")
    _read_entries(body, plain, block["seq"])
    now_and_then(body, 0.2)
    body.is_extra = True
    for _ in range(body.chance.randint(0, 2)):
        body.step()
    said = body.said()
    rules = [*block.get("init", []), *said.pop("init", [])]
    made = {**block, **said, **({"init": rules} if rules else {})}
    if body.maybe(0.3):
        made.pop("output", None)
        made["outputs"] = {word: body.value() for word in ("low", "high")}
    if body.maybe(0.4) and "train_only" not in str(made):
        return beside_a_cut(_behind_head({**made, "cut": True}, body), seed)
    return in_containers(made, seed)


def _is_always_there(entry: Data) -> bool:
    """Whether an entry is one module in all uses of its block."""
    return not entry.keys() & {"repeat", "when", "layers"}


def _rounds_at_the_end(body: Free) -> list[Data]:
    """A last entry that is repeated."""
    rounds = {**body.widened("=width"), "repeat": 2, "index": "r"}
    return [{"round_{r}": rounds}] if body.maybe(0.3) else []


def _read_entries(body: Free, plain: Data, entries: list[Data]) -> None:
    """The first item behind the entries of a block, which takes the last of them, or some by their names."""
    value = body.value()
    several = "part{i}" if {"part0", "part1"} <= plain.keys() else None
    if any("round_{r}" in entry for entry in entries):
        several, value = "round_{i}", "round_0"
    if several is not None and body.maybe():
        body.items.append({"repeat": 2, "index": "i", "layers": [{"op": "add", "from": [several, "input"]}]})
    ways: list[list[Data]] = [
        [{"op": "chunk", "chunks": 2, "as": "ends"}, {"op": "cat", "from": ["ends.1", value, "ends.0"]},
         {"mix0": body.widened("=width")}],
        [{"gamma0": {**body.tensor(body.per_channel("=width")), "when": body.condition(), "else": value}},
         {"op": "mul", "from": ["gamma0", "input"]}],
        [{"aux0": {**body.convolution(), "from": value, "train_only": True}}],
    ]  # fmt: skip
    body.items += body.chance.choice(ways)
    body.items.append({"op": body.chance.choice(("add", "mul")), "from": ["input", value], "as": "joined0"})
    body.values.append("joined0")


def _behind_head(made: Data, body: Free) -> Data:
    """A block that is cut, whose last item runs in training only, and is removed like all behind its output."""
    if body.maybe(0.5):
        made["layers"].append({body.label("head"): {**body.convolution(), "train_only": True}})
    return made


def cut(block: Data, body: Free, seed: int) -> Data:
    """A block with outputs, now and then one that is cut behind them; nothing in front of them may run in training
    only."""
    body.chance = random.Random(seed)
    if body.maybe(0.4) or "train_only" in str(block):
        return block
    before = len(body.items)
    known = {name: [*getattr(body, name)] for name in ("values", "modules", "registered", "lists")}
    for _ in range(body.chance.randint(0, 2)):
        body.step()
    if "train_only" in str(body.items):
        del body.items[before:]
        vars(body).update(known)  # what they were called is nothing now
    if body.maybe(0.4):
        inside = {"layers": [body.widened("=width"), {"op": "relu"}]}
        body.items.append({body.label("tail"): inside})
    elif body.maybe(0.3):
        body.items.append({f"{body.label('tail')}.0": body.widened("=width")})
    made = {**block, "cut": True}
    if body.maybe(0.3):
        outputs = made.pop("outputs")
        made["output"] = outputs[0] if isinstance(outputs, list) else next(iter(outputs.values()))
    return _behind_head(made, body)
