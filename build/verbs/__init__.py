"""What the verbs of tasks.py do: read the workspace, run the pipeline, print what came of it."""
