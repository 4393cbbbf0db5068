"""The instances of a block → what they have in common, from which one class is written.

In: a graph. Out: the classes to write (`variants`) and, for each, its sites: the steps of all instances, side by side.
`outlining` turns seqs that need a class of their own into blocks; `variants` groups the instances of a block, and
decides what stays an argument (`fixed_parameters`: what cannot). `merge` aligns the steps of a group's instances as
`sites`; `anti_unification` finds one expression for a value that differs between them.
"""
