"""The way to AWS: which account, which endpoint, and a guard before anything is touched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from build.errors import AwsError
from build.model import Env


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """Makes boto3 clients for one env. boto3 is imported when the first is made."""

    env: Env
    environ: Mapping[str, str]
    """What Terraform and boto3 are to see; for the embedded cloud it names its endpoint and dummy keys."""
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """Return the client of ``service``, for example ``lambda``."""
        if service not in self._clients:
            self._clients[service] = self._session().client(
                service, endpoint_url=self.environ.get("AWS_ENDPOINT_URL"), config=self._config()
            )
        return self._clients[service]

    def ensure_bucket(self, bucket: str) -> None:
        """Create ``bucket`` if the embedded cloud lacks it; a real account's buckets are not ours to make here."""
        region = self.env.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3 = self.client("s3")
        if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=bucket, **place)

    def guard(self) -> None:
        """Raise AwsError without credentials, or with those of another account than the env's."""
        if self.env.is_local:
            return
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            got = self.client("sts").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as reason:
            raise AwsError(
                f"no AWS credentials that work for env {self.env.name}",
                facts=[f"expected credentials for account {self.env.account_id}", f"got: {reason}"],
                hint=f"run `aws sso login`, or set AWS_PROFILE, then `invoke plan --env {self.env.name}`",
            ) from None
        if got != self.env.account_id:
            raise AwsError(
                f"these credentials are for another account than env {self.env.name}",
                facts=[f"expected account {self.env.account_id} (slipway.toml, [env.{self.env.name}])", f"got {got}"],
                hint="set AWS_PROFILE to the right account, or correct account_id in slipway.toml, "
                f"then run `invoke plan --env {self.env.name}`",
            )

    def _session(self) -> Any:
        import boto3

        if not self.env.is_local:
            return boto3.session.Session(region_name=self.env.region)
        return boto3.session.Session(
            aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            region_name=self.env.region,
        )

    def _config(self) -> Any:
        from botocore.config import Config

        # Longer than Lambda's longest timeout (900 s), or an invoke would be sent twice.
        return Config(read_timeout=910, retries={"mode": "standard"}, user_agent_extra="slipway")


def refused(doing: str, reason: Exception, *, hint: str) -> AwsError:
    """Return the AwsError for a call that AWS refused; ``doing`` completes "… was refused"."""
    return AwsError(f"{doing} was refused", facts=[str(reason)], hint=hint)
