"""Pickles of tensors and plain data, evaluated without importing or calling anything.

A pickle is a program for a stack machine. This machine supports the opcodes that `torch.save` writes and the functions
that rebuild its tensors; a tensor becomes a `StoredTensor`, which says where its numbers are. Anything else is refused,
as `torch.load(weights_only=True)` refuses it. Nothing recurses, and every opcode is counted.

Overriding `find_class` of Python's `pickle.Unpickler` is not enough: BUILD sets attributes of any object, functions
included; duplicate keys are accepted; hashing nested tuples overflows the C stack; LONG_BINPUT allocates an array of
any length for the memo. Replacing these opcodes would be neither much shorter nor faster.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from archspec.expressions.sizes import is_whole
from archspec.ir.limits import MAX_PICKLE_STEPS
from archspec.weights.errors import WeightsFileError, WeightsLimitError


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the file: `count` of them, of one of torch's types."""

    key: str
    dtype: str
    count: int
    is_legacy: bool
    """Whether it is identified as in files from before PyTorch 1.6."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a storage: offset, shape and strides count numbers of its type."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Other:
    """A value that is recognised but not used here: a set, a device, a sparse tensor."""

    name: str


class Ordered(dict[Any, Any]):
    """An OrderedDict, with the attributes it was saved with."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: dict[Any, Any] = {}


def load(data: bytes, start: int = 0) -> tuple[Any, dict[str, Storage], int]:
    """Evaluate the pickle at `start`: its value, the storages it names, and where it ends.

    >>> load(b"\\x80\\x02X\\x01\\x00\\x00\\x00aK\\x07\\x86.")
    (('a', 7), {}, 12)

    Raises `WeightsFileError` if it is not a pickle of tensors and plain data, `WeightsLimitError` if it is too long.
    """
    machine = _Machine(data, start)
    try:
        return machine.run(), machine.storages, machine.position
    except (LookupError, TypeError, ValueError, AttributeError, struct.error):
        raise WeightsFileError("is damaged, or torch.save did not write it: its pickle cannot be read") from None


_STORAGES: Final[Mapping[str, str]] = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "QInt8Storage": "qint8", "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32", "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
}  # fmt: skip
"""The type of the numbers in each of torch's classes of storage."""

_TYPES: Final = frozenset({
    "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool", "complex128", "complex64",
    "complex32",
})  # fmt: skip
"""The types that a tensor in the third format (`_rebuild_tensor_v3`) may have."""

_OTHERS: Final = frozenset({
    "torch.Size", "torch.device", "torch.serialization._get_layout", "collections.Counter", "_codecs.encode",
    "builtins.bytearray", "__builtin__.bytearray", "builtins.set", "__builtin__.set", "builtins.complex",
    "__builtin__.complex", "torch.per_tensor_affine", "torch.per_channel_affine", "torch.per_tensor_symmetric",
    "torch.per_channel_symmetric", "torch.per_channel_affine_float_qparams", "torch.Tensor",
    "torch.nn.parameter.Parameter",
})  # fmt: skip
"""Names that `torch.load(weights_only=True)` accepts, too, but that no state_dict here needs."""

_UNUSUAL: Final = {
    "torch._utils._rebuild_sparse_tensor": "sparse tensor",
    "torch._utils._rebuild_qtensor": "quantised tensor",
    "torch._utils._rebuild_nested_tensor": "nested tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "tensor without data",
    "torch._utils._rebuild_wrapper_subclass": "tensor subclass",
    "torch._utils._rebuild_device_tensor_from_numpy": "tensor of another device",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": "tensor of another device",
}
"""Functions of torch that rebuild tensors of other kinds than dense numbers in a storage."""


@dataclass(frozen=True)
class _Class:
    """A class of storages, or a type of numbers, by the type's name."""

    dtype: str
    is_storage: bool


_Function = Callable[..., Any]

_KEYS: Final = (str, int, float, bytes, type(None))


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, dtype: str | None = None) -> StoredTensor:
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise TypeError("a tensor needs a storage, a shape and strides")
    if {*map(type, (offset, *shape, *strides))} != {int}:
        raise TypeError("sizes are integers")
    return StoredTensor(storage, dtype or storage.dtype, offset, shape, strides)


def _tensor_v2(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, metadata: Any = None
) -> StoredTensor | Other:  # fmt: skip
    made = _tensor(storage, offset, shape, strides)
    _require(isinstance(grad, bool) and isinstance(hooks, Ordered))
    _require(not grad or made.dtype.startswith(("float", "bfloat", "complex")))  # only these have gradients
    return Other("lazily negated tensor") if metadata else made


