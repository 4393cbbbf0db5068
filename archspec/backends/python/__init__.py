"""Graph → source file: readable, plain PyTorch, for one network; and its validation.

In: a graph that was compiled with its expressions. Out: the text of a file. Read `generate` first, the order of work:

    instances    which classes there are, and what all instances of a block have in common
    classes      what each class's constructor assigns, initialises and calls
    forward      the statements of its `forward`
    file         the template, and what it is filled with: imports, helpers, signatures, docstrings
    validator    reads the text back, and shares no code with the rest

`formatter` breaks long lines, as ruff would.
"""
