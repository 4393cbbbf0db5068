"""Written projects: which networks they are written for, and that they work as their README says."""

from __future__ import annotations

import ast
import csv
import io
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import distribution, requires
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest
import torch
from command import run as command
from exhaustive import marked, slower
from oracle import oracle
from packaging.requirements import Requirement
from PIL import Image
from projects import (
    QUICK,
    after_step,
    digits,
    environment,
    equal,
    finish,
    imported,
    patches,
    photos,
    start,
    weights,
    write,
)
from safetensors.torch import save_file

import archspec
from archspec.backends.project import folder as folders
from archspec.backends.project.facts import facts

ROOT = Path(__file__).parent.parent
FEATURES = ("resnet34_features", "resnet101_features")
VIDEO = ("mc3_18", "r2plus1d_18", "r3d_18")
SEGMENTATION = tuple(name for name in archspec.specs() if name.startswith(("fcn_", "deeplabv3_", "lraspp_")))
CLASSIFIERS = [name for name in archspec.specs() if name not in (*FEATURES, *VIDEO, *SEGMENTATION)]


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LeNet's project, which other tests must not change."""
    return write("lenet", tmp_path_factory.mktemp("projects") / "lenet")


@pytest.fixture(scope="module")
def modules(lenet: Path) -> Iterator[SimpleNamespace]:
    with imported(lenet) as found:
        yield found


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """49 random images of two classes: an odd number validates."""
    return photos(tmp_path_factory.mktemp("photos"), 49)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# -- the facts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_has_a_head_and_image_inputs(name: str) -> None:
    found = facts(archspec.compile(name, num_classes=5), archspec.compile(name, num_classes=6))
    shapes = archspec.compile(name, num_classes=5).state_dict_shapes()
    assert found.head
    assert all(shapes[entry][0] == 5 for entry in found.head)
    assert list(found.auxiliary.values()) == {"inception_v3": [0.4]}.get(name, [0.3, 0.3] * ("googlenet" in name))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("resnet34_features", "its output is 512×7×7, not a vector of num_classes = 1000"),
        *((name, "its input is 3×16×112×112, not one image") for name in VIDEO),
        ("lraspp_mobilenet_v3_large", "its output is (21×520×520), not a vector of num_classes = 21"),
        ("input: [2, 8, 8]\nparams: {num_classes: 5}", "images have 1 channel (grey) or 3 (RGB), but it expects 2"),
        ("input: [8]\nparams: {num_classes: 5}", "its input is 8, not one image"),
        ("input: [3, 8, 8]", "it has no parameter 'num_classes'"),
        ("input: [3, 1, 1]\nparams: {num_classes: 3}", "no layer depends on the number of classes"),
    ],
)
def test_what_is_no_classifier_is_refused(spec: str, message: str, tmp_path: Path) -> None:
    text = f"name: net\n{spec}\nlayers:\n- {{op: flatten}}\n" if "\n" in spec or ":" in spec else spec
    result = command("project", write_text(tmp_path, text) if text != spec else spec, "out")
    assert result.exit_code == 1
    assert "is not an image classifier: " + message in result.stderr
    assert not Path("out").exists()


def write_text(folder: Path, text: str) -> str:
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    return str(folder / "net.yaml")


def test_the_normalisation_and_size_are_those_of_the_input(tmp_path: Path) -> None:
    grey = write("lenet", tmp_path / "grey", input=[1, 28, 28])
    with imported(grey) as modules:
        found = modules.network.PREPROCESSING
        assert (found["mode"], found["resize"], found["mean"]) == ("L", [28, 28], [0.5])
        tensor = modules.images.for_evaluation(found)(Image.new("L", (50, 40), 255))
        assert tensor.shape == (1, 28, 28)
        assert torch.equal(tensor, torch.ones(1, 28, 28))
    with imported(write("inception_v3", tmp_path / "inception")) as modules:
        found = modules.network.PREPROCESSING
        assert (found["mode"], found["resize"], found["crop"]) == ("RGB", [342, 342], [299, 299])


# -- the folder -------------------------------------------------------------------------------------------------


