"""Graph → `nn.Module`, built directly.

In: a graph. Out: a module with arbitrary or initial weights. Read `build` (modules and initialisation), `program` (a
block's `forward`, compiled), `modules` (the classes of built modules), then `helpers`, `linear` and `buffers`
(functions and classes that torch does not have, which generated files contain, too), and `samples` (random inputs).
"""
