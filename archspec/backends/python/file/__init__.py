"""The classes of a network → the text of its file.

In: a `ClassSource` and the lines of `forward` for each class. Out: the context of the template `module.jinja`
(`template_context`): `imports`, `helpers` (functions and classes that ops need), `signature`, `constructor` and
`docstrings`.
"""
