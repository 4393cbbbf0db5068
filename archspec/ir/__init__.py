"""The intermediate representation: a network as a frozen graph of named, shaped modules.

In and out: nothing; passes and backends make it and read it. It knows neither the YAML model nor torch. Read
`definition` (a block, resolved once: items, repeats, conditions, names), `module` (an instance of one, with shapes) and
`graph` (a network), then `measure` (the static analysis), `container` (lists and dicts of modules), `layer`, `axis` and
`receptive_field` (what the static analysis knows of a layer), `footprint` (memory and work), `limits` (how large a
network may be), `equality` and `verify` (the invariants). `notebook_display` is the base class of what notebooks show.
"""
