"""Graph → `nn.Module`, built directly.

In: a graph. Out: a module with arbitrary or initial weights. Read `build` (modules and initialisation), `program` (a
block's `forward`, compiled), `modules` (the classes of built modules), then `helpers` (functions that torch does not
have).
"""
