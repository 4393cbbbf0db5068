"""The commands: each parses its arguments, calls the compiler and one backend, and prints or writes the result.

Everything large is imported inside the command that needs it, so that `--help` is instant and only `build` and
`verify` load torch.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspec import __version__
from archspec.backends import diagram
from archspec.backends import summary as summaries
from archspec.cli import output as out
from archspec.cli.application import Application
from archspec.cli.options import (
    DIFFERENCES,
    IMAGES,
    PAGE,
    features_option,
    folding_option,
    limit_options,
    once_each,
    ops_option,
    show_option,
    spec_argument,
    specs_argument,
    with_comparison,
    with_model,
    with_overrides,
    with_weights,
)
from archspec.cli.progress import progress
from archspec.cli.sources import OPS, compile_with_progress, file_name, generate
from archspec.diagnostics.formatting import joined
from archspec.frontend.suffixes import SAVED

if TYPE_CHECKING:
    from archspec.frontend.loader import Source
    from archspec.ir.graph import Graph


@click.group(cls=Application, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archspec")
def app() -> None:
    """Compile neural-network architectures from YAML.

    SPEC is a path, the name of a spec that archspec ships ('archspec list' shows them), or - for standard input.

    \b
    Examples:
      archspec summary resnet101
      archspec render specs/googlenet.yaml -o googlenet.svg
      archspec codegen vgg16_bn --num-classes 10 -o vgg16_bn.py
    """


@app.command()
@spec_argument
@with_overrides
@with_weights
@click.option("-o", "--output", metavar="FILE", help=f"Write it: {joined(SAVED, 'or')}.")
@click.option("--summary", is_flag=True, help="Print the table of 'archspec summary' first.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def build(
    spec: Source, overrides: dict[str, Any], output: str | None, summary: bool, quiet: bool, **chosen: Any
) -> None:
    """Build the module and check it.

    One forward pass on a random batch compares every layer's observed shape with the inferred one. SPEC may also be a
    .safetensors or .pt file that archspec wrote, since it contains the spec. These files hold the weights; .pt2
    (torch.export) and .onnx files hold the program, too, in evaluation mode and for any batch size.

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
    if summary and quiet:
        raise click.UsageError("--summary and --quiet cannot be used together")
    if output is not None:
        out.check_suffix(output, SAVED)
    with progress(f"building {spec}", quiet=quiet):
        from archspec.cli.build import check, facts
        from archspec.weights.build import Options, save
        from archspec.weights.build import build as assemble
        from archspec.weights.requirements import build_and_check

        use = build_and_check(Path(output or "").suffix.lower())
        built = assemble(spec, Options(**chosen), overrides, use)
    with progress(f"running {built.graph.name}", quiet=quiet):
        checked = check(built.graph, built.module)
    if output is not None:
        with progress(f"writing {output}", quiet=quiet):
            save(built, output)
    if quiet:
        return
    if summary:
        _print_summary(built.graph)
        click.echo()
    click.echo("\n".join([*facts(built.graph), checked, *built.notes, *built.report]))
    if output is not None:
        out.wrote(output)


@app.command()
@spec_argument
@with_overrides
@click.option("--depth", type=click.IntRange(0), metavar="N", help="Levels of modules; by default blocks are closed.")
@click.option("--format", type=click.Choice(summaries.FORMATS), default=summaries.FORMATS[0], show_default=True,
              help="json and csv list every layer, whatever the depth.")  # fmt: skip
def summary(spec: Source, overrides: dict[str, Any], depth: int | None, format: str) -> None:
    """Show shapes, parameters and MACs.

    The static analysis: no torch, no weights, milliseconds. A table is as wide as the terminal, or as COLUMNS, if set:
    columns that do not fit are left out.

    \b
    Examples:
      archspec summary resnet101
      archspec summary resnet101 --depth 3 --input 3x320x320
      archspec summary net.yaml --set 'stages=[2, 2, 2, 2]' --format json
      archspec expand resnet18 | archspec summary -
    """
    _print_summary(compile_with_progress(spec, overrides), format, depth)


def _print_summary(graph: Graph, format: str = "table", depth: int | None = None) -> None:
    click.echo(summaries.summarise(graph, format, depth, out.has_colour(sys.stdout), out.width()))


