"""Locks, wheels, the store, trees, archives, bytecode: from a lock to an artifact."""
