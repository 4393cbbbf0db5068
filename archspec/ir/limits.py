"""How large a network may be, how much work it may cost, and how much of a weights file is read.

Most limits can be set to others by the user.
"""

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

MAX_WEIGHTS_HEADER: Final = 16 << 20
"""Bytes of a weights file that describe its tensors: the header of a `.safetensors` file, the pickle and the directory
of a `.pt` file. 100,000 tensors take 10 to 12 MiB; the tensors themselves are mapped, not read."""

MAX_PICKLE_STEPS: Final = 6_000_000
"""Opcodes that are evaluated of the pickle in a `.pt` file; a tensor takes about 40."""

MAX_KEY: Final = 500
"""Characters of a key of a state_dict."""