def test_files_that_differ_are_kept(lenet: Path, tmp_path: Path) -> None:
    assert command("project", "lenet", "net").exit_code == 0
    assert {path.name for path in Path("net").iterdir()} == {path.name for path in lenet.iterdir() if path.is_file()}
    again = command("project", "lenet", "net")
    assert (again.exit_code, again.stderr) == (0, "all files in net are up to date\n")
    Path("net/train.py").write_text("mine", encoding="utf-8")
    Path("net/model.py").unlink()
    refused = command("project", "lenet", "net")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error[file]: net/train.py: exists with different contents")
    assert "predict.py" not in refused.stderr
    assert not Path("net/model.py").exists()
    assert Path("net/train.py").read_text(encoding="utf-8") == "mine"
    assert command("project", "lenet", "net", "--force").stderr == "wrote net/model.py\nwrote net/train.py\n"
    assert Path("net/train.py").read_bytes() == (lenet / "train.py").read_bytes()


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "kept.py").mkdir()  # a folder where a file should go
    texts = {"first.py": "1\n", "kept.py": "2\n", "last.py": "3\n"}
    with pytest.raises(archspec.SpecError, match=r"kept\.py"):
        folders.write(tmp_path, texts, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.py"]
    with pytest.raises(archspec.SpecError, match="cannot be written"):
        folders.write(tmp_path / "a" / "b", {"x" * 300: "4\n"})
    assert not (tmp_path / "a").exists()


def test_the_wheel_holds_the_templates() -> None:
    """Hatch packs whatever is in the package's folder and not ignored."""
    names = subprocess.run(["git", "ls-files", "archspec/backends/project/templates"], cwd=ROOT, text=True,
                           capture_output=True, check=True).stdout.split()  # fmt: skip
    if names:  # in a checkout
        there = {path.name for path in (ROOT / "archspec/backends/project/templates").iterdir()}
        assert {Path(name).name for name in names} == there


# -- the text ---------------------------------------------------------------------------------------------------

OWN = ("torch", "torchvision", "matplotlib", "PIL", "tqdm", "pytest", "safetensors")
"""The modules that a project may import: its requirements, and safetensors if it is installed."""


@pytest.mark.parametrize("name", ["lenet", "googlenet"])
def test_each_file_is_short_and_imports_what_is_required(name: str, tmp_path: Path) -> None:
    project = write(name, tmp_path / name)
    files = sorted(project.glob("*.py"))
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 250, file.name
        names = {found.partition(".")[0] for node in ast.walk(ast.parse(text)) for found in names_imported(node)}
        assert names <= {*OWN, *sys.stdlib_module_names, *(other.stem for other in files)}, file.name
        lines = file.read_text(encoding="utf-8").split("\n\n")
        assert not any("archspec" in part for part in lines if part.startswith(("import", "from")))


def names_imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [str(node.module)] if isinstance(node, ast.ImportFrom) else []


def test_ruff_finds_nothing(tmp_path: Path) -> None:
    names = ("lenet", "googlenet", "inception_v3", "densenet121", "squeezenet1_1", "convnext_tiny")
    for name in names:
        project = write(name, tmp_path / name)
        options = ["--config", str(ROOT / "pyproject.toml"), "--quiet", "--no-cache", "."]
        for task in (["check", "--extend-ignore", "D1,N"], ["format", "--diff"]):
            found = subprocess.run([sys.executable, "-m", "ruff", *task, *options], cwd=project, text=True,
                                   capture_output=True, check=False)  # fmt: skip
            assert (found.returncode, found.stdout) == (0, ""), name


@pytest.mark.parametrize("name", [*marked(["googlenet"], "exhaustive"), *marked(["lenet"], "by_hand")])
def test_mypy_finds_nothing(name: str, tmp_path: Path) -> None:
    """Strictly, but for what torch leaves untyped: some functions, and what a module returns."""
    project = write(name, tmp_path / name)
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\npython_version = 3.10\nuntyped_calls_exclude = torch\n"
                      "warn_return_any = False\n[mypy-torchvision.*]\nignore_missing_imports = True\n"
                      "[mypy-safetensors.*]\nignore_missing_imports = True\n", encoding="utf-8")  # fmt: skip
    task = [sys.executable, "-m", "mypy", "--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), "."]
    found = subprocess.run(task, cwd=project, text=True, capture_output=True, check=False)
    assert found.returncode == 0, found.stdout


# -- every family trains and predicts ---------------------------------------------------------------------------

QUICK_ONES = {
    "lenet": [1, 32, 32], "resnet18": [3, 32, 32], "googlenet": [3, 64, 64], "squeezenet1_1": [3, 32, 32],
    "shufflenet_v2_x0_5": [3, 32, 32], "mobilenet_v3_small": [3, 32, 32],
}  # fmt: skip
SLOW_ONES = {
    "alexnet": [3, 64, 64], "alexnet_half": None, "vgg11": [3, 32, 32], "vgg11_bn": [3, 32, 32], "vgg16_small": None,
    "resnet50_legacy": None, "resnext50_32x4d": [3, 32, 32], "wide_resnet50_2": [3, 32, 32],
    "googlenet_plain": None, "inception_v3": None, "densenet121": [3, 32, 32], "zfnet": [3, 64, 64],
    "mobilenet_v2": [3, 32, 32], "mobilenet_v3_large": [3, 32, 32], "mnasnet0_5": [3, 32, 32],
    "efficientnet_b0": [3, 32, 32], "efficientnet_v2_s": [3, 32, 32], "regnet_x_400mf": [3, 32, 32],
    "regnet_y_400mf": [3, 32, 32], "convnext_tiny": [3, 32, 32],
}  # fmt: skip
"""One network of each kind, and the smallest input that it accepts; `None` if it accepts only its own."""


@pytest.mark.parametrize(
    ("name", "shape"),
    [*QUICK_ONES.items(), *(pytest.param(n, s, marks=getattr(pytest.mark, slower(n))) for n, s in SLOW_ONES.items())],
)
def test_every_family_trains_and_predicts(
    name: str, shape: list[int] | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = write(name, tmp_path / name, **({} if shape is None else {"input": shape}))
    size = archspec.compile(name).input_shape[1:] if shape is None else shape[1:]
    folder = photos(tmp_path / "photos", size=(int(size[0]), int(size[1])))
    with imported(project) as modules:
        (row,) = modules.train.fit(folder, **QUICK)
        assert row["train_loss"] > 0
        capsys.readouterr()
        modules.predict.main([str(folder), "--format", "json", "--top", "1", "--device", "cpu"])
        found = json.loads(capsys.readouterr().out)
    shutil.rmtree("runs")  # up to gigabytes
    assert len(found) == 8
    assert all(entry["label"] in ("class0", "class1") for row in found for entry in row["predictions"])


@pytest.mark.parametrize(("count", "epochs", "least"), [
    pytest.param(500, 8, 0.8, marks=pytest.mark.exhaustive), pytest.param(1797, 25, 0.97, marks=pytest.mark.by_hand),
])  # fmt: skip
def test_lenet_learns_digits(modules: SimpleNamespace, tmp_path: Path, count: int, epochs: int, least: float) -> None:
    """A fifth of them is held out. The benchmarks say how long it takes."""
    folder = digits(tmp_path / "digits", count)
    given = {"epochs": epochs, "lr": 0.05, "augment": "light", "workers": 0, "device": "cpu"}
    history = modules.train.fit(folder, **given)
    assert max(row["val_accuracy"] for row in history) >= least


@pytest.mark.by_hand
def test_resnet18_learns_64_photos_by_heart(tmp_path: Path) -> None:
    for part in ("train", "val"):
        patches(tmp_path / "photos" / part)
    with imported(write("resnet18", tmp_path / "project", input=[3, 32, 32])) as modules:
        given = {"epochs": 60, "augment": "none", "workers": 0, "device": "cpu"}
        history = modules.train.fit(tmp_path / "photos", **given)
    shutil.rmtree("runs")
    assert max(row["val_accuracy"] for row in history) == 1


def test_auxiliary_losses_count_with_their_weights(tmp_path: Path) -> None:
    with imported(write("googlenet", tmp_path / "project")) as modules:
        model, labels = modules.model, torch.tensor([1, 0])
        outputs = model.GoogLeNetOutputs(*torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0)))
        loss, logits = modules.engine.loss_and_logits(outputs, labels, 0.0)
        losses = [torch.nn.functional.cross_entropy(output, labels) for output in outputs]
        assert torch.allclose(loss, losses[0] + 0.3 * losses[1] + 0.3 * losses[2])
        assert logits is outputs.logits


