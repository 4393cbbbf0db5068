"""The command line.

In: arguments. Out: printed text, files, an exit code. Read `commands` first (one function for each command) and
`application` (how errors become exit codes). Then what commands share: `options`, `sources` (a SPEC and its overrides),
`output` (text, files, colour, width), `progress` and `parallel`. `build`, `check` (with `watch`), `differences`,
`generated_files`, `images`, `listing` and `project` each do the work of one command.
"""
