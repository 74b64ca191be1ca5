"""The build library: from folders to running functions.

    discover → lock → resolve → assemble → check → publish → hand-off → plan → apply → roll out → record

`pipeline.py` shows the stages in order. Each room below imports only from those under it:

    verbs      what the tasks of tasks.py do
    watching   the dev loop: what is saved runs in place of what is deployed
    pipeline   the stages, in order
    making     those up to the check
    imaging    images of functions: what they stand on, and where they are pushed
    testing    fixtures for the tests of functions
    profiling  where the time of a cold start and of a call goes
    samples    events of everything that invokes functions
    estate     an env's stacks: planned and applied side by side
    report     how results and findings are shown
    github     its REST API, for the workflows
    local      the embedded cloud: moto server and the execution environment
    metrics    how releasing goes, in words and plots
    review     what a plan would change, as a verdict with reasons
    release    publishers, the hand-off, the roll-out, the ledger
    infra      the Terraform adapter
    inspection what is inside finished artifacts: sizes, reasons, differences, SBOMs
    checks     rules over artifacts that give findings
    packaging  from wheels and a src/ folder to an artifact
    wheels     fetched or built for a target, and looked into
    images     layers, manifests and registries of container images
    zips       read strictly, written the same everywhere
    locking    what folders want and what they pin
    store      everything fetched or made, by digest
    project    discovery, settings, runtime profiles, interpreters
    process    the only place that starts a program
    model, image, digest, errors   the words
    syntax     Python source as a tree
    triggers, http, options those of settings: what invokes a function, and what it runs with
    rules      what single settings must be like

Only `release` and `infra` speak to AWS, and only after `pipeline.connect` has made sure which account it is.
This is source code: nothing is ever written into this folder. Output goes to .artifacts/.
"""
