"""Core network + parameters → graph: names are resolved, expressions evaluated, shapes inferred.

In: a network in the core language. Out: its graph, in which nothing is left to resolve. Read `network` (the order of
work), `body` (the items of a block, one after the other), `items` (what one item comes to), `bindings` and `scope`
(what names and expressions stand for), `definitions` (blocks, resolved once), then `partial` and `minimum_input` (what
is reported when a network does not fit).
"""
