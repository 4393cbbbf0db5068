"""Steps of free networks that leave the common shape of values: they return to it, or their value is an output.

Maps are resampled, averaged and narrowed; blocks of the library keep their shape in various ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import small_blocks

if TYPE_CHECKING:
    from free_networks import Free

Data = dict[str, Any]


def resampled(body: Free) -> None:
    """Maps of other sizes, whose positions lie closer together or further apart on the input."""
    size = body.chance.choice(body.inputs)
    pool = ("adaptive_avg_pool2d", "adaptive_max_pool2d")[body.numbers % 2]
    back: Data = {"op": pool, "output_size": [f"={size}.height", f"={size}.width"]}
    way = body.chance.randrange(4)
    if way == 0:
        enlarged(body)
        back = body.chance.choice(({"op": "avg_pool2d", "kernel_size": 2}, back))
    elif way == 1:
        body.items.append({body.named("down"): {**body.widened("=width"), "stride": 2}})
        enlarged(body)
    else:
        join = joined(body, size)
        wider = {"op": "conv_transpose2d", "out_channels": "=width", "kernel_size": 3}
        back = body.chance.choice((wider, back)) if join != "cat" else wider
    body.place(back, body.named("mix"), reads=False, may_be_left_out=False, once=True)


def enlarged(body: Free) -> None:
    """A map of twice the size, and now and then a convolution of it."""
    body.items.append({body.named("up"): {"op": "upsample", "scale_factor": 2, "mode": body.chance.choice(MODES)}})
    if body.maybe(0.4):
        body.items.append({body.named("conv"): {**body.widened("=width"), "kernel_size": 3, "padding": 1}})


MODES: Final = ("nearest", "bilinear")


def joined(body: Free, size: str) -> str:
    """Maps that are two rows and columns smaller, each in a way of its own, and the op by which they meet."""
    ways: list[Data] = [
        {**body.widened("=width"), "kernel_size": 3},
        {"op": "adaptive_avg_pool2d", "output_size": [f"={size}.height - 2", f"={size}.width - 2"]},
        {"op": "max_pool2d", "kernel_size": 3, "stride": 1},
    ]
    names = [body.named("small") for _ in range(2)]
    for name in names:
        body.items.append({name: {**body.chance.choice(ways), "from": body.value()}})
    join = body.chance.choice(("add", "mul", "cat"))
    body.items.append({"op": join, "from": names})
    return join


def averaged(body: Free) -> None:
    """Means over some dimensions or all, and further ops on them; their value may be an output."""
    mean, end = f"mean{body.numbers + 1}", f"end{body.numbers + 1}"
    body.numbers += 1
    dims = body.chance.choice(([2, 3], [2, 3], [1, 2, 3], [1, 2], [1], [2], [3]) if of_maps(body) else ([1],))
    body.items.append({"op": "mean", "dim": dims, "from": body.value(), "as": mean})
    body.items.append(body.chance.choice(of_mean(body, mean, dims)))
    body.items.append({"op": "tanh", "as": end})
    put_out(body, end)


def of_mean(body: Free, mean: str, dims: list[int]) -> list[Data]:
    """An op on a mean; on one without dimensions only ops that need none."""
    is_number, is_vector = dims == ([1, 2, 3] if of_maps(body) else [1]), dims == [2, 3]
    fitting = [small_blocks.PLAIN, small_blocks.PLAIN, *[small_blocks.CHANNELS] * 2 * is_vector]
    ways: list[Data] = [
        {"op": "relu"}, {"op": "dropout"}, {body.named("same"): {"op": "identity"}},
        {"op": body.chance.choice(("add", "sub", "mul")), "from": [mean, mean]},
        *({body.named("b"): body.use(used, False)} for used in fitting if used in body.blocks),
    ]  # fmt: skip
    mixed = [
        {body.named("fc"): {"op": "linear", "out_features": body.width()}},
        {body.named("n"): {"op": "layer_norm"}},
    ]
    return ways if is_number else [*ways, *mixed] if is_vector else [*ways[:2], *3 * mixed]


def of_maps(body: Free) -> bool:
    return body.size == "channels"


def put_out(body: Free, end: str) -> None:
    """Continue from values of the common shape; the value made instead may be an output."""
    if not body.indices and not body.conditions:
        body.ends.append(end)
    body.step_arithmetic_of_two()


def any_rank(body: Free) -> None:
    """One block on values with all their dimensions, with fewer, with none, and on a parameter that has no batch."""
    fitting = [used for used in (small_blocks.PLAIN, small_blocks.CHANNELS) if used in body.blocks]
    if not fitting:
        return averaged(body)
    used, end = body.chance.choice(fitting), f"end{body.numbers + 1}"
    plain = used == small_blocks.PLAIN
    body.items.append({body.named("b"): {**body.use(used, False), "from": body.value()}})
    if plain and body.maybe():
        like, gamma, of = body.chance.choice(body.inputs), body.named("gamma"), body.named("b")
        shape = [f"={like}.{size}" for size in body.sizes]
        body.items.append({gamma: body.tensor(shape)})
        body.items.append({of: {**body.use(used, False), "from": gamma}})
        return body.place({"op": "add", "from": [of, body.value()]}, None, may_be_left_out=False)
    if of_maps(body):
        body.items.append({"op": "mean", "dim": [2, 3]})
        body.items.append({body.named("b"): body.use(used, False)})
    if plain:
        body.items.append({"op": "mean", "dim": [1]})
        body.items.append({body.named("b"): body.use(used, False)})
    body.items.append({"op": "tanh", "as": end})
    return put_out(body, end)


def narrow(body: Free) -> None:
    """Few channels or just one, which are widened again, or become features that may be an output."""
    first = body.named("narrow")
    body.items.append({first: {**body.widened("=ratio" if body.has("ratio") else 1), "from": body.value()}})
    if body.maybe():
        body.items.append({body.named("n"): {"op": "batch_norm2d" if body.size == "channels" else "batch_norm1d"}})
    if body.size == "channels" and body.maybe():
        end = f"end{body.numbers}"
        body.items += [{"op": "adaptive_avg_pool2d", "output_size": 1}] * body.maybe()
        body.items.append({"op": "flatten"})
        body.items.append({body.named("fc"): {"op": "linear", "out_features": body.width(), "as": end}})
        return put_out(body, end)
    return body.restore()


def from_library(body: Free) -> None:
    """A block of the library that keeps the shape."""
    rate = "=rate" if body.has("rate") and body.maybe() else body.chance.choice((0.0, 0.25))
    act = "=act" if body.has("act") and body.maybe() else body.chance.choice(("relu", "silu"))
    flag = "=flag" if body.has("flag") and body.maybe() else body.chance.choice((True, False))
    blocks: list[Data] = [
        {"block": "ConvNormActivation", "out_channels": "=width", "kernel_size": body.chance.choice((1, 3)),
         "activation": act},
        {"block": "ConvNorm", "out_channels": body.width(), "groups": body.chance.choice((1, 2))},
        {"block": "SqueezeExcitation", "squeeze_channels": body.chance.choice((4, "=width // 2")), "activation": act},
        {"block": "MBConv", "out_channels": "=width", "expand_ratio": body.chance.choice((1, 2)), "p": rate},
        {"block": "BasicBlock", "planes": "=width", "zero_init": flag},
        {"block": "CNBlock", "layer_scale": body.chance.choice((0.5, 1.0)), "p": rate},
    ]  # fmt: skip
    body.place(body.chance.choice(blocks), body.named("lib"))


def both_ways(body: Free) -> None:
    """A block with conditions, used where they are true and where they are false."""
    fitting = [used for used in (small_blocks.NORMED, small_blocks.STANDS) if used in body.blocks]
    if not fitting:
        return normed_twice(body)
    used = body.chance.choice(fitting)
    ways = [True, False]
    body.chance.shuffle(ways)
    body.items.append({body.named("b"): {"block": used, "width": "=width", "flag": ways[0]}})
    return body.place({"block": used, "width": "=width", "flag": ways[1]}, body.named("b"))


def normed_twice(body: Free) -> None:
    """Norms that could be folded if nothing else ran or read the layer before them."""
    conv, norm = body.named("conv"), body.named("n")
    body.items.append({conv: {**body.widened("=width"), "from": body.value()}})
    body.items.append({norm: {"op": body.norms[0]}})
    way = body.chance.randrange(4)
    if way == 0:
        head = {body.named("aux"): {**body.widened("=width"), "from": conv, "train_only": True}}
        return body.items.append(head)
    body.items += [{"op": "relu"}] * body.maybe()
    other = body.value()
    if way < 3:
        other = f"{norm.split('_')[0]}_again"
        body.items.append({"call": conv if way == 1 else norm, "as": other})
    body.place({"op": "add", "from": [norm, other]}, None, may_be_left_out=False)
    return None


def from_a_list(body: Free) -> None:
    """Items with one input, from a list of one value; and a block in seq form after one with two inputs."""
    in_seq = [used for used, block in body.blocks.items() if "seq" in block]
    double = [used for used, block in body.blocks.items() if len(block.get("inputs", ["input"])) == 2]
    if in_seq and double and body.maybe():
        body.items.append({body.named("joint"): body.use(body.chance.choice(double), True)})
        return body.place(body.use(body.chance.choice(in_seq), False), body.named("b"), reads=False)
    if body.indices:
        return body.step_op()
    body.numbers += 1
    name = f"only{body.numbers}"
    body.items.append({"op": body.chance.choice(("relu", "tanh")), "from": body.value(), "append": name})
    ways: list[Data] = [body.pool(), body.norm(), {"op": "dropout"}, {"op": "identity"}, body.by_list("=width")]
    ways += 3 * [body.use(used, False) for used in in_seq]
    return body.place({**body.chance.choice(ways), "from": name}, body.named("n"))


def looping(body: Free) -> None:
    """A block that is a loop over its modules."""
    if small_blocks.LOOP not in body.blocks:
        return body.step_group()
    return body.place({**body.use(small_blocks.LOOP, True), "count": 3}, body.named("b"))


def doubled(body: Free) -> None:
    """A size that is a constant, added to itself again and again."""
    if not body.has("kernels") or len(body.indices) > 1:
        return narrow(body)
    body.numbers += 1
    name = f"twice{body.numbers}"
    body.items.append({body.named("narrow"): {**body.widened("=kernels[0]"), "from": body.value(), "as": name}})
    twice = {"op": "cat", "from": [name, name], "as": name}
    body.items.append({"repeat": 9, "index": "d", "layers": [twice]})
    return body.restore()


# -- positions that lie elsewhere than in the height and the width -----------------------------------------------


_TURNED: Final = {"op": "permute", "dims": [0, 2, 1, 3]}
"""Rows first, where `chunk` splits them and `cat` puts them side by side; and back."""


def in_rows(body: Free) -> None:
    """Rows of a map, each a value of its own, and how they meet."""
    body.numbers += 1
    rows, end = f"rows{body.numbers}", f"end{body.numbers}"
    like = body.chance.choice(body.inputs)
    body.items.append({**_TURNED, "from": body.value()})
    body.items += [{body.named("soft"): {"op": "softmax"}}] * body.maybe(0.2)
    body.items.append({"op": "chunk", "chunks": f"={like}.height", "as": rows})
    first, second = body.chance.sample([f"{rows}.2", f"{rows}.3", f"{rows}.4"], 2)
    if body.maybe():
        body.items.append({"op": body.chance.choice(("add", "mul", "cat")), "from": [first, second]})
        body.items += [dict(_TURNED), {body.named("same"): {"op": "identity", "as": end}}]
    else:
        flat = [f"{name.replace('.', '_')}flat" for name in (first, second)]
        body.items += [
            {"op": "flatten", "from": row, "as": name} for row, name in zip((first, second), flat, strict=True)
        ]
        body.items += [{"op": body.chance.choice(("add", "cat")), "from": flat}] * body.maybe(0.7)
        body.items.append({body.named("same"): {"op": "identity"}})
        body.items.append({body.named("fc"): {"op": "linear", "out_features": body.width(), "as": end}})
    put_out(body, end)


def flattened(body: Free) -> None:
    """Maps put flat that see more and less of the input, side by side."""
    body.numbers += 1
    before, end = f"before{body.numbers}", f"end{body.numbers}"
    body.items.append({"op": "tanh", "from": body.value(), "as": before})
    wider = {**body.widened("=width"), "kernel_size": 3, "padding": 1}
    body.items.append({body.named("conv"): wider})
    body.items += [{"op": "flatten", "as": f"{before}1"}, {"op": "flatten", "from": before, "as": f"{before}0"}]
    pair = [f"{before}0", f"{before}1"]
    body.items.append({"op": body.chance.choice(("cat", "add")), "from": pair})
    body.items.append({body.named("same"): {"op": "identity", "as": end}})
    put_out(body, end)


def even(body: Free) -> str:
    """A map of an even height and width; its name."""
    body.numbers += 1
    name, like = f"even{body.numbers}", body.chance.choice(body.inputs)
    kernel = [f"={like}.height % 2 + 1", f"={like}.width % 2 + 1"]
    body.items.append({body.named("conv"): {**body.widened("=width"), "kernel_size": kernel, "as": name}})
    return name


def at_two_strides(body: Free) -> None:
    """Values of one size whose positions lie closer together and further apart on the input."""
    name, like = even(body), body.chance.choice(body.inputs)
    down: Data = {"op": body.chance.choice(("avg_pool2d", "max_pool2d")), "kernel_size": 2}
    if body.maybe():  # half as many positions, and back
        body.items += [down, {"op": "upsample", "scale_factor": 2}]
        up = body.named("same")
        body.items.append({up: {"op": "identity"}})
        body.items.append({"op": "add", "from": body.chance.sample([name, up], 2)})
        body.items.append({body.named("conv"): {**body.widened("=width"), "kernel_size": 3, "padding": 1}})
        back = {"op": "adaptive_avg_pool2d", "output_size": [f"={like}.height", f"={like}.width"]}
        return body.place(back, body.named("mix"), reads=False, may_be_left_out=False, once=True)
    halves, coarse, end = f"{name}halves", f"{name}coarse", f"{name}end"
    body.items.append({body.named("down"): {**body.widened("=width"), "stride": [2, 1]}})
    body.items += [{**_TURNED, "as": coarse}, {**_TURNED, "from": name}, {"op": "chunk", "chunks": 2, "as": halves}]
    body.items.append({"op": "add", "from": body.chance.sample([f"{halves}.0", coarse], 2)})
    body.items += [dict(_TURNED), {body.named("conv"): {**body.widened("=width"), "as": end}}]
    return put_out(body, end)


def last(first: str, widened: Data, sizes: list[str], way: int) -> list[Data]:
    """Items at the end of a network whose values only outputs read; `first` is a value with a small receptive field."""
    if way == 0 and len(sizes) == 3:
        wider = {**widened, "kernel_size": 3, "padding": 1}
        return [{"op": "upsample", "scale_factor": 2, "from": first}, {"lastconv": wider}]
    shape = [f"={first}.{size}" for size in sizes]
    gamma = {"lastgamma": {"op": "parameter", "shape": shape, "value": 0.5}}
    twice = {"op": "add", "from": ["lastgamma", "lastgamma"], "as": "lasttwice"}
    return [gamma, twice, {"op": ("add", "sub")[way % 2], "from": ["lasttwice", first]}]


OF_MAPS: Final[tuple[Callable[[Free], None], ...]] = (
    resampled, averaged, narrow, from_library, any_rank, both_ways, normed_twice, looping, from_a_list, doubled,
    in_rows, in_rows, flattened, at_two_strides,
)  # fmt: skip
OF_VECTORS: Final[tuple[Callable[[Free], None], ...]] = (
    averaged, narrow, any_rank, both_ways, normed_twice, looping, from_a_list, doubled,
)  # fmt: skip
