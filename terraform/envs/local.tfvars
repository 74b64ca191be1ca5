# What is decided for the env local, for all functions at once; terraform/operations.tf has the list.
# log_levels = { application = "DEBUG" } # then boto3 tells of every request
