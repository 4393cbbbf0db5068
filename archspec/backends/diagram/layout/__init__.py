"""Drawing → plan: the positions of everything.

nets    which values run at each level      parts      what is placed: nodes and wires
ranks   which layer each node is in         lanes      which nodes stand in one line
order   the lanes from side to side         positions  how far apart they are
tracks  wires between two layers            strip      a column of layers
level   columns, and the frame around them  plan       the whole image, and how many columns it has

Directions are abstract here: networks run along the main axis, branches lie side by side across it.
"""
