"""What holds for all tests: one torch thread in each process, since results are compared at equal thread counts."""

import os

import torch
from hypothesis import settings

torch.set_num_threads(1)

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # commands start with their bytecode on disk, as a user's do

# No test fails because a machine is slow, and a commit that passed passes again: examples are drawn from a seed of the
# test itself. `pytest --hypothesis-profile=explore` draws others at each run.
settings.register_profile("archspec", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("archspec")
