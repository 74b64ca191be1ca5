"""Mean, sum and count of each group, by pandas from the Lambda layer `data`."""

import json
from typing import Any

import numpy as np
import pandas as pd

import telemetry

telemetry.cold_start("numpy", "pandas")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer with the statistics of each group in `event["rows"]` and the versions that computed them."""
    groups = frame_of(event).groupby("group")["value"].agg(["mean", "sum", "count"])
    return {
        # Through pandas' own JSON: NaN becomes null and numpy's numbers become plain ones.
        "groups": json.loads(groups.to_json(orient="index")),
        "versions": {"numpy": np.__version__, "pandas": pd.__version__},
    }


def frame_of(event: dict[str, Any]) -> pd.DataFrame:
    """Return the event's rows; a value may be null, and then counts for nothing."""
    match event:
        case {"rows": list(rows)} if all(map(_is_row, rows)):
            return pd.DataFrame(rows, columns=["group", "value"]).astype({"value": "float64"})
    msg = 'expected {"rows": [{"group": "a", "value": 1}, …]}, each group a string and each value a number'
    raise ValueError(msg)


def _is_row(row: object) -> bool:
    match row:
        case {"group": str(), "value": bool()}:  # to Python a bool is an int
            return False
        case {"group": str(), "value": int() | float() | None}:
            return True
        case _:
            return False
