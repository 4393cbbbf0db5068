"""A module of torch → a spec: it is run and its calls are recorded, they become ops, these are given a structure, and
what is written is proven by building it and comparing both.

module ─record─▶ calls ─merge─▶ one trace of both modes ─structure─▶ blocks ─write─▶ spec ─prove─▶ report
"""
