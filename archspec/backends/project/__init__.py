"""A classifier → a project that trains it, in plain PyTorch without archspec.

    graph, its twin ─facts─▶ Facts ─text─▶ {name: text} ─folder─▶ files, all of them or none

The twin is the same network with one more class: what differs between the two depends on the number of classes.

- `facts`: what a project must know of a network, or why the network is not an image classifier
- `text`: facts, the source file and the spec → the texts of all files. Templates loop and print
- `folder`: writes them; a changed file is not overwritten
- `templates/`: one for each file. `network.py` holds all facts, so that the others are the same for every network,
  except for code that only networks with auxiliary outputs need

In the written project, each file has one job, and imports go one way:

    errors, network (facts), model
    images (file → tensor) ─▶ data (folder → split → batches)
    settings (and the command line) ─▶ recipe (what is trained, how fast)
    processes (torchrun, signals) ─▶ state (all that changes) ─▶ engine (an epoch) ─▶ run (all epochs)
    checkpoint (files of weights) ─▶ report (metrics, curves), run, predict
    train = settings + data + run

A run is a function of its settings. The order of an epoch's images comes from (seed, epoch) and the augmentation of an
image from (seed, epoch, image), whichever process or worker reads it. Dropout draws from torch's generator, whose state
is saved with everything else that `state` holds. So a resumed run ends with the same bits, also from mid-epoch.

A checkpoint is a state_dict whose attributes hold the rest, in the form that `archspec.weights.checkpoint` reads and
`torch.load(weights_only=True)` too: `archspec build best.pt` works, and so does `load_state_dict`.
"""
