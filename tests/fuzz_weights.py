"""Fuzzing of weights files by their structure: zip archives, pickles and the headers of safetensors.

Whatever a file holds, `checkpoint.read` must end soon, with the tensors that `torch.load(weights_only=True)` or
`safetensors.torch.load_file` give, or with a `SpecError`. Never other numbers, another exception, or a crash.

The suite runs a few hundred inputs (`test_weights_files.py`). To run it for half an hour:

    python tests/fuzz_weights.py /tmp/fuzz_weights --minutes 30

`/tmp/fuzz_weights` is made if need be: `current.pt` or `current.safetensors` is the input at hand, which a crash leaves
behind; `finding-1.pt` and so on are inputs, with what they led to in `finding-1.txt`; `report.txt` has the numbers.
"""

from __future__ import annotations

import argparse
import io
import json
import pickletools
import random
import resource
import struct
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from archspec.diagnostics.diagnostic import SpecError
from archspec.weights import checkpoint

HANG = 2.0
"""Seconds of CPU that no input may take."""

EDGES = (0, 1, 2, 3, 7, 8, 22, 255, 256, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
"""Numbers at the limits of the fields they are in."""


# -- what the inputs begin as -------------------------------------------------------------------------------------


def state() -> dict[str, Tensor]:
    """Tensors of many types and layouts, two of which share memory."""
    torch.manual_seed(0)
    base = torch.randn(6, 4)
    return {
        **nn.BatchNorm1d(4).state_dict(), "conv.weight": torch.randn(4, 3, 3, 3), "half": torch.randn(5).half(),
        "rows": base[2:5], "transposed": base.t(), "columns": base[:, 1], "expanded": torch.ones(1).expand(7),
        "bfloat": torch.randn(3).bfloat16(), "scalar": torch.tensor(3.5), "empty": torch.empty(0, 4),
        "double": torch.randn(2).double(), "bytes": torch.arange(9, dtype=torch.uint8), "flags": torch.ones(3).bool(),
    }  # fmt: skip


def torch_state() -> Any:
    """The same as torch saves it: in order, with parameters, attributes, types without storages of their own."""
    found: Any = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict()
    found.update(state())
    found["parameter"] = nn.Parameter(torch.randn(3))
    found["attributes"] = torch.randn(2)
    found["attributes"].note = "of no use"
    found._archspec = {"a": "b"}
    return found


def saved(value: Any, **options: Any) -> bytes:
    """The bytes that `torch.save` writes."""
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def seeds() -> list[tuple[str, bytes]]:
    """Files that must be read: their suffixes and contents."""
    dense = {key: tensor.contiguous().clone() for key, tensor in state().items()}
    return [
        (".pt", saved(torch_state())),
        (".pt", saved({**state(), "untyped": torch.arange(4).to(torch.uint16)})),
        (".pt", saved({"w": torch.randn(3)})),
        (".pt", saved(torch_state(), _use_new_zipfile_serialization=False)),
        (".pt", saved({"w": torch.randn(3)}, _use_new_zipfile_serialization=False)),
        (".safetensors", safetensors.torch.save(dense, {"format": "pt", "b": "c"})),
        (".safetensors", safetensors.torch.save({"w": torch.randn(3), "v": torch.ones(2, 2)})),
    ]


# -- mutations ----------------------------------------------------------------------------------------------------


def mutate(suffix: str, data: bytes, chance: random.Random) -> bytes:
    """An input with one to three changes to its structure."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        ways = _SAFETENSORS if suffix == ".safetensors" else _ZIP if data[:2] == b"PK" else _LEGACY
        data = chance.choice(ways)(data, chance)
    return data


def _truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _inserted(data: bytes, chance: random.Random) -> bytes:
    place = chance.choice((0, len(data), chance.randrange(len(data) + 1)))
    return data[:place] + chance.randbytes(chance.choice((1, 4, 22, 100))) + data[place:]


def _number_changed(data: bytes, chance: random.Random) -> bytes:
    """A field of 2, 4 or 8 bytes behind a signature of zip, with a number at an edge or next to its own."""
    signature = chance.choice(
        (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08")
    )
    places = [place for place in range(len(data)) if data.startswith(signature, place)]
    if not places:
        return _flipped(data, chance)
    place = chance.choice(places) + chance.randrange(4, 48, 2)
    width = chance.choice((2, 4, 8))
    own = int.from_bytes(data[place : place + width], "little")
    number = chance.choice((*EDGES, own + 1, own - 1, own + 64, own ^ 1)) % (1 << 8 * width)
    return data[:place] + number.to_bytes(width, "little") + data[place + width :]


Records = list[tuple[str, bytes, int]]
"""Names, contents, and how they are compressed."""


def _rezipped(data: bytes, chance: random.Random) -> bytes:
    """The records in another archive: compressed, resized, swapped, renamed, twice, missing or changed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            records: Records = [(info.filename, archive.read(info), zipfile.ZIP_STORED) for info in archive.infolist()]
    except Exception:  # an earlier change made it unreadable
        return _flipped(data, chance)
    if records:
        chance.choice(_RECORDS)(records, chance)
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content, method in records:
            archive.writestr(name, content, method)
    return file.getvalue()


def _compress(records: Records, chance: random.Random) -> None:
    everything = chance.random() < 0.5
    method = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED))
    for place, (name, content, _) in enumerate(records):
        if everything or chance.random() < 0.2:
            records[place] = (name, content, method)


