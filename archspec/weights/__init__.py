"""The weights of a module: initialised from a seed, or loaded from a checkpoint whose mismatches are explained.

In: a source and a checkpoint. Out: a module with its weights, and a report. Read `build` (the order of work),
`checkpoint` (reading and writing files; `torch_file` with `zip_records` and `unpickle`, and `safetensors_header`, are
its formats), `match` and `mismatch` (which tensor goes where, and why one does not fit), `values` (whether its numbers
are valid for a network), `load`, then `published` (what torchvision's files need) and `requirements` (memory and work,
known before anything is built). `errors` are those of readers that do not know the name of their file.
"""
