"""What a saved plan would change, for a person who decides: a `Review`, and how it is shown."""
