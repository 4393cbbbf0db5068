"""How large a network may be, and how much work it may cost, unless its user sets another limit."""

from __future__ import annotations

from typing import Final

MAX_NODES: Final = 200_000
"""Nodes of a graph, when every block is counted as often as it is used: `max_nodes`, `--max-nodes`."""

MAX_STEPS: Final = 3_000_000
"""Steps of work of one call, about a microsecond each: `step_limit`, `--max-steps`."""

MAX_MEMORY: Final = 16 << 30
"""Bytes that making a module and running it may take: `max_memory`, `--max-memory`.

A fixed number rather than what this machine has, or has left: a spec is then refused on every machine or on none.
"""

MAX_WORK: Final = 10**13
"""Multiply-accumulates, and other numbers read or written, of all runs of a command: minutes to an hour of one core."""
