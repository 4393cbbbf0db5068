"""The public functions that make something of a spec: module, source, project, image, table or comparison.

Each takes a path, a shipped spec's name, YAML text, a loaded spec or a compiled graph. Further keywords override the
spec, as in `archspec.load`. A parameter with the name of an option of the function (`format`, `depth`, …) is overridden
with `overrides={…}`; an ambiguous keyword is an error. Every user error is a `SpecError`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics.budget import budgeted
from archspec.diagnostics.diagnostic import Diagnostic, SpecError, TargetError
from archspec.frontend.loader import Source, WithOps, text
from archspec.frontend.overrides import takes_overrides
from archspec.ir.graph import Graph
from archspec.ir.limits import MAX_MEMORY
from archspec.passes.pipeline import compile, load

if TYPE_CHECKING:
    from torch import nn

    from archspec.backends.diagram.image import Image
    from archspec.backends.html.page import Page
    from archspec.changes.diff import Diff
    from archspec.frontend.own_ops import Given
    from archspec.importer.report import ImportedSpec
    from archspec.verification.report import Report


@takes_overrides
def build(
    source: Source, /, *, weights: str | os.PathLike[str] | None = None, allow_mismatch: str | Sequence[str] = (),
    freeze: str | Sequence[str] = (), features: str | Sequence[str] = (), fold_batch_norm: bool = False,
    initialise: bool = True, seed: int | None = None, max_memory: int | str = MAX_MEMORY,
    max_params: int | None = None, force: bool = False, ops: Given = (),
    overrides: Mapping[str, Any] | None = None, **keywords: Any,
) -> nn.Module:  # fmt: skip
    """The network as a module: torchvision's state_dict keys, and its initial weights for the same seed.

    With `seed`, `torch.manual_seed(seed)` is called first. `weights` is a `.safetensors`, `.pt` or `.pth` file. Its
    keys and shapes must match, except those of layers that match `allow_mismatch`, which keep their initial values.
    Parameters that match `freeze` are not trained. Patterns are names of layers (`fc`) or globs (`layer1.*`). With
    `features` the module computes only the values of these names, returns them as a dict, and lists their shapes and
    strides in `feature_info`. With `fold_batch_norm` it is the inference form: batch norm is folded into the
    convolutions and dropout is removed. `initialise=False` leaves the weights uninitialised. A network that takes more
    than `max_memory` (bytes, or a size as `"64GiB"`; 16 GiB by default) or has more than `max_params` parameters and
    buffer values is refused before memory is allocated for it, with an error that says what it takes, unless `force` is
    given. The source may also be a weights file saved by archspec, whose spec may use the `ops`, as with `load`.
    Adjustments that were not requested raise a `UserWarning`; the logger `archspec` lists which tensors were loaded and
    which keep their initial values.

    >>> import archspec, torch
    >>> archspec.build("lenet", num_classes=5)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 5])
    """
    from logging import getLogger

    from archspec.weights.build import Options
    from archspec.weights.build import build as assemble

    options = Options(
        weights, _as_tuple(allow_mismatch), _as_tuple(freeze), _as_tuple(features), fold_batch_norm, initialise, seed,
        max_memory, max_params, force,
    )  # fmt: skip
    built = assemble(WithOps(source, ops) if ops else source, options, overrides)
    for note in built.notes:
        warnings.warn(note, stacklevel=2)
    for line in built.report:
        getLogger("archspec").info(line)
    return built.module


def _as_tuple(patterns: str | Sequence[str]) -> tuple[str, ...]:
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


@budgeted
@takes_overrides
def codegen(
    source: Source, /, *, features: str | Sequence[str] = (), fold_batch_norm: bool = False,
    overrides: Mapping[str, Any] | None = None, **keywords: Any,
) -> str:  # fmt: skip
    """The network as a Python source file that needs torch and nothing else.

    With `features` it computes only the values of these names, and returns them as a dict. With `fold_batch_norm` it
    is the inference form; `build` converts the weights. The text is read back and compared with the network. If they
    differ, `ValidationError` is raised: that is a bug in archspec.

    >>> import archspec
    >>> "class LeNet(nn.Module):" in archspec.codegen("lenet")
    True
    """
    from archspec.driver.source import written

    return written(source, overrides, _as_tuple(features), fold_batch_norm).text


@budgeted
@takes_overrides
def project(
    source: Source, folder: str | os.PathLike[str], /, *, force: bool = False,
    overrides: Mapping[str, Any] | None = None, **keywords: Any,
) -> list[Path]:  # fmt: skip
    """Write a project that trains the network on a folder of images, and predicts: plain PyTorch without archspec.

    The network must be a classifier of images: its input has 1 or 3 channels, its output `num_classes` numbers. Either
    all files are written into `folder`, or none. A file that already exists and differs is an error, unless `force` is
    given, which overwrites it. Returns the files that were written.

    >>> import archspec, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in archspec.project("lenet", folder, num_classes=5)][:3]
    ['README.md', 'checkpoint.py', 'data.py']
    """
    from archspec.backends.project.facts import facts, require_classifier
    from archspec.backends.project.folder import write
    from archspec.backends.project.text import texts, with_classes

    graph = compile(source, overrides=overrides)
    classes = require_classifier(graph)
    spec = load(graph, overrides={"num_classes": classes})  # so that its text contains the number
    twin = compile(spec, overrides={"num_classes": classes + 1})
    found = facts(graph, twin)
    if compile(load(with_classes(text(spec), classes + 1), ops=spec.ops.own)) != twin:
        raise TargetError(f"{graph.name}: its text contains 'num_classes: {classes}' before the parameter")
    return write(Path(folder), texts(found, codegen(spec, overrides={}), text(spec)), force)


@budgeted
@takes_overrides
def diff(
    a: Source, b: Source | None = None, /, *, overrides: Mapping[str, Any] | None = None, **keywords: Any
) -> Diff:  # fmt: skip
    """What differs between two networks: layers, totals, and which of the weights of `a` can be loaded into `b`.

    Overrides apply to `b`, which is `a` if it is not given. Layers are aligned by the structure of their blocks: their
    order, names, kinds and fields. An added block is one change. Differences that only follow from a different input
    are not reported as changed fields. Names, class names and descriptions of the networks themselves are not compared.

    >>> import archspec
    >>> [change.b for change in archspec.diff("resnet18", num_classes=5).changes]
    ['resnet18', 'fc']
    >>> archspec.diff("resnet50", "resnet101").weights.allow
    ('layer3',)
    """
    from archspec.changes.diff import diff as compare

    if b is None and not overrides:
        help = "give a second spec, or what to override: diff('resnet50', stages=[3, 4, 23, 3])"
        raise SpecError([Diagnostic("usage", "diff: nothing to compare with", help=help)])
    return compare(compile(a), compile(a if b is None else b, overrides=overrides))


@budgeted
@takes_overrides
def render(
    source: Source, /, format: str | None = None, depth: int | None = None, direction: str = "TB", *,
    show: str | Sequence[str] = ("params",), theme: str = "auto", path: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None, **keywords: Any,
) -> Image:  # fmt: skip
    """The network as an image: `svg`, `png`, `pdf` or `dot`, drawn from top to bottom (`TB`) or left to right (`LR`).

    `depth` is how many levels of modules are opened; by default blocks are boxes. `show` names the costs that boxes
    state: `params`, `macs` and `activations`. The background is transparent; the `theme` is `light`, `dark` or, for an
    SVG, `auto`, which follows the reader's preference. The `partial` graph of an `ElaborationError` is drawn up to the
    layer that fails, which is marked. With `path` the image is also written to this file, in the `format` that the
    file's suffix names; by default it is SVG. The result is `bytes`, which a notebook shows as an image.

    >>> import archspec
    >>> archspec.render("lenet", format="dot").startswith(b"digraph")
    True
    """
    is_partial = isinstance(source, Graph) and source.is_partial and not overrides
    graph = source if isinstance(source, Graph) and is_partial else compile(source, overrides=overrides)
    from archspec.backends import diagram as target
    from archspec.backends import output_file

    chosen = target.format_of(format, path)
    image = target.Image(target.render(graph, chosen, depth, direction, _as_tuple(show), theme), chosen)
    if path is not None:
        output_file.write(path, image)
    return image


@budgeted
@takes_overrides
def explore(
    source: Source, /, *, path: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None, **keywords: Any,
) -> Page:  # fmt: skip
    """The network as an interactive page: the text of one HTML file that needs no network access.

    Blocks open and close; what is selected is shown with its numbers, its `state_dict` keys, its line of the spec and
    its lines of the generated source. With `path` the page is also written to this file. A notebook shows it in the
    cell. Raises `SpecError` for a graph that has no spec: one that was cut down to features, or ends at an error.

    >>> import archspec
    >>> archspec.explore("lenet").startswith("<!doctype html>")
    True
    """
    from archspec.driver.page import page

    found = page(compile(source, overrides=overrides))
    if path is not None:
        from archspec.backends import output_file

        output_file.write(path, found)
    return found


@budgeted
@takes_overrides
def summary(
    source: Source, /, format: str = "table", depth: int | None = None, *,
    overrides: Mapping[str, Any] | None = None, **keywords: Any,
) -> str:  # fmt: skip
    """The static analysis as text: `table`, `json`, `csv` or `markdown`.

    `depth` is how many levels of modules a table shows; by default blocks are closed.

    >>> import archspec, json
    >>> json.loads(archspec.summary("lenet", format="json"))["params"]
    121182
    """
    graph = compile(source, overrides=overrides)
    from archspec.backends.summary import summarise

    return summarise(graph, format=format, depth=depth)


def from_module(
    model: nn.Module | Callable[..., nn.Module] | str, /, *, input: Sequence[int],
    args: Mapping[str, Any] | None = None, name: str | None = None, flat: bool = False, allow_inexact: bool = False,
    max_memory: int | str = MAX_MEMORY, force: bool = False,
) -> ImportedSpec:  # fmt: skip
    """The spec of a PyTorch model: it is run, its calls are recorded, and what is made of them is proven.

    `model` is a module, a function or class that makes one (called with `args`), or `"package.module:name"`, which is
    imported, the current directory included. `input` is the shape of one sample. Classes become blocks, with parameters
    for what differs between their uses; with `flat` there are no blocks, but of modules with parameters of their own.

    Before it is returned the spec is compiled, built and generated, and both are compared with the model as `verify`
    does. The result's `report` says what is equal; its `text` is the spec. Weights are not needed, and the model, the
    random number generators and torch's modes are left as they are. `max_memory` and `force` are those of `verify`: the
    comparison holds four copies of the weights.

    Raises `SpecError` with everything in the model that cannot be said, each with its module and line of source; or
    with what differs, unless `allow_inexact` is given.

    >>> import archspec, torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
    >>> spec = archspec.from_module(net, input=(3, 8, 8))
    >>> spec.report.exact, archspec.compile(spec).params
    (True, 224)
    """
    from archspec.importer.convert import Options, convert

    sizes: Any = tuple(input) if isinstance(input, list | tuple) else input
    return convert(model, Options(sizes, dict(args or {}), name, flat, allow_inexact, max_memory, force))


@takes_overrides
def verify(
    source: Source, /, against: nn.Module | Callable[..., nn.Module] | str | None = None, *,
    against_args: Mapping[str, Any] | None = None, seed: int = 0, batch: int = 2, tolerance: float = 0.0,
    skip: str | Sequence[str] = (), max_memory: int | str = MAX_MEMORY, max_params: int | None = None,
    force: bool = False,
    overrides: Mapping[str, Any] | None = None, **keywords: Any,
) -> Report:  # fmt: skip
    """Build the network and compare it with its generated file, or with a module of yours, by running both.

    Compared are state_dict keys, order and shapes, initial weights for the same `seed`, and, with the same random
    weights and running statistics in both, outputs in evaluation and in training (dropout included, for `batch`
    samples), running statistics after it, and the gradients of the input and of all parameters. Equal means equal to
    the bit, or within `tolerance` times the largest value. `skip` leaves out `initial-weights`, `training` or
    `gradients`.

    `against` is a module, a function or class that makes one (called with `against_args`), or `"package.module:name"`,
    which is imported from the path or the current directory. Its names may differ from the spec's where the order of
    shapes agrees. A difference in outputs is traced to the first submodule whose output differs. A module passed in is
    restored afterwards, as is the state of torch's random number generators.

    `max_memory`, `max_params` and `force` are those of `build`; here two modules are run and trained, and a comparison
    of more than 10^13 operations is refused, too.

    Raises `SpecError` for an error in the spec, or if `against` cannot be imported. A difference is not an error:
    the report's `ok` is then false, and `str()` describes it.

    >>> import archspec
    >>> report = archspec.verify("lenet")
    >>> report.ok, report.checks[1].name, report.checks[1].detail
    (True, 'inferred shapes', '7 layers, all as observed')
    """
    from archspec.verification.verify import Options
    from archspec.verification.verify import verify as compare

    options = Options(
        against, dict(against_args or {}), seed, batch, tolerance, _as_tuple(skip),
        max_memory, max_params, force,
    )  # fmt: skip
    return compare(source, options, overrides)
