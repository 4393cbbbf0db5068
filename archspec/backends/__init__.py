"""Graph → outputs: a summary, an image, a page, a source file, a project, a module. No backend imports another.

Each folder is one of them: `summary`, `diagram`, `html`, `python`, `project`, `torch`; `export` makes programs from
modules. They share `output_file` (files are written completely or not at all), `templates` (Jinja's settings),
`op_labels` (what ops are called in pictures) and `theme` (colours).
"""
