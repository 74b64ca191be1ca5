# What is decided for the env dev, for all functions at once; terraform/operations.tf has the list.
# log_levels = { application = "DEBUG" } # then boto3 tells of every request
tags = { owner = "platform" }
