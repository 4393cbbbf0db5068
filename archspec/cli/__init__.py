"""The command line.

In: arguments. Out: printed text, files, an exit code. Read `commands` first (one function for each command) and
`application` (how errors become exit codes). Then what commands share: `options`, `sources` (a SPEC and its overrides),
`output` (text, files, colour, width), `progress` and `parallel`. `build`, `check`, `generated_files`, `listing`,
`project` and `watch` each do the work of one command.
"""