@app.command()
@spec_argument
@with_overrides
@click.option("-o", "--output", metavar="FILE|-",
              help=f"The image: {joined(IMAGES, 'or')}; by default NAME.svg. - is standard output.")  # fmt: skip
@click.option("--format", type=click.Choice([*diagram.FORMATS, PAGE]), help="By default that of FILE, or svg.")
@click.option("--depth", type=click.IntRange(1), metavar="N", help="Levels of modules; by default what is legible.")
@click.option("--direction", type=click.Choice(diagram.DIRECTIONS, case_sensitive=False), show_default=True,
              default=diagram.DIRECTIONS[0], help="TB is from top to bottom, LR from left to right.")  # fmt: skip
@show_option
@click.option("--theme", type=click.Choice(diagram.THEMES), default=diagram.THEMES[0], show_default=True,
              help="Colours for light or dark pages; an auto SVG follows the reader's preference.")  # fmt: skip
@click.option("--open", "opens", is_flag=True, help="Open the image in the default program.")
def render(spec: Source, overrides: dict[str, Any], output: str | None, opens: bool, **looks: Any) -> None:
    """Draw the network. If shapes do not match, draw it up to the layer that fails, and exit with 1.

    A file that ends in .html is an interactive page, which needs no network access: blocks open and close, and a
    layer is shown with its numbers, in the spec and in the generated source. The options of images are not for it.

    \b
    Examples:
      archspec render resnet101                     writes resnet101.svg
      archspec render resnet101 --show params,macs -o resnet101.png --open
      archspec render googlenet -o googlenet.pdf --depth 2 --direction LR
      archspec render googlenet -o googlenet.html --open
      archspec render lenet --format png -o - > lenet.png
    """
    from archspec.cli import images

    images.render(spec, overrides, images.Target(output, looks.pop("format"), opens), images.Looks(**looks))


@app.command()
@specs_argument(required=False)
@with_overrides
@features_option
@folding_option
@click.option("-o", "--output", metavar="DIR|FILE|-", help="Output; - is standard output, the default for one SPEC.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file is out of date.")
def codegen(
    specs: tuple[Source, ...], overrides: dict[str, Any], output: str | None, check: bool, **form: Any
) -> None:  # fmt: skip
    """Write PyTorch source files.

    Without a SPEC, all of specs/ into the folder generated/ beside it.

    \b
    Examples:
      archspec codegen resnet101                    to standard output
      archspec codegen resnet101 -o resnet101.py
      archspec codegen resnet50 resnet101 -o nets/  nets/resnet50.py and nets/resnet101.py
      archspec codegen resnet50 --fold-batch-norm   the inference form
      archspec codegen resnet50 --features layer2,layer4
      archspec codegen --check                      check that generated/ is up to date
    """
    from archspec.cli import generated_files

    if not specs and (overrides or any(form.values())):
        raise click.UsageError("overrides need a SPEC")
    generated = generate(specs or generated_files.all_specs(), form, overrides)
    if not check and output in (None, "-") and specs:
        if len(specs) > 1:
            raise click.UsageError("several specs need a folder: -o DIR")
        click.echo(generated[0][1], nl=False)
        return
    wanted = generated_files.destinations(generated, output, alone=len(specs) == 1)
    if check:
        generated_files.check_fresh(wanted, everything=not specs)
    else:
        generated_files.write_sources(wanted, folder=output is None or Path(output) not in wanted)


@app.command()
@spec_argument
@click.argument("folder", metavar="DIR")
@with_overrides
@click.option("--force", is_flag=True, help="Overwrite files that differ.")
def project(spec: Source, folder: str, overrides: dict[str, Any], force: bool) -> None:
    """Write a project that trains an image classifier and predicts.

    It is plain PyTorch that does not need archspec: train.py (one CPU or GPU, or torchrun), predict.py, the network in
    model.py, tests, and a README.md that says how to use them. Either all files are written or none; a file in DIR that
    differs is an error.

    \b
    Examples:
      archspec project resnet34 flowers/ --num-classes 5
      archspec project lenet digits/ --input 1x32x32
    """
    from archspec.cli.project import write

    write(spec, folder, overrides, force)


