"""Translation validation: a generated file is read back, and must describe the same network as the graph.

In: the text of a file, and the graph it was written for. Out: nothing, or a `ValidationError` that names the place.
Read `validate` first (what is checked, and for which arguments).

`file` evaluates a file symbolically (its AST, never executed): `definitions`, `modules` (constructors), `forwards`
(traces); `statements`, `expressions`, `objects`, `environment`; `values` has the symbolic values, `errors` the errors.
With the graph, `comparison` compares what is registered, `data_flow` what runs, `memory` what is overwritten, and
`initialisation` (with `initialisers`) what is initialised; they share `differences`. `lines` has the place of each
layer in the file. `helpers` has the definitions that a file may contain in addition to its classes.
"""
