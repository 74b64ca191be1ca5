"""Zip files: read so strictly that there is one way to read them, and written the same on every machine."""