@app.command()
@specs_argument(required=True)
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="json is a list of errors on standard output, for editors.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Check again whenever a file is saved, until Ctrl-C.")
@limit_options
def check(specs: tuple[Source, ...], format: str, watch: bool) -> None:
    """Find all errors in specs.

    Prints one line of totals for each spec without errors, and the errors in the others; the exit code is 1 if there
    are any. An error in JSON has a file, line, column and end_column (from 1, in characters; null if unknown), kind,
    path, message, help and more; the list is empty if there are no errors. With --watch each check is one line of JSON.

    \b
    Examples:
      archspec check net.yaml
      archspec check specs/*.yaml
      archspec check net.yaml --watch
      archspec check net.yaml --format json
    """
    from archspec.cli import check as checks

    if not watch:
        click.get_current_context().exit(0 if checks.run(specs, format) else 1)
    names = [name for name in map(file_name, specs) if name is not None]
    if len(names) < len(specs):
        raise click.UsageError("--watch needs files: standard input can be read only once")
    from archspec.cli.watch import watch as run_and_watch

    modules = click.get_current_context().meta.get(OPS, ())
    files = [*checks.files_of(names), *checks.files_of_modules(modules)]
    run_and_watch(files, lambda: checks.run_again(specs, format, modules))


@app.command()
@spec_argument
@with_overrides
@with_comparison
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(
    spec: Source, overrides: dict[str, Any], against_args: list[tuple[str, Any]], format: str, **chosen: Any
) -> None:  # fmt: skip
    """Compare the built module with the generated file, or with your own module, by running both.

    The built module and the other get the same random weights. Compared are state_dict keys, order and shapes, initial
    weights, outputs in evaluation and training, running statistics and gradients, to the bit. A difference in outputs
    is traced to the first submodule whose output differs. The exit code is 0 if all is equal, 1 if not.

    --against runs code that you name: it is imported and called. Names in its state_dict may differ if the order of
    shapes agrees.

    \b
    Examples:
      archspec verify resnet101
      archspec verify net.yaml --set width=64 --batch 4
      archspec verify resnet18 --against torchvision.models:resnet18
      archspec verify resnet18 --num-classes 5 --against nets.mine:ResNet --against-args num_classes=5
    """
    if against_args and chosen["against"] is None:
        raise click.UsageError("--against-args needs --against")
    arguments = once_each(against_args)
    from archspec.verification.reference_module import AgainstError
    from archspec.verification.verify import STEPS, Options
    from archspec.verification.verify import verify as compare

    try:
        with progress("reading", STEPS) as step:
            report = compare(spec, Options(against_args=arguments, **chosen), overrides, step)
    except AgainstError as error:
        (found,) = error.diagnostics
        message = f"{found.where}: {found.message}" + (f" ({found.help})" if found.help else "")
        raise click.BadParameter(message, param_hint="'--against'") from None
    click.echo(report.to_json() if format == "json" else str(report))
    click.get_current_context().exit(0 if report.ok else 1)


@app.command("import")
@click.argument("model", metavar="MODULE:NAME")
@with_model
@click.option("-o", "--output", metavar="FILE|-", help="The file to write; standard output by default.")
def import_(model: str, args: list[tuple[str, Any]], input: list[int], output: str | None, **chosen: Any) -> None:
    """Make a spec of a PyTorch model, and prove it.

    MODULE:NAME is an nn.Module, or a function or class that makes one: it is imported and called, so this runs code
    that you name. The model is run in training and evaluation, without memory for its weights where that is possible,
    and its calls are recorded. The spec is then built and generated, and both are compared with the model as 'archspec
    verify' does; only if all is equal to the bit is it written. What has no form in a spec is listed, with its module
    and line of source.

    \b
    Examples:
      archspec import torchvision.models:resnet50 --input 3x224x224 -o my_resnet.yaml
      archspec import timm:create_model --args model_name=regnety_002 --input 3x224x224 -o regnety.yaml
      archspec import nets.mine:UNet --args classes=2 --input 1x256x256
    """
    from archspec.importer.convert import Options, convert
    from archspec.verification.reference_module import AgainstError

    options = Options(tuple(input), once_each(args), **chosen)
    try:
        with progress(f"importing {model}") as step:
            spec = convert(model, options, step)
    except AgainstError as error:
        (found,) = error.diagnostics
        message = f"{found.where}: {found.message}" + (f" ({found.help})" if found.help else "")
        raise click.BadParameter(message, param_hint="'MODULE:NAME'") from None
    out.print_or_write(spec.text, output)
    click.echo(str(spec.report), err=True)


