"""Exports a built module as a program that runs without archspec, in evaluation mode and for any batch size.

graph, module ─`program`─▶ torch.export's program ─▶ .pt2
                                   └─`decompositions`, `onnx`─▶ .onnx, after `agreement` has run it

`failure` finds the layer that a program cannot be made of.
"""
