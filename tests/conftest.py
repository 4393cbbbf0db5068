"""One torch thread in each test process: results are compared at equal thread counts, side by side."""

import torch

torch.set_num_threads(1)