@pytest.mark.exhaustive
def test_its_own_tests_pass_with_what_it_requires_alone(lenet: Path, tmp_path: Path) -> None:
    """In a Python that finds nothing but the standard library and the requirements, with theirs."""
    there, queue = set(), [line for line in (lenet / "requirements.txt").read_text().splitlines() if line[0] != "#"]
    while queue:
        wanted = Requirement(queue.pop().partition("#")[0])
        if wanted.name not in there and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            there.add(wanted.name)
            queue += requires(wanted.name) or []
    site = tmp_path / "packages"
    site.mkdir()
    for name in there:
        files = distribution(name).files or []
        for top in {Path(str(file)).parts[0] for file in files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(distribution(name).locate_file(top)))
    assert not (site / "archspec").exists()
    env = environment(tmp_path)
    env["PYTHONPATH"] += f":{site}"
    code = "import sitecustomize, sys, pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"
    found = subprocess.run([sys.executable, "-S", "-c", code], cwd=lenet, env=env, text=True,
                           capture_output=True, check=False)  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr


# -- nothing is lost --------------------------------------------------------------------------------------------

RUN: dict[str, Any] = {**QUICK, "epochs": 3, "batch_size": 4, "save_every": 1, "augment": "strong"}


def options(**settings: Any) -> list[str]:
    """Settings as the command line has them."""
    return [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def test_a_killed_run_ends_with_the_same_weights(
    lenet: Path, modules: SimpleNamespace, images: Path, tmp_path: Path
) -> None:
    """Killed in mid-epoch, where nothing can be tidied up, and resumed with workers."""
    modules.train.fit(images, output=tmp_path / "whole", **RUN)
    arguments = options(data=images, output=tmp_path / "killed", **{**RUN, "workers": 1})
    process = start(lenet, tmp_path, "train.py", *arguments)
    last = tmp_path / "killed" / "last.pt"
    while not last.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    finish(process)
    assert process.returncode == -signal.SIGKILL
    saved = modules.checkpoint.load(last).training
    assert 0 < saved["epoch"] * 9 + saved["step"] < 27, "it was not killed in mid-training"
    modules.train.fit(images, output=tmp_path / "killed", resume=True)
    assert equal(weights(tmp_path / "whole" / "last.pt"), weights(last))
    assert equal(weights(tmp_path / "whole" / "best.pt"), weights(last.with_name("best.pt")))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "killed")