def _tensor_v3(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> StoredTensor | Other:  # fmt: skip
    _require(isinstance(grad, bool) and isinstance(hooks, Ordered) and isinstance(dtype, _Class))
    _require(not dtype.is_storage)
    return Other("lazily negated tensor") if metadata else _tensor(storage, offset, shape, strides, dtype.dtype)


def _parameter(data: Any, grad: Any, hooks: Any, state: Any = None) -> Any:
    _require(isinstance(data, StoredTensor | Other) and isinstance(grad, bool) and isinstance(hooks, Ordered))
    return data


def _typed(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """A tensor with attributes, which are ignored."""
    _require(isinstance(kind, Other) and function in (_tensor_v2, _tensor_v3, _parameter))
    return function(*arguments)


def _ordered(*arguments: Any) -> Ordered:
    made = Ordered()
    for pairs in arguments:
        for key, value in pairs:
            _set(made, key, value)
    return made


_FUNCTIONS: Final[Mapping[str, _Function]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _typed,
}


def _require(fits: bool) -> None:
    if not fits:
        raise TypeError("not an argument that torch.save writes")


def _set(mapping: Any, key: Any, value: Any) -> None:
    """Set an item. Keys must be plain values: hashing nested tuples could recurse to any depth."""
    if not isinstance(mapping, dict) or not isinstance(key, _KEYS):
        raise TypeError("not a mapping, or not a key")
    if key in mapping:
        shown = str(key)
        raise WeightsFileError(f"has the key '{shown[:60]}' twice")
    mapping[key] = value


def _global(name: str) -> Any:
    """The meaning of a name in the pickle; raises `WeightsFileError` for anything that could run code."""
    owner, _, last = name.rpartition(".")
    if owner in ("torch", "torch.cuda") and last in _STORAGES:
        return _Class(_STORAGES[last], True)
    if name == "torch.storage.UntypedStorage":
        return _Class("untyped", True)
    if owner == "torch" and last in _TYPES:
        return _Class(last, False)
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name in _OTHERS or name in _UNUSUAL:
        return Other(_UNUSUAL.get(name, name))
    help = "it is not read, since that could run code; save the state_dict alone"
    raise WeightsFileError(f"holds Python objects other than tensors: {name[:100]}", help=help)


class _Machine:
    """The state of evaluating one pickle: its bytes, the stack, the stacks below each mark, and the memo."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.position = data, start
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def run(self) -> Any:
        """The value of the pickle."""
        data, known = self.data, _OPCODES.get
        for _ in range(MAX_PICKLE_STEPS):
            opcode = data[self.position]
            self.position += 1
            step = known(opcode)
            if step is None:
                return self.ended(opcode)
            step(self)
        raise WeightsLimitError(f"has a pickle of more than {MAX_PICKLE_STEPS:,} steps")

    def ended(self, opcode: int) -> Any:
        """The value, if the pickle ends with this opcode and nothing is left over."""
        if opcode != _STOP:
            raise WeightsFileError(f"is not a PyTorch checkpoint of pickle protocol 2: it has the opcode {opcode}")
        (value,) = self.stack
        _require(not self.marked)
        return value

    # -- reading --------------------------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        """The next bytes."""
        found = self.data[self.position : self.position + count]
        self.position += count
        if len(found) < count:
            raise IndexError("the pickle is cut off")
        return found

    def number(self, count: int, signed: bool = False) -> int:
        """The next bytes as an integer."""
        end = self.position = self.position + count
        if end > len(self.data):
            raise IndexError("the pickle is cut off")
        return int.from_bytes(self.data[end - count : end], "little", signed=signed)

    def byte(self) -> int:
        """The next byte."""
        self.position += 1
        return self.data[self.position - 1]

    def line(self) -> str:
        """The text up to the end of the line."""
        end = self.data.index(b"\n", self.position)
        text, self.position = self.data[self.position : end], end + 1
        return text.decode("utf-8")

    def since_mark(self) -> list[Any]:
        """The values above the last mark, which is removed."""
        values, self.stack = self.stack, self.marked.pop()
        return values

    # -- opcodes --------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Begin a list of arguments."""
        self.marked.append(self.stack)
        self.stack = []

    def push_global(self) -> None:
        """Push the meaning of a name."""
        self.stack.append(_global(f"{self.line()}.{self.line()}"))

    def push_double(self) -> None:
        """Push a float."""
        self.stack.append(struct.unpack(">d", self.take(8))[0])

    def last(self, count: int) -> list[Any]:
        """The last values, which are removed."""
        values = [self.stack.pop() for _ in range(count)]
        return values[::-1]

    def push_tuple(self, values: list[Any]) -> None:
        """Push a tuple."""
        self.stack.append(tuple(values))

    def get(self, number: int) -> None:
        """Push a value from the memo."""
        self.stack.append(self.memo[number])

    def put(self, number: int) -> None:
        """Store the last value in the memo."""
        self.memo[number] = self.stack[-1]

    def append(self, values: list[Any]) -> None:
        """Append to the list that is the last value."""
        if type(self.stack[-1]) is not list:
            raise TypeError("not a list")
        self.stack[-1].extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Set the items of the mapping that is the last value."""
        for key, value in zip(values[::2], values[1::2], strict=True):
            _set(self.stack[-1], key, value)

    def call(self) -> None:
        """Rebuild a tensor or a mapping; anything else that torch accepts becomes an `Other`."""
        arguments, function = self.stack.pop(), self.stack.pop()
        _require(isinstance(arguments, tuple))
        if isinstance(function, Other):
            self.stack.append(function)
        else:
            _require(function in _FUNCTIONS.values())
            self.stack.append(function(*arguments))

    def create(self) -> None:
        """Make an object of a class that torch accepts."""
        arguments, kind = self.stack.pop(), self.stack.pop()
        _require(isinstance(arguments, tuple) and (isinstance(kind, Other) or (kind is _ordered and not arguments)))
        self.stack.append(kind if isinstance(kind, Other) else Ordered())

    def build(self) -> None:
        """Set the attributes of an OrderedDict."""
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, Ordered):
            _require(isinstance(state, dict))
            made.attributes.update(state)
        else:
            _require(isinstance(made, Other))

    def push_storage(self) -> None:
        """Push the storage that a persistent identifier names."""
        tag, kind, key, _, count, *view = self.stack.pop()
        _require(tag == "storage" and isinstance(kind, _Class) and kind.is_storage and view in ([], [None]))
        _require(isinstance(key, str) and is_whole(count) and count >= 0)
        found = Storage(key, kind.dtype, count, bool(view))
        if self.storages.setdefault(key, found) != found:
            raise WeightsFileError(f"is damaged: it has two storages '{key[:60]}'")
        self.stack.append(found)


_STOP: Final = ord(".")

_OPCODES: Final[Mapping[int, Callable[[_Machine], Any]]] = {
    ord("\x80"): lambda m: m.take(1),
    ord("("): _Machine.mark,
    ord("c"): _Machine.push_global,
    ord("G"): _Machine.push_double,
    ord("N"): lambda m: m.stack.append(None),
    ord("\x88"): lambda m: m.stack.append(True),
    ord("\x89"): lambda m: m.stack.append(False),
    ord("J"): lambda m: m.stack.append(m.number(4, signed=True)),
    ord("K"): lambda m: m.stack.append(m.byte()),
    ord("M"): lambda m: m.stack.append(m.number(2)),
    ord("\x8a"): lambda m: m.stack.append(m.number(m.byte(), signed=True)),
    ord("X"): lambda m: m.stack.append(m.take(m.number(4)).decode("utf-8")),
    ord("U"): lambda m: m.stack.append(m.take(m.byte()).decode("utf-8")),
    ord(")"): lambda m: m.stack.append(()),
    ord("]"): lambda m: m.stack.append([]),
    ord("}"): lambda m: m.stack.append({}),
    ord("\x8f"): lambda m: m.stack.append(Other("set")),
    ord("t"): lambda m: m.push_tuple(m.since_mark()),
    ord("\x85"): lambda m: m.push_tuple(m.last(1)),
    ord("\x86"): lambda m: m.push_tuple(m.last(2)),
    ord("\x87"): lambda m: m.push_tuple(m.last(3)),
    ord("h"): lambda m: m.get(m.byte()),
    ord("j"): lambda m: m.get(m.number(4)),
    ord("q"): lambda m: m.put(m.byte()),
    ord("r"): lambda m: m.put(m.number(4)),
    ord("a"): lambda m: m.append(m.last(1)),
    ord("e"): lambda m: m.append(m.since_mark()),
    ord("s"): lambda m: m.set_items(m.last(2)),
    ord("u"): lambda m: m.set_items(m.since_mark()),
    ord("R"): _Machine.call,
    ord("\x81"): _Machine.create,
    ord("b"): _Machine.build,
    ord("Q"): _Machine.push_storage,
}
"""The action of each opcode; their names are in the standard library's `pickletools`."""
