"""HTTP APIs, function URLs and load balancers of the embedded cloud: a port for each (decision 0017)."""
