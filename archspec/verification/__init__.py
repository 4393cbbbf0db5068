"""Proof by running: is a spec's built module the same as its generated file, or as a module of the user's?

verify            the order of work: construct both modules, compare, report
reference_module  the user's module: found, imported, constructed
generated         the generated file: written, executed, constructed
comparison        every check in order; those of the modules as constructed: keys, shapes, initial weights
runtime_checks    the checks that run them: outputs, running statistics, gradients
key_pairing       which tensor of one module is which of the other
randomise         the same random weights and running statistics for both
forward_backward  one evaluation pass, one training pass with its gradients
first_difference  the first submodule that computes something else
differences       whether tensors and outputs are the same, and how they differ
restore           restores random numbers, modes and the user's module
report            the result
skippable         the names of the checks that can be skipped
"""
