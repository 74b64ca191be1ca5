"""The order of a roll-out and smoke events, refused where they make no sense before anything is built."""

from pathlib import Path

import pytest

from build.errors import InputError
from build.project.discovery import discover
from tests.builders import write_files

SLIPWAY = """
name = "acme"
[defaults]
runtime = "python3.13"
architecture = "arm64"
[env.prod]
region = "eu-central-1"
account_id = "123456789012"
"""


def repository(root: Path, **after: str) -> Path:
    """Write a function for each of ``after``, with names in TOML, or nothing."""
    write_files(root, {"slipway.toml": SLIPWAY})
    for name, names in after.items():
        table = f"[rollout]\nafter = [{names}]\n" if names else ""
        write_files(root / "functions" / name, {"function.toml": f'description = "x"\n{table}', "src/app.py": ""})
    return root


def facts(root: Path) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        discover(root, "prod")
    return caught.value.facts


@pytest.mark.parametrize("env", ["prod", "local"])
def test_an_order_holds_in_every_env(tmp_path, env):
    root = repository(tmp_path, orders="", stock='"orders"', bills='"orders", "stock"')
    after = {spec.name: spec.options.rollout.after for spec in discover(root, env).functions}
    assert after == {"orders": (), "stock": ("orders",), "bills": ("orders", "stock")}


def test_an_order_on_local_keeps_callers_from_waiting(tmp_path):
    root = repository(tmp_path, orders="", stock="")
    text = 'description = "x"\n[rollout]\nstrategy = "canary"\nwatch_minutes = 5\nafter = ["orders"]\n'
    write_files(root, {"functions/stock/function.toml": text})
    (stock,) = (spec for spec in discover(root, "local").functions if spec.name == "stock")
    rollout = stock.options.rollout
    assert (rollout.strategy, rollout.watch_minutes, rollout.after) == ("at-once", 0, ("orders",))


def test_unknown_names_and_circles_are_told_at_once(tmp_path):
    root = repository(
        tmp_path, orders='"ordres", "elsewhere"', a='"b"', b='"c"', c='"a", "own"', own='"own"', fine='"orders"'
    )
    unknown = "functions/orders/function.toml: rollout.after: expected a folder under functions/, got"
    assert facts(root) == (
        "functions/a/function.toml: rollout.after: expected an end, got a circle: a after b after c after a",
        f"{unknown} `elsewhere`",
        f"{unknown} `ordres`; did you mean `orders`?",
        "functions/own/function.toml: rollout.after: expected an end, got a circle: own after own",
    )


def test_an_order_that_is_wrong_in_one_env_alone_says_in_which(tmp_path):
    root = repository(tmp_path, orders="")
    text = 'description = "x"\n[env.prod.rollout]\nafter = ["gone"]\n'
    write_files(root, {"functions/orders/function.toml": text})
    (fact,) = facts(root)
    assert fact.endswith("got `gone` (env prod)")


def test_smoke_events_that_are_not_in_order_are_told_beside_all_else(tmp_path):
    root = repository(tmp_path, orders='"gone"', stock="", bills="")
    write_files(
        root / "functions",
        {
            "orders/events/smoke.json": "{}",
            "orders/events/smoke.answer.json": "{'total': 3}",
            "stock/events/smoke.answer.json": "{}",
            "bills/events/smoke.json": "",
        },
    )
    bills, answer, after, stock = facts(root)
    assert bills.startswith("functions/bills/events/smoke.json: expected JSON, got something else: ")
    assert answer.startswith("functions/orders/events/smoke.answer.json: expected JSON, got something else: ")
    assert after.startswith("functions/orders/function.toml: rollout.after")
    expected = "expected smoke.json beside it, which it is the answer to, got none"
    assert stock == f"functions/stock/events/smoke.answer.json: {expected}"


def test_a_smoke_event_that_changes_after_the_settings_were_remembered_is_looked_at(tmp_path):
    root = repository(tmp_path, orders="")
    write_files(root, {"functions/orders/events/smoke.json": "{}"})
    discover(root, "prod")
    write_files(root, {"functions/orders/events/smoke.json": "{"})
    assert len(facts(root)) == 1
