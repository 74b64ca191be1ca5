# This file is yours: upstream never changes it. {custom.NAME} in a function.toml is the value of NAME here.

output "for_functions" {
  description = "Strings by name: lower-case letters, digits and _."
  value       = {}
}
