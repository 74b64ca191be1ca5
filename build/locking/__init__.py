"""What folders want and what they pin, whichever tool wrote it."""
