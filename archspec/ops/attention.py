"""Attention: sums of values, weighted by how well their keys match a query (Vaswani et al.,
https://arxiv.org/abs/1706.03762)."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.arithmetic import broadcast
from archspec.ops.base import Op
from archspec.ops.call import Call, Input, InTraining
from archspec.ops.dimensions import common_batch, has_batch, sized
from archspec.ops.fields import Probability
from archspec.ops.shapes import Shape, ShapeError, format_shape, numel
from archspec.ops.window import Window, Windows, spread


class ScaledDotProductAttention(Op):
    """softmax(q · kᵀ × scale + mask) · v, `F.scaled_dot_product_attention`. The last two dimensions are positions and
    features; the one before them is heads, of which key and value may have one for all of the query (Shazeer,
    https://arxiv.org/abs/1911.02150). Dimensions before the heads are folded into the batch while it runs, unless
    `folded` is false: torch computes values of more than four dimensions, the batch included, otherwise, and the last
    bits differ."""

    kind = "scaled_dot_product_attention"
    spelled = (
        "scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None)",
    )
    word = "attention"
    needs_batch = False
    arity = (3, 4)
    reads = frozenset({"dropout_p", "is_causal"})
    role = "linear"
    numbers = frozenset({"scale", "dropout"})

    causal: bool = Field(False, description="whether a position attends only to itself and those before it")
    scale: float | None = Field(None, gt=0, description="factor of the products; 1 / √features if not given")
    dropout: Probability = Field(0.0, description="share of the weights that are zeroed in training")
    folded: bool = Field(True, description="whether dimensions before the last three are folded into the batch")

    def infer(self, *inputs: Shape) -> Shape:
        common_batch(self.kind, inputs[:3])
        query, key, value = inputs[:3]
        if len(query) < 2 or not len(query) == len(key) == len(value):
            shapes = f"the query is {format_shape(query)}, the key {format_shape(key)}, the value {format_shape(value)}"
            raise ShapeError(shapes, "each is positions × features, after dimensions that agree")
        if any(shape[:-3] != query[:-3] or shape[-3:-2] not in (query[-3:-2], (1,)) for shape in (key, value)):
            raise ShapeError(f"the dimensions before the positions differ: {format_shape(query)}, {format_shape(key)} "
                             f"and {format_shape(value)}",
                             "only the heads of key and value, just before the positions, may be 1")  # fmt: skip
        if query[-1] != key[-1]:
            raise ShapeError(f"the query has {int(query[-1])} features, the key {int(key[-1])}", "they must agree")
        if key[-2] != value[-2]:
            raise ShapeError(f"the key has {int(key[-2])} positions, the value {int(value[-2])}", "they must agree")
        if len(inputs) == 4:
            self._check_mask(query, key, inputs[3])
        return sized((1, 1) if has_batch(query) else query, (*query[:-1], value[-1]))

    def _check_mask(self, query: Shape, key: Shape, mask: Shape) -> None:
        if self.causal:
            raise ShapeError("causal attention takes no mask", "add the triangle to the mask instead", "causal")
        whole = (*query[:-1], key[-2])
        own = mask if has_batch(mask) == has_batch(query) else self._of_sample(mask, whole)
        fits = own is not None and len(own) >= 2 and broadcast(whole, own) == whole
        if has_batch(mask) and (len(mask) != len(whole) or self._folded(query)):
            fits = False
        if not fits or (self._folded(query) and len(mask) > 3 and (len(mask) > 4 or mask[0] != 1)):
            most = whole[-3:] if self._folded(query) else whole
            raise ShapeError(f"a mask of {format_shape(mask)} does not fit {format_shape(most)}",
                             "its last sizes are the positions of query and key; others agree or are 1")  # fmt: skip

    @staticmethod
    def _of_sample(mask: Shape, whole: Shape) -> Shape | None:
        """The shape in which a mask without a batch applies to each sample; `None` if it cannot."""
        if has_batch(mask):
            return None
        return mask[1:] if len(mask) == len(whole) + 1 and mask[0] == 1 else mask

    def _folded(self, query: Shape) -> int:
        """How many dimensions are folded into the batch."""
        return max(0, len(query) - 3) if has_batch(query) and self.folded else 0

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"causal": given["is_causal"], "scale": given["scale"], "dropout": given["dropout_p"],
                "folded": given["query"].ndim <= 4}  # fmt: skip

    def is_random(self) -> bool:
        return self.dropout > 0

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        query, key, value = inputs[:3]
        return numel(query[:-1]) * int(key[-2]) * (int(query[-1]) + int(value[-1]))

    def windows(self, *inputs: Shape) -> Windows | None:
        if self.causal or any(map(has_batch, inputs[3:])):
            return None
        last = len(inputs[0]) - 1
        query, key, value = (spread(shape[:-2], inputs[0][:-2]) for shape in inputs[:3])
        masks: Windows = (None,) * len(inputs[3:])
        return ((*query, Window(last - 1), None), (*key, None, None), (*value, None, Window(last)), *masks)

    def function(self, *inputs: Shape) -> Call:
        folded = self._folded(inputs[0])
        given: list[Any] = [Input(number) for number in range(3)]
        if folded:
            given = [Call("Tensor.flatten", (value, 0, folded)) for value in given]
        named: dict[str, Any] = {"is_causal": True} if self.causal else {}
        named |= {} if self.scale is None else {"scale": self.scale}
        named |= {"dropout_p": InTraining(self.dropout)} if self.dropout else {}
        masks = [Input(3)] if len(inputs) == 4 else []
        call = Call("F.scaled_dot_product_attention", (*given, *masks), named)
        if not folded:
            return call
        return Call("Tensor.reshape", (call, (-1, *inputs[0][:-1], inputs[2][-1])))