def metrics(run: Path) -> list[dict[str, str]]:
    """The metrics of a run, without its speed."""
    with open(run / "metrics.csv", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if "second" not in key} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adamw", "ema": 0.9, "accumulate": 2, "clip": 1.0, "label_smoothing": 0.1},
        {"freeze": ["features.0", "features.[1-4].*"], "head_lr": 0.1},
    ],
    ids=["adamw-ema", "frozen"],
)
def test_a_run_is_resumed_in_mid_epoch_bit_for_bit(settings: dict[str, Any], images: Path, tmp_path: Path) -> None:
    """With dropout, batch norm, an average of the weights, and everything else that has a state."""
    project = write("mobilenet_v3_small", tmp_path / "project", input=[3, 32, 32])
    with imported(project) as modules:
        given = {**RUN, **settings, "epochs": 2, "save_every": 1000}
        modules.train.fit(images, output=tmp_path / "whole", **given)

        def interrupt(run: Any) -> None:
            if (run.state.epoch, run.state.step) == (1, 2):
                run._save("last.pt")
                raise KeyboardInterrupt

        undo = after_step(modules, interrupt)
        with pytest.raises(KeyboardInterrupt):
            modules.train.fit(images, output=tmp_path / "parts", **given)
        undo()
        torch.manual_seed(123)
        modules.train.fit(images, output=tmp_path / "parts", resume=True)
    assert equal(weights(tmp_path / "whole" / "last.pt"), weights(tmp_path / "parts" / "last.pt"))


def test_sigterm_saves_first(lenet: Path, modules: SimpleNamespace, images: Path, tmp_path: Path) -> None:
    arguments = options(data=images, **{**RUN, "epochs": 10_000, "save_every": 100_000}, output=tmp_path / "runs")
    process = start(lenet, tmp_path, "train.py", *arguments)
    while not (tmp_path / "runs" / "last.pt").exists() and process.poll() is None:
        time.sleep(0.01)
    before = modules.checkpoint.load(tmp_path / "runs" / "last.pt").training
    process.terminate()
    process.terminate()  # torchrun passes on what the system sends to all
    code, out, err = finish(process)
    assert (code, err) == (128 + signal.SIGTERM, "")
    assert out.endswith("last.pt: --resume continues from there\n")
    after = modules.checkpoint.load(tmp_path / "runs" / "last.pt").training
    assert (after["epoch"], after["step"]) > (before["epoch"], before["step"])


def test_a_full_disk_leaves_the_last_checkpoint(modules: SimpleNamespace, images: Path, tmp_path: Path) -> None:
    """A limit of file sizes simulates a full disk."""
    runs = tmp_path / "runs"
    modules.train.fit(images, output=runs, **RUN)
    before = (runs / "last.pt").read_bytes()
    saved = modules.checkpoint.load(runs / "last.pt")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(modules.errors.UserError, match="File too large; what was saved before is kept"):
            modules.checkpoint.save(runs / "last.pt", saved.weights, ["a", "b"], saved.training)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (runs / "last.pt").read_bytes() == before
    assert not [path for path in runs.iterdir() if path.name.endswith(".part")]


