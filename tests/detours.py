"""Steps of free networks that leave the one shape of their values: they come back to it, or their value is put out.

Maps are resampled, averaged away and made narrow; blocks of the library keep their shape in ways of their own.
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
    back: Data = {"op": "adaptive_avg_pool2d", "output_size": [f"={size}.height", f"={size}.width"]}
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
    """Means over some dimensions or all, and what may be made of them; their value may be put out."""
    mean, end = f"mean{body.numbers + 1}", f"end{body.numbers + 1}"
    body.numbers += 1
    dims = body.chance.choice(([2, 3], [2, 3], [1, 2, 3], [1, 2], [1]) if body.size == "channels" else ([1],))
    body.items.append({"op": "mean", "dim": dims, "from": body.value(), "as": mean})
    body.items.append(body.chance.choice(of_mean(body, mean, dims == [2, 3])))
    body.items.append({"op": "tanh", "as": end})
    if not body.indices and not body.conditions:
        body.ends.append(end)
    body.step_arithmetic_of_two()


def of_mean(body: Free, mean: str, is_vector: bool) -> list[Data]:
    """What may be made of a mean: of one without a dimension only what asks for none."""
    fitting = [small_blocks.PLAIN, small_blocks.PLAIN, *[small_blocks.CHANNELS] * 2 * is_vector]
    ways: list[Data] = [
        {"op": "relu"}, {"op": "dropout"}, {body.named("same"): {"op": "identity"}},
        {"op": body.chance.choice(("add", "sub", "mul")), "from": [mean, mean]},
        *({body.named("b"): body.use(used, False)} for used in fitting if used in body.blocks),
    ]  # fmt: skip
    return [*ways, {body.named("fc"): {"op": "linear", "out_features": body.width()}}] if is_vector else ways


def narrow(body: Free) -> None:
    """As few as one channel, which comes back, or becomes features that may be put out."""
    first = body.named("narrow")
    body.items.append({first: {**body.widened("=ratio" if body.has("ratio") else 1), "from": body.value()}})
    if body.maybe():
        body.items.append({body.named("n"): {"op": "batch_norm2d" if body.size == "channels" else "batch_norm1d"}})
    if body.size == "channels" and body.maybe():
        end = f"end{body.numbers}"
        body.items.append({"op": "adaptive_avg_pool2d", "output_size": 1})
        body.items.append({"op": "flatten"})
        body.items.append({body.named("fc"): {"op": "linear", "out_features": body.width(), "as": end}})
        if not body.indices and not body.conditions:
            body.ends.append(end)
        return body.step_arithmetic_of_two()
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


OF_MAPS: Final[tuple[Callable[[Free], None], ...]] = (resampled, averaged, narrow, from_library)
OF_VECTORS: Final[tuple[Callable[[Free], None], ...]] = (averaged, narrow)
