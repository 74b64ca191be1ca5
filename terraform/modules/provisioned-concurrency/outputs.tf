output "scalable_target" {
  description = "What Application Auto Scaling knows the alias as; null where the number is fixed."
  value       = one(aws_appautoscaling_target.this[*].resource_id)
}
