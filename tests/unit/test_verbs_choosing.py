import pytest

from build.errors import InputError
from build.verbs.choosing import narrowed
from tests.builders import function_spec, layer_spec, make_workspace


@pytest.fixture
def workspace(tmp_path):
    use = {"greeting": (), "orders": ("data",), "stock": ("data", "arn:aws:lambda:eu-central-1:123456789012:layer:x:1")}
    functions = tuple(function_spec(tmp_path / "functions" / name, layers=layers) for name, layers in use.items())
    layers = tuple(layer_spec(tmp_path / "layers" / name) for name in ("data", "unused"))
    return make_workspace(tmp_path, functions=functions, layers=layers)


@pytest.mark.parametrize(
    ("only", "functions", "layers"),
    [
        ("greeting", ["greeting"], []),
        ("orders", ["orders"], ["data"]),
        ("stock,greeting", ["greeting", "stock"], ["data"]),
        (" stock, orders,", ["orders", "stock"], ["data"]),
    ],
)
def test_functions_come_with_the_layers_they_use(workspace, only, functions, layers):
    chosen = narrowed(workspace, only)
    assert [spec.name for spec in chosen.functions] == functions
    assert [spec.name for spec in chosen.layers] == layers


def test_all_unknown_names_are_told_with_what_was_meant(workspace):
    with pytest.raises(InputError) as caught:
        narrowed(workspace, "ordres,greeting,nothing-like-it")
    assert caught.value.facts == ("no function `nothing-like-it`", "no function `ordres`; did you mean `orders`?")


def test_no_name_at_all_is_an_error(workspace):
    with pytest.raises(InputError, match="expected names of functions"):
        narrowed(workspace, " ,")
