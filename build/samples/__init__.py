"""Realistic events of everything that invokes functions, in the shapes that AWS documents."""
