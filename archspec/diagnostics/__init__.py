"""What is wrong in a spec, where, and how to fix it: one value for it, and its text.

In: an error found by any stage. Out: `Diagnostic` values inside one `SpecError`, and printed text. Read `diagnostic`
first (the value, and the exceptions that carry it), then `formatting` (its text), `byte_sizes`, `suggestions` ("did you
mean …?") and `validation` (Pydantic's errors as diagnostics). How checking continues after an error is in
`passes/recovery`.
"""
