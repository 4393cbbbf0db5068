"""The sites of a class → the statements of its `forward`.

In: a `ClassSource`. Out: lines of text. Read `write_forward` first, then `liveness` (which sites read a value, and
which is the last), `inlining` (which values are nested into the expressions that read them; `pending` holds them until
then), `variables` (the names of the others), `site_expressions` (what a site computes), and `statements`.
"""
