"""Says hello."""

import os
from typing import Any

GREETING = os.environ["GREETING"]


def handler(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Greet `event["name"]`, or the world."""
    return {"message": f"{GREETING}, {event.get('name') or 'World'}!"}
