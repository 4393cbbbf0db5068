"""The instances of a block → their common form, from which one class is written.

In: a graph. Out: the classes to write (`variants`) and, for each, its sites: the steps of all instances, side by side.
`outlining` turns seqs that need a class of their own into blocks; `variants` groups the instances of a block, and
decides which parameters stay arguments (`fixed_parameters`: which cannot). `merge` aligns the steps of a group's
instances as `sites`; `anti_unification` finds one expression for a value that differs between them.
"""
