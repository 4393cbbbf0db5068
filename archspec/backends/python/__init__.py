"""Graph → source file: readable, plain PyTorch, for one network; and its validation.

In: a graph that was compiled with its expressions. Out: the text of a file. Read `generate` first (the order of work).

Which classes there are: `sequential_classes` (seqs that need one), `variants` (one for all instances of a block, and
what stays an argument), `fixed_parameters` (what cannot). One class: `sites` and `instances` (the instances side by
side), then `classes` with `unify` (one expression for all instances), `calls` and `sequential` (constructor calls),
`functions` (what `forward` calls), `initialisation`, `local_names` and `class_text` (the result). Its `forward`:
`flow` (who reads what, and how long), `pending`, `variables`, `nesting`, `site_expressions`, `statements`, `forward`.
The file: `template_context` with `docstrings`, `signature`, `constructor`, `imports` and `helpers`, then the template
`module.jinja`. `layout` breaks long lines. `validator` reads the text back and shares no code with the rest.
"""
