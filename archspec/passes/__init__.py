"""Spec → graph → graph.

In: a validated spec. Out: the graph of its network, or a changed one. Read `pipeline` (all passes, in order), then
`specialize` (model + parameters → graph) with `inplace`, and the passes from graph to graph: `features` and
`fold_batch_norm`. `recovery` defines how checking continues after an error; `unknown` is the value of what has
none; `own_op_shapes` makes exceptions in own ops errors of the spec.
"""