# -- many processes ---------------------------------------------------------------------------------------------

_TORCHRUN = """\
import torch, processes, run, train

trained = run.Run.train

def train_and_keep(self):
    history = trained(self)
    torch.save(self.state.network.state_dict(), f"{self.settings.output}/rank{processes.rank()}.pt")
    return history

run.Run.train = train_and_keep
train.main()
"""


def torchrun(project: Path, folder: Path, *arguments: str) -> tuple[int, str, str]:
    script = folder / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(project)!r})\n{_TORCHRUN}", encoding="utf-8")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    return finish(start(project, folder, *launch, *arguments))


@pytest.mark.parametrize(("size", "world"), [(7, 2), (8, 2), (2, 3), (10, 3)])
def test_every_image_validates_once(modules: SimpleNamespace, size: int, world: int) -> None:
    batches = [modules.data.ValidationBatches(size, 2, rank, world) for rank in range(world)]
    assert sorted(key for part in batches for batch in part for key in batch) == [(0, n) for n in range(size)]
    assert [len(part) for part in batches] == [len(list(part)) for part in batches]


@pytest.mark.exhaustive
def test_two_processes_are_one_with_the_double_batch(
    lenet: Path, modules: SimpleNamespace, images: Path, tmp_path: Path
) -> None:
    """LeNet has no batch norm. A resume with another number of processes is refused."""
    given = {**RUN, "save_every": 1000, "val_fraction": 0.3}
    code, _, err = torchrun(
        lenet, tmp_path, *options(data=images, output=tmp_path / "two", **{**given, "batch_size": 2})
    )
    assert code == 0, err
    left, right = (weights(tmp_path / "two" / f"rank{rank}.pt") for rank in (0, 1))
    assert equal(left, right)
    modules.train.fit(images, output=tmp_path / "one", **given)
    whole = weights(tmp_path / "one" / "last.pt")
    assert all(torch.allclose(left[name], whole[name], rtol=1e-4, atol=1e-6) for name in whole)
    for two, one in zip(metrics(tmp_path / "two"), metrics(tmp_path / "one"), strict=True):
        assert {name: float(value) for name, value in two.items()} == pytest.approx(
            {name: float(value) for name, value in one.items()}, rel=1e-4
        )
    with pytest.raises(modules.errors.UserError, match="was trained by 2 processes, not 1"):
        modules.train.fit(images, output=tmp_path / "two", resume=True)


@pytest.mark.exhaustive
def test_two_processes_are_resumed_bit_for_bit(images: Path, tmp_path: Path) -> None:
    """With batch norm and dropout, whose statistics and random numbers differ between processes."""
    project = write("mobilenet_v3_small", tmp_path / "project", input=[3, 32, 32])
    given = {**RUN, "batch_size": 2, "save_every": 2}
    assert torchrun(project, tmp_path, *options(data=images, output=tmp_path / "whole", **given))[0] == 0
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(tmp_path / "script.py")]
    process = start(project, tmp_path, *launch, *options(data=images, output=tmp_path / "parts", **given))
    while not (tmp_path / "parts" / "last.pt").exists() and process.poll() is None:
        time.sleep(0.01)
    process.terminate()  # torchrun passes it on
    assert finish(process)[0] != 0
    assert not (tmp_path / "parts" / "rank0.pt").exists()
    code, _, err = torchrun(project, tmp_path, *options(data=images, output=tmp_path / "parts"), "--resume")
    assert code == 0, err
    for rank in (0, 1):
        assert equal(*(weights(tmp_path / part / f"rank{rank}.pt") for part in ("whole", "parts")))


# -- fine-tuning ------------------------------------------------------------------------------------------------


