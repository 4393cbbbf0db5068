"""Text → validated model.

In: a path, the name of a shipped spec, or YAML text. Out: a `Spec`: the validated model, and the place of every value
in the text. Read `yaml` (YAML → data and positions), `reserved_names`, `model` (the core language), `families` and
`library` (what is written in it), `loader` (from a source to a spec; `content` reads files, `spec_names` suggests
names, `suffixes` are those of saved files), then `overrides`, `composition` (specs as blocks of specs), `own_ops`,
`metadata` (specs inside saved files), and `schema` (the same models for editors).
"""
