"""The base class of ops: fields, shape rule, parameters, MACs, and how the op is written in torch."""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from archspec.diagnostics.validation import StrictModel
from archspec.expressions.sizes import plain
from archspec.ops.call import ALL_INPUTS, MODULE, TRAINING, Argument, Call, Input
from archspec.ops.fields import Pair, PositivePair, Probability, Size, each
from archspec.ops.shapes import (
    ChannelsFirst,
    ChannelsLast,
    Folded,
    Shape,
    ShapeError,
    Unbatched,
    Value,
    count,
    folded_of,
    format_shape,
    integers,
    is_integer,
    is_parts,
    numel,
    of_channels,
    parts_of,
    require_map,
    samples,
    with_folded,
    without_folded,
)
from archspec.ops.window import Windows, same

__all__ = [
    "ALL_INPUTS", "MODULE", "TRAINING", "Argument", "Call", "ChannelsFirst", "ChannelsLast", "Input", "Op", "Pair",
    "PositivePair", "Probability", "Shape", "ShapeError", "Size", "Unbatched", "Unsupported", "Value", "count", "each",
    "fields_of", "format_shape", "numel", "of_channels", "require_map", "without_batch",
]  # fmt: skip
"""What the file of an op of your own may need: it imports all of it from here."""


class Unsupported(Exception):
    """A module or a call of torch that an op has no form for; the message is what stands in the way."""


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
    needs_dimensions: ClassVar[bool] = True
    """Whether inputs must have dimensions besides the batch; those of an op that is elementwise need not."""
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
    """Whether it only moves the numbers of its first input, which may therefore be integers."""
    batch_only: ClassVar[frozenset[int]] = frozenset()
    """The numbers of the inputs of which nothing but the number of samples is read, which is that of any value."""
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
    """Rates: fields in which the blocks of a stage may differ and still be drawn, listed and counted as one. No shape,
    count or receptive field depends on them."""
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
            lacks_dimensions = self.needs_dimensions and not shape
            if not self.elementwise and (lacks_dimensions or (self.needs_batch and type(shape) is Unbatched)):
                raise ShapeError(*_unfit(self.kind, number, len(inputs), shape))
        if any(isinstance(shape, Folded) for shape in inputs):
            return self._in_folded_batch(*inputs)
        return self._moved(*inputs) if self.carries_integers and is_integer(inputs[0]) else self.infer(*inputs)

    def _in_folded_batch(self, *inputs: Shape) -> Value:
        """The output's shape where the batch holds dimensions of each sample: they stay in it."""
        batches = dict.fromkeys(folded_of(shape) for shape in inputs if not isinstance(shape, Unbatched))
        if len(batches) > 1:
            raise ShapeError(*_of_other_batches(self.kind, inputs))
        (batch,) = batches
        output = self.yields(*map(without_folded, inputs))
        made = [
            part if isinstance(part, Unbatched) else with_folded(part, (*batch, *folded_of(part)))
            for part in parts_of(output)
        ]
        return tuple(made) if is_parts(output) else made[0]

    def _moved(self, *inputs: Shape) -> Value:
        """The output's shape where the first input holds integers."""
        first, *others = inputs
        below: int | None = getattr(first, "below", None)
        plain = Unbatched(first) if isinstance(first, Unbatched) else tuple(first)
        output = self.infer(plain, *others)
        made = [integers(below, isinstance(part, Unbatched))(part) for part in parts_of(output)]
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

    def macs_of_sample(self, inputs: tuple[Shape, ...], output: Value) -> int:
        """The multiply-accumulates for one sample of the network, whose dimensions may be in the batch."""
        return self.macs(inputs, output) * samples(output)

    def is_random(self) -> bool:
        """Whether it draws random numbers in training, even if nothing reads its value."""
        return self.role == "dropout"

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        """About how many numbers are read, multiplied and written for one sample, as a measure of its run time.

        The default is right for ops that read each number of their inputs a few times, apart from their MACs.
        """
        return self.macs_of_sample(inputs, output) + sum(map(count, (*inputs, output)))

    @classmethod
    def is_of(cls, modules: frozenset[str | None]) -> bool:
        """Whether its modules are instances of one of these torch classes, or of a class derived from one."""
        return not modules.isdisjoint((cls.module, *cls.extends))

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

    def non_default_fields(self) -> dict[str, Any]:
        """The fields that differ from torch's defaults: the keyword arguments of a function."""
        defaults = fields_of(type(self))
        return {name: value for name, value in self.__dict__.items() if value != defaults[name]}

    def all_fields(self) -> dict[str, Any]:
        """All fields as they are given, those that the user named included."""
        return dict(self) if self.model_extra else {name: self.__dict__[name] for name in fields_of(type(self))}

    def computed_fields(self, *inputs: Shape) -> dict[str, Any]:
        """The fields in one form where several mean the same for these inputs: one number instead of equal ones for all
        axes, for example."""
        return {name: _for_all_axes(value, self.rank) for name, value in self.all_fields().items()}

    def module_call(self, *inputs: Shape) -> Call | None:
        """How its module is called, with `MODULE` as the target; `None` if it is called on the inputs unchanged."""
        return None

    def inner_modules(self, *inputs: Shape) -> dict[str, tuple["Op", Shape]]:
        """Modules inside its own that initialisation rules apply to: the op of each, and the shape of its input."""
        return {}

    def function(self, *inputs: Shape) -> Call | None:
        """The equivalent call without a module, or `None` if there is none."""
        return None

    def left_out(self, name: str) -> Any:
        """What an argument of `function` is where its call leaves it out: torch's default; `...` if it has none."""
        return fields_of(type(self)).get(name, ...)

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


def _for_all_axes(value: Any, rank: int) -> Any:
    is_one = isinstance(value, tuple) and len(value) == rank and len(set(map(repr, value))) == 1
    return value[0] if is_one else value


Op.__annotations__.clear()  # none belongs to a field, and Pydantic would evaluate them again for each op


def _unfit(kind: str, number: int, count: int, shape: Shape) -> tuple[str, str]:
    """Message and help for an input without a batch dimension, or with no other dimension."""
    if shape:
        return without_batch(kind, number, count)
    return f"{kind}: {_which(number, count)} has no dimensions (it is a single number per sample)", (
        "keep them: keepdim: true"
    )


def _of_other_batches(kind: str, inputs: tuple[Shape, ...]) -> tuple[str, str]:
    """Message and help for inputs whose batches hold different dimensions."""
    return (
        f"{kind}: the batches of its inputs hold different dimensions, {' and '.join(map(format_shape, inputs))}",
        "unflatten_batch takes them out of the batch again",
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
def is_own(kind: type[Op]) -> bool:
    """Whether an op's class is the user's, and not one of archspec's."""
    return not kind.__module__.startswith("archspec.")


def fields_of(kind: type[Op]) -> dict[str, Any]:
    """The fields of an op's class with their defaults; `...` for a required field."""
    return {name: ... if info.is_required() else info.default for name, info in kind.model_fields.items()}
