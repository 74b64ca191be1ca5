"""How fast, how large, how equal: Slipway against the tools people would use instead, on anyone's machine.

    invoke bench --quick        the ratios within seven minutes
    invoke bench --publish      everything, and the results into docs/benchmarks/

    bench        the verb: what to run, where results go
    race         the order of runs: A B A B, state by state
    entrants     Slipway and its peers: how each lays out a project, and the commands it is built with
    images, dock the same for container images, and the registries they are pushed to
    environments each peer, at its pinned version, in a virtual environment of its own
    workloads    what is built
    measure      one run: wall, CPU and memory of a whole process tree
    probes/      small programs run in processes of their own: launcher, floor, assembling, imaging, importing
    results      what was measured, as frozen values and as JSON; targets, what it should be
    tables, plot how it is shown

Nothing here is imported by build/. Everything is written below .artifacts/bench/, which may be removed at any time.
"""
