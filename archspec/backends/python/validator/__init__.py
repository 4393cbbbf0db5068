"""Translation validation: a generated file is read back, and must mean what the graph means.

In: the text of a file, and the graph it was written for. Out: nothing, or a `ValidationError` that names the place.
Read `validate` (what is checked, and for which arguments), `file` and `expressions` (a file, evaluated symbolically:
its AST, never executed), `values` (what its parts stand for), then `comparison`, `initialisation`, `memory` and
`helpers`.
"""
