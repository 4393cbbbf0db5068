"""Many random networks through the checks, for `python -m tests.random_networks --run N --start S`.

Each is built, generated, interpreted, inferred, counted and overridden; the slower checks take turns.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import torch
from checks import CHECKS, QUICK, failure
from free_networks import free_network
from random_networks import network
from tensor_networks import tensor_network

from archspec.frontend.yaml.writer import dump

SLOW = tuple(check for check in CHECKS if check not in QUICK)


def checks_of(seed: int) -> tuple[Any, ...]:
    """The checks of the network of a seed: the quick ones, and one of the others in turn."""
    return (*QUICK, SLOW[seed % len(SLOW)])


def long_run(start: int, count: int) -> int:
    """Try `count` networks from seed `start` on; returns how many fail."""
    torch.set_num_threads(1)
    begun, failed = time.process_time(), Counter[str]()
    for number in range(count):
        seed, made = start + number // 3, (network, free_network, tensor_network)[number % 3]
        reason = failure(dump(made(seed)), checks_of(seed))
        if reason is not None:
            failed[reason.split(":")[0]] += 1
            print(f"{made.__name__}({seed}): {reason}", flush=True)
    each = (time.process_time() - begun) / max(count, 1)
    print(f"{count} networks, {failed.total()} failed {dict(failed) or ''}, {each:.3f} s each on one core", flush=True)
    return failed.total()
