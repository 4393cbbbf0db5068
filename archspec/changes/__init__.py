"""Two graphs → what differs between them: layers, totals, and which weights of one fit the other.

In: two graphs. Out: a `Diff`. Read `alignment` (which parts of two modules correspond), `facts` (how two parts differ),
`tree` (both for the whole network), `diff` (the value that users get), then `rows` and `text`, `markdown`, `data` (how
it is printed).
"""
