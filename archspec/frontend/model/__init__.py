"""The core language: networks, blocks, items and initialisation rules, as Pydantic models.

In: plain data, as the YAML reader yields it. Out: a `Network`, which holds the spec as it was written; its expressions
are evaluated later, by `passes.specialize`. Read `field_types` (names, conditions, values), `item`, `outputs`,
`init_rule`, `block` and `network`. `dependencies` tells which items and blocks run the same, `unknown_names` has the
help for misspelt ops and fields, and `plain_data` turns models back into the data they were read from, which is how
`archspec expand` prints a network.
"""
