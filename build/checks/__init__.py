"""Rules over artifacts that give findings."""
