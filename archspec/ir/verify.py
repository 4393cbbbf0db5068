"""The invariants of the representation; the tests check them for every graph."""

from __future__ import annotations

from archspec.ir.module import Module, Step
from archspec.ops.shapes import ShapeError, Value


def verify_module(module: Module) -> None:
    """Check a module by itself; raises `AssertionError`, naming the step, if an invariant does not hold."""
    names = [step.name for step in module.steps if step.name is not None]
    assert len(names) == len(set(names)), f"{module.definition}: two modules with the same name in {names}"
    assert all(not isinstance(step.target, int) or step.name is None for step in module.steps), "a named call"
    assert module.result.step < len(module.steps), f"{module.definition}: no result {module.result}"
    for number, step in enumerate(module.steps):
        assert all(-len(module.inputs) <= ref.step < number for ref in step.inputs), f"{step}: reads a missing value"
        _verify_step(module, number, step)
    for order in filter(None, (module.registration, module.construction)):
        assert sorted(order) == list(range(len(module.steps) + len(module.dropped))), "no permutation of the steps"
    if module.dropped:
        assert all(step.dropped for step in module.dropped), f"{module.definition}: a dropped step that does not say so"
        verify_module(module.whole)


def _verify_step(module: Module, number: int, step: Step) -> None:
    if isinstance(step.target, int):
        assert 0 <= step.target < number, f"{step}: calls an item that is not declared before it"
    target, shapes = module.runs(step), module.shapes(step)
    if isinstance(target, Module):
        inferred: Value = target.output
        assert target.inputs == shapes, f"{step}: {target.definition} expects {target.inputs}, got {shapes}"
    else:
        try:
            inferred = target.yields(*shapes)
        except ShapeError as error:
            raise AssertionError(f"{step}: {error}") from None
    assert inferred == step.output, f"{step}: {inferred} was inferred"
