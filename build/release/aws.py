"""The way to AWS: which account, which endpoint, and a guard before anything is touched."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from build.errors import AwsError
from build.model import Env


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """Makes boto3 clients for one env. boto3 is imported when the first is made."""

    env: Env
    environ: Mapping[str, str]
    """What Terraform is to see. For the embedded cloud, boto3 takes endpoint and dummy keys from it, too."""
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """Return the client of ``service``, for example ``s3``."""
        return self._client(service)

    def invoker(self) -> Any:
        """Return a Lambda client that sends each event once and waits for the longest function (900 s)."""
        return self._client("lambda", retries={"total_max_attempts": 1}, read_timeout=910, tcp_keepalive=True)

    def caller(self) -> str:
        """Return the ARN of whose credentials these are."""
        return str(self._caller()["Arn"])

    def guard(self) -> None:
        """Raise AwsError without credentials, or with those of another account than the env's."""
        name = self.env.name
        got = self._caller()["Account"]
        if got != self.env.account_id:
            raise AwsError(
                f"these credentials are for another account than env {name}",
                facts=[f"expected account {self.env.account_id} (slipway.toml, [env.{name}])", f"got {got}"],
                hint="set AWS_PROFILE to the right account, or correct account_id in slipway.toml, "
                f"then run `invoke plan --env {name}`",
            )

    def require_bucket(self, bucket: str) -> None:
        """Raise AwsError unless ``bucket`` is there and the env's own: a name that others can guess may be theirs."""
        with asking(
            f"looking at the bucket {bucket}",
            hint=f"let an administrator of account {self.env.account_id} run `invoke bootstrap --env {self.env.name}`",
        ):
            self.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=self.env.account_id)

    def ensure_bucket(self, bucket: str) -> None:
        """Create ``bucket`` if the account lacks it: encrypted and closed to the public, as S3 makes every bucket."""
        region = self.env.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with asking(
            f"creating the bucket {bucket}",
            hint="its name may be taken in another account: then choose another one, in slipway.toml or in "
            f"terraform/envs/{self.env.name}.s3.tfbackend, and run the same command again",
        ):
            s3 = self.client("s3")
            if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
                s3.create_bucket(Bucket=bucket, **place)

    def _caller(self) -> Mapping[str, Any]:
        name = self.env.name
        with asking(
            f"finding out whose credentials these are, for env {name},",
            hint=f"run `aws sso login`, or set AWS_PROFILE, then `invoke plan --env {name}`",
        ):
            if "caller" not in self._clients:
                self._clients["caller"] = self.client("sts").get_caller_identity()
        caller: Mapping[str, Any] = self._clients["caller"]
        return caller

    def _client(self, service: str, **config: Any) -> Any:
        key = f"{service} {sorted(config)}"
        if key not in self._clients:
            self._clients[key] = self._make(service, config)
        return self._clients[key]

    def _make(self, service: str, config: Mapping[str, Any]) -> Any:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        settings = Config(**{"retries": {"mode": "standard"}, "user_agent_extra": "slipway", **config})
        try:
            if not self.env.is_local:
                session = boto3.session.Session(region_name=self.env.region)
                return session.client(service, config=settings)
            session = boto3.session.Session(
                aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
                region_name=self.env.region,
            )
            return session.client(service, config=settings, endpoint_url=self.environ["AWS_ENDPOINT_URL"])
        except BotoCoreError as reason:  # a profile that is not there
            raise AwsError(
                f"no way to AWS for env {self.env.name}",
                facts=[str(reason)],
                hint="set AWS_PROFILE to a profile of ~/.aws/config, then run `aws sts get-caller-identity`",
            ) from None


@contextmanager
def asking(doing: str, *, hint: str) -> Iterator[None]:
    """Turn what AWS, or the network before it, answers into AwsError; ``doing`` completes "… failed"."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as reason:
        raise AwsError(f"{doing} failed", facts=[str(reason)], hint=hint) from None
