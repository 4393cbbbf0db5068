"""What holds for all tests: one torch thread in each process, since results are compared at equal thread counts."""

import torch
from hypothesis import settings

torch.set_num_threads(1)

settings.register_profile("archspec", deadline=None)  # no test fails because a machine is slow
settings.load_profile("archspec")
