# The team's own Terraform beside ours: terraform/custom/ gets what functions are on AWS, and gives them values by name.
# Whatever of the hand-off may be {custom.NAME} is used as lookup(local.filled, text, text).

locals {
  # Keys are texts of the hand-off, so that for_each may depend on them; each value waits for its own placeholders alone.
  # What is not given counts as unknown, as timestamp() does in a plan: the output custom refuses it, and nothing else fails on it.
  filled = { for text in local.with_placeholders : text => join("", [
    for part in regexall("\\{custom\\.[a-z][a-z0-9_]*\\}|[^{]+|\\{", text) :
    startswith(part, "{custom.") ? try(module.custom.for_functions[trimsuffix(trimprefix(part, "{custom."), "}")], timestamp()) : part
  ]) }

  with_placeholders = toset([
    for found in flatten([for json in values(local.settings_json) : regexall("\"(?:[^\"\\\\]|\\\\.)*\\{custom\\.[a-z][a-z0-9_]*\\}(?:[^\"\\\\]|\\\\.)*\"", json)]) : jsondecode(found)
  ])

  not_given = flatten([for file, json in local.settings_json : [
    for name in distinct(flatten(regexall("\\{custom\\.([a-z][a-z0-9_]*)\\}", json))) : "{custom.${name}} for ${file}"
    if !contains(keys(module.custom.for_functions), name)
  ]])

  settings_json = merge(
    { for name, f in var.functions : "functions/${name}/function.toml" => jsonencode(f) },
    { "slipway.toml" = jsonencode(var.http_api), "terraform/envs/${var.env}.tfvars" = jsonencode(var.alarms) },
  )
}

module "custom" {
  source = "./custom"

  name       = var.name
  env        = var.env
  stack      = var.stack
  region     = var.region
  account_id = var.account_id
  functions = { for name, f in module.lambda_function : name => {
    function_name = f.function_name
    arn           = f.arn
    alias_arn     = f.alias.arn
    invoke_arn    = f.alias.invoke_arn
    role_arn      = module.execution_role[name].arn
    role_name     = "${local.prefix}-${name}"
    log_group     = f.log_group
    queue_urls    = { for key, queue in local.triggers.queue : queue.trigger => module.queue_trigger[key].url if queue.function == name }
  } }
}
