"""The base class of ops: fields, shape rule, parameters, MACs, and how the op is written in torch."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple

from pydantic import Field, PlainValidator

from archspec.diagnostics.diagnostic import UnlocatedError
from archspec.diagnostics.validation import StrictModel
from archspec.expressions.sizes import is_whole, plain
from archspec.ops.window import Windows, same

Shape = tuple[int, ...]
"""The sizes of a tensor without its batch: (channels, height, width), (features,), (tokens, features), …

A plain tuple has a batch before these sizes; an `Unbatched` has none.
"""

Value = Shape | tuple[Shape, ...]
"""The shape of an op's output: one tensor, or several (`chunk`)."""

MAX_SIZE: Final = 1 << 31


class ShapeError(UnlocatedError):
    """The inputs of an op do not match its shape rule. The message states the rule with its numbers, the help a fix.

    `field` is the field of the op that the error is about, if there is one.
    """

    kind = "shape"

    def __init__(self, message: str, help: str = "", field: str = "") -> None:
        super().__init__(message, help, path=(field,) if field else ())


class Unsupported(Exception):
    """A module or a call of torch that an op has no form for; the message is what stands in the way."""


class TooSmallError(ShapeError):
    """A window does not fit into a feature map; it would fit into a larger one."""


def is_parts(value: Value) -> bool:
    """Whether a value is several tensors."""
    return bool(value) and isinstance(value[0], tuple)


def parts_of(value: Value) -> tuple[Shape, ...]:
    """The tensors of a value, which may be one."""
    return value if is_parts(value) else (value,)  # type: ignore[return-value]


def format_shape(shape: Value | None) -> str:
    """`256×14×14`; several tensors in parentheses.

    >>> format_shape((256, 14, 14))
    '256×14×14'
    """
    if shape is None:
        return "?"
    if shape and isinstance(shape[0], tuple):
        return f"({', '.join(format_shape(part) for part in shape)})"
    return "×".join(str(int(size)) for size in shape) or "scalar"  # type: ignore[arg-type]


class Argument(NamedTuple):
    """One argument of a torch constructor; an argument equal to torch's own `default` is not written."""

    name: str
    value: Any
    default: Any = ...
    positional: bool = False


@dataclass(frozen=True)
class Input:
    """Stands for the op's input number `index` in a `Call`."""

    index: int


ALL_INPUTS: Final = Input(-1)
"""Stands for the list of all inputs in a `Call`."""

MODULE: Final = "module"
"""Stands for the module of the op itself as the target of a `Call`."""

TRAINING: Final = "self.training"
"""Stands for the mode of the enclosing module in a `Call`."""


@dataclass(frozen=True)
class InTraining:
    """Stands for a number in training, and 0 in evaluation, in the keyword arguments of a `Call`."""

    value: float

@dataclass(frozen=True)
class Call:
    """A function call in torch: `target` (`torch.flatten`, `Tensor.permute`, `operator.add`) and its arguments.

    An argument may itself be a call; `operator.getitem` takes a value and a tuple of numbers and slices, `Tensor.shape`
    a value and the first of the dimensions whose sizes it stands for: `x.shape[-2:]`.
    """

    target: str
    args: tuple[Any, ...] = (Input(0),)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    part: int | None = None
    """The index of the value that is used, if it returns several."""

    @property
    def inner(self) -> tuple["Call", ...]:
        """The calls among its arguments."""
        return tuple(arg for arg in (*self.args, *self.kwargs.values()) if isinstance(arg, Call))

    def in_place(self) -> "Call":
        """The call that overwrites its first input: `operator.iadd`, or with the argument `inplace`."""
        if self.target.startswith("operator."):
            return replace(self, target=self.target.replace(".", ".i"))
        return replace(self, kwargs={**self.kwargs, "inplace": True})


