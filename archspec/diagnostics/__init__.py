"""What is wrong in a spec, where, and how to fix it: one value for it, and its text.

In: an error found by any stage. Out: `Diagnostic` values inside one `SpecError`, and printed text. Read `diagnostic`
first (the value, and the exceptions that carry it), then `formatting` (its text), `suggestions` ("did you mean …?"),
`validation` (Pydantic's errors as diagnostics), `checked` (fields that a function checks), `budget` (the steps that a
call may take) and `user_code` (what a user's own Python raises). `byte_sizes` and `json_text` print numbers and data.
How checking continues after an error is in `passes/recovery`.
"""
