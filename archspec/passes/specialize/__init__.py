"""Core network + parameters → graph: names are resolved, expressions evaluated, shapes inferred.

In: a network in the core language. Out: its graph, in which nothing is left to resolve. Each object has one job:

    specializer  Specializer    a run: the order of work, instances of blocks and seqs
    body         BodyBuilder    a network or block → a module
    steps        StepBuilder    the items of a body or seq → steps: repeats unrolled, conditions decided
    items        ItemBuilder    one item → what it runs, and its output shape
    value_table  ValueTable     the values that the steps yield, and references to them
    bindings     Bindings       parameters, local names, loop indices; evaluates expressions (`scope`)
    errors       BodyErrors     completes errors with their place, and collects them

Then `inputs` (what the network takes), `initialisation` and `rule_arguments` (init rules), `op_cache` (ops with checked
fields), `item_cache` (equal items are built once), `reshaped` (instances on other shapes), `cut` (blocks without what
is behind their outputs), `definitions` (blocks, resolved once), `caller_shapes` and `naming` (expressions of sizes, for
code generation), and what is shown when a shape is wrong: `shape_errors`, `partial_network`, `minimum_input`. What
happens after an error is documented in `passes.recovery`.
"""
