"""A small parquet file, written to /tmp and read back: pandas and pyarrow from a container image."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

MOST_ROWS = 100_000
"""Of an event of 6 MB there are never more; beyond it /tmp might not do."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write `event["rows"]` to a parquet file and answer with what is in it."""
    frame = pd.DataFrame(rows_of(event))
    with tempfile.TemporaryDirectory() as folder:  # an environment that stays warm keeps what is left in /tmp
        path = Path(folder) / "report.parquet"
        frame.to_parquet(path, index=False, compression="zstd")
        return {**described(path), "versions": {"pandas": pd.__version__, "pyarrow": pa.__version__}}


def described(path: Path) -> dict[str, Any]:
    """Return the columns, rows and bytes of a parquet file, and what pandas says of its numbers."""
    table = pq.read_table(path)
    numbers = table.to_pandas().describe().to_json(orient="columns")
    return {
        "rows": table.num_rows,
        "columns": {field.name: str(field.type) for field in table.schema},
        "bytes": path.stat().st_size,
        "numbers": json.loads(numbers),
    }


def rows_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the event's rows, each an object; there is at least one."""
    match event:
        case {"rows": [dict(), *_] as rows} if all(isinstance(row, dict) for row in rows) and len(rows) <= MOST_ROWS:
            return rows
    msg = f'expected {{"rows": [{{"shop": "north", "sold": 10}}, …]}}, one to {MOST_ROWS} objects'
    raise ValueError(msg)
