"""Clients of AWS's own library: real ones, whose sessions read the models of AWS's services once for all of them."""

from functools import cache

import boto3
from botocore import loaders

loaders.create_loader = cache(loaders.create_loader)

client_of = cache(boto3.client)
"""Making one takes longer than most tests."""
