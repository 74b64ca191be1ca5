# What is decided for the env prod, for all functions at once; terraform/operations.tf has the list.
# alarms = { actions = ["arn:aws:sns:eu-central-1:123456789012:alerts"] } # who is told when one goes off: docs/how-to/alarms.md
# permissions_boundary = "arn:aws:iam::123456789012:policy/slipway-prod.boundary" # as `invoke bootstrap` prints it
tags = { owner = "platform" }
