"""Publish images to ECR: a repository for each function, and in it images under their own digest."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from build.digest import Digest
from build.release.aws import asking

_DELETED_AT_ONCE = 100
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecr:
    """The repositories of one env."""

    client: Any
    account_id: str
    tags: Mapping[str, str]
    """Of a repository that is made."""

    def repository(self, name: str) -> str:
        """Return where images of ``name`` are pushed: HOST/NAME. It is made if it is not there.

        It has to be there before the image is, and the image before the function; Terraform adopts it, with the same
        settings, in the plan that makes the function.
        """
        with self._asking("ecr:DescribeRepositories and ecr:CreateRepository", name):
            try:
                found = self.client.describe_repositories(registryId=self.account_id, repositoryNames=[name])
                return str(found["repositories"][0]["repositoryUri"])
            except self.client.exceptions.RepositoryNotFoundException:
                made = self.client.create_repository(
                    registryId=self.account_id,
                    repositoryName=name,
                    imageTagMutability="IMMUTABLE",
                    imageScanningConfiguration={"scanOnPush": True},
                    tags=[{"Key": key, "Value": value} for key, value in sorted(self.tags.items())],
                )
                return str(made["repository"]["repositoryUri"])

    def has(self, name: str, digest: Digest) -> bool:
        """Tell whether the repository ``name`` is there and has the image."""
        with self._asking("ecr:DescribeImages", name):
            known = self.client.exceptions
            try:
                self.client.describe_images(
                    registryId=self.account_id, repositoryName=name, imageIds=[{"imageDigest": str(digest)}]
                )
            except (known.RepositoryNotFoundException, known.ImageNotFoundException):
                return False
        return True

    def emptied(self, name: str) -> None:
        """Remove every image of a repository, which ECR does not delete while it has any; one that is gone is empty."""
        with self._asking("ecr:ListImages and ecr:BatchDeleteImage", name):
            given = {"registryId": self.account_id, "repositoryName": name}
            try:
                pages = self.client.get_paginator("list_images").paginate(**given)
                ids = [{"imageDigest": each["imageDigest"]} for page in pages for each in page["imageIds"]]
            except self.client.exceptions.RepositoryNotFoundException:
                return
            for start in range(0, len(ids), _DELETED_AT_ONCE):
                self.client.batch_delete_image(**given, imageIds=ids[start : start + _DELETED_AT_ONCE])

    def login(self) -> tuple[str, str]:
        """Return a name and a password for the account's registry, which hold for twelve hours."""
        with self._asking("ecr:GetAuthorizationToken", "its registry"):
            told = self.client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        name, _, password = base64.b64decode(told).decode().partition(":")
        return name, password

    def _asking(self, needed: str, what: str) -> Any:
        return asking(f"publishing to {what} in ECR", hint=f"it takes {needed}; then run the same command again")
