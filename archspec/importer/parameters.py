"""What differs between the uses of a block becomes its parameters; what follows from the input is an expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.importer.vocabulary import is_equal
from archspec.ops import OPS
from archspec.ops.base import fields_of

CHANNELS: Final = frozenset({
    "out_channels", "out_features", "groups", "num_groups", "shape", "num_heads", "num_parameters", "squeeze",
    "zero_bias",
})  # fmt: skip
"""Fields that count channels or features: only such may follow from one another, or from the input."""

COUNTS: Final = frozenset({"shape", "num_heads", "squeeze"})
"""Those that follow from the input's channels or from one another only: parts of other widths are a coincidence."""

_SHORT: Final = {"out_channels": "channels", "out_features": "features"}
_ABSENT: Final = object()
"""The value of a field in a use that lacks the item."""

NOT_GIVEN: Final = "=None"
"""The default of a parameter that need not be given, and its value where it is not."""

Vector = tuple[Any, ...]
"""The value of a field in each use of a block."""


class Parameters:
    """The parameters of one block, found field by field. `inputs` are the sizes of its `first` input in each use,
    `outputs` those of its value."""

    def __init__(
        self, inputs: Sequence[tuple[int, ...]], taken: set[str], first: str = "input",
        outputs: Sequence[tuple[int, ...]] = (),
    ) -> None:  # fmt: skip
        self.defaults: dict[str, Any] = {}
        """The parameters and their defaults, `None` for those that have none."""
        self.values: dict[str, Vector] = {}
        self.kinds: dict[str, str] = {}
        """The fields that the parameters are for."""
        self._inputs = inputs
        self._outputs = outputs
        self._first = first
        self._taken = taken
        self._known: list[tuple[str, str, Vector]] = []
        self._given: dict[str, Any] = {}
        """The defaults of the fields that the parameters are for."""
        self._compared: set[str] = set()
        """The words of conditions: a parameter among them has its default where it is not given."""

    def written(self, item: str, field: str, vector: Vector, default: Any = None) -> Any:
        """A field as it is written in the block: a value, or an expression."""
        spend(len(vector))
        first = next(value for value in vector if value is not _ABSENT)
        if all(value is _ABSENT or is_equal(value, first) for value in vector):
            return self._of_others(field, vector) or first
        if isinstance(first, list) and field != "values":
            parts = zip(*(_entries(value, len(first)) for value in vector), strict=True)
            return [self.written(item, field, part) for part in parts]
        return f"={self._expression(item, field, vector, default)}"

    def _of_others(self, field: str, vector: Vector) -> str | None:
        """The parameter that a field of the same kind has, if it is equal in those uses that have the item."""
        if _ABSENT not in vector or field not in CHANNELS:
            return None
        return next((f"={name}" for name, other, known in self._known if other == field and name in self.values
                     and all(v is _ABSENT or v == k for v, k in zip(vector, known, strict=True))), None)  # fmt: skip

    def condition(self, item: str, vector: Vector, widths: Vector, is_shortcut: bool) -> str:
        """The condition that says whether an item is there: that it changes the number of channels, to `widths`; that
        the block's shapes agree, if it belongs to a shortcut; that a parameter is given; or a parameter for nothing
        else."""
        found = next((way for way, values in self._conditions(widths, is_shortcut) if values == vector), None)
        self._compared.update((found or "").split())
        return found or self._of_given(vector) or self._flag(item, vector)

    def _conditions(self, widths: Vector, is_shortcut: bool) -> Iterator[tuple[str, Vector]]:
        """Conditions over the sizes of the first input, and whether they hold in each use."""
        if {len(sizes) for sizes in (*self._inputs, *self._outputs)} != {3}:
            return
        before = tuple(sizes[0] for sizes in self._inputs)
        wanted = tuple(own if width is _ABSENT else width for width, own in zip(widths, before, strict=True))
        if is_shortcut:
            yield from self._of_shapes(before, tuple(sizes[0] for sizes in self._outputs))
        for name, values in self.values.items():
            if self.kinds.get(name) == "out_channels" and values == wanted:
                yield f"{name} != {self._first}.channels", _differ(values, before)

    def _of_shapes(self, before: Vector, after: Vector) -> Iterator[tuple[str, Vector]]:
        """Whether the shapes before and after a block differ, or agree, as conditions over its stride and channels."""
        differ = tuple(one != other for one, other in zip(self._inputs, self._outputs, strict=True))
        known = {values: name for name, field, values in reversed(self._known) if field in CHANNELS}
        channels = known.get(after, str(after[0]) if len({*after}) == 1 else None)
        strides = [(name, "1", _differ(self._seen(name), (1,) * len(after)))
                   for name, field in self.kinds.items() if field == "stride"][:1]  # fmt: skip
        widths = [] if channels is None else [(f"{self._first}.channels", channels, _differ(before, after))]
        for parts in ([*strides, *widths], widths, strides):
            if tuple(map(any, zip(*(holds for _, _, holds in parts), strict=True))) == differ:
                yield " or ".join(f"{one} != {other}" for one, other, _ in parts), differ
                yield " and ".join(f"{one} == {other}" for one, other, _ in parts), tuple(not one for one in differ)

    def _of_given(self, vector: Vector) -> str | None:
        """That a parameter is given, which those uses do that have the item, and no others."""
        for name, values in self.values.items():
            if tuple(value is not _ABSENT for value in values) == vector and name not in self._compared:
                self.defaults[name] = NOT_GIVEN
                return f"{name} != None"
        return None

    def _seen(self, name: str) -> Vector:
        """The values of a parameter, with its default in uses that do not give it."""
        default = None if self.defaults[name] == NOT_GIVEN else self.defaults[name]
        return tuple(default if value is _ABSENT else value for value in self.values[name])

    def _flag(self, item: str, vector: Vector) -> str:
        for name, values in self.values.items():
            if values == vector and name.startswith("has_"):
                return name
        return self._new(f"has_{item}", vector, sum(vector) * 2 > len(vector))

    def count(self, name: str, vector: Vector) -> str:
        """A parameter for how often something is repeated."""
        known = next((other for other, values in self.values.items() if values == vector), None)
        return known or self._new(name, vector, None)

    def _expression(self, item: str, field: str, vector: Vector, default: Any) -> str:
        spend(len(self._known) * len(vector))
        plain = [known for known in self._known if known[0].isidentifier()]
        others = [known for known in self._known if not known[0].isidentifier()]
        for expression, other, known in [*plain, *self._of_input(field), *others]:
            if _related(field, other) and _agree(vector, known):
                return expression
        if (fuller := self._completed(field, vector)) is not None:
            return fuller
        derived = self._derived(field, vector)
        if derived is None:
            derived = self._new(self._name(item, field, vector), vector, default)
            self.kinds[derived] = field
        self._known.append((derived, field, vector))
        return derived

    def _completed(self, field: str, vector: Vector) -> str | None:
        """A parameter that some uses lack, and that has these values in all others: it has them in all uses."""
        for number, (name, other, known) in enumerate(self._known):
            if name not in self.values or _ABSENT not in known or not _related(field, other):
                continue
            if name in self._compared or self.defaults[name] == NOT_GIVEN:
                continue  # a condition relies on what it is where it is not given
            if _agree(tuple(v if k is not _ABSENT else k for v, k in zip(vector, known, strict=True)), known):
                whole = tuple(v if k is _ABSENT else k for v, k in zip(vector, known, strict=True))
                self._known[number] = name, other, whole
                self.values[name], self.defaults[name] = whole, self._default(whole, self._given[name])
                return name
        return None

    def _of_input(self, field: str) -> Iterator[tuple[str, str, Vector]]:
        """The channels or features of the input, where that is one number of dimensions in all uses."""
        if field not in CHANNELS or len(set(self._inputs)) < 2 or len({len(sizes) for sizes in self._inputs}) > 1:
            return
        if field in ("out_features", "zero_bias"):
            yield f"{self._first}.shape[-1]", field, tuple(sizes[-1] for sizes in self._inputs)
        if field != "zero_bias":
            name = f"{self._first}.channels" if len(self._inputs[0]) == 3 else f"{self._first}.shape[1]"
            yield name, field, tuple(sizes[0] for sizes in self._inputs)

    def _derived(self, field: str, vector: Vector) -> str | None:
        """An expression over another parameter, or over the input's channels."""
        from_others = () if field in COUNTS else self._known
        for name, other, known in [*self._of_input(field), *from_others]:
            if field == "padding" and other == "kernel_size" and _agree(vector, tuple(_half(k) for k in known)):
                return f"{name} // 2"
            if field == "padding" and other == "dilation" and _agree(vector, known):
                return str(name)
            if field not in CHANNELS or other not in CHANNELS or "*" in name or "//" in name:
                continue
            if any(k == NOT_GIVEN for k in known):
                continue
            for factor in (2, 3, 4, 6, 8):
                if _agree(vector, tuple(k if k is _ABSENT else k * factor for k in known)):
                    return f"{name} * {factor}"
                if _agree(
                    vector, tuple(k if k is _ABSENT else k // factor if k % factor == 0 else None for k in known)
                ):
                    return f"{name} // {factor}"
        return None

    def _name(self, item: str, field: str, vector: Vector) -> str:
        short = _SHORT.get(field, field)
        if field in _SHORT and "out_channels" not in self._taken and vector == self._widths(field):
            return field
        if short not in self._taken:
            return short
        return item if "." in item and field in CHANNELS else f"{item}_{short}"

    def _widths(self, field: str) -> Vector:
        """The channels or features of the block's value."""
        return tuple(sizes[0 if field == "out_channels" else -1] for sizes in self._outputs if sizes)

    def _new(self, name: str, vector: Vector, default: Any) -> str:
        base, number = name.replace(".", "_").replace("-", "_"), 1
        while (name := base if number == 1 else f"{base}{number}") in self._taken:
            number += 1
        self._taken.add(name)
        self.values[name], self._given[name] = vector, default
        self.defaults[name] = self._default(vector, default)
        return name

    @staticmethod
    def _default(vector: Vector, default: Any) -> Any:
        """The default of a parameter: that of its field if some use has it, and one for uses that lack the item."""
        known = [value for value in vector if value is not _ABSENT]
        if default in known:
            return default
        return None if len(known) == len(vector) else 0.0 if isinstance(known[0], float) else known[0]

    def arguments(self, number: int) -> dict[str, Any]:
        """The arguments of one use."""
        given = {name: vector[number] for name, vector in self.values.items()}
        return {
            name: value for name, value in given.items()
            if value is not _ABSENT and (self.defaults[name] is None or not is_equal(value, self.defaults[name]))
        }  # fmt: skip


def absent() -> Any:
    """Stands for the field of an item that is not there."""
    return _ABSENT


def _differ(ones: Vector, others: Vector) -> Vector:
    """Where two numbers differ."""
    return tuple(one is not _ABSENT and one != other for one, other in zip(ones, others, strict=True))


def _half(value: Any) -> Any:
    return value // 2 if isinstance(value, int) else value


def _entries(value: Any, count: int) -> Sequence[Any]:
    if value is _ABSENT:
        return [_ABSENT] * count
    assert isinstance(value, list)
    return value


def _agree(vector: Vector, known: Vector) -> bool:
    """Whether two fields are equal in every use that has both: at least two uses, with at least two values."""
    pairs = [(a, b) for a, b in zip(vector, known, strict=True) if a is not _ABSENT and b is not _ABSENT]
    if any(a is _ABSENT and b is not _ABSENT for b, a in zip(vector, known, strict=True)):
        return False
    return all(is_equal(a, b) for a, b in pairs) and len({repr(a) for a, _ in pairs}) > 1


def _related(field: str, other: str) -> bool:
    if field == other or {field, other} == {"shape", "num_heads"}:
        return True
    return field in CHANNELS and other in CHANNELS and not {field, other} & {"num_heads", "squeeze"}


def defaults_of(op: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an op's fields where they are not given."""
    found = {name: value for name, value in fields_of(OPS[op]).items() if value is not ...}
    if "stride" in found and found["stride"] is None:
        found["stride"] = fields.get("kernel_size")
    return found
