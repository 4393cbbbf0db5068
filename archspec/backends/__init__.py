"""Graph → what a user takes away: a summary, an image, a source file, a project, a module. No backend knows another.

Each folder is one of them: `summary`, `diagram`, `python`, `project`, `torch`; `export` makes programs of modules, and
`output_file` writes any of them, whole or not at all. `templates` has Jinja's settings for the two that are text.
"""
