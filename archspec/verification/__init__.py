"""Runs a spec's built module beside its generated file, or a module of the user's, and compares the two.

verify            the order of work: construct both modules, compare, report
reference_module  the user's module: found, imported, constructed
generated         the generated file: written, executed, constructed
comparison        every check in order; those of the modules as constructed: keys, shapes, initial weights
runtime_checks    the checks that run them: outputs, running statistics, gradients
key_pairing       which tensors of the two modules correspond
randomise         the same random weights and running statistics for both
forward_backward  one evaluation pass, one training pass with its gradients
first_difference  the first submodule whose output differs
differences       whether tensors and outputs are the same, and how they differ
restore           restores random numbers, modes and the user's module
report            the result
skippable         the names of the checks that can be skipped
"""
