"""The `=…` language of specs: a bounded part of Python's expressions, with Python's semantics.

In: text such as `=planes * 4`. Out: values, and expressions as source. Read `grammar` and `functions` (what the
language has), `parse` (text → checked tree) and `evaluate` (tree → value), then what specialisation and the source
writer do with trees: `sizes` (integers that carry the expression they came from), `rewrite`, `simplify` and
`printer`. Trees are Python's own (`ast.expr`); nothing is ever passed to `eval`. `errors` has the exceptions.
"""
