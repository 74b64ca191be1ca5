locals {
  names  = sort(keys(var.functions))
  queues = sort(flatten([for f in var.functions : f.dead_letter_queues]))
  alarms = sort(flatten([for f in var.functions : f.alarm_arns]))

  live = [for name in local.names : ["FunctionName", var.functions[name].function_name, "Resource", "${var.functions[name].function_name}:live"]]
  all  = [for name in local.names : ["FunctionName", var.functions[name].function_name]] # versions run at once, whoever called

  graphs = concat(
    [
      { title = "Invocations", metric = "Invocations", stat = "Sum", order = "SUM", dimensions = local.live },
      { title = "Errors", metric = "Errors", stat = "Sum", order = "SUM", dimensions = local.live },
      { title = "Duration, median (ms)", metric = "Duration", stat = "p50", order = "MAX", dimensions = local.live },
      { title = "Duration, 99th percentile (ms)", metric = "Duration", stat = "p99", order = "MAX", dimensions = local.live },
      { title = "Throttles", metric = "Throttles", stat = "Sum", order = "SUM", dimensions = local.live },
      { title = "Concurrent executions", metric = "ConcurrentExecutions", stat = "Maximum", order = "MAX", dimensions = local.all },
    ],
    # 500 metrics and expressions in a graph: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
    [for queues in chunklist(local.queues, 499) :
      { title = "Messages given up", metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum", order = "MAX", dimensions = [for queue in queues : ["QueueName", queue]] }
    ],
  )

  alarm_widgets = [for arns in chunklist(local.alarms, 100) : {
    type       = "alarm"
    width      = 24
    height     = 2 + ceil(length(arns) / 6)
    properties = { title = "Alarms", alarms = arns }
  }]

  graph_widgets = [for graph in local.graphs : {
    type   = "metric"
    width  = 12
    height = 6
    properties = {
      title  = length(graph.dimensions) > var.lines ? "${graph.title}: the ${var.lines} highest" : graph.title
      view   = "timeSeries"
      region = var.region
      stat   = graph.stat
      metrics = concat(
        length(graph.dimensions) > var.lines ? [[{ expression = "SORT(METRICS(), ${graph.order}, DESC, ${var.lines})", label = "", id = "highest" }]] : [],
        [for n, dimensions in graph.dimensions : concat([dimensions[0] == "QueueName" ? "AWS/SQS" : "AWS/Lambda", graph.metric], dimensions, [
          { id = "m${n}", label = trimprefix(dimensions[1], "${var.name}-"), visible = length(graph.dimensions) <= var.lines }
        ])],
      )
    }
  }]

  log_widgets = [for names in chunklist(local.names, 100) : {
    type   = "text"
    width  = 24
    height = 2 + ceil(length(names) / 8)
    properties = {
      markdown = "**Logs** ${join(" · ", [for name in names : "[${name}](#logsV2:log-groups/log-group/${replace(var.functions[name].log_group, "/", "$252F")})"])}"
    }
  }]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = concat(local.alarm_widgets, local.graph_widgets, local.log_widgets) })
}
