"""Convolutions, linear layers and norms whose weights are values: computed from parameters, or held by a buffer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from archspec.ops.base import Op, Unsupported
from archspec.ops.call import Call, Input
from archspec.ops.convolution import Conv2d, Sliding, require_step_of_one
from archspec.ops.convolution_1d_3d import Conv1d, Conv3d
from archspec.ops.dimensions import has_batch
from archspec.ops.fields import Padding1, Padding2, Padding3, PositivePair, PositiveSingle, PositiveTriple, Size
from archspec.ops.linear import Linear
from archspec.ops.shapes import MAPS, Shape, ShapeError, Value, format_shape
from archspec.ops.window import All, Window, Windows


class _Functional(Op):
    """Base class: the first input is what the layer acts on, the second its weight, the third, if any, its bias."""

    arity = (2, 3)
    needs_batch = False
    holds = frozenset()

    def _check_weight(self, rank: int, form: str, *inputs: Shape) -> Shape:
        """The shape of the weight, which must have so many dimensions; raises `ShapeError`."""
        weight = inputs[1]
        self._require_unbatched("weight", weight)
        if len(weight) != rank:
            raise ShapeError(f"the weight is {format_shape(weight)}, not {form}", "rearrange brings it there")
        self._check_vector("bias", int(weight[0]), inputs[2:])
        return weight

    def _check_vector(self, name: str, count: int, given: tuple[Shape, ...]) -> None:
        """Raise `ShapeError` unless the value, if it is given, is a number for each channel or feature."""
        for vector in given:
            self._require_unbatched(name, vector)
            if tuple(vector) != (count,):
                raise ShapeError(f"the {name} is {format_shape(vector)}, not {count}",
                                 "it has one number for each channel or feature of the output")  # fmt: skip

    def _require_unbatched(self, name: str, shape: Shape) -> None:
        if has_batch(shape):
            raise ShapeError(f"the {name}, {format_shape(shape)}, has a batch",
                             "it must be a parameter, a buffer, or computed from these only")  # fmt: skip


class _FunctionalLayer(_Functional):
    """Base class of layers whose weight is a value: they cost and see what the layer with a weight of its own does."""

    fresh = True

    @abstractmethod
    def _layer(self, *inputs: Shape) -> Sliding | Linear:
        """The layer with a weight of this shape of its own; raises `ShapeError` if there is none."""

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return self._layer(*inputs).macs(inputs[:1], output)

    def windows(self, *inputs: Shape) -> Windows:
        return (*self._layer(*inputs).windows(inputs[0]), *[None] * len(inputs[1:]))


class _FunctionalConvolution(_FunctionalLayer):
    """Base class of convolutions whose weight is a value."""

    role = "convolution"
    word = "conv"
    numbers = frozenset({"groups"})
    layer: ClassVar[type[Sliding]]
    """The convolution that has a weight of its own."""

    if TYPE_CHECKING:
        stride: Any
        padding: Any
        dilation: Any
        groups: int

    @model_validator(mode="after")
    def _fits_together(self) -> _FunctionalConvolution:
        require_step_of_one(self.padding, self.stride, self.rank)
        return self

    def _layer(self, *inputs: Shape) -> Sliding:
        """The convolution with a weight of this shape of its own."""
        form = f"output channels × input channels × {MAPS[self.rank].removeprefix('channels × ')}"
        outputs, _, *kernel = self._check_weight(self.rank + 2, form, *inputs)
        names = ("stride", "padding", "dilation", "groups")
        same = {name: getattr(self, name) for name in names}
        size = kernel[0] if self.rank == 1 else tuple(kernel)
        return self.layer.model_construct(out_channels=outputs, kernel_size=size, bias=False, **same)

    def infer(self, *inputs: Shape) -> Shape:
        layer = self._layer(*inputs)
        output = layer.infer(inputs[0])
        wanted = layer.parameters(inputs[0])["weight"]
        if tuple(inputs[1]) != wanted:
            raise ShapeError(f"the weight is {format_shape(inputs[1])}, but {int(inputs[0][0])} channels "
                             f"in {int(self.groups)} groups need {format_shape(wanted)}",
                             "the second size is the channels of a group", "groups")  # fmt: skip
        return output

    def may_be_overwritten(self, output: Value) -> bool:
        return has_batch(output)  # type: ignore[arg-type]  # without a batch torch adds one, and returns a view

    def function(self, *inputs: Shape) -> Call:
        return Call(f"F.conv{self.rank}d", tuple(map(Input, range(len(inputs)))), self.non_default_fields())


class FunctionalConv1d(_FunctionalConvolution):
    """`conv1d` with a weight that is a value, and a bias if there is a third value, `F.conv1d`."""

    kind = "functional_conv1d"
    spelled = Conv1d.spelled
    rank = 1
    layer = Conv1d

    stride: PositiveSingle = Field(1, description="step of the window")
    padding: Padding1 = Field(0, description="zeros added on each side; same: as many as keep the size, valid: none")
    dilation: PositiveSingle = Field(1, description="distance between the window's taps")
    groups: Size = Field(1, description="independent groups of channels")


class FunctionalConv2d(_FunctionalConvolution):
    """`conv2d` with a weight that is a value, and a bias if there is a third value, `F.conv2d`: weight standardisation,
    fixed filters."""

    kind = "functional_conv2d"
    spelled = Conv2d.spelled
    rank = 2
    layer = Conv2d

    stride: PositivePair = Field(1, description="step of the window")
    padding: Padding2 = Field(0, description="zeros added on each side; same: as many as keep the size, valid: none")
    dilation: PositivePair = Field(1, description="distance between the window's taps")
    groups: Size = Field(1, description="independent groups of channels")


class FunctionalConv3d(_FunctionalConvolution):
    """`conv3d` with a weight that is a value, and a bias if there is a third value, `F.conv3d`."""

    kind = "functional_conv3d"
    spelled = Conv3d.spelled
    rank = 3
    layer = Conv3d

    stride: PositiveTriple = Field(1, description="step of the window")
    padding: Padding3 = Field(0, description="zeros added on each side; same: as many as keep the size, valid: none")
    dilation: PositiveTriple = Field(1, description="distance between the window's taps")
    groups: Size = Field(1, description="independent groups of channels")


class FunctionalLinear(_FunctionalLayer):
    """`linear` with a weight that is a value (output × input features), and a bias if there is a third value,
    `F.linear`."""

    kind = "functional_linear"
    spelled = Linear.spelled
    role = "linear"
    word = "linear"

    def _layer(self, *inputs: Shape) -> Linear:
        outputs, _ = self._check_weight(2, "output features × input features", *inputs)
        return Linear.model_construct(out_features=outputs, bias=False)

    def infer(self, *inputs: Shape) -> Shape:
        layer, (x, weight) = self._layer(*inputs), inputs[:2]
        output = layer.infer(x)
        if weight[1] != x[-1]:
            raise ShapeError(f"the weight is {format_shape(weight)}, but the input has {int(x[-1])} "
                             "features", "the second size of the weight is the features of the input")  # fmt: skip
        return output

    def may_be_overwritten(self, output: Value) -> bool:
        return len(output) == 1 and type(output) is tuple  # torch flattens more dimensions, and returns a view

    def function(self, *inputs: Shape) -> Call:
        return Call("F.linear", tuple(map(Input, range(len(inputs)))))


class FunctionalInstanceNorm(_Functional):
    """Each channel of each instance less its mean and divided by its standard deviation, `F.instance_norm`; a second
    value scales the channels, a third is added to them. With a batch the instances are its samples; without one they
    are dimension 0: a convolution's weight is standardised as 1 × output channels × all others."""

    kind = "functional_instance_norm"
    spelled = (
        "instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, "
        "momentum=0.1, eps=1e-05)",
        "batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05)",
    )
    arity = (1, 3)
    reads = frozenset({"use_input_stats", "momentum"})
    role = "norm"
    numbers = frozenset({"eps"})

    eps: float = Field(1e-5, gt=0, description="added to the variance")

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        first = int(not has_batch(shape))
        if not 2 <= len(shape) - first <= 4:
            form = f"{'instances × ' * first}channels × positions"
            raise ShapeError(f"{self.kind} expects {form}, got {format_shape(shape)}", "rearrange brings it there")
        if all(int(size) == 1 for size in shape[first + 1 :]):
            raise ShapeError(f"{format_shape(shape)} has one position for each channel",
                             "instance norms need more than one")  # fmt: skip
        for name, number in (("scale", 1), ("shift", 2)):
            self._check_vector(name, int(shape[first]), inputs[number : number + 1])
        return shape

    def windows(self, *inputs: Shape) -> Windows:
        first = int(not has_batch(inputs[0]))
        kept = [Window(axis) for axis in range(first + 1)]
        return ((*kept, *map(All, range(first + 1, len(inputs[0])))), *[None] * len(inputs[1:]))

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        if given["running_mean"] is not None or not given.get("training", given.get("use_input_stats")):
            raise Unsupported("it has running statistics")
        if "training" in given and given["input"].shape[0] != 1:
            raise Unsupported("statistics of a batch without running statistics")
        if given["weight"] is None and given["bias"] is not None:
            raise Unsupported("a bias without a weight")
        return super().of_call(given)

    def function(self, *inputs: Shape) -> Call:
        named: dict[str, Any] = dict(zip(("weight", "bias"), (Input(1), Input(2))[: len(inputs) - 1], strict=False))
        return Call("F.instance_norm", (Input(0),), named | self.non_default_fields())
