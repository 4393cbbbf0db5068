"""The commands: each parses its arguments, calls the compiler and one target, and prints or writes the result.

Everything but click is imported inside the command that needs it, so that `--help` is instant and only `build`
and `verify` load torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspec import __version__
from archspec.cli.options import (
    complete_spec,
    features_option,
    folding_option,
    limit_option,
    spec_argument,
    with_comparison,
    with_overrides,
    with_weights,
)

if TYPE_CHECKING:
    from torch import nn

    from archspec.frontend.loader import Spec
    from archspec.ir.graph import Graph
    from archspec.verification.report import Report


PICTURES = (".svg", ".png", ".pdf", ".dot")
SAVED = (".safetensors", ".pt", ".pth", ".pt2", ".onnx")


class Application(click.Group):
    """The commands, and the one place where an exception becomes an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a spec error is printed and ends with 1, an interrupt with 130, a closed pipe with 141."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(130)
        except BrokenPipeError:
            _hang_up()
            ctx.exit(141)
        except OSError as error:  # of files it is a TargetError
            _hang_up()
            click.echo(f"error[file]: standard output: cannot be written: {error.strerror or error}", err=True)
            ctx.exit(1)
        except Exception as error:
            from archspec.diagnostics.diagnostic import SpecError, ValidationError

            if not isinstance(error, SpecError | ValidationError):
                raise
            click.echo(str(error), err=True)
            ctx.exit(1)


