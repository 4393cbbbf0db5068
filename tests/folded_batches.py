"""Parts of random networks in which the batch holds dimensions of each sample: positions, copies, channels."""

from __future__ import annotations

from typing import Any

from free_networks import Free

Data = dict[str, Any]

JOIN: Data = {"op": "flatten_batch"}
LEAVE: Data = {"op": "unflatten_batch"}


def positions_in_the_batch(body: Free) -> None:
    """Each position of a sequence, or each pair of positions, as a sample of its own; or copies of the sequence."""
    way = body.chance.randrange(4)
    if way == 3:
        return copies_in_the_batch(body)
    if way == 0:
        body.then(JOIN)
    else:
        body.then({"op": "rearrange", "pattern": "(a b) f -> a b f", "b": 2})
        body.items += [{**JOIN, "dims": 2}] if way == 1 else [JOIN, JOIN]
    named: list[Data] = [{"op": "batch_norm1d"}, {"op": "linear", "out_features": "=width"}, {"op": "layer_norm"}]
    body.items.append({body.named("each"): body.chance.choice(named)})
    if body.maybe():
        _beside_itself(body)
    if way == 0:
        return body.back(LEAVE)
    body.items += [LEAVE] if way == 1 else [LEAVE, LEAVE]
    return body.back({"op": "rearrange", "pattern": "a b f -> (b a) f"})


def groups_in_the_batch(body: Free) -> None:
    """Half of the channels of a map as a sample of its own; or copies of the map."""
    if body.maybe():
        return copies_in_the_batch(body)
    named: list[Data] = [
        {"op": "conv2d", "out_channels": "=width // 2", "kernel_size": 3, "padding": 1}, {"op": "batch_norm2d"},
    ]  # fmt: skip
    plain: list[Data] = [{"op": "max_pool2d", "kernel_size": 3, "stride": 1, "padding": 1}, {"op": "relu"}]
    body.then({"op": "rearrange", "pattern": "(g c) h w -> g c h w", "g": 2}, JOIN)
    body.items += [{body.named("part"): body.chance.choice(named)}, body.chance.choice(plain)]
    if body.maybe():
        _beside_itself(body)
    body.items.append(LEAVE)
    return body.back({"op": "rearrange", "pattern": "g c h w -> (g c) h w"})


def copies_in_the_batch(body: Free) -> None:
    """Two values as two samples of a block or a seq, and one value of both results."""
    body.items += [{"op": "stack", "from": [body.value(), body.value()]}, JOIN]
    single = [name for name, block in body.blocks.items() if block.get("inputs", ["input"]) == ["input"]]
    if single and body.maybe():
        body.items.append({body.named("b"): body.use(body.chance.choice(single), False)})
    else:
        body.items.append({body.named("seq"): {"seq": body.inner(0)}})
    body.items.append(LEAVE)
    body.back({"op": body.chance.choice(("sum", "max", "mean")), "dim": [1]})


def _beside_itself(body: Free) -> None:
    """The last value beside what an activation makes of it."""
    one, other = body.label("one"), body.label("other")
    body.items += [{"op": "tanh", "as": one}, {"op": "sigmoid", "as": other}]
    body.items.append({"op": body.chance.choice(("add", "mul")), "from": [other, one]})
