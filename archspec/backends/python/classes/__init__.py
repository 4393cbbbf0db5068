"""One variant of a block → the parts of its class that are printed, except `forward`.

In: a variant. Out: a `ClassSource` (`class_source`). Read `write_class` first (the order of work), then `calls` and
`sequential` (constructor calls), `containers` (lists and dicts of modules), `functions` (what `forward` calls instead
of modules) with `indices` (what is in brackets) and `attributes` (what holds arguments that vary), `initialisation`
(rules as statements), `local_names` (values that get a line of their own) and `registration` (the order of
assignments).
"""
