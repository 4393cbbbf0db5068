"""The value that a network takes: its sizes, and whether it holds token ids."""

from __future__ import annotations

from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import has_expression, parse
from archspec.expressions.sizes import is_whole
from archspec.frontend.model.network import Network
from archspec.ops.shapes import MAX_SIZE, Shape, integers
from archspec.passes.specialize.errors import BodyErrors


def input_of(network: Network, errors: BodyErrors) -> Shape:
    """The shape of the input. Any table has enough rows for tokens whose number is an error, which is reported."""
    if network.tokens is None:
        return network.input_shape
    try:
        below = _below(network)
    except ExpressionError as error:
        errors.report_error(error, ("tokens",))
        below = 1
    return integers(below, False)(network.input)


def _below(network: Network) -> int:
    """The number that all ids are below, perhaps by an expression over parameters that have a plain value."""
    given = network.tokens
    if not isinstance(given, str):
        return int(given or 0)
    known = {name: value for name, value in network.params.items() if value is not None and not has_expression(value)}
    found = parse(given).evaluate(known)
    if not is_whole(found) or not 1 <= found < MAX_SIZE:
        raise ExpressionError(f"expected an integer from 1 to {MAX_SIZE - 1:,}, got {found!r:.40}")
    return int(found)
