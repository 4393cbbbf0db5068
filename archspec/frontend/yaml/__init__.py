"""YAML, both ways.

In: text. Out: a `Document`: plain data, and where in the text each value stands; and data as text again. Read
`scalars` (what a word means), `document`, `syntax_errors`, `reader` (text → document), then `writer` (data → text).
"""