def _hang_up() -> None:
    """Nobody reads on (`| head`): what is still buffered goes nowhere, instead of failing again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=Application, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archspec")
def app() -> None:
    """Compile neural-network architectures from YAML.

    SPEC is a path, or the name of a spec that archspec ships ('archspec list' shows them).

    \b
    Examples:
      archspec summary resnet101
      archspec render specs/googlenet.yaml -o googlenet.svg
      archspec codegen vgg16_bn --num-classes 10 -o vgg16_bn.py
    """


# -- specs ---------------------------------------------------------------------------------------------------------


def _overrides(settings: Sequence[tuple[str, Any]], num_classes: int | None, input_shape: list[int] | None) -> Any:
    """The three options as one dict; what is given twice is a mistake."""
    named = [("num_classes", num_classes), ("input", input_shape)]
    return _once_each([*settings, *((name, value) for name, value in named if value is not None)])


def _once_each(given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(given)
    if len(found) < len(given):
        twice = next(name for name in found if sum(name == other for other, _ in given) > 1)
        raise click.UsageError(f"'{twice}' is given twice")
    return found


def _load(spec: str, **options: Any) -> Spec:
    from archspec.passes.pipeline import load

    return load(spec, overrides=_overrides(**options))


def _compile(spec: str, **options: Any) -> Graph:
    from archspec.passes.pipeline import compile

    return compile(_load(spec, **options))


def _generate(specs: Sequence[str], form: dict[str, Any], options: dict[str, Any]) -> list[tuple[str, str]]:
    """The names and source texts of several specs, in the form that is asked for: folded, cut down."""
    from archspec.cli.parallel import each_on_all_cores

    return each_on_all_cores(partial(_generate_one, form, options), specs)


def _generate_one(form: dict[str, Any], options: dict[str, Any], source: str) -> tuple[str, str]:
    from archspec.api import codegen

    spec = _load(source, **options)
    return spec.name, codegen(spec, **form, overrides={})


# -- commands ---------------------------------------------------------------------------------------------------


@app.command()
@spec_argument
@with_overrides
@with_weights
@folding_option
@click.option("-o", "--output", metavar="FILE", help=f"Write it: {', '.join(SAVED)}.")
def build(
    spec: str, weights: str | None, allow_mismatch: tuple[str, ...], freeze: tuple[str, ...], features: list[str],
    init: str, seed: int | None, max_params: int, fold_batch_norm: bool, output: str | None, **options: Any,
) -> None:  # fmt: skip
    """Build the module and check it.

    One forward pass on a random batch compares every layer's observed shape with the inferred one. SPEC may also be a
    .safetensors or .pt file that archspec wrote: the spec is in it. These files hold the weights; .pt2 (torch.export)
    and .onnx files hold the program, too, in evaluation and for any batch.

    \b
    Examples:
      archspec build resnet101
      archspec build resnet18 --num-classes 5 --seed 0 -o resnet18.safetensors
      archspec build resnet34 --weights resnet34-b627a593.pth
      archspec build resnet34 --weights resnet34-b627a593.pth --num-classes 5 --allow-mismatch fc --freeze 'layer1.*'
      archspec build resnet50 --weights resnet50-11ad3fa6.pth --fold-batch-norm -o resnet50_folded.safetensors
      archspec build resnet50 --weights resnet50-11ad3fa6.pth --features layer2,layer4 -o backbone.onnx
      archspec build resnet18.safetensors -o resnet18.onnx
    """
    if output is not None:
        _check_suffix(output, SAVED)
    from archspec.weights.build import Options, save
    from archspec.weights.build import build as assemble

    chosen = Options(
        weights, allow_mismatch, freeze, features, fold_batch_norm, initialise=init != "none", seed=seed,
        max_params=max_params,
    )  # fmt: skip
    with _progress(f"building {spec}"):
        built = assemble(spec, chosen, _overrides(**options))
    _check_module(built.graph, built.module, max_params)
    for line in (*built.notes, *built.report):
        click.echo(line)
    if output is not None:
        with _progress(f"writing {output}"):
            save(built, output)
        _wrote(output)


@app.command()
@spec_argument
@with_overrides
@click.option("--depth", type=click.IntRange(0), metavar="N", help="Levels of modules; by default blocks are closed.")
@click.option("--format", type=click.Choice(["table", "json", "csv", "markdown"]), default="table", show_default=True,
              help="json and csv list every layer, whatever the depth.")  # fmt: skip
def summary(spec: str, depth: int | None, format: str, **options: Any) -> None:
    """Show shapes, parameters and MACs.

    The static analysis: no torch, no weights, milliseconds.

    \b
    Examples:
      archspec summary resnet101
      archspec summary resnet101 --depth 3 --input 3x320x320
      archspec summary net.yaml --set 'stages=[2, 2, 2, 2]' --format json
    """
    _print_summary(_compile(spec, **options), format, depth)


@app.command()
@spec_argument
@with_overrides
@click.option("-o", "--output", metavar="FILE", required=True, help=f"The picture: {', '.join(PICTURES)}.")
@click.option("--depth", type=click.IntRange(1), metavar="N", help="Levels of modules; by default what is legible.")
@click.option("--direction", type=click.Choice(["TB", "LR"], case_sensitive=False), default="TB", show_default=True,
              help="From top to bottom, or from left to right.")  # fmt: skip
def render(spec: str, output: str, depth: int | None, direction: str, **options: Any) -> None:
    """Draw the network; if shapes do not fit, up to the layer that fails, and exit with 1.

    \b
    Examples:
      archspec render resnet101 -o resnet101.svg
      archspec render googlenet -o googlenet.pdf --depth 2 --direction LR
    """
    format = _check_suffix(output, PICTURES)[1:]
    from archspec.diagnostics.diagnostic import ElaborationError

    try:
        _draw(_compile(spec, **options), output, format, depth, direction)
    except ElaborationError as error:
        if error.partial is not None:
            _draw(error.partial, output, format, depth, direction, ": the network up to the layer that fails")
        raise


def _draw(graph: Graph, output: str, format: str, depth: int | None, direction: str, note: str = "") -> None:
    from archspec.backends import diagram, output_file

    with _progress(f"drawing {graph.name}"):
        picture = diagram.render(graph, format=format, depth=depth, direction=direction)
    output_file.write(output, picture)
    _wrote(output, note)


@app.command()
@click.argument("specs", nargs=-1, shell_complete=complete_spec, metavar="[SPEC]...")
@with_overrides
@features_option
@folding_option
@click.option("-o", "--output", metavar="DIR|FILE|-", help="Where to; - is standard output, the default for one SPEC.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file is not what would be written.")
def codegen(
    specs: tuple[str, ...], features: list[str], fold_batch_norm: bool, output: str | None, check: bool, **options: Any,
) -> None:  # fmt: skip
    """Write PyTorch source files.

    Without a SPEC: all of specs/, into the folder generated/ beside it.

    \b
    Examples:
      archspec codegen resnet101                    to standard output
      archspec codegen resnet101 -o resnet101.py
      archspec codegen resnet50 resnet101 -o nets/  nets/resnet50.py and nets/resnet101.py
      archspec codegen resnet50 --fold-batch-norm   the inference form
      archspec codegen resnet50 --features layer2,layer4
      archspec codegen --check                      is generated/ up to date?
    """
    from archspec.cli import source_files

    if not specs and (_overrides(**options) or features or fold_batch_norm):
        raise click.UsageError("overrides need a SPEC")
    chosen = specs or tuple(map(str, sorted(source_files.specs_folder().rglob("*.yaml"))))
    generated = _generate(chosen, {"features": features, "fold_batch_norm": fold_batch_norm}, options)
    if not check and output in (None, "-") and specs:
        if len(specs) > 1:
            raise click.UsageError("several specs need a folder: -o DIR")
        click.echo(generated[0][1], nl=False)
        return
    wanted = source_files.destinations(generated, output, alone=len(specs) == 1)
    if check:
        source_files.check_fresh(wanted, everything=not specs)
    else:
        source_files.write_sources(wanted, folder=output is None or Path(output) not in wanted)


@app.command()
@click.argument("specs", nargs=-1, shell_complete=complete_spec, required=True, metavar="SPEC...")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="json is a list of mistakes on standard output, for editors.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Check again whenever a file is saved, until Ctrl-C.")
@limit_option
def check(specs: tuple[str, ...], format: str, watch: bool) -> None:
    """Find every mistake in some specs.

    It prints one line of totals for each spec that is fine, and the mistakes in the others; any mistake is exit code
    1. The mistakes in JSON have a file, line, column and end_column (from 1, in characters; null if there is no such
    place), kind, path, message, help and more; the list is empty if all is fine. With --watch each check is one line
    of JSON.

    \b
    Examples:
      archspec check net.yaml
      archspec check specs/*.yaml
      archspec check net.yaml --watch
      archspec check net.yaml --format json
    """
    if not watch:
        click.get_current_context().exit(0 if _check(specs, format) else 1)
    from archspec.cli.check import files_of
    from archspec.cli.watch import watch as run_and_watch

    run_and_watch(files_of(specs), lambda: _check_again(specs, format))


@app.command()
@spec_argument
@with_overrides
@with_comparison
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(
    spec: str, against: str | None, against_args: list[tuple[str, Any]], seed: int, batch: int, tolerance: float,
    skip: tuple[str, ...], max_params: int, format: str, **options: Any,
) -> None:  # fmt: skip
    """Prove the generated file by running it, or compare with a module of yours.

    The built module and the other get the same random weights. Compared are state_dict keys, order and shapes, initial
    weights, outputs in evaluation and training, running statistics and gradients, to the bit. A difference in outputs
    is located at the first submodule that computes something else. Exit code 0 if all is equal, 1 if not.

    --against runs code that you name: it is imported and called. Its names may differ where the order of shapes agrees.

    \b
    Examples:
      archspec verify resnet101
      archspec verify net.yaml --set width=64 --batch 4
      archspec verify resnet18 --against torchvision.models:resnet18
      archspec verify resnet18 --num-classes 5 --against nets.mine:ResNet --against-args num_classes=5
    """
    from archspec.verification.against import AgainstError
    from archspec.verification.verify import STEPS, Options
    from archspec.verification.verify import verify as compare

    if against_args and against is None:
        raise click.UsageError("--against-args has a meaning with --against only")
    chosen = Options(against, _once_each(against_args), seed, batch, tolerance, skip, max_params)
    try:
        with _steps(STEPS) as notify:
            report = compare(spec, chosen, _overrides(**options), notify)
    except AgainstError as error:
        (found,) = error.diagnostics
        message = f"{found.where}: {found.message}" + (f" ({found.help})" if found.help else "")
        raise click.BadParameter(message, param_hint="'--against'") from None
    _print_report(report, format)
    click.get_current_context().exit(0 if report.ok else 1)


@app.command()
@spec_argument
@with_overrides
@click.option("-o", "--output", metavar="FILE", help="Write to this file, instead of standard output.")
def expand(spec: str, output: str | None, **options: Any) -> None:
    """Print a spec in the core language.

    It is the same network with nothing left to a family, and can be changed anywhere.

    \b
    Examples:
      archspec expand resnet101 > my_resnet.yaml
      archspec expand resnet101 --num-classes 5 -o my_resnet.yaml
    """
    from archspec.passes.pipeline import expand

    _output(expand(_load(spec, **options)), output)


@app.command()
@click.option("-o", "--output", metavar="FILE", help="Write to this file, instead of standard output.")
def schema(output: str | None) -> None:
    """Print the JSON Schema of specs, for editors.

    An editor that knows it completes and checks specs while they are written.

    \b
    Examples:
      archspec schema -o archspec.frontend.schema.json
    """
    import json

    from archspec.frontend.schema import schema

    _output(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", output)


@app.command(name="list")
def list_specs() -> None:
    """List the specs that archspec ships.

    \b
    Examples:
      archspec list
      archspec list | grep resnet
    """
    from archspec.diagnostics.formatting import printable
    from archspec.frontend.loader import shipped
    from archspec.passes.pipeline import compile

    lines = [("Name", "Params", "MACs", "Description")]
    for name in shipped():
        graph = compile(name)
        about = printable(" ".join(graph.description.split()))
        lines.append((name, f"{graph.params:,}", f"{graph.macs:,}", about))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, params, macs, about in lines:
        click.echo(f"{name:<{widths[0]}}  {params:>{widths[1]}}  {macs:>{widths[2]}}  {about}".rstrip())


# -- output -----------------------------------------------------------------------------------------------------


def _print_summary(graph: Graph, format: str = "table", depth: int | None = None) -> None:
    from archspec.backends.summary import summarise

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(summarise(graph, format, depth, colour))


def _check(specs: Sequence[str], format: str, between: str = "\n") -> bool:
    """Print what is to be said of some specs; whether all are fine."""
    from archspec.cli.check import check

    found = check(specs)
    if format == "json":
        click.echo(found.json(between))
        return not found.diagnostics
    for line in found.totals:
        click.echo(line)
    if found.diagnostics:
        click.echo(found.text(), err=True)
    return not found.diagnostics


def _check_again(specs: Sequence[str], format: str) -> None:
    """The same for who watches: on a terminal in place of what was there, in JSON on one line."""
    click.clear()
    _check(specs, format, between="")
    if sys.stdout.isatty():
        click.echo("watching for changes; Ctrl-C ends", err=True)


def _check_module(graph: Graph, module: nn.Module, max_params: int) -> None:
    """Print the summary, and that the module is as it says."""
    from archspec.backends.torch import build as target
    from archspec.weights.build import check_activations

    check_activations(graph, max_params)
    with _progress(f"running {graph.name}"):
        mismatches = target.check_shapes(graph, module)
    _print_summary(graph)
    _report_shapes(graph, list(map(str, mismatches)))


def _report_shapes(graph: Graph, mismatches: list[str]) -> None:
    """Say that every layer's shape is as inferred, or fail with those that are not."""
    if mismatches:
        from archspec.diagnostics.diagnostic import Diagnostic, TargetError

        raise TargetError(Diagnostic("shape", mismatch) for mismatch in mismatches)
    ran = sum(not layer.train_only for layer in graph.layers)
    left = len(graph.layers) - ran
    aside = f" ({left} that run in training only were left out)" if left else ""
    click.echo(f"✓ {ran:,} layers: every observed shape equals the inferred one{aside}")


@contextmanager
def _progress(what: str) -> Iterator[None]:
    """Say on a terminal what takes so long, and take it back when it is done."""
    if not sys.stderr.isatty():
        yield
        return
    click.echo(f"{what} …", nl=False, err=True)
    try:
        yield
    finally:
        click.echo("\r\033[K", nl=False, err=True)


@contextmanager
def _steps(count: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal, which says what is done; it is gone at the end."""
    if not sys.stderr.isatty():
        yield lambda doing: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=count)
        yield lambda doing: progress.update(task, description=doing, advance=1)


def _print_report(report: Report, format: str) -> None:
    if format == "json":
        import json

        click.echo(json.dumps(report.to_data(), indent=2, ensure_ascii=False))
    else:
        click.echo(str(report))


def _output(text: str, path: str | None) -> None:
    if path in (None, "-"):
        click.echo(text, nl=False)
        return
    from archspec.backends import output_file

    output_file.write(str(path), text)
    _wrote(str(path))


def _wrote(path: str | Path, note: str = "") -> None:
    click.echo(f"wrote {path}{note}", err=True)


def _check_suffix(path: str, known: Sequence[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise click.BadParameter(f"'{path}' should end in {' or '.join(known)}", param_hint="'-o'")
    return suffix
