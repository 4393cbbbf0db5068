"""Core network + parameters → graph: names are resolved, expressions evaluated, shapes inferred.

In: a network in the core language. Out: its graph, in which nothing is left to resolve. Each object has one job:

    network      Specializer    a run: the order of work, instances of blocks and seqs
    body         BodyBuilder    a network or block → a module
    line         Line           its items, or those of a seq → steps
    items        ItemBuilder    one item → what it runs, and its output shape
    values       Values         the steps of a line of items, and references to their values
    bindings     Bindings       parameters, local names, loop indices; evaluates expressions (`scope`)
    errors       LineErrors     completes errors with their place, and collects them

Then `initialisation` (init rules), `op_cache` (ops with checked fields), `definitions` (blocks, resolved once),
`caller_shapes` and `naming` (expressions of sizes, for code generation), and what is shown when a shape is wrong:
`shape_errors`, `partial`, `minimum_input`. What happens after an error is documented in `passes.recovery`.
"""
