"""Weights files that are hostile, broken or unusual: read correctly or refused, within bounds."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import fuzz_weights as fuzz
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import archspec
from archspec.weights import checkpoint, torch_file, values
from archspec.weights.match import match

EXECUTIONS = 400

HANG = 20.0
"""Seconds of CPU that no file takes, on a busy machine either; what does not end takes more."""
"""Inputs of the fuzz in the suite; `python tests/fuzz_weights.py` runs any number."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(content: bytes, suffix: str = ".pt") -> str:
    Path(f"weights{suffix}").write_bytes(content)
    return f"weights{suffix}"


def refused(file: str, kind: str = "weights") -> str:
    """The one error when a file is read."""
    with pytest.raises(archspec.SpecError) as caught:
        checkpoint.read(file)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.kind, diagnostic.file) == (kind, file)
    return diagnostic.message


# -- the fuzz -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(fuzz.seeds())))
def test_what_the_fuzz_begins_with_is_read(number: int) -> None:
    suffix, data = fuzz.seeds()[number]
    assert fuzz.compare(Path(written(data, suffix)))


def test_mutated_files_are_read_as_torch_reads_them_or_refused(folder: Path) -> None:
    harness = fuzz.Harness(folder)
    for number in range(EXECUTIONS):
        harness.run(*fuzz.inputs(number, 13))
    assert harness.findings == {}
    assert 10 < harness.read < EXECUTIONS / 2, "most inputs are damaged, and some are not"


