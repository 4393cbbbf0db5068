"""The public functions that end in a target. Each takes a path, a shipped spec's name, YAML text or a loaded spec.

Keywords override the spec, as in `archspec.load`. A parameter of a spec that is called like an argument of one of
these functions (`format`, `depth`, …) is overridden with `load` first. Every mistake of a user's is a `SpecError`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from archspec.batch import without_collection
from archspec.driver import Source, compile, compile_with_expressions, load, with_parameters

if TYPE_CHECKING:
    from torch import nn


def build(
    source: Source, /, *, weights: str | os.PathLike[str] | None = None, allow_mismatch: str | Sequence[str] = (),
    freeze: str | Sequence[str] = (), features: str | Sequence[str] = (), fold_batch_norm: bool = False,
    initialise: bool = True, max_params: int | None = None, **overrides: Any,
) -> nn.Module:  # fmt: skip
    """The network as a module: torchvision's state_dict keys, and its initial weights for the same seed.

    `weights` is a `.safetensors`, `.pt` or `.pth` file, which must fit; layers that match `allow_mismatch` need not,
    and keep their initial values. Parameters that match `freeze` are not trained. Patterns are names of layers
    (`fc`) or globs (`layer1.*`). With `features` the module is cut down to the values of these names, returns them
    as a dict, and knows their shapes and strides (`feature_info`). With `fold_batch_norm` it is the inference form:
    batch norm is part of the convolutions, dropout is gone. `initialise=False` leaves the weights arbitrary, for
    those who fill them themselves. A network of more than `max_params` numbers (2^30, which are 4 GiB of float32) is
    refused before memory is taken for it. A file that archspec saved is a source, too. What was done that nobody
    asked for is a `UserWarning`; what was loaded and what keeps its initial value goes to the logger `archspec`.

    >>> import archspec, torch
    >>> archspec.build("lenet", num_classes=5)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 5])
    """
    from logging import getLogger

    from archspec.assembly import MAX_PARAMS, Options
    from archspec.assembly import build as assemble

    options = Options(
        weights, _listed(allow_mismatch), _listed(freeze), _listed(features), fold_batch_norm, initialise,
        max_params=MAX_PARAMS if max_params is None else max_params,
    )  # fmt: skip
    built = assemble(source, options, **overrides)
    for note in built.notes:
        warnings.warn(note, stacklevel=2)
    for line in built.report:
        getLogger("archspec").info(line)
    return built.module


def _listed(patterns: str | Sequence[str]) -> tuple[str, ...]:
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


def codegen(source: Source, /, *, fold_batch_norm: bool = False, **overrides: Any) -> str:
    """The network as a Python source file that needs torch and nothing else.

    With `fold_batch_norm` it is the inference form, whose weights `build` makes from those of the network. The text is
    read back and compared with the network; a `ValidationError` says that it is another one, which is archspec's fault.

    >>> import archspec
    >>> "class LeNet(nn.Module):" in archspec.codegen("lenet")
    True
    """
    from archspec.targets import python as target
    from archspec.validation import validate

    with without_collection():
        spec = load(source, **overrides)
        if fold_batch_norm:
            from archspec.folding import fold

            spec = fold(spec).spec
        graph = compile_with_expressions(spec)
        text = target.generate(graph)
        validate(text, graph, partial(with_parameters, graph))
    return text


def render(
    source: Source, /, format: str = "svg", depth: int | None = None, direction: str = "TB", **overrides: Any
) -> bytes:
    """The network as a picture: `svg`, `png`, `pdf` or `dot`, drawn from top to bottom (`TB`) or left to right (`LR`).

    `depth` is how many levels of modules are opened; by default blocks are boxes.

    >>> import archspec
    >>> archspec.render("lenet", format="dot").startswith(b"digraph")
    True
    """
    graph = compile(source, **overrides)
    from archspec.targets import diagram as target

    return target.render(graph, format=format, depth=depth, direction=direction)


def summary(source: Source, /, format: str = "table", depth: int | None = None, **overrides: Any) -> str:
    """The static analysis as text: `table`, `json`, `csv` or `markdown`.

    `depth` is how many levels of modules a table shows; by default blocks are closed.

    >>> import archspec, json
    >>> json.loads(archspec.summary("lenet", format="json"))["params"]
    62006
    """
    graph = compile(source, **overrides)
    from archspec.targets.summary import summarise

    return summarise(graph, format=format, depth=depth)
