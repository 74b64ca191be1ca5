"""The figures of an env's releases, as words and as a page with plots."""
