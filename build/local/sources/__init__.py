"""What calls functions of the embedded cloud: queues, topics, buckets, rules, schedules, streams."""
