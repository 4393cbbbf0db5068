"""Measures the budgets of the design, each together with its peer in one run: `python -m tests.benchmarks`.

torch runs on one thread. Nothing here is a test, and no test asserts a time. README.md has the results.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # archspec as it is here, and the oracle
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
