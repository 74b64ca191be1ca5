"""Wheels: fetched or built for a target, and looked into before the store has them."""
