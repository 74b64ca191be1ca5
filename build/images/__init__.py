"""Container images: layers from wheels, manifests, registries; no daemon."""
