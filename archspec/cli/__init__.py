"""The command line.

In: arguments. Out: printed text, files, an exit code. Read `commands` first (one function a command), then `options`
(what they have in common), `check`, `source_files`, `watch` and `parallel` (what some of them do).
"""
