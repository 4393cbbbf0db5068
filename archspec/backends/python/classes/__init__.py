"""One variant of a block → what is printed of its class, but for `forward`.

In: a variant. Out: a `ClassSource` (`class_source`). Read `write_class` first (the order of work), then `calls` and
`sequential` (constructor calls), `functions` (what `forward` calls instead of modules), `initialisation` (rules as
statements), and `local_names` (what is worth a line of its own).
"""
