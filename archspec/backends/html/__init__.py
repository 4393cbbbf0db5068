"""Graph → one HTML file to explore the network: it needs no internet access, and nothing in a spec can run in it.

    graph, texts, lines ─data─▶ JSON ─page─▶ the file, with scripts and styles put in

steps      the modules of a network, each once     repeats   which of their steps are drawn as one, with ×N
instances  what differs in each use of a module    assets    scripts and styles, a file for each job
vendor     the layout library, unchanged
"""