class Op(StrictModel):
    """An operation; its fields have torch's names and torch's defaults.

    `kind` is the op's name in specs. An op with a `module` can be registered under a name; an op with a `function`
    can be used without one. The methods take the shapes of the inputs, without the batch.

    Everything that archspec knows about an op is in its class. The defaults of the class attributes are the safe
    choice: inputs without a batch are rejected, nothing is overwritten, no receptive field is computed.
    """

    kind: ClassVar[str]
    module: ClassVar[str | None] = None
    """torch's class (`nn.Conv2d`), or the name of one of the `helpers`."""
    helpers: ClassVar[tuple[str, ...]] = ()
    """Functions and classes that the op needs in addition to torch, as `package.module:name`, or by name alone if they
    are in the file of the op's class. They are copied into generated source, with everything they use from their
    own file, and may otherwise use only torch. Those of archspec's ops have the name of the op or its class, so that
    reserved names are known without importing all ops."""
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of inputs; `None` for no limit."""
    elementwise: ClassVar[bool] = False
    """Whether each element of the output depends on one element of each input: any number of dimensions is accepted,
    with a batch or without."""
    needs_batch: ClassVar[bool] = True
    """Whether inputs must have a batch dimension. An op that is elementwise, or counts its dimensions from the last,
    does not need one; its `infer` then decides whether the output has one."""
    inplace: ClassVar[bool] = False
    """Whether it can overwrite its first input: torch supports it, and backward does not read that input."""
    exact_in_place: ClassVar[bool] = False
    """Whether the result in place is then equal bit for bit; rounding in other ops depends on the memory layout."""
    fresh: ClassVar[bool] = False
    """Whether the output is new memory (not a view) that backward does not read; see `may_be_overwritten`."""
    view: ClassVar[bool] = False
    """Whether the output may share the input's memory."""
    adds: ClassVar[bool] = False
    """Whether the output is the sum of the inputs; diagrams look for shortcuts there."""
    concatenates: ClassVar[bool] = False
    """Whether the output is the concatenation of the inputs; diagrams draw them as branches."""
    flattens: ClassVar[bool] = False
    """Whether the output has one feature for each element of the input (channels × height × width)."""
    idle: ClassVar[bool] = False
    """Whether it has an effect in training mode only."""
    raw: ClassVar[bool] = False
    """Whether it is not a module but a tensor of the block itself, registered under the item's name."""
    takes_integers: ClassVar[frozenset[int]] = frozenset()
    """The numbers of the inputs that are integers; all others are real numbers."""
    carries_integers: ClassVar[bool] = False
    """Whether it yields the numbers of its first input as they are, in other places: they may be integers, too."""
    role: ClassVar[str] = "other"
    """Determines its colour in diagrams."""
    word: ClassVar[str] = ""
    """Its name in diagrams, if that is not its kind."""
    shown: ClassVar[tuple[str, ...]] = ()
    """The fields whose values diagrams show after the name."""
    numbers: ClassVar[frozenset[str]] = frozenset()
    """Fields on which only sizes and numbers depend: rates, and counts of channels or features. They can be arguments
    of a generated class."""
    varying: ClassVar[frozenset[str]] = frozenset()
    """Fields in which the blocks of a stage may differ and still be drawn and listed as one."""
    attributes: ClassVar[frozenset[str]] = frozenset()
    """Attributes of torch's module that describe its input (`in_channels`), in addition to the fields."""
    unreadable: ClassVar[frozenset[str]] = frozenset()
    """Fields that torch's module has no attribute for."""
    optional: ClassVar[frozenset[str]] = frozenset()
    """Parameters that torch declares as `Tensor | None`: a type checker requires a test for `None`."""
    rank: ClassVar[int] = 2
    """The number of axes that the op's windows slide over, if it has windows; fields may have a number for each."""
    holds: ClassVar[frozenset[str]] = frozenset({"weight", "bias"})
    """The names of its module's parameters; some of these attributes may be `None`."""
    vectors: ClassVar[frozenset[str]] = frozenset()
    """The parameters that have one dimension."""
    initialised_by: ClassVar[frozenset[str]] = frozenset()
    """Fields that hold an initialiser, in the same form as in initialisation rules."""
    open_fields: ClassVar[str] = ""
    """The meaning of fields whose names the user chooses, if the op has such fields; they are in `model_extra`."""
    extends: ClassVar[tuple[str, ...]] = ()
    """The modules of other ops that its own module is a subclass of."""
    spelled: ClassVar[tuple[str, ...]] = ()
    """The functions of torch that do the same: `relu(input, inplace=False)`. A name stands for the function in `torch`
    and in `torch.nn.functional` and for the method of tensors. What is not a tensor is the field of that name, or must
    have the default that stands here; tensors are its inputs, or, under the names in `holds`, its parameters."""
    also: ClassVar[tuple[str, ...]] = ()
    """Classes of other packages whose modules do the same, as `package.module:Name`."""
    reads: ClassVar[frozenset[str]] = frozenset()
    """Arguments in `spelled` that are no fields, and that `of_call` reads."""
    fixed: ClassVar[Mapping[str, Any]] = {}
    """Attributes of torch's module that no field stands for, with the only value that they may have."""

    def takes(self) -> tuple[int, int | None]:
        """The least and the greatest number of inputs with these fields."""
        return self.arity

    def infer(self, *inputs: Shape) -> Value:
        """The output's shape; raises `ShapeError` if the inputs do not fit."""
        return inputs[0]

    def yields(self, *inputs: Shape) -> Value:
        """The output's shape, after checking that each input has a batch and dimensions if the op needs them, and that
        the inputs with integers are those where the op expects integers."""
        for number, shape in enumerate(inputs):
            if is_integer(shape) != (number in self.takes_integers) and not self.carries_integers:
                raise ShapeError(*_of_another_type(self.kind, number, len(inputs), shape))
            if not self.elementwise and (not shape or (self.needs_batch and type(shape) is Unbatched)):
                raise ShapeError(*_unfit(self.kind, number, len(inputs), shape))
        return self._moved(*inputs) if self.carries_integers and is_integer(inputs[0]) else self.infer(*inputs)

    def _moved(self, *inputs: Shape) -> Value:
        """The output's shape where the first input holds integers."""
        first, *others = inputs
        below: int | None = getattr(first, "below", None)
        plain = Unbatched(first) if isinstance(first, Unbatched) else tuple(first)
        output = self.infer(plain, *others)
        made = [_shape_of_integers(below, isinstance(part, Unbatched), part) for part in parts_of(output)]
        return tuple(made) if is_parts(output) else made[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        """Shapes of the trainable tensors, in registration order."""
        return {}

    def buffers(self, *inputs: Shape) -> dict[str, Shape]:
        """Shapes of the tensors that are not trained, in registration order."""
        return {}

    def saved(self, *inputs: Shape) -> dict[str, Shape]:
        """Shapes of the tensors in a `state_dict`, in its order."""
        return {**self.parameters(*inputs), **self.buffers(*inputs)}

    def can_overwrite(self, count: int) -> bool:
        """Whether it can overwrite its first input if it has `count` inputs."""
        return self.inplace

    def may_be_overwritten(self, output: Value) -> bool:
        """Whether a later op may overwrite an output of this shape, if nothing else reads it."""
        return self.fresh

    def macs(self, inputs: tuple[Shape, ...], output: Value) -> int:
        """Multiply-accumulates of conv, linear and matmul, without bias, for one sample."""
        return 0

    def is_random(self) -> bool:
        """Whether it draws random numbers in training, even if nothing reads its value."""
        return self.role == "dropout"

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        """About how many numbers are read, multiplied and written for one sample, as a measure of its run time.

        The default is right for ops that read each number of their inputs a few times, apart from their MACs.
        """
        return self.macs(inputs, output) + sum(map(count, (*inputs, output)))

    def is_of(self, modules: frozenset[str | None]) -> bool:
        """Whether the module is an instance of one of these torch classes, or of a class derived from one."""
        return not modules.isdisjoint((self.module, *self.extends))

    def windows(self, *inputs: Shape) -> Windows | list[Windows] | None:
        """The positions of each input that a position of the output depends on; a list if there are several outputs.

        The receptive field is computed from these. `None`: unknown, as are the receptive fields that follow.
        """
        return (same(len(inputs[0])),) if self.elementwise and len(inputs) == 1 else None

    def made_by(self) -> str | None:
        """The class of its module: `module`, or a class derived from it if some fields need one."""
        return self.module

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        """The arguments of `module`: by default every field by its name."""
        given = self.__dict__
        return tuple(Argument(name, given[name], default) for name, default in fields_of(type(self)).items())

    def argument(self, name: str, positional: bool = False) -> Argument:
        """The field `name` as a constructor argument."""
        return Argument(name, getattr(self, name), fields_of(type(self))[name], positional)

    def module_call(self, *inputs: Shape) -> Call | None:
        """How its module is called, with `MODULE` as the target; `None` if it is called on the inputs unchanged."""
        return None

    def inner_modules(self, *inputs: Shape) -> dict[str, tuple["Op", Shape]]:
        """Modules inside its own that initialisation rules apply to: the op of each, and the shape of its input."""
        return {}

    def function(self, *inputs: Shape) -> Call | None:
        """The equivalent call without a module, or `None` if there is none."""
        return None

    def filling(self) -> tuple[str, dict[str, Any]]:
        """The initialiser of a `raw` parameter, by its name, and its arguments."""
        return "zeros", {}

    def tensor(self) -> Call | None:
        """The call that makes the tensor of a `raw` op that is a buffer; an `Argument` in it is one of its fields."""
        return None

    def is_like(self, other: "Op") -> bool:
        """Whether another op is equal except for the fields in `varying`."""
        if type(self) is not type(other) or not self.varying:
            return self == other
        return all(getattr(self, name) == getattr(other, name)
                   for name in fields_of(type(self)) if name not in self.varying)  # fmt: skip

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        """The fields that a module of torch has; raises `Unsupported` if the op has no such form."""
        for name, wanted in cls.fixed.items():
            if getattr(module, name, wanted) != wanted:
                raise Unsupported(f"{name}={getattr(module, name)!r:.40}")
        found = {name: getattr(module, name) for name in fields_of(cls) if name not in cls.unreadable}
        if "bias" in found:
            found["bias"] = module.bias is not None
        return found

    @classmethod
    def of_module_call(cls, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The tensors among the arguments that a module of torch is called with; raises `Unsupported`."""
        if len(args) != 1 or kwargs:
            raise Unsupported(f"a call with {len(args) + len(kwargs)} arguments")
        return args

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that the arguments of one of the functions in `spelled` say; raises `Unsupported`."""
        return {name: given[name] for name in fields_of(cls) if name in given}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Complete the names of `helpers` that are defined in the same file as the class."""
        super().__pydantic_init_subclass__(**kwargs)
        if any(":" not in helper for helper in cls.helpers):
            cls.helpers = tuple(helper if ":" in helper else f"{cls.__module__}:{helper}" for helper in cls.helpers)

    @classmethod
    def readable(cls) -> frozenset[str]:
        """The attributes of its torch module, which expressions in initialisation rules may use."""
        return frozenset(cls.model_fields) - cls.unreadable | cls.attributes

    def attribute_values(self, *inputs: Shape) -> dict[str, Any]:
        """The values of these attributes: all but those that are parameters."""
        known, own = self.readable(), self.parameters(*inputs)
        return {a.name: plain(a.value) for a in self.constructor(*inputs) if a.name in known and a.name not in own}

    @classmethod
    def located(cls, name: str) -> str:
        """The entry of `helpers` with this name; the name itself if there is none."""
        return next((helper for helper in cls.helpers if helper.endswith(f":{name}")), name)

    @classmethod
    def has_function(cls) -> bool:
        """Whether it can be used without a name."""
        return cls.function is not Op.function

    @classmethod
    def takes_input_alone(cls) -> bool:
        """Whether its module is called on one value and nothing else, as `nn.Sequential` does."""
        return cls.module_call is Op.module_call

    @classmethod
    def has_parameters(cls) -> bool:
        """Whether its modules have parameters, possibly as attributes that are `None`."""
        return cls.parameters is not Op.parameters and not cls.raw

    @classmethod
    def title(cls) -> str:
        """Its name in diagrams."""
        return cls.word or cls.kind.removesuffix("2d").replace("_", " ")


Op.__annotations__.clear()  # none is of a field, and Pydantic would evaluate them again for each op that is imported


def _unfit(kind: str, number: int, count: int, shape: Shape) -> tuple[str, str]:
    """Message and help for an input without a batch dimension, or with no other dimension."""
    if shape:
        return without_batch(kind, number, count)
    return f"{kind}: {_which(number, count)} has no dimensions (it is a single number per sample)", (
        "keep them: keepdim: true"
    )


def _of_another_type(kind: str, number: int, count: int, shape: Shape) -> tuple[str, str]:
    """Message and help for integers where an op takes real numbers, or the reverse."""
    if is_integer(shape):
        return (
            f"{kind}: {_which(number, count)} holds integers",
            "only embedding accepts them, and index as its second input",
        )
    return f"{kind}: {_which(number, count)} must hold integers", (
        "for example a buffer with values: arange, or an input of tokens"
    )


def without_batch(kind: str, number: int, count: int) -> tuple[str, str]:
    """Message and help for input `number` of `count`, which has no batch dimension."""
    message = (
        f"{kind}: {_which(number, count)} has no batch dimension (it is a parameter, or computed from parameters only)"
    )
    return message, "add, sub and mul apply a parameter to each sample"


def _which(number: int, count: int) -> str:
    return f"input {number + 1}" if count > 1 else "its input"


@cache
def fields_of(kind: type[Op]) -> dict[str, Any]:
    """The fields of an op's class with their defaults; `...` for a required field."""
    return {name: ... if info.is_required() else info.default for name, info in kind.model_fields.items()}


_WRITTEN: Final = {
    1: "an integer",
    2: "an integer or a pair [height, width]",
    3: "an integer or [depth, height, width]",
}


def _sizes(rank: int, least: int, *words: str) -> Callable[[Any], Any]:
    """A validator for a number for all axes, a number for each, or one of `words`."""

    def check(value: Any) -> Any:
        if is_whole(value):
            return _least(_size(value), least)
        if isinstance(value, str) and value in words:
            return value
        numbers = value if isinstance(value, list | tuple) else ()
        if rank == 1 or len(numbers) != rank or not all(map(is_whole, numbers)):
            got = f", got {value!r:.60}" if isinstance(value, str | float | list) else ""
            raise ValueError(f"expected {' or '.join([_WRITTEN[rank], *words])}{got}")
        return tuple(_least(_size(number), least) for number in numbers)

    return check


def _size(value: int) -> int:
    if not 0 <= value < MAX_SIZE:
        raise ValueError(f"expected an integer from 0 to {MAX_SIZE - 1:,}, got {value}")
    return value


def _least(value: int, least: int) -> int:
    if value < least:
        raise ValueError(f"expected at least {least}, got {value}")
    return value


def _form(rank: int) -> Any:
    return int if rank == 1 else int | Annotated[list[int], Field(min_length=rank, max_length=rank)]


def _padding(rank: int) -> Any:
    return _form(rank) | Literal["same", "valid"]


Pair = Annotated[int | tuple[int, int], PlainValidator(_sizes(2, 0), json_schema_input_type=_form(2))]
PositivePair = Annotated[int | tuple[int, int], PlainValidator(_sizes(2, 1), json_schema_input_type=_form(2))]
Triple = Annotated[int | tuple[int, int, int], PlainValidator(_sizes(3, 0), json_schema_input_type=_form(3))]
PositiveTriple = Annotated[int | tuple[int, int, int], PlainValidator(_sizes(3, 1), json_schema_input_type=_form(3))]
Single = Annotated[int, PlainValidator(_sizes(1, 0), json_schema_input_type=int)]
PositiveSingle = Annotated[int, PlainValidator(_sizes(1, 1), json_schema_input_type=int)]
Padding1 = Annotated[Any, PlainValidator(_sizes(1, 0, "same", "valid"), json_schema_input_type=_padding(1))]
Padding2 = Annotated[Any, PlainValidator(_sizes(2, 0, "same", "valid"), json_schema_input_type=_padding(2))]
Padding3 = Annotated[Any, PlainValidator(_sizes(3, 0, "same", "valid"), json_schema_input_type=_padding(3))]
"""Types for numbers per axis that windows slide over: one for all axes, or one for each."""

Size = Annotated[int, Field(ge=1, lt=MAX_SIZE)]
Probability = Annotated[float, Field(ge=0, le=1)]


def each(value: int | tuple[int, ...], rank: int = 2) -> tuple[int, ...]:
    """A number for each of `rank` axes: (height, width), for example.

    >>> each(3), each((3, 5)), each(3, 1)
    ((3, 3), (3, 5), (3,))
    """
    return (value,) * rank if isinstance(value, int) else value


def may_be(field: str, *counts: int) -> str:
    """Help that lists the possible values of a field that must divide channel counts; at most a dozen.

    >>> may_be("groups", 12, 8)
    'groups may be 1, 2, 4'
    """
    common = math.gcd(*counts)
    fits = [str(n) for n in range(1, min(common, 1024) + 1) if common % n == 0]
    return f"{field} may be {', '.join(fits[:12])}{', …' if len(fits) > 12 else ''}"


class _Distinct(tuple[int, ...]):
    """A shape that is equal only to shapes of its own class."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), *self))


class Unbatched(_Distinct):
    """The shape of a value without a batch: a parameter, or a value computed from parameters only.

    It is not equal to a shape of the same sizes with a batch.

    >>> Unbatched((8, 1, 1)) == (8, 1, 1)
    False
    """

    __slots__ = ()


class Integers(Unbatched):
    """The shape of integers without a batch: positions, which `embedding` and `index` take."""

    __slots__ = ()
    below: ClassVar[int | None] = None
    """All of them are from 0 to below this, if that is known."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _shape_of_integers, (self.below, True, tuple(self))


class Tokens(_Distinct):
    """The shape of integers with a batch: token ids. It is not equal to a shape of real numbers."""

    __slots__ = ()
    below: ClassVar[int | None] = None
    """All of them are from 0 to below this."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _shape_of_integers, (self.below, False, tuple(self))


@cache
def integers(below: int | None, is_unbatched: bool, /) -> type[Integers] | type[Tokens]:
    """The type of the shape of integers from 0 to below a number, the same type each time.

    >>> integers(10, False)((8, 4)).below
    10
    """
    kind = Integers if is_unbatched else Tokens
    return type(kind.__name__, (kind,), {"__slots__": (), "below": below, "__doc__": kind.__doc__})


def _shape_of_integers(below: int | None, is_unbatched: bool, sizes: tuple[int, ...]) -> Shape:
    return integers(below, is_unbatched)(sizes)


def is_integer(shape: Value) -> bool:
    """Whether a value holds integers."""
    return isinstance(shape, Integers | Tokens)


def format_input(shape: Value, with_range: bool = False) -> str:
    """The shape of an input, and whether it holds integers: `128 token ids`, `128 token ids below 30522`."""
    if not is_integer(shape):
        return format_shape(shape)
    below: int | None = getattr(shape, "below", None)
    return f"{format_shape(shape)} token ids{f' below {below}' if with_range and below is not None else ''}"


def require_rows(kind: str, ids: Shape, rows: int, field: str = "") -> None:
    """Raise `ShapeError` if a table has too few rows for the integers that number them."""
    below: int | None = getattr(ids, "below", None)
    if below is not None and rows < below:
        raise ShapeError(f"{kind}: its integers go up to {below - 1}, but the table has {rows} rows",
                         f"it needs at least {below} rows", field)  # fmt: skip


class ChannelsLast(tuple[int, ...]):
    """Three sizes that are not (channels, height, width): linear and layer norm act on the last of them.

    They belong to a feature map permuted to (height, width, channels), or to the value of another op on dimensions.
    """

    __slots__ = ()


class ChannelsFirst(tuple[int, ...]):
    """Channels followed by axes, though there are not three sizes: the shape of sound, of a clip or a volume.

    Other values with as many sizes are sequences, windows of tokens, …, whose features come last.
    """

    __slots__ = ()


def of_channels(sizes: Iterable[int]) -> Shape:
    """The shape of a value with a batch, whose first size is its channels."""
    found = tuple(sizes)
    return found if len(found) == 3 else ChannelsFirst(found)


def numel(shape: Shape) -> int:
    """The number of elements of a tensor of this shape."""
    return int(math.prod(shape))


def count(value: Value) -> int:
    """The number of elements of a value, which may be several tensors.

    >>> count(((8, 4, 4), (8, 4, 4)))
    256
    """
    return sum(map(numel, value)) if is_parts(value) else numel(value)  # type: ignore[arg-type]


def words(value: Value) -> int:
    """The memory that a value takes, in numbers of float32; an integer takes that of two.

    >>> words((8, 4)), words(integers(10, False)((8, 4)))
    (32, 64)
    """
    return sum(numel(part) * (1 + is_integer(part)) for part in parts_of(value))


def _to_a_map(shape: Shape) -> str:
    """Help for a value that is not a feature map."""
    return "put it before the flatten, or use linear" if len(shape) == 1 else ""


MAPS: Final = {1: "channels × length", 2: "channels × height × width", 3: "channels × depth × height × width"}
"""Descriptions of values that windows slide over, by the number of axes."""


def require_map(shape: Shape, what: str, rank: int = 2) -> Shape:
    """`shape` if it is channels followed by `rank` axes, (channels, height, width); raises `ShapeError` otherwise."""
    if len(shape) != rank + 1:
        raise ShapeError(f"{what} expects {MAPS[rank]}, got {format_shape(shape)}", help=_to_a_map(shape))
    return shape if type(shape) is Unbatched else of_channels(shape)
