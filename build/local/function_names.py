"""How a caller of Lambda may name a function."""

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?:arn:[\w-]+:lambda:(?P<region>[\w-]+):)?(?:(?P<account>\d{12}):function:)?(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionName:
    """How a caller may name a function: name, partial or full ARN, each with a qualifier or without."""

    name: str
    qualifier: str | None
    """A version, ``$LATEST`` or an alias."""
    region: str
    account_id: str

    @classmethod
    def parse(cls, text: str, qualifier: str | None, *, region: str, account_id: str) -> "FunctionName | None":
        """Read ``text``; ``region`` and ``account_id`` are the caller's. None if it is no function name."""
        match = _NAME.fullmatch(text)
        if not match:
            return None
        return cls(
            name=match["name"],
            qualifier=match["qualifier"] or qualifier or None,
            region=match["region"] or region,
            account_id=match["account"] or account_id,
        )

    @property
    def arn(self) -> str:
        """With the qualifier, if the caller gave one: what a function sees as ``invoked_function_arn``."""
        suffix = f":{self.qualifier}" if self.qualifier else ""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}{suffix}"
