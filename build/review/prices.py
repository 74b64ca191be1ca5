"""What AWS asks for, in USD: its public list for us-east-1 as of June 2025. Other regions differ by some percent.

Lambda: https://aws.amazon.com/lambda/pricing/, CloudWatch: https://aws.amazon.com/cloudwatch/pricing/,
KMS: https://aws.amazon.com/kms/pricing/, Secrets Manager: https://aws.amazon.com/secrets-manager/pricing/,
Kinesis: https://aws.amazon.com/kinesis/data-streams/pricing/.
"""

SOURCE = "AWS list prices of us-east-1, June 2025 (aws.amazon.com/lambda/pricing and /cloudwatch/pricing)"

HOURS = 730
"""Of a month, as AWS counts."""
SECONDS = HOURS * 3600

GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
"""While a function runs; the first tier."""
REQUESTS = 0.20
"""A million invocations."""
STORAGE_GB_SECOND = 0.0000000309
"""Of temporary storage beyond the 512 MB that are free, while a function runs."""
PROVISIONED_GB_SECOND = {"x86_64": 0.0000041667, "arm64": 0.0000033334}
"""While an environment is kept ready, whether it runs or not."""
LOG_GB_MONTH = 0.03
"""Log lines kept."""
MONTHLY = {
    "aws_cloudwatch_metric_alarm": 0.10,
    "aws_cloudwatch_dashboard": 3.00,
    "aws_kms_key": 1.00,
    "aws_secretsmanager_secret": 0.40,
    "aws_kinesis_stream": 0.015 * HOURS,
}
"""Types that cost the same in every month: one alarm, one dashboard, one key, one secret, one shard."""
