"""Graph → outputs: a summary, an image, a source file, a project, a module. No backend imports another.

Each folder is one of them: `summary`, `diagram`, `python`, `project`, `torch`; `export` makes programs from modules,
and `output_file` writes any of them, completely or not at all. `templates` has Jinja's settings for the two that are
text.
"""
