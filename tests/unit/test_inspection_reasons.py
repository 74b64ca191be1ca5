"""Why a distribution is there."""

from packaging.requirements import Requirement

from build.inspection.contents import Contents, Held
from build.inspection.reasons import Wanting, needs, reasons_for, step_of, why_there
from build.project.profiles import profile_of
from tests.builders import ARM, X86

MARKERS = profile_of(X86).markers


def held(name, *requires, version="1.0", folder=""):
    return Held(
        folder=folder,
        info="",
        name=name,
        version=version,
        requires=requires,
        licenses=(),
        has_license_expression=False,
    )


def reasons(name, wanted, *distributions, markers=MARKERS):
    steps = [step_of("requirements.in", Requirement(line)) for line in wanted]
    return reasons_for(name, steps, {each.name: each for each in distributions}, markers)


def shown(found):
    return [" > ".join(f"{step.by}: {step.requirement}" for step in chain) for chain in found.chains]


def test_what_is_wanted_itself_has_a_chain_of_one():
    assert shown(reasons("a", ["A>=1"], held("a"))) == ["requirements.in: A>=1"]


def test_a_chain_has_the_specifier_of_every_step():
    found = reasons("c", ["a~=1.0"], held("a", "b<3,>=2"), held("b", "c!=1.5", version="2.0"), held("c"))
    assert shown(found) == ["requirements.in: a~=1.0 > a 1.0: b<3,>=2 > b 2.0: c!=1.5"]


def test_every_requirement_that_names_it_has_its_shortest_chain_the_shortest_first():
    found = reasons("d", ["a", "b", "d>0"], held("a", "b", "d<9"), held("b", "d>=1"), held("d"))
    assert shown(found) == [
        "requirements.in: d>0",
        "requirements.in: a > a 1.0: d<9",
        "requirements.in: b > b 1.0: d>=1",
    ]


def test_an_extra_brings_what_its_requirer_asks_for():
    found = reasons("s", ["a[socks]"], held("a", "s>=1 ; extra == 'socks'", "t ; extra == 'tea'"), held("s"))
    (chain,) = found.chains
    assert [(step.by, step.requirement, step.extra) for step in chain] == [
        ("requirements.in", "a[socks]", ""),
        ("a 1.0", "s>=1", "socks"),
    ]
    assert found.passed_over == ()


def test_an_extra_that_nobody_asks_for_is_passed_over_and_told():
    found = reasons("s", ["a"], held("a", "s>=1 ; extra == 'socks'"))
    assert found.chains == ()
    assert [(step.by, step.marker) for step in found.passed_over] == [("a 1.0", 'extra == "socks"')]


def test_markers_are_those_of_the_target():
    distributions = held("a", "b ; platform_machine == 'aarch64'", "c ; sys_platform == 'win32'"), held("b")
    assert reasons("b", ["a"], *distributions).chains == ()
    assert reasons("b", ["a"], *distributions).passed_over
    assert shown(reasons("b", ["a"], *distributions, markers=profile_of(ARM).markers))
    assert reasons("c", ["a"], *distributions, markers=profile_of(ARM).markers).chains == ()


def test_an_extra_of_an_extra_is_followed():
    found = reasons("z", ["a[all]"], held("a", "a[zip] ; extra == 'all'", "z ; extra == 'zip'"), held("z"))
    assert shown(found) == ["requirements.in: a[all] > a 1.0: a[zip] > a 1.0: z"]


def test_circles_end():
    found = reasons("c", ["a"], held("a", "b"), held("b", "a", "c"), held("c", "a"))
    assert shown(found) == ["requirements.in: a > a 1.0: b > b 1.0: c"]


def test_lines_that_no_tool_can_read_are_passed_over():
    assert shown(reasons("b", ["a"], held("a", "b (>=1", "b>=2"), held("b"))) == ["requirements.in: a > a 1.0: b>=2"]


def test_names_are_compared_as_indexes_do():
    assert shown(reasons("py-yaml", ["Py.YAML"], held("py-yaml"))) == ["requirements.in: Py.YAML"]


def test_needs_follow_markers_and_extras_that_somebody_asks_for():
    distributions = {
        each.name: each
        for each in (
            held("a", "b[x]", "c ; extra == 'unasked'", "d ; sys_platform == 'win32'"),
            held("b", "c ; extra == 'x'"),
            held("c", "c", "gone"),
            held("d"),
        )
    }
    assert needs(distributions, [MARKERS]) == {"a": {"b"}, "b": {"c"}, "c": set(), "d": set()}


def test_needs_of_several_targets_are_put_together():
    distributions = {each.name: each for each in (held("a", "b ; platform_machine == 'aarch64'"), held("b"))}
    assert needs(distributions, [MARKERS])["a"] == set()
    assert needs(distributions, [MARKERS, profile_of(ARM).markers])["a"] == {"b"}


def wanting(artifact, wishes, *distributions):
    steps = tuple(step_of(artifact, Requirement(line)) for line in wishes)
    return Wanting(
        artifact=artifact, wishes=steps, contents=Contents(files=(), distributions=distributions, size_bytes=0)
    )


def test_a_functions_chains_lead_through_its_layers_and_a_layers_through_itself_alone():
    function = wanting("functions/f", ["a"], held("b", "c"))
    answer = why_there("c", [function, wanting("layers/l", ["a"], held("a", "b"), held("c"))], X86)
    assert shown(answer.reasons["functions/f"]) == ["functions/f: a > a 1.0: b > b 1.0: c"]
    assert shown(answer.reasons["layers/l"]) == []
    assert answer.found == {"layers/l": "1.0"}


def test_what_comes_first_on_the_path_hides_what_comes_later():
    first = wanting("functions/f", ["a"], held("a", "new"))
    later = [wanting(f"layers/{name}", [], held("a", "old", version="0.9")) for name in "lm"]
    assert shown(why_there("new", [first, *later], X86).reasons["functions/f"])
    assert not shown(why_there("old", [first, *later], X86).reasons["functions/f"])
    assert why_there("a", [first, *later], X86).found == {"functions/f": "1.0", "layers/l": "0.9", "layers/m": "0.9"}


def test_of_a_layer_for_several_runtimes_only_what_the_functions_own_reads_counts():
    folders = [f"python/lib/python3.{minor}/site-packages" for minor in (12, 13, 14)]
    layer = wanting(
        "layers/l",
        ["a"],
        *(
            held("a", *needed, version=f"{number}.0", folder=folder)
            for number, (needed, folder) in enumerate(zip(((), ("b",), ()), folders, strict=True))
        ),
        held("b", folder=folders[1]),
        held("c", folder=folders[0]),
        held("d", folder="python"),
    )
    asked = [wanting("functions/f", ["a"]), layer]
    assert why_there("a", asked, X86).found == {"layers/l": "1.0"}
    assert shown(why_there("b", asked, X86).reasons["layers/l"]) == ["layers/l: a > a 1.0: b"]
    assert why_there("c", asked, X86).found == {}
    assert why_there("d", asked, X86).found == {"layers/l": "1.0"}
