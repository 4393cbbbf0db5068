"""The numbers of a module: seeded, or taken from a checkpoint that fits, or said why it does not.

In: a source and a file of weights. Out: a module with its weights, and a report. Read `build` (the order of work),
`checkpoint` (files of weights), `match` and `mismatch` (which tensor goes where, and why one does not), `load`, then
`published` (what torchvision's files need).
"""
