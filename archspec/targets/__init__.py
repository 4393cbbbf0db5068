"""What a graph is compiled to: a summary, a picture, a source file, a module. No target knows another."""

import warnings

# torch says this on import where numpy is not installed; archspec does not use numpy.
warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
