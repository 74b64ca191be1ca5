"""From wheels and a src/ folder to an artifact."""