def _resize(records: Records, chance: random.Random) -> None:
    place = chance.randrange(len(records))
    name, content, method = records[place]
    longer = content + b"\0" * chance.choice((1, 4, 8, 100))
    records[place] = (name, chance.choice((longer, content[:-1], content[: len(content) // 2], b"")), method)


def _swap(records: Records, chance: random.Random) -> None:
    one, two = chance.randrange(len(records)), chance.randrange(len(records))
    if chance.random() < 0.5:  # their contents only
        first, second = records[one], records[two]
        records[one], records[two] = (first[0], second[1], first[2]), (second[0], first[1], second[2])
    else:
        records[one], records[two] = records[two], records[one]


def _rename(records: Records, chance: random.Random) -> None:
    place = chance.randrange(len(records))
    name, content, method = records[place]
    names = (name.upper(), name + "/", "x" + name, name.replace("/", "//"), chance.choice(records)[0], "/", "é/" + name)
    records[place] = (chance.choice(names), content, method)


def _double(records: Records, chance: random.Random) -> None:
    name, content, method = chance.choice(records)
    twin = chance.choice((name, name.upper())), chance.choice((content, content[::-1], chance.randbytes(8))), method
    records.insert(chance.randrange(len(records) + 1), twin)


def _remove(records: Records, chance: random.Random) -> None:
    del records[chance.randrange(len(records))]


def _rewrite(records: Records, chance: random.Random) -> None:
    """Other text in one of the records that say how the others are written."""
    texts = (b"big", b"little", b"1", b"3\n", b"0", b"11\n", b"10\n", b"-1", b"x", b"", b"64", b"\xff", b"9" * 5000)
    small = [place for place, (name, *_) in enumerate(records) if not name.endswith(".pkl") and "/data/" not in name]
    place = chance.choice(small or [0])
    records[place] = (records[place][0], chance.choice(texts), records[place][2])


def _repickle(records: Records, chance: random.Random) -> None:
    for place, (name, content, method) in enumerate(records):
        if name.endswith("data.pkl"):
            records[place] = (name, _pickle(content, chance), method)


_RECORDS: tuple[Callable[[Records, random.Random], None], ...] = (
    _compress, _resize, _swap, _rename, _double, _remove, _rewrite, _repickle, _repickle, _repickle,
)  # fmt: skip


def _pickle_changed(data: bytes, chance: random.Random) -> bytes:
    """Another pickle of the same length in the same place, so that nothing else of the file changes."""
    start = data.find(b"\x80\x02")
    end = data.find(b".", start) if chance.random() < 0.3 else data.rfind(b"ub.", start) + 3
    if start < 0 or end <= start:
        return _flipped(data, chance)
    changed = _pickle(data[start:end], chance)
    return data[:start] + changed[: end - start].ljust(end - start, b".") + data[end:]


def _pickle(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.4:
        return chance.choice(_PICKLES)(chance)
    try:
        starts = [place for _, _, place in pickletools.genops(data) if place is not None]
    except Exception:  # an earlier change made it unreadable
        return _flipped(data, chance)
    steps = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    for _ in range(chance.randint(1, 3)):
        _change_steps(steps, chance)
    return b"".join(steps)


def _change_steps(steps: list[bytes], chance: random.Random) -> None:
    place, other = chance.randrange(len(steps)), chance.randrange(len(steps))
    match chance.randrange(5):
        case 0 if len(steps) > 1:
            del steps[place]
        case 1:
            steps.insert(other, steps[place])
        case 2:
            steps[place], steps[other] = steps[other], steps[place]
        case 3:
            steps[place] = chance.choice(
                (_number(chance), b"N", b"}", b"]", b")", b"(", b"t", b"Q", b"R", b"\x81", b"b")
            )
        case _:
            numbers = [at for at, step in enumerate(steps) if step[:1] in b"KMJ\x8a"]
            steps[chance.choice(numbers or [place])] = _number(chance)


def _number(chance: random.Random) -> bytes:
    return _emitted(chance.choice((*EDGES, *EDGES[:8], *EDGES[:8], -1, -2, -(1 << 63))))


@dataclass(frozen=True)
class Name:
    """A global in a pickle."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call in a pickle."""

    function: Name
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Persistent:
    """A persistent identifier in a pickle."""

    value: Any


def _emitted(value: Any) -> bytes:
    """The opcodes that push a value."""
    match value:
        case None | True | False:
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        case int():
            text = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(text)]) + text
        case str():
            text = value.encode("utf-8", "surrogatepass")
            return b"X" + struct.pack("<I", len(text)) + text
        case tuple():
            return b"(" + b"".join(map(_emitted, value)) + b"t"
        case dict():
            return b"}(" + b"".join(_emitted(k) + _emitted(v) for k, v in value.items()) + b"u"
        case Name(module, name):
            return f"c{module}\n{name}\n".encode()
        case Call(function, arguments):
            return _emitted(function) + _emitted(arguments) + b"R"
        case Persistent(inner):
            return _emitted(inner) + b"Q"
    raise TypeError(f"{value!r} is not emitted")


ORDERED = Call(Name("collections", "OrderedDict"), ())
KINDS = ("Float", "Double", "Half", "Long", "Int", "Byte", "Bool", "Untyped", "ComplexFloat", "QInt8", "Quint")


def _tensor_pickle(chance: random.Random) -> bytes:
    """A pickle of one or two tensors with some wrong argument."""
    return b"\x80\x02" + _emitted({key: _random_tensor(chance) for key in ("w", "v")[: chance.randint(1, 2)]}) + b"."


def _random_tensor(chance: random.Random) -> Any:
    def edge(usual: Any, *others: Any) -> Any:
        return chance.choice(others) if chance.random() < 0.15 else usual

    kind = Name(edge("torch", "torch.cuda", "torch.storage", "os"), f"{edge('Float', *KINDS)}Storage")
    count = edge(3, 0, 1, 2, 4, -1, 1 << 62, 1 << 64)
    storage = ("storage", kind, edge("0", "1", "2", "", "x", "../version", 0), edge("cpu", "cuda:0", "meta"), count)
    size = edge((3,), (), (2,), (4,), (3, 0), (1 << 40, 1 << 40), (-1,), (1,) * 70, (1, 1, 3), (1 << 62,), (3, 1 << 62))
    stride = edge(tuple(1 for _ in size), (2,), (0,), (-1,), (1 << 62,), (1, 1), tuple(0 for _ in size))
    arguments = (Persistent(edge(storage, (*storage, None))), edge(0, 1, 3, -1, 1 << 61), size, stride)
    version = edge("2", "", "3")
    grads = (None, 0) if version == "3" else (True, None)  # torch writes True in version 3, and cannot read it
    more: tuple[Any, ...] = () if not version else (edge(False, *grads), edge(ORDERED, None, {}))
    if version == "3":
        more += (Name("torch", edge("float32", "int32", "uint8", "float64", "bogus")),)
    elif version and chance.random() < 0.1:
        more += (edge({"neg": True}, {"conj": False}, {}, None, 3),)
    name = f"_rebuild_tensor{'_v' * bool(version)}{version}"
    return Call(Name("torch._utils", name), arguments + more)


def _nested_pickle(chance: random.Random) -> bytes:
    """Tuples in tuples, as a key or as a value, deeper than a C stack."""
    deep = b")" + b"\x85" * chance.choice((10, 2000, 300_000))
    return b"\x80\x02}" + chance.choice((deep + b"K\x01s.", b"K\x01" + deep + b"s.", deep + deep + b"s."))


def _doubling_pickle(chance: random.Random) -> bytes:
    """A list of two of a list of two of …, by way of the memo."""
    return b"\x80\x02}X\x01\x00\x00\x00w" + doubled(chance.choice((3, 40, 200))) + b"s."


def doubled(times: int) -> bytes:
    """Opcodes that push a list, a list of it twice, a list of that twice, …, all in one tuple."""
    return b"(]q\x00" + b"".join(b"](h%ch%ceq%c" % (n, n, n + 1) for n in range(times)) + b"t"


def _far_memo_pickle(chance: random.Random) -> bytes:
    """Values that are remembered under large numbers, which an array would have to hold."""
    return (
        b"\x80\x02}"
        + b"".join(b"r" + struct.pack("<I", (1 << 32) - 1 - n) for n in range(chance.choice((1, 99))))
        + b"."
    )


def _surrogate_pickle(chance: random.Random) -> bytes:
    return b"\x80\x02" + _emitted({chance.choice(("\ud800", "a\n\x1b[2J", "k" * 600)): _random_tensor(chance)}) + b"."


_PICKLES: tuple[Callable[[random.Random], bytes], ...] = (
    *[_tensor_pickle] * 12, _nested_pickle, _doubling_pickle, _far_memo_pickle, _surrogate_pickle,
)  # fmt: skip


def _header_changed(data: bytes, chance: random.Random) -> bytes:
    """Another header in front of the same numbers."""
    try:
        length = int.from_bytes(data[:8], "little")
        header, numbers = json.loads(data[8 : 8 + length]), data[8 + length :]
        text = json.dumps(_changed_header(header, chance)) if isinstance(header, dict) else "{}"
    except (ValueError, TypeError, RecursionError):  # an earlier change made it unreadable
        return _flipped(data, chance)
    text = chance.choice(_TEXTS)(text, chance) if chance.random() < 0.3 else text
    encoded = text.encode("utf-8", "surrogatepass")
    wrong = len(encoded) + chance.choice((1, -1, 8, len(numbers), len(numbers) + 1)), *EDGES, 99_999_999, 100_000_001
    claimed = chance.choice(wrong) if chance.random() < 0.15 else len(encoded)
    return (claimed % (1 << 64)).to_bytes(8, "little") + encoded + numbers


TYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "F8_E4M3",
         "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "C64", "X", None, 3, "")  # fmt: skip


SHAPES: tuple[Any, ...] = (
    [], [0], [1], [3], [1, 3], [-1], [1 << 32, 1 << 32], [1 << 63], [0, 1 << 63], [1.0], None, [[3]], [1] * 70,
)  # fmt: skip


def _changed_header(header: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    key, other = chance.choice(list(header) or ["w"]), chance.choice(list(header) or ["w"])
    entry = header.get(key)
    if not isinstance(entry, dict) or "data_offsets" not in entry:
        header[key] = chance.choice(({}, [], None, 3, "x", {"a": 1}, {"a": None}, {"a": "b"}))
        return header
    match chance.randrange(6):
        case 0:
            place = chance.randrange(len(entry["data_offsets"]) or 1)
            own = (entry["data_offsets"] or [0])[place % 2 - 1]
            entry["data_offsets"] = [*entry["data_offsets"][:place], chance.choice(
                (*EDGES, -1, 1.5, None, "0", own if not isinstance(own, int) else own + chance.choice((-4, -1, 1, 4)))
            ), *entry["data_offsets"][place + 1 :]]  # fmt: skip
        case 1:
            entry["dtype"] = chance.choice(TYPES)
        case 2:
            entry["shape"] = chance.choice((*SHAPES, [*(entry.get("shape") or ()), 1]))
        case 3 if isinstance(header.get(other), dict):
            header[key], header[other] = header[other], header[key]
        case 4:
            del header[key]
        case _:
            header[chance.choice(("new", "__metadata__", "\ud800", "é", "k" * 600, ""))] = dict(entry)
    return header


def _repeated_key(text: str, chance: random.Random) -> str:
    first = text.partition("},")[0].removeprefix("{")
    return "{" + first + "}, " + text[1:] if first else text


def _deep(text: str, chance: random.Random) -> str:
    depth = chance.choice((3, 120, 900, 5000, 200_000))
    return text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"


def _spaced(text: str, chance: random.Random) -> str:
    return chance.choice(
        (" " + text, text + " " * 9, text + "\0", text + "{}", "\ufeff" + text, text.replace('"', "'"))
    )


_TEXTS: tuple[Callable[[str, random.Random], str], ...] = (_repeated_key, _deep, _spaced)
_BYTES = (_truncated, _flipped, _inserted)
_ZIP = (*_BYTES, *[_number_changed] * 6, *[_rezipped] * 10)
_LEGACY = (*_BYTES, *[_pickle_changed] * 4)
_SAFETENSORS = (*_BYTES, *[_header_changed] * 8)


# -- the property -------------------------------------------------------------------------------------------------


class DifferenceError(Exception):
    """archspec and the oracle disagree."""


def read(file: Path) -> dict[str, Tensor]:
    """The tensors that archspec reads."""
    found = checkpoint.read(file)
    tensors = {key: found.tensor(key) for key in found.shapes}
    if {key: tuple(tensor.shape) for key, tensor in tensors.items()} != dict(found.shapes):
        raise DifferenceError("a tensor has another shape than was said")
    return tensors


def expected(file: Path) -> dict[str, Tensor]:
    """The tensors that the format's own reader gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        found: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
        return found


def compare(file: Path) -> bool:
    """Whether archspec reads a file. Raises for anything but the oracle's tensors or a `SpecError`."""
    try:
        ours = read(file)
    except SpecError as error:
        text = str(error)
        if len(text) > 2000 or not all(c == "\n" or c.isprintable() for c in text):
            raise DifferenceError(f"an error that cannot be printed: {text[:2000]!r}") from None
        return False
    try:
        theirs = expected(file)
    except Exception as error:
        raise DifferenceError(f"read by archspec alone: {type(error).__name__}: {str(error)[:300]}") from None
    if sorted(ours) != sorted(theirs):
        raise DifferenceError(f"keys {list(ours)}, expected {list(theirs)}")
    for key, tensor in theirs.items():
        if not _same(ours[key], tensor):
            raise DifferenceError(f"{key} is {ours[key]!r:.300}, expected {tensor!r:.300}")
    return True


def _same(one: Tensor, two: Tensor) -> bool:
    """Whether two tensors have the same type, shape and bits."""
    if (one.dtype, one.shape) != (two.dtype, two.shape):
        return False
    if one.numel() > 1_000_000:  # expanded from few numbers
        return one.stride() == two.stride()
    return torch.equal(_bits(one), _bits(two))


def _bits(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach()).reshape(-1).view(torch.uint8)


@dataclass
class Harness:
    """Runs inputs, and keeps one finding of each kind."""

    folder: Path
    executions: int = 0
    read: int = 0
    findings: dict[str, str] = field(default_factory=dict)

    def run(self, suffix: str, data: bytes) -> None:
        """One input."""
        file = self.folder / f"current{suffix}"
        file.unlink(missing_ok=True)  # tensors of the last one may still be mapped
        file.write_bytes(data)
        self.executions += 1
        start = time.process_time()
        try:
            self.read += compare(file)
        except Exception as error:
            self.find(_kind(error), traceback.format_exc(), suffix, data)
        took = time.process_time() - start
        if took > HANG:
            self.find("hang", f"took {took:.1f} s", suffix, data)

    def find(self, kind: str, text: str, suffix: str, data: bytes) -> None:
        """Keep an input that is the first of its kind."""
        if kind not in self.findings:
            self.findings[kind] = text
            name = self.folder / f"finding-{len(self.findings)}{suffix}"
            name.write_bytes(data)
            name.with_suffix(".txt").write_text(text, encoding="utf-8", errors="backslashreplace")

    @property
    def report(self) -> str:
        """The numbers so far, and what was found."""
        counts = f"{self.executions:,} executions, {self.read:,} read as expected, {len(self.findings)} findings\n"
        return counts + "".join(f"{kind}\n" for kind in self.findings)


def _kind(error: Exception) -> str:
    """A key that distinguishes findings: the type, the place, and the first words."""
    frames = [f"{Path(f.filename).name}:{f.name}" for f in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} at {' < '.join(frames[::-1][:2])}: {str(error)[:60]}"


def inputs(number: int, seed: int) -> tuple[str, bytes]:
    """The input of that number of a run."""
    chance = random.Random(f"{seed} {number}")
    suffix, data = chance.choice(_seeds())
    return suffix, mutate(suffix, data, chance)


_kept: list[tuple[str, bytes]] = []


def _seeds() -> list[tuple[str, bytes]]:
    if not _kept:
        _kept.extend(seeds())
    return _kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # a bomb of memory is an error, not the machine's end
    harness, end = Harness(options.folder), time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        harness.run(*inputs(harness.executions, options.seed))
        if harness.executions % 500 == 0:
            (options.folder / "report.txt").write_text(harness.report, encoding="utf-8")
    (options.folder / "report.txt").write_text(harness.report, encoding="utf-8")
    print(harness.report)


if __name__ == "__main__":
    main()
