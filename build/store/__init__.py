"""The store: everything that was fetched or made, by digest, here and in the cloud."""
