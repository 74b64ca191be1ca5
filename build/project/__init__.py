"""Discovery, the settings schema, runtime profiles, interpreters."""
