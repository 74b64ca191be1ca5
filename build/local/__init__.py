"""The embedded cloud: moto server and the execution environment."""
