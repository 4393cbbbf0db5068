"""What runs several passes and backends, one after the other.

In: a spec or a graph. Out: what users get. `source` (spec → its validated source file), `page` (graph → its page, with
spec and source beside the picture), `notebook` (how notebooks show specs, graphs and results).
"""
