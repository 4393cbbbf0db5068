"""The intermediate representation: a network as a frozen graph of named, shaped modules.

Passes and backends read and make it; nothing in it knows the YAML model or torch. Read `definition` (a block, resolved
once: items, repeats, conditions, names), `graph` (its instances, with shapes), `layer` and `receptive_field` (what the
static analysis says of a layer), `limits` (how large a network may be), then `equality`.
"""
