"""What may go and what stays, on ledgers that are made up: nothing that stays refers to anything that goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build.release.deployed import LATEST, Deployed, Version
from build.release.garbage import (
    ARTIFACT,
    IMAGE,
    KINDS,
    LAYER,
    RELEASE,
    VERSION,
    Facts,
    Forecast,
    Holdings,
    Thing,
    cleanup,
    growth_of,
)
from build.release.rows import DEPLOY, FAILED, FINISHED, RESTORE, RETURNED, ROLLBACK, UNFINISHED, Pointed
from tests.releases import recorded, release

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
YOUNG = dict.fromkeys(KINDS, timedelta(days=1))


def version(function, number):
    return Thing(VERSION, f"shop-{function}", str(number))


def layer(number):
    return Thing(LAYER, "shop-data", str(number))


def arn_of(number):
    return f"arn:aws:lambda:eu-central-1:123456789012:layer:shop-data:{number}"


def artifact(function, code):
    return Thing(ARTIFACT, "", f"functions/{function}/{code}.zip")


def row_of(number):
    return Thing(RELEASE, "", str(number))


class History:
    """An env that is deployed to again and again."""

    def __init__(self, *functions):
        self.rows = []
        self.code = dict.fromkeys(functions, 0)
        self.versions: dict[str, dict[str, Version]] = {name: {} for name in functions}
        self.live = dict.fromkeys(functions, "")
        self.published = dict.fromkeys(functions, "")
        self.layers = 1
        self.objects = set()
        self.aliases: dict[str, dict[str, Pointed]] = {name: {} for name in functions}

    def deploy(self, *changed, outcome=FINISHED, taken_back=(), new_layer=False, **given):
        """Change the code of some functions, publish them, and bring callers to them."""
        before = {name: Pointed(version=number) for name, number in self.live.items() if number}
        self.layers += new_layer
        for name in changed or self.code:
            self.code[name] += 1
            self.objects.add(artifact(name, self.code[name]))
            number = str(len(self.versions[name]) + 1)
            self.versions[name][number] = Version(
                code=str(self.code[name]), size_bytes=10, at=LONG_AGO.isoformat(), layers=(arn_of(self.layers),)
            )
            self.published[name] = number
            if outcome == FINISHED and name not in taken_back:
                self.live[name] = number
        settled = outcome in {FINISHED, RETURNED}
        versions = self.published if settled else {}
        return self._write(outcome=outcome, versions={**versions}, before={**before}, **given)

    def roll_back(self, number, *, only=(), **given):
        """Take callers back to where a release had them."""
        target = self.rows[number - 1]
        self.live |= {name: at for name, at in target.live.items() if not only or name in only}
        return self._write(kind=ROLLBACK, of=target.id, versions={**self.published}, **given)

    def _write(self, **given):
        functions = {
            name: {"artifact": {"digest_hex": f"{code:064}", "key": artifact(name, code).name, "size_bytes": 10}}
            for name, code in self.code.items()
        }
        handoff = {"functions": functions, "layers": {}}
        at = given.pop("at", LONG_AGO).isoformat()
        self.rows.append(release(len(self.rows) + 1, handoff=handoff, live={**self.live}, at=at, **given))
        return self

    def held(self, **given):
        """Return all there is."""
        facts = Facts(size_bytes=10, at=LONG_AGO)
        things = {version(name, number): facts for name, each in self.versions.items() for number in each}
        things |= dict.fromkeys(self.objects, facts)
        things |= {layer(n): replace(facts, called=arn_of(n)) for n in range(1, self.layers + 1)}
        functions = {
            name: Deployed(
                versions={**each, LATEST: each[max(each, key=int)]},
                aliases={"live": Pointed(version=self.live[name]), **self.aliases[name]},
            )
            for name, each in self.versions.items()
            if each
        }
        names = {name: f"shop-{name}" for name in self.code}
        held = Holdings(rows=self.rows, names=names, functions=functions, things=things, now=NOW, young=YOUNG)
        return replace(held, **given)


@pytest.fixture
def four():
    """Four releases of one function."""
    return History("orders").deploy().deploy().deploy().deploy()


def test_the_last_releases_stay_with_all_they_refer_to_and_the_rest_goes(four):
    made = cleanup(four.held(), keep=2)
    assert made.going == (
        version("orders", 1),
        version("orders", 2),
        artifact("orders", 1),
        artifact("orders", 2),
        row_of(1),
        row_of(2),
    )
    assert made.kept[version("orders", 3)] == ("release 3",)
    assert made.kept[version("orders", 4)] == ("alias live", "newest published version", "release 4")
    assert made.kept[row_of(3)] == ("one of the last 2 that ended well",)
    assert "used by shop-orders:3 and 2 more" in made.kept[layer(1)]


def test_nothing_goes_while_all_releases_stay(four):
    assert cleanup(four.held(), keep=4).going == ()
    assert cleanup(four.held(), keep=99).going == ()


def test_nothing_goes_where_no_release_ever_ended_well():
    held = History("orders").deploy(outcome=FAILED).deploy(outcome=FAILED).held()
    assert row_of(1) not in cleanup(held, keep=1).going


def test_what_callers_were_taken_back_to_stays_with_its_release(four):
    made = cleanup(four.roll_back(2).held(), keep=1)
    assert made.kept[version("orders", 2)] == ("alias live", "release 5 and 1 older")
    assert made.kept[row_of(2)] == ("release 5 is a rollback of it",)
    assert artifact("orders", 2) in made.kept
    assert {version("orders", 1), row_of(1), row_of(3)} <= {*made.going}


def test_the_release_of_what_runs_stays_long_after_it_was_gone_back_to():
    history = History("orders", "prices").deploy().deploy().roll_back(1, only=["orders"])
    for _ in range(3):
        history.deploy("prices")
    made = cleanup(history.held(), keep=1)
    assert made.kept[row_of(1)] == ("tells of shop-orders:1, which stays: alias live",)
    assert artifact("orders", 1) in made.kept
    assert row_of(3) in made.going


def test_a_share_of_the_callers_is_enough_to_stay(four):
    four.aliases["orders"]["live"] = Pointed(version="4", weights={"1": 0.1})
    assert cleanup(four.held(), keep=1).kept[version("orders", 1)][0] == "alias live, for 10% of callers"


@pytest.mark.parametrize("user", ["provisioned concurrency", "the event source mapping 1-2-3"])
def test_what_is_used_by_its_number_stays(four, user):
    made = cleanup(four.held(used={version("orders", 1): user}), keep=1)
    assert made.kept[version("orders", 1)][0] == f"used by {user}"
    assert row_of(1) in made.kept


def test_another_alias_keeps_a_version_and_its_release(four):
    four.aliases["orders"]["beta"] = Pointed(version="2")
    made = cleanup(four.held(), keep=1)
    assert made.kept[row_of(2)] == ("tells of shop-orders:2, which stays: alias beta",)
    assert artifact("orders", 2) in made.kept


def test_what_was_published_by_hand_goes_unless_it_is_the_newest(four):
    for number in ("5", "6"):
        four.versions["orders"][number] = Version(code="?", size_bytes=10, at=LONG_AGO.isoformat())
    made = cleanup(four.held(), keep=4)
    assert made.going == (version("orders", 5),)
    assert made.kept[version("orders", 6)] == ("newest published version",)


def test_what_is_young_stays_and_so_does_its_release(four):
    held = four.held()
    young = Facts(size_bytes=10, at=NOW - timedelta(hours=23))
    made = cleanup(replace(held, things={**held.things, version("orders", 1): young}), keep=1)
    assert made.kept[version("orders", 1)][0] == "too young"
    assert row_of(1) in made.kept
    assert row_of(2) in made.going


def test_releases_of_the_last_day_stay_however_many_they_are():
    history = History("orders").deploy()
    for _ in range(4):
        history.deploy(at=NOW - timedelta(hours=2))
    assert [str(each) for each in cleanup(history.held(), keep=1).going if each.kind == RELEASE] == ["1"]


def test_an_unfinished_release_stays_with_where_it_came_from():
    history = History("orders").deploy().deploy()
    history.deploy(outcome=UNFINISHED)
    history.rows[-1] = replace(history.rows[-1], before={"orders": Pointed(version="1", weights={"2": 0.1})}, live={})
    made = cleanup(history.held(), keep=1)
    assert made.kept[row_of(3)] == ("unfinished, and among the last",)
    assert made.kept[version("orders", 1)] == ("release 3 and 1 older",)


def test_layer_versions_stay_while_a_version_or_a_state_has_them():
    history = History("orders").deploy().deploy(new_layer=True).deploy(new_layer=True).deploy(new_layer=True)
    assert [each for each in cleanup(history.held(), keep=2).going if each.kind == LAYER] == [layer(1), layer(2)]
    named = cleanup(history.held(stated={arn_of(1)}), keep=2)
    assert named.kept[layer(1)] == ("Terraform's state names it",)
    unknown = cleanup(history.held(stated=None), keep=2)
    assert [each for each in unknown.going if each.kind == LAYER] == []
    assert unknown.kept[layer(1)] == ("a state that may name it is not known",)


def test_images_stay_while_a_release_or_a_version_has_them(four):
    def image(letter):
        return Thing(IMAGE, "shop/scan", f"sha256:{letter * 64}")

    history = History("scan")
    for letter in "abc":
        history.deploy()
        uri = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/{image(letter).of}@{image(letter).name}"
        functions = {"scan": {"image_uri": uri, "artifact": None}}
        history.rows[-1] = replace(history.rows[-1], handoff={"functions": functions, "layers": {}})
    held = history.held()
    facts = {image(each): Facts(size_bytes=10, at=LONG_AGO, called=each * 64) for each in "abcd"}
    made = cleanup(replace(held, things={**held.things, **facts}), keep=2)
    assert [each for each in made.going if each.kind == IMAGE] == [image("a"), image("d")]


def test_what_aws_does_not_let_go_keeps_its_release_and_the_artifact_of_that(four):
    made = cleanup(four.held(), keep=1, refused={version("orders", 2)})
    assert made.kept[version("orders", 2)][0] == "AWS did not let it go"
    assert {row_of(2), artifact("orders", 2)} <= made.kept.keys()
    assert {row_of(1), artifact("orders", 1)} <= {*made.going}


def test_what_several_releases_share_stays_until_the_last_of_them_goes():
    history = History("orders", "prices").deploy().deploy("orders").deploy("orders")
    made = cleanup(history.held(), keep=1)
    assert version("prices", 1) in made.kept
    assert artifact("prices", 1) in made.kept
    assert {row_of(1), row_of(2)} <= {*made.going}


def keys_of(row):
    return [each["artifact"]["key"] for each in row.handoff["functions"].values()]


@st.composite
def histories(draw):
    names = ("orders", "prices", "carts")[: draw(st.integers(1, 3))]
    history = History(*names)
    some = st.lists(st.sampled_from(names), unique=True)
    history.deploy()
    for _ in range(draw(st.integers(0, 12))):
        match draw(st.sampled_from(["deploy", "deploy", "failed", "returned", "back", "cut off", "by hand", "alias"])):
            case "deploy":
                history.deploy(*draw(some), new_layer=draw(st.booleans()), taken_back=draw(some))
            case "failed":
                history.deploy(*draw(some), outcome=FAILED)
            case "returned":
                history.deploy(*draw(some), outcome=RETURNED)
            case "cut off":
                history.deploy(*draw(some), outcome=UNFINISHED)
            case "back":
                history.roll_back(draw(st.integers(1, len(history.rows))), only=draw(some))
            case "by hand":
                name = draw(st.sampled_from(names))
                number = draw(st.sampled_from(sorted(history.versions[name])))
                history.live[name] = number
            case _:
                name = draw(st.sampled_from(names))
                numbers = st.sampled_from(sorted(history.versions[name]))
                history.aliases[name]["beta"] = Pointed(version=draw(numbers), weights={draw(numbers): 0.5})
    held = history.held()
    lost = draw(st.sets(st.sampled_from(sorted(held.things)), max_size=3))  # by an earlier run, or by hand
    pointed = {
        version(name, number)
        for name, each in held.functions.items()
        for alias in each.aliases.values()
        for number in (alias.version, *alias.weights)
    }
    left = {thing: facts for thing, facts in held.things.items() if thing not in lost - pointed}
    refused = draw(st.sets(st.sampled_from(sorted({*left, *(row_of(row.id) for row in held.rows)})), max_size=2))
    used = draw(st.sets(st.sampled_from(sorted(left)), max_size=1))
    return replace(held, things=left, used=dict.fromkeys(used, "a test")), pointed & left.keys(), refused


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(1, 4))
def test_nothing_that_stays_refers_to_anything_that_goes(drawn, keep):
    held, pointed, refused = drawn
    made = cleanup(held, keep, refused)
    going = {*made.going}
    releases = {row_of(row.id) for row in held.rows}
    assert going.isdisjoint(made.kept)
    assert going | made.kept.keys() == held.things.keys() | releases
    assert all(made.kept.values()), "a reason for everything that stays"
    assert [KINDS.index(each.kind) for each in made.going] == sorted(KINDS.index(each.kind) for each in made.going)
    assert going.isdisjoint(pointed | refused | held.used.keys())

    settled = [row for row in held.rows if row.is_settled]
    must = {row.id for row in settled[-keep:]} | {row.id for row in held.rows if row.outcome == UNFINISHED}
    assert {row_of(id_) for id_ in must | {held.rows[-1].id}} <= made.kept.keys()
    for row in held.rows:
        if row_of(row.id) in made.kept:
            named = {version(name, number) for name, number in (*row.versions.items(), *row.live.items())}
            named |= {Thing(ARTIFACT, "", key) for key in keys_of(row)}
            assert going.isdisjoint(named), row.id
    for name, function in held.functions.items():
        for number, each in function.versions.items():
            if number == LATEST or version(name, number) in made.kept:
                assert going.isdisjoint(layer(arn.rpartition(":")[2]) for arn in each.layers)


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(1, 4))
def test_of_whatever_stays_a_release_that_stays_tells_if_one_ever_did(drawn, keep):
    held, _, refused = drawn
    made = cleanup(held, keep, refused)
    for thing in made.kept:
        if thing.kind == VERSION:
            name = thing.of.removeprefix("shop-")
            tellers = [row for row in held.rows if row.versions.get(name) == thing.name]
        elif thing.kind == ARTIFACT:
            tellers = [row for row in held.rows if thing.name in keys_of(row)]
        else:
            continue
        assert not tellers or any(row_of(row.id) in made.kept for row in tellers), thing


@settings(max_examples=30, deadline=None)
@given(histories(), st.integers(1, 4))
def test_a_second_look_finds_nothing_more_to_remove(drawn, keep):
    held, _, _ = drawn
    going = {*cleanup(held, keep).going}
    rows = [row for row in held.rows if row_of(row.id) not in going]
    functions = {
        name: replace(each, versions={n: v for n, v in each.versions.items() if version(name, n) not in going})
        for name, each in held.functions.items()
    }
    left = {thing: facts for thing, facts in held.things.items() if thing not in going}
    again = cleanup(replace(held, rows=rows, functions=functions, things=left), keep)
    assert [each for each in again.going if each.kind not in {RELEASE, LAYER}] == []


def test_growth_is_what_deploys_published_and_nothing_else():
    history = History("orders", "prices").deploy().deploy("orders").deploy("orders", "prices").roll_back(1)
    assert growth_of(history.rows) == 15.0
    assert growth_of(history.rows[:1]) == 0.0
    history.deploy("prices", kind=RESTORE)
    assert growth_of(history.rows) == 15.0


def test_images_are_no_part_of_the_growth_for_they_are_in_their_repositories():
    def deployed(**named):
        artifacts = [{"functions/orders": replace(recorded(digit), **named)} for digit in "ab"]
        return [
            release(number, kind=DEPLOY, artifacts=each, versions={"orders": str(number)})
            for number, each in enumerate(artifacts, start=1)
        ]

    assert growth_of(deployed()) == 2000.0
    assert growth_of(deployed(key=f"example.invalid/shop-dev/orders@sha256:{'a' * 64}")) == 0.0


@pytest.mark.parametrize(("growth", "deploys"), [(10.0, 7), (0.0, None)])
def test_the_forecast_tells_after_how_many_deploys_there_is_no_room(growth, deploys):
    full = Forecast(used_bytes=25, limit_bytes=100, is_whole=True, growth_bytes=growth)
    assert full.deploys == deploys
