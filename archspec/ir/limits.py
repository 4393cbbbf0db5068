"""How large a network may be, and how much work it may cost, unless its user sets another limit."""

from __future__ import annotations

from typing import Final

MAX_NODES: Final = 200_000
"""Nodes of a graph, when every block is counted as often as it is used: `max_nodes`, `--max-nodes`."""

MAX_PARAMS: Final = 1 << 30
"""Numbers that a module may hold, 4 GiB of float32: `max_params`, `--max-params`."""

MAX_STEPS: Final = 3_000_000
"""Steps of work of one call, about a microsecond each: `step_limit`, `--max-steps`."""
