"""A module of torch → a spec: the module is run and its calls are recorded, the calls become ops, the ops are grouped
into blocks, and the spec is checked by building it and comparing both.

module ─record─▶ calls ─merge─▶ one trace of both modes ─structure─▶ blocks ─write─▶ spec ─prove─▶ report
"""
