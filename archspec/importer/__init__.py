"""A module of torch → a spec: the module is run and its calls are recorded, the calls become ops, the ops are grouped
into blocks, and the spec is checked by building it and comparing both.

In: an `nn.Module` and the shape of its input. Out: an `ImportedSpec`, or one error with all that cannot be imported.
Read `convert` first, the order of work:

    making                the model, and how the constants were made that its constructor computes
    record, meta_copy     one run of the module, or of a copy without memory: a `trace` of `calls`
    vocabulary            which op a module or function is; `views`, `layout`, `patterns`, `einsum`: what moves values;
                          `layouts`: which dimension holds their channels
    tensors, constants    which value a tensor is a view of, or how it is computed from none; `values`: views as ops
                          where they are read; `parts` of tensors that are changed; `masks` as sums; `operands`,
                          `function_names`
    buffers, generated    constants as buffers or calls, and the fields of buffers
    modes                 one trace of evaluation and training
    prepare               modules that cannot be blocks are dissolved; `phases`, `dense`, `outside_reads` and
                          `sequences` rewrite others
    templates, rounds     runs of one class that one block describes; in finished items, `lists`: growing joins as
                          lists, and `folding`: equal ones as a repeat
    blocks, body          blocks and their items as data; `parameters`, `order`, `own_tensors`, `item_names`,
                          `results`
    arguments             arguments of what makes the model as parameters of the network
    unification           several documents as one, for `rounds` and `arguments`
    initialisation        rules that yield the initial weights, as `initial_weights` and `own_initialisers` show, in an
                          order of `construction` that does
    proof, report         the spec is built and compared

`problems` collects what a spec cannot describe, with the line of the user's source (`source_lines`); `unused` are
parameters and buffers that nothing reads.
"""
