"""How large a network may be, unless its user sets another limit, and what is read of a weights file."""

from __future__ import annotations

from typing import Final

MAX_NODES: Final = 200_000
"""Nodes of a graph, when every block is counted as often as it is used: `max_nodes`, `--max-nodes`."""

MAX_PARAMS: Final = 1 << 30
"""Numbers that a module may hold, 4 GiB of float32: `max_params`, `--max-params`."""

MAX_WEIGHTS_HEADER: Final = 16 << 20
"""Bytes of a weights file that describe its tensors: the header of a `.safetensors` file, the pickle and the directory
of a `.pt` file. 100,000 tensors take 10 to 12 MiB; the tensors themselves are mapped, not read."""

MAX_PICKLE_STEPS: Final = 6_000_000
"""Opcodes that are evaluated of the pickle in a `.pt` file; a tensor takes about 40."""

MAX_KEY: Final = 500
"""Characters of a key of a state_dict."""
