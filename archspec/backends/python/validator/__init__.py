"""Translation validation: a generated file is read back, and must describe the same network as the graph.

In: the text of a file, and the graph it was written for. Out: nothing, or a `ValidationError` that names the place.
Read `validate` first (what is checked, and for which arguments).

`file` evaluates a file symbolically (its AST, never executed): `definitions`, `modules` (constructors), `forwards`
(traces); `statements`, `expressions`, `objects`, `environment`; `values` has what names stand for, `errors` the errors.
`comparison` compares what is registered with the graph, `data_flow` what runs, `memory` what is overwritten, and
`initialisation` what is filled; `differences` is what they share, and `lines` has where each layer is in the file.
`helpers` is what a file may hold beside its classes.
"""
