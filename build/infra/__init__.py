"""The Terraform adapter and the plan review."""
