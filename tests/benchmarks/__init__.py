"""The budgets of the design, each measured beside its peer in one run: `python -m tests.benchmarks`.

All of torch runs on one thread. Nothing here is a test, and no test asserts a time.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # archspec as it is here, and the oracle
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
