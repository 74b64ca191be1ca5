output "groups" {
  description = "What a deployment has to say, by the keys of groups: application and name of the group, and who is asked when."
  value = { for key, group in aws_codedeploy_deployment_group.this : key => {
    application = group.app_name
    name        = group.deployment_group_name
    hooks       = var.groups[key].hooks
  } }
}
