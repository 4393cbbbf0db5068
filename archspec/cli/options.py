"""Arguments and options that several commands share: the SPEC and its overrides, weights, comparison.

Every choice, limit and default comes from the part of archspec that it belongs to. The parameters of `with_weights` and
`with_comparison` have the names of the fields of `weights.build.Options` and `verification.verify.Options`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

import click

from archspec.backends.diagram import COUNTS, FORMATS, SHOWN
from archspec.cli.sources import OPS, read_sources
from archspec.frontend.suffixes import CHECKPOINTS
from archspec.ir.limits import MAX_MEMORY, MAX_NODES, MAX_STEPS
from archspec.verification.skippable import SKIPPABLE

PAGE = "html"
"""The format of an interactive page."""

DIFFERENCES = {".txt": "text", ".json": "json", ".md": "markdown", ".html": PAGE}
"""The formats of a difference, by the suffixes of files."""

IMAGES = tuple(f".{format}" for format in (*FORMATS, PAGE))

F = TypeVar("F", bound=Callable[..., Any])


def _parse_settings(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[tuple[str, Any]]:
    """Each `K=V` as a name and a value, parsed as YAML."""
    return [_parse_setting(value, param.opts[0]) for value in values]


def _parse_setting(given: str, option: str) -> tuple[str, Any]:
    key, equals, text = given.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
        what = "a field" if option == "--set" else "an argument"
        raise click.BadParameter(f"'{given}' is not K=V: expected the name of {what} and its value, like num_classes=5")
    if not text.strip():
        raise click.BadParameter(f"'{given}' has no value; write '{key}=null' for none")
    from archspec.frontend.yaml.reader import parse

    return key, parse(text, f"{option} {key}").data


def _parse_shape(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """`3x320x320` as a list of sizes."""
    if value is None:
        return None
    sizes = re.split("[x×]", value)
    wrong = [size for size in sizes if not re.fullmatch("0*[1-9][0-9]{0,8}", size)]
    if wrong or len(sizes) > 3:
        reason = f"'{wrong[0]}' is not a size" if wrong else f"got {len(sizes)} size{'s' * (len(sizes) != 1)}"
        raise click.BadParameter(f"'{value}' is not channels, height and width, as in 3x224x224: {reason}")
    return [int(size) for size in sizes]


def _parse_sample(ctx: click.Context, param: click.Parameter, value: str) -> list[int]:
    """The sizes of one sample, of any number."""
    sizes = re.split("[x×]", value)
    if not all(re.fullmatch("0*[1-9][0-9]{0,8}", size) for size in sizes):
        raise click.BadParameter(f"'{value}' is not the shape of one sample, as 3x224x224 or 128")
    return [int(size) for size in sizes]


def _parse_memory(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """`64GiB` as bytes."""
    from archspec.diagnostics.diagnostic import SpecError
    from archspec.weights.requirements import parse_bytes

    try:
        return parse_bytes(value)
    except SpecError as error:
        raise click.BadParameter(error.diagnostics[0].message.removeprefix("max_memory: ")) from None


def _split(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[str]:
    """Names, given separately or joined by commas."""
    return [name.strip() for value in values for name in value.split(",")]


def complete_spec(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """The shell's completions for a SPEC: shipped names, and files."""
    from click.shell_completion import CompletionItem

    from archspec.frontend.loader import shipped

    names = [CompletionItem(name) for name in shipped() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def _set_limit(ctx: click.Context, param: click.Parameter, value: int | None) -> None:
    """Keep a limit for the whole command: `max_nodes` with `archspec.node_limit`, `max_steps` with `step_limit`."""
    if value is not None:
        import archspec

        limits = {"max_nodes": archspec.node_limit, "max_steps": archspec.step_limit}
        ctx.with_resource(limits[str(param.name)](value))


def once_each(given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Settings as a dict; raises `UsageError` for a name that is given twice."""
    found = dict(given)
    if len(found) < len(given):
        twice = next(name for name in found if sum(name == other for other, _ in given) > 1)
        raise click.UsageError(f"'{twice}' is given twice")
    return found


def limit_options(command: F) -> F:
    """Add the limits of a network's size and of the work that it may cost."""
    nodes = click.option(
        "--max-nodes", type=click.IntRange(1), metavar="N", expose_value=False, callback=_set_limit,
        help=f"Refuse a network with more nodes; by default {MAX_NODES:,}.",
    )  # fmt: skip
    steps = click.option(
        "--max-steps", type=click.IntRange(1), metavar="N", expose_value=False, callback=_set_limit,
        help=f"Refuse a network that takes more steps of work; by default {MAX_STEPS:,}.",
    )  # fmt: skip
    return nodes(steps(command))


def _import_ops(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Import modules of ops, which the SPECs may then use; the current directory is searched, too."""
    if not names or ctx.resilient_parsing:
        return names
    from archspec.diagnostics.diagnostic import SpecError
    from archspec.diagnostics.user_code import importable_here
    from archspec.frontend.own_ops import own_ops

    ctx.with_resource(importable_here())
    try:
        own_ops(names)
    except SpecError as error:
        found = (f"{d.message.removeprefix('ops: ')}{f' ({d.help})' if d.help else ''}" for d in error.diagnostics)
        raise click.BadParameter("\n".join(found), param_hint="'--ops'") from None
    ctx.meta[OPS] = names
    return names


ops_option = click.option(
    "--ops", metavar="MODULE", multiple=True, is_eager=True, expose_value=False, callback=_import_ops,
    help="Your own ops: a module to import, also from the current directory. May be repeated.",
)  # fmt: skip


def spec_argument(command: F) -> F:
    """A SPEC, and the ops that it may use."""
    argument = click.argument("spec", metavar="SPEC", shell_complete=complete_spec, callback=read_sources)
    return argument(ops_option(command))


def specs_argument(required: bool) -> Callable[[F], F]:
    """Any number of SPECs, and the ops that they may use."""

    def decorate(command: F) -> F:
        argument = click.argument(
            "specs", nargs=-1, required=required, metavar="SPEC..." if required else "[SPEC]...",
            shell_complete=complete_spec, callback=read_sources,
        )  # fmt: skip
        return argument(ops_option(command))

    return decorate


def with_overrides(command: F) -> F:
    """Add the options that change a spec, which the command receives as one dict `overrides`, and the limits."""
    options = (
        click.option("--set", "settings", metavar="K=V", multiple=True, callback=_parse_settings,
                     help="Override a field or parameter of the spec; V is YAML. May be repeated."),
        click.option("--num-classes", type=int, metavar="N", help="The same as --set num_classes=N."),
        click.option("--input", metavar="CxHxW", callback=_parse_shape, help="Shape of one sample."),
        limit_options,
    )  # fmt: skip

    @wraps(command)
    def call(*, settings: Sequence[tuple[str, Any]], **given: Any) -> Any:
        named = [(name, given.pop(name)) for name in ("num_classes", "input")]
        overrides = once_each([*settings, *((name, value) for name, value in named if value is not None)])
        return command(overrides=overrides, **given)

    return _add(cast(F, call), options)


size_options = (
    click.option("--max-memory", metavar="SIZE", default=f"{MAX_MEMORY >> 30}GiB", show_default=True,
                 callback=_parse_memory, help="Refuse a network that would take more memory."),
    click.option("--max-params", type=click.IntRange(1), metavar="N",
                 help="Refuse a network with more parameters and buffer values."),
    click.option("--force", is_flag=True, help="Do not limit memory, parameters or work."),
)  # fmt: skip


features_option = click.option(
    "--features", metavar="NAMES", multiple=True, callback=_split,
    help="Cut the network down to these values, by torchvision's names: layer2,layer4.",
)  # fmt: skip


folding_option = click.option(
    "--fold-batch-norm", is_flag=True, help="Make the inference form: batch norm folded into convolutions, no dropout."
)


def _parse_counts(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    """`params,macs` as a list; `none` is an empty one."""
    names = [] if value == "none" else [name.strip() for name in value.split(",")]
    for name in names:
        if name not in COUNTS:
            raise click.BadParameter(f"'{name}' is not one of {', '.join(COUNTS)}, none")
    return list(dict.fromkeys(names))


show_option = click.option(
    "--show", metavar="NAMES", default=",".join(SHOWN), show_default=True, callback=_parse_counts,
    help=f"Costs that boxes state: some of {','.join(COUNTS)}, or none.",
)  # fmt: skip


def with_weights(command: F) -> F:
    """Add the options for making a module: the fields of `weights.build.Options`."""
    options = (
        click.option("--weights", metavar="FILE", help=f"Load this {', '.join(CHECKPOINTS)} file; it must fit."),
        click.option("--allow-mismatch", metavar="LAYER", multiple=True,
                     help="A layer (fc) or pattern that need not fit and keeps its initial value. May be repeated."),
        click.option("--freeze", metavar="PATTERN", multiple=True,
                     help="Parameters not to be trained: a layer, or a pattern (layer1.*). May be repeated."),
        features_option,
        folding_option,
        click.option("--init", "initialise", type=click.Choice(["spec", "none"]), default="spec", show_default=True,
                     callback=lambda ctx, param, value: value != "none",
                     help="none leaves the weights uninitialised."),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Seed of the initial weights."),
        *size_options,
    )  # fmt: skip
    return _add(command, options)


def with_comparison(command: F) -> F:
    """Add the options for comparing a module: the fields of `verification.verify.Options`."""
    options = (
        click.option("--against", metavar="MODULE:NAME",
                     help="An nn.Module, or a callable that makes one; the current directory is searched, too."),
        click.option("--against-args", metavar="K=V", multiple=True, callback=_parse_settings,
                     help="An argument that --against is called with; V is YAML. May be repeated."),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, metavar="N", show_default=True,
                     help="Seed of weights, input and dropout."),
        click.option("--batch", type=click.IntRange(1), default=2, metavar="N", show_default=True,
                     help="Samples to run."),
        click.option("--tolerance", type=click.FloatRange(0, 1, max_open=True), default=0.0, metavar="X",
                     show_default=True, help="Let values differ by X times the largest; 0 means equal to the bit."),
        click.option("--skip", type=click.Choice(SKIPPABLE), multiple=True,
                     help="Leave these checks out. May be repeated."),
        *size_options,
    )  # fmt: skip
    return _add(command, options)


def _add(command: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def with_model(command: F) -> F:
    """What a model is made with and how it is imported; the parameters are the fields of `importer.convert.Options`."""
    options = (
        click.option("--args", metavar="K=V", multiple=True, callback=_parse_settings,
                     help="An argument that MODULE:NAME is called with; V is YAML. May be repeated."),
        click.option("--input", metavar="CxHxW", required=True, callback=_parse_sample,
                     help="The shape of one sample: 3x224x224."),
        click.option("--name", metavar="NAME", help="The network's name; by default that of the function or class."),
        click.option("--flat", is_flag=True, help="Write no blocks, but for modules with parameters of their own."),
        click.option("--allow-inexact", is_flag=True, help="Write the spec even if it differs, marked as such."),
        size_options[0],
        size_options[2],
    )  # fmt: skip
    return _add(command, options)
