"""Attention with several heads, as a module with its projections."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.base import Op, Unsupported
from archspec.ops.call import MODULE, Argument, Call, Input
from archspec.ops.dimensions import has_batch, sized
from archspec.ops.fields import Probability, Size, may_be
from archspec.ops.linear import Linear
from archspec.ops.shapes import Shape, ShapeError, Value, format_shape, without_folded
from archspec.ops.window import All, Window, Windows


class MultiHeadAttention(Op):
    """Attention of several heads with its projections, `nn.MultiheadAttention` with `batch_first` (Vaswani et al.,
    https://arxiv.org/abs/1706.03762). A single input is query, key and value; otherwise these are three inputs, and a
    fourth may be a mask to add, positions of the query × positions of the key, without a batch. `embed_dim` is that of
    the query, `kdim` and `vdim` are those of key and value."""

    kind = "multi_head_attention"
    module = "nn.MultiheadAttention"
    arity = (1, 4)
    role = "linear"
    shown = ("num_heads",)
    numbers = frozenset({"num_heads", "dropout"})
    attributes = frozenset({"embed_dim"})
    unreadable = frozenset({"bias", "add_bias_kv"})
    holds = frozenset({
        "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k", "bias_v",
    })  # fmt: skip
    optional = frozenset({"bias_k", "bias_v"})

    num_heads: Size = Field(description="number of heads; must divide the features of the query")
    dropout: Probability = Field(0.0, description="share of the attention's weights that are zeroed in training")
    bias: bool = Field(True, description="whether the projections have learned biases")
    add_bias_kv: bool = Field(False, description="whether a learned key and value are added")
    add_zero_attn: bool = Field(False, description="whether a key and a value of zeros are added")

    def yields(self, *inputs: Shape) -> Value:
        made = super().yields(*inputs[:3])  # a mask has no batch
        if len(inputs) > 3:
            self.infer(*map(without_folded, inputs))  # checks it
        return made

    def infer(self, *inputs: Shape) -> Shape:
        query, key, value = _taken(inputs)
        for what, shape in zip(("query", "key", "value"), (query, key, value), strict=True):
            if len(shape) != 2:
                raise ShapeError(f"the {what} is {format_shape(shape)}", "it must be positions × features")
        if key[0] != value[0]:
            raise ShapeError(f"the key has {int(key[0])} positions, the value {int(value[0])}", "they must agree")
        if query[1] % self.num_heads:
            raise ShapeError(f"{int(query[1])} features cannot be split between {int(self.num_heads)} heads",
                             may_be("num_heads", int(query[1])), "num_heads")  # fmt: skip
        if len(inputs) == 4:
            self._check_mask(inputs[3], (query[0], key[0]))
        return sized(query, query)

    def _check_mask(self, mask: Shape, wanted: tuple[int, int]) -> None:
        if has_batch(mask) or tuple(mask) != wanted:
            what = format_shape(mask) + (" per sample" if has_batch(mask) else "")
            raise ShapeError(f"a mask of {what} does not fit {format_shape(wanted)}",
                             "it has no batch; its sizes are the positions of query and key")  # fmt: skip

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        query, key, value = _taken(inputs)
        size = query[1]
        found: dict[str, Shape] = {"in_proj_weight": (3 * size, size)}
        if (key[1], value[1]) != (size, size):
            sizes = {"q_proj_weight": size, "k_proj_weight": key[1], "v_proj_weight": value[1]}
            found = {name: (size, taken) for name, taken in sizes.items()}
        found |= {"in_proj_bias": (3 * size,)} if self.bias else {}
        found |= {"bias_k": (1, 1, size), "bias_v": (1, 1, size)} if self.add_bias_kv else {}
        inner, shape = self._projection(query)
        return {**found, **{f"out_proj.{name}": sizes for name, sizes in inner.parameters(shape).items()}}

    def _projection(self, query: Shape) -> tuple[Op, Shape]:
        return Linear(out_features=int(query[1]), bias=self.bias, zero_bias=None, transposed=False), query

    def inner_modules(self, *inputs: Shape) -> dict[str, tuple[Op, Shape]]:
        return {"out_proj": self._projection(inputs[0])}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        query, key, value = (tuple(map(int, shape)) for shape in _taken(inputs))
        projections = 2 * query[0] * query[1] + key[0] * key[1] + value[0] * value[1]
        positions = key[0] + self.add_bias_kv + self.add_zero_attn
        return query[1] * (projections + 2 * query[0] * positions)

    def windows(self, *inputs: Shape) -> Windows:
        if len(inputs) == 1:
            return ((All(0), None),)
        return ((Window(0), None), (None, None), (None, None), None)[: len(inputs)]

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        query, key, value = _taken(inputs)
        differ = (key[1], value[1]) != (query[1], query[1])
        return (
            Argument("embed_dim", query[1], positional=True),
            self.argument("num_heads", positional=True),
            *map(self.argument, ("dropout", "bias", "add_bias_kv", "add_zero_attn")),
            Argument("kdim", key[1] if differ else None, None),
            Argument("vdim", value[1] if differ else None, None),
            Argument("batch_first", True, False),
        )

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        if not module.batch_first:
            raise Unsupported("batch_first=False")
        return {"num_heads": module.num_heads, "dropout": module.dropout, "bias": module.in_proj_bias is not None,
                "add_bias_kv": module.bias_k is not None, "add_zero_attn": module.add_zero_attn}  # fmt: skip

    @classmethod
    def of_module_call(cls, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        given = {**dict(zip(("query", "key", "value"), args, strict=False)), **kwargs}
        if len(args) > 3 or given.pop("need_weights", True):
            raise Unsupported("a call without need_weights=False")
        inputs = tuple(given.pop(name) for name in ("query", "key", "value"))
        mask = given.pop("attn_mask", None)
        if any(value is not None and value is not False for value in given.values()):
            raise Unsupported(f"a call with {', '.join(given)}")
        if mask is not None:
            return (*inputs, mask)
        return inputs[:1] if inputs[0] is inputs[1] is inputs[2] else inputs

    def module_call(self, *inputs: Shape) -> Call:
        given = (Input(0),) * 3 if len(inputs) == 1 else tuple(map(Input, range(3)))
        named: dict[str, Any] = {"need_weights": False}
        named |= {"attn_mask": Input(3)} if len(inputs) == 4 else {}
        return Call(MODULE, given, named, part=0)


def _taken(inputs: tuple[Shape, ...]) -> tuple[Shape, Shape, Shape]:
    """The query, the key and the value."""
    if len(inputs) == 2:
        raise ShapeError("expected one input, or a query, a key and a value, got 2", "name the second one twice")
    return (inputs[0], inputs[0], inputs[0]) if len(inputs) == 1 else inputs[:3]  # type: ignore[return-value]
