"""Rules over a workspace and its artifacts that give findings."""

from build.checks.rules import check

__all__ = ["check"]
