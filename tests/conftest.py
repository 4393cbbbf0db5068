"""What holds for all tests: one torch thread in each process, since results are compared at equal thread counts."""

import os

import torch
from hypothesis import settings

torch.set_num_threads(1)

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # commands start with their bytecode on disk, as a user's do

settings.register_profile("archspec", deadline=None)  # no test fails because a machine is slow
settings.load_profile("archspec")