def test_the_fuzz_finds_what_is_read_otherwise(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader that was used before: torch's, mapping what it finds."""
    suffix, data = ".pt", fuzz.saved({"w": torch.randn(3)})
    compressed = rezipped(data, lambda name, content: (content, zipfile.ZIP_DEFLATED))
    monkeypatch.setattr(fuzz, "read", lambda file: torch.load(file, mmap=True, weights_only=True))
    harness = fuzz.Harness(folder)
    harness.run(suffix, compressed)
    assert [kind.partition(":")[0] for kind in harness.findings] == ["DifferenceError at fuzz_weights.py"]


# -- archives -----------------------------------------------------------------------------------------------------


def rezipped(data: bytes, change: Callable[[str, bytes], Any]) -> bytes:
    """The records in another archive, each as `change` gives it (contents, compression), or left out."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            changed = change(name.partition("/")[2], old.read(name))
            if changed is not None:
                new.writestr(name, *changed)
    return file.getvalue()


def replaced(**records: bytes | None) -> str:
    """A file with some of its records replaced, or left out."""

    def change(name: str, content: bytes) -> tuple[bytes] | None:
        wanted = records.get(name.replace("/", "_").replace(".", "_"), content)
        return None if wanted is None else (wanted,)

    return written(rezipped(fuzz.saved({"w": torch.arange(6.0)}), change))


def test_archives_of_other_programs_are_read() -> None:
    assert torch.equal(checkpoint.read(replaced()).tensor("w"), torch.arange(6.0))


@pytest.mark.parametrize("padding", [1, 2, 3, 4])
def test_numbers_that_are_not_aligned_are_copied(padding: int) -> None:
    read = checkpoint.read(replaced(_format_version=b"1" * padding)).tensor("w")
    assert read.data_ptr() % read.element_size() == 0
    assert torch.equal(read, torch.arange(6.0))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("record", ["data/0", "data.pkl", "version"])
def test_compressed_records_are_refused(method: int, record: str) -> None:
    data = fuzz.saved({"w": torch.zeros(100)})
    file = written(rezipped(data, lambda name, content: (content, method if name == record else zipfile.ZIP_STORED)))
    assert refused(file) == "its records are compressed, so they cannot be mapped into memory"


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"data_0": b"\0" * 20}, "the record 'data/0' has 20 bytes, its tensors 24"),
        ({"data_0": b"\0" * 28}, "the record 'data/0' has 28 bytes, its tensors 24"),
        ({"data_0": None}, "it has no record 'data/0'"),
        ({"data_pkl": None}, "it has no record 'data.pkl'"),
        ({"version": b"11\n"}, "its format is of an unknown version"),
        ({"version": None}, "its format is of an unknown version"),
        ({"byteorder": b"big"}, "was saved on a big-endian machine"),
        ({"byteorder": b"middle"}, "its byte order is neither 'little' nor 'big'"),
    ],
)
def test_records_that_do_not_agree_are_refused(records: dict[str, Any], message: str) -> None:
    assert message in refused(replaced(**records))


def test_records_of_one_name_are_refused() -> None:
    data = fuzz.saved({"w": torch.arange(6.0)})
    with zipfile.ZipFile("weights.pt", "w") as archive, zipfile.ZipFile(io.BytesIO(data)) as old:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
        archive.writestr("archive/DATA/0", b"\1" * 24)
    assert "two records have the same name" in refused("weights.pt")


def patched(signature: bytes, offset: int, value: bytes) -> str:
    """A file with bytes behind the last of a signature replaced."""
    data = fuzz.saved({"w": torch.arange(6.0)})
    place = data.rindex(signature) + offset
    return written(data[:place] + value + data[place + len(value) :])


@pytest.mark.parametrize(
    ("signature", "offset", "value", "message"),
    [
        (b"PK\x01\x02", 20, struct.pack("<2I", 999, 999), "a record extends beyond the end"),  # sizes
        (b"PK\x01\x02", 24, struct.pack("<I", 41), "its records are compressed"),
        (b"PK\x01\x02", 42, struct.pack("<I", 0), "name differs from"),  # where its header is
        (b"PK\x01\x02", 42, struct.pack("<I", 1 << 31), "a record"),
        (b"PK\x01\x02", 38, b"\x10", "marked as a folder"),
        (b"PK\x01\x02", 8, b"\x01", "a record cannot be read"),  # encrypted
        (b"PK\x01\x02", 32, b"\x01", "its directory cannot be read"),  # a comment beyond its end
        (b"PK\x03\x04", 18, struct.pack("<I", 5), "does not agree with its directory"),
        (b"PK\x03\x04", 28, struct.pack("<H", 60000), "a record extends beyond the end"),
        (b"PK\x05\x06", 8, struct.pack("<2H", 3, 3), ""),  # read from the ZIP64 fields
        (b"PK\x06\x06", 24, struct.pack("<2Q", 3, 3), "has not as many records"),
        (b"PK\x06\x06", 48, struct.pack("<Q", 0), "its directory is not where its end says"),
        (b"PK\x06\x07", 16, struct.pack("<I", 2), "one part of a split archive"),
    ],
)
def test_headers_of_archives(signature: bytes, offset: int, value: bytes, message: str) -> None:
    file = patched(signature, offset, value)
    if message:
        assert message in refused(file)
    else:
        assert fuzz.compare(Path(file))


def test_records_that_overlap_are_refused() -> None:
    data = fuzz.saved({"v": torch.arange(6.0), "w": torch.arange(6.0)})
    directory = [place for place in range(len(data)) if data.startswith(b"PK\x01\x02", place)]
    names = {data[at + 46 : at + 46 + struct.unpack_from("<H", data, at + 28)[0]]: at for at in directory}
    one, two = names[b"archive/data/0"] + 42, names[b"archive/data/1"] + 42
    header = struct.unpack_from("<I", data, one)[0]
    renamed = data.replace(b"archive/data/1", b"archive/data/0")
    file = written(renamed[:two] + struct.pack("<I", header) + renamed[two + 4 :])
    assert "two records overlap" in refused(file)


# -- pickles ------------------------------------------------------------------------------------------------------


def tensor_file(offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *more: Any, count: int = 6) -> str:
    """A file whose one tensor is described by these."""
    storage = ("storage", fuzz.Name("torch", "FloatStorage"), "0", "cpu", count)
    rebuild = fuzz.Name("torch._utils", "_rebuild_tensor_v2")
    arguments = (fuzz.Persistent(storage), offset, shape, strides, False, fuzz.ORDERED, *more)
    return replaced(data_pkl=b"\x80\x02" + fuzz._emitted({"w": fuzz.Call(rebuild, arguments)}) + b".")


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "message"),
    [
        (0, (7,), (1,), "a tensor needs 7 numbers, its storage has 6"),
        (4, (3,), (1,), "a tensor needs 7 numbers, its storage has 6"),
        (0, (2,), (6,), "a tensor needs 7 numbers, its storage has 6"),
        (0, (2,), (1 << 62,), "its storage has 6"),
        (6, (), (), "a tensor needs 7 numbers, its storage has 6"),
        (0, (3,), (-1,), "a negative size or stride"),
        (-1, (3,), (1,), "a negative size or stride"),
        (0, (-3,), (1,), "a negative size or stride"),
        (0, (3, 2), (1,), "strides and dimensions differ in number"),
        (0, (1,) * 65, (1,) * 65, "strides and dimensions differ in number"),
        (0, (1 << 40, 1 << 40), (0, 0), "more numbers than can be counted"),
        (0, (0, 1 << 40, 1 << 40), (0, 0, 0), "more numbers than can be counted"),
    ],
)
def test_tensors_beyond_their_storage_are_refused(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...], message: str
) -> None:
    assert message in refused(tensor_file(offset, shape, strides))


def test_any_layout_within_the_storage_is_read() -> None:
    read = checkpoint.read(tensor_file(1, (2, 2), (1, 3))).tensor("w")
    assert torch.equal(read, torch.tensor([[1.0, 4.0], [2.0, 5.0]]))
    assert fuzz.compare(Path(tensor_file(5, (4,), (0,))))


def test_one_storage_of_two_types_is_refused() -> None:
    """torch takes the type that comes first for both."""
    storages = [("storage", fuzz.Name("torch", f"{kind}Storage"), "0", "cpu", 6) for kind in ("Float", "Int")]
    rebuild = fuzz.Name("torch._utils", "_rebuild_tensor_v2")
    tensors = [
        fuzz.Call(rebuild, (fuzz.Persistent(storage), 0, (6,), (1,), False, fuzz.ORDERED)) for storage in storages
    ]
    assert "it has two storages '0'" in refused(pickled(fuzz._emitted(dict(zip("vw", tensors, strict=True)))))


@pytest.mark.parametrize(("kind", "is_read"), [("Float", True), ("Int", False)])
def test_only_floats_have_gradients(kind: str, is_read: bool) -> None:
    """As for torch, which refuses the whole file."""
    storage = fuzz.Persistent(("storage", fuzz.Name("torch", f"{kind}Storage"), "0", "cpu", 6))
    rebuild = fuzz.Name("torch._utils", "_rebuild_tensor_v2")
    tensor = fuzz.Call(rebuild, (storage, 0, (6,), (1,), True, fuzz.ORDERED))
    assert fuzz.compare(Path(pickled(fuzz._emitted({"w": tensor})))) is is_read


@pytest.mark.parametrize("bit", ["neg", "conj"])
def test_lazily_negated_tensors_are_refused(bit: str) -> None:
    """Their numbers are not those in the file."""
    assert "not a dense tensor" in refused(tensor_file(0, (6,), (1,), {bit: True}))


def pickled(body: bytes) -> str:
    return replaced(data_pkl=b"\x80\x02" + body + b".")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"}(X\x01\x00\x00\x00wK\x01X\x01\x00\x00\x00wK\x02u", "has the key 'w' twice"),
        (b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R", "holds Python objects other than tensors: os.system"),
        (b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R", "holds Python objects other than tensors: builtins.eval"),
        (b"X\xff\xff\xff\x7fabc", "its pickle cannot be read"),
        (b"}" + b")" + b"\x85" * 100_000 + b"K\x01s", "its pickle cannot be read"),
        (b"}q\x00h\x00h\x00s", "its pickle cannot be read"),
        (b"]", "contains one list, not a state_dict"),
        (b"\x95" + b"\0" * 8 + b"}", "is not a PyTorch checkpoint of pickle protocol 2: it has the opcode 149"),
        (b"", "its pickle cannot be read"),
        (b"}X\x03\x00\x00\x00\xed\xa0\x80K\x01s", "its pickle cannot be read"),  # a lone surrogate
        (b"ctorch._utils\n_rebuild_tensor\n}X\x01\x00\x00\x00aK\x01sb}", "its pickle cannot be read"),
        (b")Nb}", "its pickle cannot be read"),
        (b"}K\x01a", "its pickle cannot be read"),
        (b"}(e", "its pickle cannot be read"),
        (b"})R", "its pickle cannot be read"),
        (b"K\x01)\x81", "its pickle cannot be read"),
        (b"}X\x01\x00\x00\x00wK\x01s", "is not a state_dict: w is not a tensor"),
    ],
)
def test_pickles_that_are_no_state_dict(body: bytes, message: str) -> None:
    assert message in refused(pickled(body))


def test_protocols_that_torch_does_not_read_either() -> None:
    torch.save({"w": torch.zeros(2)}, "weights.pt", pickle_protocol=4)
    assert "is not a PyTorch checkpoint" in refused("weights.pt")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:.*quantiz", "ignore:Sparse CSR")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "nested tensor"),
        (lambda: torch.eye(2).to_sparse(), "sparse tensor"),
        (lambda: torch.eye(2).to_sparse_csr(), "sparse tensor"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantised tensor"),
        (lambda: torch.ones(2, device="meta"), "tensor without data"),
    ],
)
def test_tensors_without_numbers_of_their_own_are_refused_by_name(make: Callable[[], Tensor], kind: str) -> None:
    torch.save({"conv.weight": make()}, "weights.pt")
    assert refused("weights.pt") == f"'conv.weight' is not a dense tensor of real numbers but a {kind}"


def test_programs_are_not_read() -> None:
    with zipfile.ZipFile("weights.pt", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version", "code/a.py"):
            archive.writestr(f"program/{name}", b"3")
    assert refused("weights.pt") == "is a TorchScript program, not a state_dict"


# -- files from before PyTorch 1.6 --------------------------------------------------------------------------------


def legacy() -> bytes:
    return fuzz.saved({"w": torch.arange(6.0)}, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "it is truncated"),
        (lambda data: data[:-32] + struct.pack("<q", 5) + data[-24:], "a storage has 5 numbers, its tensors 6"),
        (lambda data: data[:-32] + struct.pack("<q", -6) + data[-24:], "a storage has -6 numbers, its tensors 6"),
        (lambda data: data.replace(b"]q\x00X", b")q\x00X", 1) if b"]q\x00X" in data else b"", "cannot be read"),
        (lambda data: data.replace(b"\x8a\x0al", b"\x8a\x0am", 1), "its first pickle is not the one"),
    ],
)
def test_old_files_that_do_not_agree_are_refused(change: Callable[[bytes], bytes], message: str) -> None:
    assert fuzz.compare(Path(written(legacy())))
    assert message in refused(written(change(legacy())))


# -- safetensors --------------------------------------------------------------------------------------------------


def headed(header: Any, numbers: bytes = b"\0" * 24, length: int | None = None) -> str:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return written(struct.pack("<Q", len(text) if length is None else length) + text + numbers, ".safetensors")


ENTRY = {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b'{"w": 1, "w": 2}', "has the key 'w' twice"),
        (b'{"w": ' + b"[" * 100_000, "its header is not JSON"),
        ({"w": {**ENTRY, "data_offsets": [0, 28]}}, "damaged"),
        ({"w": {**ENTRY, "data_offsets": [4, 24]}}, "damaged"),
        ({"w": {**ENTRY, "data_offsets": [-4, 20]}}, "damaged"),
        ({"w": {**ENTRY, "shape": [1 << 62, 1 << 62]}}, "damaged"),
        ({"w": {**ENTRY, "dtype": "F31"}}, "damaged"),
        ({"w": ENTRY, "v": {"dtype": "F32", "shape": [0, 1 << 63], "data_offsets": [24, 24]}}, "damaged"),
        ({"w": ENTRY, "v": ENTRY}, "damaged"),
        ({"w": ENTRY, "__metadata__": {"a": 1}}, "damaged"),
        ({"w" * 501: ENTRY}, "has a key of 501 characters"),
    ],
)
def test_headers_of_safetensors(header: Any, message: str) -> None:
    assert fuzz.compare(Path(headed({"w": ENTRY})))
    assert message in refused(headed(header), "limit" if "characters" in message else "weights")


@pytest.mark.parametrize("length", [100, 1 << 20, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_lengths_of_headers(length: int) -> None:
    assert "its header extends beyond its end" in refused(headed({"w": ENTRY}, b"", length))


# -- bounds -------------------------------------------------------------------------------------------------------


def sparse(start: bytes, suffix: str) -> str:
    """A file of 3 GiB that takes no room."""
    file = written(start, suffix)
    os.truncate(file, 3 << 30)
    return file


def test_large_files_that_are_no_weights_end_at_once() -> None:
    start = time.process_time()
    assert "its header extends beyond its end" not in refused(sparse(b"", ".safetensors"))
    assert "opcode 0" in refused(sparse(b"", ".pt"))
    assert "does not end with the directory" in refused(sparse(b"PK\x03\x04", ".pt"))
    assert "header of 3,000,000,000 bytes" in refused(sparse(struct.pack("<Q", 3_000_000_000), ".safetensors"), "limit")
    assert "cannot be read" in refused(sparse(b"\x80\x02X\xff\xff\xff\xff", ".pth"))
    assert time.process_time() - start < HANG


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_devices_and_pipes_are_refused(suffix: str) -> None:
    os.symlink("/dev/zero", f"endless{suffix}")
    assert refused(f"endless{suffix}") == "is not a regular file"
    os.mkfifo(f"pipe{suffix}")
    assert refused(f"pipe{suffix}") == "is not a regular file"
    os.mkdir(f"folder{suffix}")
    assert refused(f"folder{suffix}") == "cannot be read: Is a directory"


def test_pickles_are_evaluated_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.weights.unpickle.MAX_PICKLE_STEPS", 100)
    assert (
        refused(pickled(b"N0" * 2 + b"}" * 200), "weights")
        == "is not a PyTorch checkpoint of pickle protocol 2: it has the opcode 48"
    )
    assert refused(pickled(b"}" * 200), "limit") == "has a pickle of more than 100 steps"


def test_headers_are_read_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_file, "MAX_WEIGHTS_HEADER", 100)
    assert "has a pickle of " in refused(replaced(), "limit")
    monkeypatch.setattr("archspec.weights.zip_records.MAX_WEIGHTS_HEADER", 100)
    assert "has a directory of " in refused(replaced(), "limit")


def test_a_pickle_that_doubles_is_not_unfolded() -> None:
    start = time.process_time()
    assert "is not a state_dict: w is not a tensor" in refused(
        pickled(b"}X\x01\x00\x00\x00w" + fuzz.doubled(200) + b"s")
    )
    assert time.process_time() - start < HANG


@pytest.mark.parametrize("prefix", ["extra{}", "extra.{}", "fc{}.a.b"])
def test_work_grows_with_the_number_of_unexpected_keys(prefix: str) -> None:
    """Not with its square: a file of 20,000 of them is answered in a second."""
    calls = [calls_for_unexpected(prefix, count) for count in (1000, 10_000)]
    assert calls[1] < 15 * calls[0]


def calls_for_unexpected(prefix: str, count: int) -> int:
    """The calls of functions, built-in ones too, by which a file with so many unexpected keys is refused."""
    graph, calls = archspec.compile("lenet"), 0

    def counting(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    shapes = {**graph.state_dict_shapes(), **{f"{prefix.format(n)}.weight": (2,) for n in range(count)}}
    sys.setprofile(counting)
    try:
        with pytest.raises(archspec.SpecError) as caught:
            match(graph, "x.pt", shapes)
    finally:
        sys.setprofile(None)
    counted = [int(diagnostic.message.split()[0]) for diagnostic in caught.value.diagnostics]
    assert sum(counted) == count, "every tensor is counted"
    assert len(counted) <= 21
    return calls


def test_the_rest_of_the_keys_is_counted() -> None:
    graph = archspec.compile("lenet")
    shapes = {**graph.state_dict_shapes(), **{f"extra{n}.weight": (2,) for n in range(30)}}
    with pytest.raises(archspec.SpecError) as caught:
        match(graph, "x.pt", shapes)
    last = caught.value.diagnostics[-1]
    assert last.message == "10 more tensors unexpected in 'x.pt'"
    assert last.notes == (*(f"extra{n}.weight  checkpoint 2" for n in range(20, 24)), "… and 6 more")


@pytest.mark.parametrize(("depth", "message"), [(8, "every key begins with"), (9, "none of its 10 tensors")])
def test_wrappers_are_looked_for_within_a_limit(depth: int, message: str) -> None:
    graph = archspec.compile("lenet")
    with pytest.raises(archspec.SpecError, match=message):
        match(graph, "x.pt", {"w." * depth + key: shape for key, shape in graph.state_dict_shapes().items()})


# -- values -------------------------------------------------------------------------------------------------------


def lenet(**changed: Tensor) -> dict[str, Tensor]:
    state = dict(archspec.build("lenet").state_dict())
    return {**state, **{key.replace("_", "."): tensor for key, tensor in changed.items()}}


def build_refused(state: dict[str, Tensor], **options: Any) -> str:
    torch.save(state, "weights.pt")
    with pytest.raises(archspec.SpecError) as caught:
        archspec.build("lenet", weights="weights.pt", **options)
    return str(caught.value)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.int8])
def test_integers_where_floats_belong_are_refused_by_name(dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    expected = f"error[weights]: weights.pt: 1 tensor of another type than the network's\n   = fc3.bias  {name}"
    assert build_refused(lenet(fc3_bias=torch.ones(10).to(dtype))) == expected


def test_values_beyond_float32_are_refused_by_name() -> None:
    wide = torch.zeros(10, dtype=torch.float64)
    wide[3] = -1e300
    message = "weights.pt: 1 tensor with values beyond float32\n   = fc3.bias  float64, largest 1e+300"
    assert message in build_refused(lenet(fc3_bias=wide))
    wide[3] = 3.4028235677973366e38  # halfway to the next: infinite
    assert "beyond float32" in build_refused(lenet(fc3_bias=wide))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_other_floats_are_converted(dtype: torch.dtype) -> None:
    values = torch.tensor([1.5, -2.0, 0.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 57344.0]).to(dtype)
    torch.save(lenet(fc3_bias=values), "weights.pt")
    bias = archspec.build("lenet", weights="weights.pt").get_parameter("fc3.bias")
    assert torch.equal(bias.detach(), values.float())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_values_that_are_not_finite_are_reported_by_name(value: float, dtype: torch.dtype) -> None:
    odd = torch.ones(10, dtype=dtype)
    odd[7] = value
    torch.save(lenet(fc3_bias=odd), "weights.pt")
    with pytest.warns(UserWarning, match=r"weights\.pt: 1 tensor with NaN or infinity: fc3\.bias$"):
        model = archspec.build("lenet", weights="weights.pt")
    assert torch.equal(model.get_parameter("fc3.bias").isfinite(), odd.isfinite())


def test_large_sums_of_finite_values_are_not_reported() -> None:
    torch.save(lenet(fc3_bias=torch.full((10,), 3e38)), "weights.pt")
    assert archspec.build("lenet", weights="weights.pt").get_parameter("fc3.bias").max() == 3e38


def test_values_of_a_wide_default_type_are_not_narrowed_to_be_checked() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        assert values.check("x.pt", {"w": torch.tensor([1e300, -1.0])}) == ()
        assert "NaN or infinity: w" in values.check("x.pt", {"w": torch.tensor([1e300, float("inf")])})[0]
    finally:
        torch.set_default_dtype(torch.float32)


def norms(**changed: Tensor) -> str:
    """A file for resnet18 with some counters changed."""
    state = dict(archspec.build("resnet18").state_dict())
    torch.save({**state, "bn1.num_batches_tracked": changed["counter"]}, "weights.pt")
    return "weights.pt"


def test_counters_are_integers_or_integral() -> None:
    for counter in (torch.tensor(7, dtype=torch.int32), torch.tensor(7.0)):
        model = archspec.build("resnet18", weights=norms(counter=counter))
        assert model.get_buffer("bn1.num_batches_tracked") == 7
    for counter in (torch.tensor(7.5), torch.tensor(True), torch.tensor(float("nan"))):
        with pytest.raises(archspec.SpecError, match=r"bn1\.num_batches_tracked"):
            archspec.build("resnet18", weights=norms(counter=counter))


def test_values_are_checked_before_batch_norms_are_folded() -> None:
    state = dict(archspec.build("resnet18").state_dict())
    torch.save({**state, "conv1.weight": state["conv1.weight"].to(torch.int32)}, "weights.pt")
    with pytest.raises(archspec.SpecError, match=r"conv1\.weight  int32"):
        archspec.build("resnet18", weights="weights.pt", fold_batch_norm=True)


def test_what_is_not_loaded_is_not_checked() -> None:
    state = {**lenet(), "fc3.bias": torch.ones(11).int()}
    torch.save(state, "weights.pt")
    assert archspec.build("lenet", weights="weights.pt", allow_mismatch="fc3").get_parameter("fc3.bias").shape == (10,)


def test_safetensors_are_checked_too() -> None:
    save_file(lenet(fc3_bias=torch.ones(10).int()), "weights.safetensors")
    with pytest.raises(archspec.SpecError, match=r"fc3\.bias  int32"):
        archspec.build("lenet", weights="weights.safetensors")
