"""An embedded cloud of a test's own, and functions deployed to it by boto3 alone."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from build.local import cloud
from build.local.variables import ACCESS_KEY_ID, SECRET_ACCESS_KEY

ROOT = Path(__file__).resolve().parent.parent
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
BUCKET = "code"


def repository(folder: Path) -> Path:
    """Make a root that shares the runtimes' distributions with this checkout, so that they are fetched once."""
    (folder / ".artifacts" / "local").mkdir(parents=True)
    for shared in ("runtime", "roots"):
        place = ROOT / ".artifacts" / "local" / shared
        place.mkdir(parents=True, exist_ok=True)
        (folder / ".artifacts" / "local" / shared).symlink_to(place)
    return folder


def archive(app: str) -> bytes:
    """Return the zip of a function whose only module is ``app``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("app.py", app)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Account:
    """What an embedded cloud holds, and how to change it."""

    running: cloud.Cloud

    def client(self, service: str) -> Any:
        """Return a boto3 client that asks once."""
        session = boto3.session.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name="us-east-1")
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=250, read_timeout=120)
        return session.client(service, endpoint_url=self.running.endpoint, config=config)

    def deploy(self, name: str, app: str, **settings: Any) -> str:
        """Make a function from S3, as Terraform does, with version 1 and alias ``live``; return its name."""
        s3, functions = self.client("s3"), self.client("lambda")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=archive(app))
        values = {"Runtime": "python3.13", "Handler": "app.handler", "Role": self._role(), "Timeout": 30}
        source = {"S3Bucket": BUCKET, "S3Key": f"{name}.zip"}
        functions.create_function(FunctionName=name, Code=source, Publish=True, **{**values, **settings})
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        return name

    def invoke(self, name: str, event: object = None, **arguments: Any) -> Any:
        """Return what a function answers."""
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}).encode(), **arguments)
        return json.loads(answer["Payload"].read() or b"null")

    def _role(self) -> str:
        iam = self.client("iam")
        try:
            role = iam.get_role(RoleName="role")
        except iam.exceptions.NoSuchEntityException:
            role = iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")
        return str(role["Role"]["Arn"])
