# What is decided for the env prod, for all functions at once; terraform/operations.tf has the list.
# permissions_boundary = "arn:aws:iam::123456789012:policy/slipway-prod.boundary" # as `invoke bootstrap` prints it
tags = { owner = "platform" }
