"""Two graphs → what differs between them: layers, totals, and which weights of one fit the other.

In: two graphs. Out: a `Diff`. Read `alignment` (which parts of two modules correspond, by their `digest`; `moved`:
functions elsewhere), `facts` (how two parts differ; `initial`: in their initial weights), `tree` (both for the whole
network), `weights` (which tensors fit), `diff` (the value that users get) with `layer`, then `rows` and `text`,
`markdown`, `data`, `page` (how it is printed).
"""