@app.command()
@specs_argument(required=True)
@with_overrides
@click.option("-o", "--output", metavar="FILE", help=f"Write to this file: {joined(tuple(DIFFERENCES), 'or')}.")
@click.option("--format", type=click.Choice(list(DIFFERENCES.values())), help="By default that of FILE, or text.")
def diff(specs: tuple[Source, ...], overrides: dict[str, Any], output: str | None, format: str | None) -> None:
    """Show what differs between two networks.

    Layers that were added (+), removed (-) or changed (~), the totals, and which of the weights of the first the second
    can load. Layers are aligned by structure: blocks, order, names and fields. A block is one line if all its
    differences follow from its input; json lists its layers, too.

    --set, --num-classes and --input apply to the second SPEC; a single SPEC is compared with its changed self.
    Names and descriptions of the networks are not compared. The exit code is that of diff: 0 if nothing differs, 1 if
    something does, 2 for an error.

    \b
    Examples:
      archspec diff resnet50 resnet101
      archspec diff resnet50 --set 'stages=[3, 4, 23, 3]'
      archspec diff resnet50 mine.yaml --num-classes 5 --format markdown
      archspec diff resnet50 resnet101 -o diff.html     a page that shows both
    """
    if len(specs) > 2:
        raise click.UsageError(f"expected one or two SPECs, got {len(specs)}")
    if len(specs) == 1 and not overrides:
        raise click.UsageError("nothing to compare with: give a second SPEC, or a change, such as --set depth=3")
    from archspec.api import diff as compare
    from archspec.cli import differences

    format = differences.format_of(format, output)
    with progress(f"comparing {specs[0]}"):
        found = compare(*specs, overrides=overrides)
    if output is None and format == "text":
        click.echo(found.to_text(out.has_colour(sys.stdout), out.width()))
    else:
        out.print_or_write(differences.written(found, format), output)
    click.get_current_context().exit(0 if found.equal else 1)


@app.command()
@spec_argument
@with_overrides
@click.option("-o", "--output", metavar="FILE", help="Write to this file, instead of standard output.")
def expand(spec: Source, overrides: dict[str, Any], output: str | None) -> None:
    """Print a spec in the core language.

    It is the same network without a family, in which every layer can be changed.

    \b
    Examples:
      archspec expand resnet101 > my_resnet.yaml
      archspec expand resnet101 --num-classes 5 -o my_resnet.yaml
    """
    from archspec.passes.pipeline import expand, load

    out.print_or_write(expand(load(spec, overrides=overrides)), output)


@app.command()
@ops_option
@click.option("-o", "--output", metavar="FILE", help="Write to this file, instead of standard output.")
def schema(output: str | None) -> None:
    """Print the JSON Schema of specs, for editors.

    With it, editors complete and check specs while you write them.

    \b
    Examples:
      archspec schema -o spec.schema.json
      archspec schema --ops my_ops -o my.schema.json
    """
    from archspec.cli.sources import ops_given
    from archspec.diagnostics.json_text import json_text
    from archspec.frontend.schema import schema

    out.print_or_write(json_text(schema(ops_given()), indent=2) + "\n", output)


@app.command(name="list")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_specs(patterns: tuple[str, ...], format: str) -> None:
    """List the specs that archspec ships: all of them, or those whose names match a PATTERN.

    A PATTERN is a part of a name, or a glob: 'resnet*' matches names that begin with resnet.

    \b
    Examples:
      archspec list
      archspec list resnet
      archspec list 'vgg*_bn' 'efficientnet_b?'
      archspec list --format json
    """
    from archspec.cli import listing

    names = listing.select(patterns)
    with progress("analysing", len(names)) as step:
        found = listing.entries(names, step)
    click.echo(listing.to_json(found) if format == "json" else listing.to_table(found, out.width()))
