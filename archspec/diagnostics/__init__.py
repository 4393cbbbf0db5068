"""What is wrong, where, and what to do about it: the one value for it, and its text.

In: what any stage finds wrong. Out: `Diagnostic` values inside one `SpecError`, and the text that is printed. Read
`errors` first, then `validation` (Pydantic's errors in our words).
"""
