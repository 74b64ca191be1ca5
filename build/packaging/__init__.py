"""Wheels, trees, bytecode, archives: from a lock to an artifact."""
