"""Graph → source file: readable, plain PyTorch, for one network; and its validation.

In: a graph that was compiled with its expressions. Out: the text of a file. Read `generate` (the order of work),
`instances` (the instances of a block side by side), `variants` and `classes` (which classes there are, and the text of
one), `forward`, `calls`, `sequential` and `initialisation` (its parts), then `layout` (lines of limited width).
`validator` reads the text back and shares no code with the rest.
"""