def test_weights_are_loaded_but_for_a_head_of_other_classes(tmp_path: Path) -> None:
    state = oracle("resnet18").state_dict()
    torch.save(state, tmp_path / "resnet18.pth")
    save_file(state, tmp_path / "resnet18.safetensors")
    with imported(write("resnet18", tmp_path / "project", num_classes=5)) as modules:
        for name in ("resnet18.pth", "resnet18.safetensors"):
            network = modules.network.build(5)
            head = network.fc.weight.clone()
            found = modules.checkpoint.load(tmp_path / name)
            text = modules.checkpoint.load_weights(network, found, Path(name), new_head=True)
            assert text == f"{name}: 120 of 122 tensors loaded; new for these classes: fc.weight, fc.bias"
            assert torch.equal(network.fc.weight, head)
            assert torch.equal(network.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
        del found.weights["conv1.weight"]
        with pytest.raises(modules.errors.UserError, match="does not fit resnet18: 1 missing"):
            modules.checkpoint.load_weights(network, found, tmp_path / "resnet18.pth", new_head=True)


def test_what_is_frozen_does_not_change(images: Path, tmp_path: Path) -> None:
    with imported(write("resnet18", tmp_path / "project", input=[3, 32, 32])) as modules:
        torch.manual_seed(0)
        before = modules.network.build(2).state_dict()
        given = {**QUICK, "freeze": ["conv1", "bn1", "layer1.*"], "seed": 0}
        modules.train.fit(images, output=tmp_path / "runs", **given)
        after = weights(tmp_path / "runs" / "last.pt")
        same = {name for name in before if torch.equal(before[name], after[name])}
        assert same == {name for name in before if name.startswith(("conv1.", "bn1.", "layer1."))}
        network = modules.network.build(2)
        with pytest.raises(modules.errors.UserError, match="matches no layer"):
            modules.recipe.freeze(network, ("layer1", "layer9.*"))
        with pytest.raises(modules.errors.UserError, match="leaves nothing to train"):
            modules.recipe.freeze(network, ("*",))
        modules.recipe.freeze(network, ("conv1",))
        settings = modules.settings.Settings(images, lr=0.1, head_lr=0.5, weight_decay=0.01)
        groups = modules.recipe.optimizer(network, settings).param_groups
        found = {(group["lr"], group["weight_decay"]): len(group["params"]) for group in groups}
        assert found == {(0.1, 0.01): 19, (0.1, 0.0): 40, (0.5, 0.01): 1, (0.5, 0.0): 1}


# -- data -------------------------------------------------------------------------------------------------------


def test_unreadable_images_are_named_and_left_out(
    modules: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos(tmp_path / "photos", 12)
    Image.new("RGB", (300, 200), "red").save(folder / "class0" / "cut.jpg")
    whole = (folder / "class0" / "cut.jpg").read_bytes()
    (folder / "class0" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "class1" / "text.png").write_text("not an image", encoding="utf-8")
    (folder / ".hidden").mkdir()
    modules.train.fit(folder, output=tmp_path / "runs", **QUICK)
    said = capsys.readouterr().out
    assert f"warning: {folder}/class0/cut.jpg is left out: image file is truncated" in said
    assert f"warning: {folder}/class1/text.png is left out: cannot identify image file" in said
    split = modules.data.from_json((tmp_path / "runs" / "split.json").read_text())
    assert split.unreadable == ["class0/cut.jpg", "class1/text.png"]
    assert split.classes == ["class0", "class1"]
    assert [label for _, label in split.val] == [0, 0, 1, 1]
    assert len({*split.train, *split.val}) == 12


def test_train_and_val_are_taken_as_they_are(modules: SimpleNamespace, tmp_path: Path) -> None:
    photos(tmp_path / "train", 6)
    photos(tmp_path / "val", 4)
    split = modules.data.scan(tmp_path, 0.2, 0)
    assert (len(split.train), len(split.val)) == (6, 4)
    assert {path.partition("/")[0] for path, _ in split.val} == {"val"}
    (tmp_path / "val" / "class2").mkdir()
    with pytest.raises(modules.errors.UserError, match="val has the classes class0, class1, class2, but"):
        modules.data.scan(tmp_path, 0.2, 0)


def test_augmentation_depends_on_the_image_and_the_epoch_alone(modules: SimpleNamespace, images: Path) -> None:
    split = modules.data.scan(images, 0.2, 0)
    transform = modules.images.for_training(modules.network.PREPROCESSING, "strong")
    data = modules.data.Images(images, split.train, "RGB", transform, seed=0)
    first = data[(1, 3)][0]
    state = torch.get_rng_state()
    assert torch.equal(data[(1, 3)][0], first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(data[(2, 3)][0], first)


def test_an_image_that_vanishes_is_named(
    modules: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a worker, too, whose error comes with its traceback."""
    folder = photos(tmp_path / "photos", 8)
    modules.train.fit(folder, **QUICK)
    capsys.readouterr()
    split = modules.data.from_json(Path("runs/split.json").read_text())
    last = modules.checkpoint.load(Path("runs/last.pt"))
    last.training.update(epoch=0, step=0)
    modules.checkpoint.save(Path("runs/last.pt"), last.weights, list(last.classes), last.training)
    (folder / split.train[0][0]).unlink()
    for workers in ("0", "1"):
        with pytest.raises(SystemExit):
            modules.train.main(["--data", str(folder), "--resume", "--workers", workers])
        said = capsys.readouterr().err
        assert said.startswith(f"error: {folder / split.train[0][0]} could be read before, but not now: ")
        assert said.count("\n") == 1


def test_cameras_may_lie_on_their_side(modules: SimpleNamespace, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    Image.new("RGB", (20, 10)).save(tmp_path / "turned.jpg", exif=exif)
    assert modules.images.read(tmp_path / "turned.jpg", "RGB").size == (10, 20)


# -- bad input --------------------------------------------------------------------------------------------------


def failed(modules: SimpleNamespace, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line that a program prints when it ends with 1."""
    with pytest.raises(SystemExit) as ended:
        modules.train.main([*map(str, arguments), "--device", "cpu", "--workers", "0"])
    assert ended.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("error: ").rstrip()


def test_folders_without_classes_or_images(
    modules: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failed(modules, capsys, "--data", "nowhere") == "nowhere is not a folder"
    folder = photos(tmp_path / "photos", 4, classes=1)
    wanted = f"{folder} needs a folder for each of two or more classes, but has"
    assert failed(modules, capsys, "--data", folder) == f"{wanted} 1"
    assert failed(modules, capsys, "--data", folder / "class0") == f"{folder}/class0{wanted[len(str(folder)) :]} 0"
    (folder / "class1").mkdir()
    assert failed(modules, capsys, "--data", folder) == f"{folder} has no images of class1"
    single = photos(tmp_path / "single", 2)
    said = failed(modules, capsys, "--data", single)
    assert said == f"{single} has only one image of each class: none is left for validation"
    photos(folder, 6)
    found = failed(modules, capsys, "--data", folder, "--batch-size", "50")
    assert found == "6 images for training are fewer than a batch of 50: --batch-size can be 6 at most"
    assert failed(modules, capsys, "--data", folder, "--epochs", "0") == "--epochs should be 1 or more, not 0"
    assert failed(modules, capsys, "--data", folder, "--ema", "1") == "--ema should be less than 1, not 1.0"
    assert failed(modules, capsys, "--data", folder, "--lr", "0") == "--lr should be more than 0, not 0.0"
    assert not (tmp_path / "runs" / "last.pt").exists()


def test_devices_that_are_not_there(modules: SimpleNamespace, images: Path) -> None:
    for device, message in (("abacus", "unknown kind"), ("cuda:99", "PyTorch sees")):
        with pytest.raises(modules.errors.UserError, match=message):
            modules.train.fit(images, **{**QUICK, "device": device})


def test_checkpoints_of_other_runs_and_networks(
    modules: SimpleNamespace, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", images)
    assert "last.pt cannot be read: No such file" in failed(modules, capsys, *data, "--resume")
    modules.train.fit(images, **QUICK)
    capsys.readouterr()
    assert "runs holds a run: --resume continues it" in failed(modules, capsys, *data)
    wrong = failed(modules, capsys, *data, "--resume", "--lr", "0.5")
    assert wrong.startswith("runs/last.pt was trained with --lr 0.01, not 0.5")
    torch.save(oracle("resnet18").state_dict(), "resnet18.pth")
    other = failed(modules, capsys, *data, "--output", "new", "--weights", "resnet18.pth")
    assert other.startswith("resnet18.pth does not fit lenet: 9 missing (conv1.bias, conv2.weight, conv2.bias, …); 1")
    Path("damaged.pt").write_bytes(Path("runs/best.pt").read_bytes()[:1000])
    assert "damaged.pt is damaged, or not a checkpoint" in failed(
        modules, capsys, *data, "--output", "more", "--weights", "damaged.pt"
    )
    with imported(write("lenet", tmp_path / "other", input=[1, 32, 32])) as others:
        assert "last.pt is not a run of this lenet" in failed(others, capsys, *data, "--resume")
        with pytest.raises(others.errors.UserError, match="belongs to another lenet than this lenet"):
            others.predict.Predictor("runs/best.pt", "cpu")
        found = others.checkpoint.load(Path("runs/best.pt"))
        with pytest.raises(others.errors.UserError, match="does not fit lenet: 1 misshaped"):
            others.checkpoint.load_weights(others.network.build(2), found, "runs/best.pt", new_head=True)


# -- prediction -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(modules: SimpleNamespace, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder."""
    runs = tmp_path_factory.mktemp("trained") / "runs"
    modules.train.fit(images, output=runs, **QUICK)
    return runs


def predicted(modules: SimpleNamespace, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    modules.predict.main([*map(str, arguments), "--device", "cpu"])
    return capsys.readouterr().out


def test_formats_agree(
    modules: SimpleNamespace, trained: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sorted((images / "class0").iterdir())[:2]
    chosen = (first, second, "--checkpoint", trained / "best.pt")
    found = json.loads(predicted(modules, capsys, *chosen, "--format", "json"))
    network = modules.network.build(2)
    network.load_state_dict(torch.load(trained / "best.pt", weights_only=True))
    transform = modules.images.for_evaluation(modules.network.PREPROCESSING)
    batch = torch.stack([transform(modules.images.read(path, "RGB")) for path in (first, second)])
    with torch.no_grad():
        probabilities = network.eval()(batch).softmax(1)
    for row, path, expected in zip(found, (first, second), probabilities, strict=True):
        assert row["image"] == str(path)
        assert {p["label"]: pytest.approx(p["probability"], abs=1e-6) for p in row["predictions"]} == {
            f"class{number}": float(value) for number, value in enumerate(expected)
        }
        assert row["predictions"][0]["probability"] >= row["predictions"][1]["probability"]
    rows = list(csv.DictReader(io.StringIO(predicted(modules, capsys, *chosen, "--format", "csv"))))
    assert [(row["image"], row["label"], float(row["probability"])) for row in rows] == [
        (row["image"], p["label"], p["probability"]) for row in found for p in row["predictions"]
    ]
    text = predicted(modules, capsys, *chosen, "--top", "1").splitlines()
    assert text[::2] == [str(first), str(second)]
    assert [line.split()[1] for line in text[1::2]] == [row["predictions"][0]["label"] for row in found]


def test_images_are_named_in_many_ways(
    modules: SimpleNamespace,
    trained: Path,
    images: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best = ("--checkpoint", trained / "best.pt", "--format", "json", "--batch-size", "7")
    paths = sorted(map(str, images.rglob("*.png")))

    def found(*arguments: str | Path, stdin: bytes = b"") -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        return [row["image"] for row in json.loads(predicted(modules, capsys, *arguments, *best))]

    assert found(images) == paths
    assert found(images / "*" / "*.png") == paths
    assert found("-", stdin="\n".join(paths[:3]).encode()) == paths[:3]
    assert found("-", stdin=Path(paths[0]).read_bytes()) == ["-"]


def test_what_cannot_be_predicted_is_named(
    modules: SimpleNamespace, trained: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (good,) = sorted((images / "class1").iterdir())[:1]
    Path("bad.jpg").write_bytes(b"no image")
    with pytest.raises(SystemExit) as ended:
        predicted(modules, capsys, "bad.jpg", good, "none.png", "--checkpoint", trained / "best.pt", "--plot")
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.out.startswith(f"{good}\n")
    assert "error: bad.jpg cannot be read: cannot identify image file" in said.err
    assert "error: none.png cannot be read: " in said.err
    with Image.open(tmp_path / "predictions" / f"{good.stem}.png") as plot:
        assert plot.format == "PNG"
    Path("empty").mkdir()
    with pytest.raises(SystemExit):
        predicted(modules, capsys, "empty", "--checkpoint", trained / "best.pt")
    assert capsys.readouterr().err == "error: empty has no images in it\n"


def test_archspec_reads_what_was_trained(
    modules: SimpleNamespace, trained: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint carries its spec, for the classes that were trained: ten by default, here two."""
    result = command("build", trained / "best.pt", "-o", tmp_path / "model.safetensors")
    assert result.exit_code == 0, result.output
    assert "3×32×32 → 2" in result.output
    first = sorted((images / "class0").iterdir())[0]
    expected = predicted(modules, capsys, first, "--checkpoint", trained / "best.pt")
    with pytest.raises(SystemExit):
        predicted(modules, capsys, first, "--checkpoint", "model.safetensors")
    assert "class_indices.json cannot be read" in capsys.readouterr().err
    Path("class_indices.json").write_bytes((trained / "class_indices.json").read_bytes())
    assert predicted(modules, capsys, first, "--checkpoint", "model.safetensors") == expected


@pytest.mark.exhaustive
def test_onnx_computes_the_same(modules: SimpleNamespace, trained: Path, tmp_path: Path) -> None:
    assert command("build", trained / "best.pt", "-o", tmp_path / "model.onnx").exit_code == 0
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    network = modules.network.build(2)
    network.load_state_dict(weights(trained / "best.pt"))
    batch = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    (found,) = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(found), network.eval()(batch), atol=1e-5)
