"""Text → validated model.

In: a path, the name of a shipped spec, or YAML text. Out: a `Spec`: its model, and where in the text each value stands.
Read `yaml` (YAML → data and positions), `field_types` and `model` (the core language), `families` and
`library` (what is written in it), `loader` (from a source to a spec), then `overrides`, `metadata` (specs inside saved
files), and `schema` (the same models for editors).
"""
