"""Graph → source file: readable, plain PyTorch, for one network; and its validation.

In: a graph that was compiled with its expressions. Out: the text of a file. Read `generate` first, the order of work:

    instances    the classes to write, and the common form of all instances of a block
    classes      the constructor of each class: what it assigns and initialises
    forward      the statements of its `forward`
    file         the template and its context: imports, helpers, signatures, docstrings
    validator    reads the text back, without sharing code with the rest

`formatter` breaks long lines, as ruff would.
"""
