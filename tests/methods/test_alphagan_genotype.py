"""Genotypes: published ones, files, errors, choice from weights, tables and pictures; the search space."""

import json

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.methods.alphagan import curves
from tfgans.methods.alphagan.spaces.autogan import operations, picture, space
from tfgans.methods.alphagan.spaces.autogan.genotype import (
    GENOTYPES,
    Genotype,
    from_architecture,
    load_genotype,
    random_genotype,
)

SMALL = GENOTYPES["alphaGAN_s"]


def weights(**changed):
    """Zero weights of the default pools, but for rows given as {name: {row: column}}."""
    arrays = {name: np.zeros((edges, len(pool))) for name, (edges, pool) in space.architecture_rows().items()}
    for name, columns in changed.items():
        for row, column in columns.items():
            arrays[name][row, column] = 1.0
    return list(arrays.values())


def test_published_genotypes():
    """Spec 1.5, by edge."""
    found = {name: [g.operation(e) for e in space.EDGES if e.target[0] == 3] for name, g in GENOTYPES.items()}
    assert found == {
        "alphaGAN_s": [
            "deconv", "sep_conv_5x5", "sep_conv_3x3", "nearest", "sep_conv_3x3", "deconv", "bilinear",
        ],
        "alphaGAN_l": [
            "nearest", "conv_1x1", "conv_5x5", "bilinear", "sep_conv_3x3", "bilinear", "nearest",
        ],
    }  # fmt: skip
    assert SMALL.group("skip_2") == ("nearest",) and SMALL.group("up_1") == ("bilinear", "deconv")


def test_edges():
    assert len(space.EDGES) == 18
    counted = {name: edges for name, (edges, _) in space.architecture_rows().items()}
    assert counted == dict(zip(space.ARCHITECTURE_NAMES, (3, 3, 3, 2, 2, 2, 1, 2), strict=True))
    skips = {(e.group, e.row): (e.source, e.target, e.factor) for e in space.EDGES if e.group[0] == "s"}
    assert skips == {
        ("skip_2", 0): ((1, 1), (2, 4), 2),
        ("skip_3", 0): ((1, 1), (3, 4), 4),
        ("skip_3", 1): ((2, 1), (3, 4), 2),
    }


def test_wiring_by_hand():
    """Each edge adds its own power of two to what its source has: a node's value tells its paths."""
    bits = {edge: 2**i for i, edge in enumerate(space.EDGES)}
    nodes = space.wire(0, lambda edge, x: x + bits[edge])
    names = {(e.group, e.row): bits[e] for e in space.EDGES}

    def total(*keys):
        return sum(names[key] for key in keys)

    first = total(("up_1", 0), ("normal_1", 0), ("normal_1", 1), ("up_1", 1), ("normal_1", 2))
    assert nodes[1, 1] == total(("up_1", 0)) and nodes[1, 4] == first
    second = 2 * first + total(("up_2", 0), ("normal_2", 0), ("normal_2", 1), ("up_2", 1), ("normal_2", 2))
    assert nodes[2, 1] == first + total(("up_2", 0))
    assert nodes[2, 4] == second + total(("up_1", 0), ("skip_2", 0))
    third = 2 * nodes[2, 4] + total(
        ("up_3", 0), ("normal_3", 0), ("normal_3", 1), ("up_3", 1), ("normal_3", 2)
    )
    assert nodes[3, 4] == third + nodes[1, 1] + nodes[2, 1] + total(("skip_3", 0), ("skip_3", 1))


def test_sizes_of_the_space():
    assert space.size() == 6**9 * 3**9 == 198_359_290_368
    assert space.size(up_operations=space.UP_OPERATIONS_WITHOUT_DECONV) == 5_159_780_352
    assert space.size(up_operations=space.UP_OPERATIONS_LEARNABLE) == space.size()


def test_pools_name_operations():
    assert set(space.NORMAL_OPERATIONS) | set(space.DISCRIMINATOR_OPERATIONS) <= set(operations.NORMAL)
    assert set(space.UP_OPERATIONS) | set(space.UP_OPERATIONS_LEARNABLE) <= set(operations.UP)
    assert set(space.DISCRIMINATOR_OPERATIONS_CONVOLUTIONS) < set(space.DISCRIMINATOR_OPERATIONS)


@pytest.mark.parametrize("genotype", [*GENOTYPES.values(), random_genotype(5)])
def test_files_give_back_what_was_saved(genotype, tmp_path):
    path = tmp_path / "genotype.json"
    genotype.save(path)
    assert load_genotype(path) == load_genotype(str(path)) == genotype
    assert [p.name for p in tmp_path.iterdir()] == ["genotype.json"]
    assert json.loads(path.read_text())["skip_2"] == list(genotype.skip_2)


def test_names_and_genotypes_load():
    assert load_genotype("alphaGAN_s") is SMALL and load_genotype(SMALL) is SMALL


def changed(**fields):
    return {name: getattr(SMALL, name) for name in ("normal", "up", "skip_2", "skip_3")} | fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as a genotype: Expecting property name"),
        ("[1]", "a genotype has normal, up, skip_2 and skip_3. Received: list"),
        (json.dumps({"normal": []}), "a genotype has normal, up, skip_2 and skip_3. Received: normal"),
        (json.dumps(changed(more=1)), "Received: normal, up, skip_2, skip_3, more"),
        (json.dumps(changed(skip_3=["deconv"])), "skip_3 has 2 operations. Received: .'deconv'."),
        (json.dumps(changed(up=SMALL.up[:2])), "up has one list for each of 3 cells"),
        (json.dumps(changed(normal="abc")), "normal has one list for each of 3 cells. Received: abc"),
        (json.dumps(changed(skip_2=["conv_1x1"])), "skip_2: an operation is one of deconv, .* 'conv_1x1'"),
        (json.dumps(changed(normal=[["a"] * 3] * 3)), "normal, cell 1: an operation is one of none.* 'a'"),
        (json.dumps(changed(skip_2=[{}])), "skip_2: an operation is one of deconv"),
        (json.dumps(changed(skip_2=None)), "skip_2 has 1 operations. Received: None"),
        (json.dumps(changed(normal="a\nb")), "normal has one list for each of 3 cells. Received: a b"),
        (json.dumps({"a\nb": 1}), "skip_2 and skip_3. Received: a b"),
        (
            json.dumps(changed(normal=[["Sep_conv_3x3"] * 3] * 3)),
            "Received: 'Sep_conv_3x3'$",
        ),  # it was cut off
        ("[" * 100000, "cannot be read as a genotype: it is nested too deeply"),
        ("\ud800", "cannot be read as a genotype: Expecting value"),
        ("9" * 5000, "cannot be read as a genotype: Exceeds the limit"),
        ('{"normal": NaN}', "cannot be read as a genotype: the number NaN is not finite"),
    ],
)
def test_wrong_files_are_refused_in_one_line(text, message, tmp_path):
    path = tmp_path / "genotype.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError, match=message) as caught:
        load_genotype(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "name", ["alphaGAN", "no/such.json", ".", None, 3, ["alphaGAN_s"], {}, "a\0b", "a\nb"]
)
def test_unknown_names_are_refused(name):
    with pytest.raises(ConfigError, match="alphaGAN_s, alphaGAN_l or a JSON file that exists. Received: "):
        load_genotype(name)


def test_what_a_genotype_is_made_of_in_python_is_told_in_one_line():
    with pytest.raises(ConfigError, match="skip_2 has 1 operations. Received: a b$"):
        Genotype(**changed(skip_2="a\nb"))


def test_largest_weight_is_chosen_and_the_first_of_equals():
    genotype = from_architecture(weights(normal_2={1: 5}, up_3={0: 2}, skip_3={1: 1}))
    assert genotype.normal == (("conv_1x1",) * 3, ("conv_1x1", "sep_conv_7x7", "conv_1x1"), ("conv_1x1",) * 3)
    assert genotype.up == (("deconv", "deconv"), ("deconv", "deconv"), ("bilinear", "deconv"))
    assert (genotype.skip_2, genotype.skip_3) == (("deconv",), ("deconv", "nearest"))


def test_choice_from_other_pools():
    pools = (("none", "skip_connect"), space.UP_OPERATIONS_LEARNABLE)
    arrays = [np.eye(len(pool))[[-1] * edges] for edges, pool in space.architecture_rows(*pools).values()]
    genotype = from_architecture(arrays, *pools)
    assert genotype.normal == (("skip_connect",) * 3,) * 3 and genotype.skip_2 == ("bilinear_conv",)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ConfigError, match="architecture weights have shapes"):
        from_architecture(weights()[:7])
    with pytest.raises(ConfigError, match="architecture weights have shapes"):
        from_architecture(weights(), up_operations=("nearest", "bilinear"))


def test_random_genotypes_are_a_function_of_the_seed_and_uniform():
    assert random_genotype(3) == random_genotype(3) != random_genotype(4)
    assert random_genotype((3, 1)) != random_genotype((3, 2))
    drawn = [random_genotype(seed) for seed in range(600)]
    for edge in (space.EDGES[0], space.EDGES[1], space.EDGES[-1]):
        pool = space.NORMAL_OPERATIONS if edge.kind == "normal" else space.UP_OPERATIONS
        counts = [sum(g.operation(edge) == name for g in drawn) for name in pool]
        expected = 600 / len(pool)  # within four standard deviations
        assert np.abs(np.array(counts) - expected).max() < 4 * (expected * (1 - 1 / len(pool))) ** 0.5


def test_table():
    lines = GENOTYPES["alphaGAN_l"].table().splitlines()
    cells = [line.split() for line in lines]
    assert cells[0] == ["slot", "edge", "cell", "1", "cell", "2", "cell", "3"] and len(lines) == 9
    assert cells[6] == ["normal[2]", "3", "->", "4", "sep_conv_5x5", "conv_3x3", "sep_conv_3x3"]
    assert cells[7][-3:] == ["nearest", "bilinear", "(x4)"] and cells[8][-2:] == ["4", "nearest"]
    assert lines[0].index("cell 3") == lines[7].index("bilinear (x4)") == lines[8].rindex("nearest")


@pytest.mark.slow
def test_picture_of_a_genotype_shows_every_operation():
    small, other = (picture.draw_genotype(g, 40) for g in ("alphaGAN_s", "alphaGAN_l"))
    assert small.shape == other.shape and small.dtype == np.uint8 and small.shape[2] == 3
    np.testing.assert_array_equal(picture.draw_genotype(SMALL, 40), small)
    for edge in space.EDGES:
        fields = changed()
        pool = operations.NORMAL if edge.kind == "normal" else operations.UP
        fields |= replaced(edge, next(name for name in pool if name != SMALL.operation(edge)))
        assert (picture.draw_genotype(Genotype(**fields), 40) != small).any(), edge


def replaced(edge, operation):
    """The field of `SMALL` that has this edge, with another operation there."""
    if edge.group in ("skip_2", "skip_3"):
        return {edge.group: tuple_with(getattr(SMALL, edge.group), edge.row, operation)}
    field, cell = edge.group.split("_")
    cells = getattr(SMALL, field)
    names = tuple_with(cells[int(cell) - 1], edge.row, operation)
    return {field: tuple_with(cells, int(cell) - 1, names)}


def tuple_with(values, index, value):
    return (*values[:index], value, *values[index + 1 :])


def history(length, seed=0):
    generator = np.random.default_rng(seed)
    shapes = [(edges, len(pool)) for edges, pool in space.architecture_rows().values()]
    return [[generator.dirichlet(np.ones(n), edges) for edges, n in shapes] for _ in range(length)]


OPERATIONS = {name: pool for name, (_, pool) in space.architecture_rows().items()}


@pytest.mark.slow
def test_heat_map_shows_every_row():
    rows = history(3)
    image = curves.draw_architecture_heat_map(rows, OPERATIONS, steps=[0, 5, 10], dots_per_inch=30)
    assert image.dtype == np.uint8 and image.shape[2] == 3
    for index in (0, 5, 7):
        other = [[np.array(a) for a in entry] for entry in rows]
        other[1][index][-1] = np.roll(other[1][index][-1], 1)
        assert (curves.draw_architecture_heat_map(other, OPERATIONS, [0, 5, 10], 30) != image).any()


def test_heat_map_of_one_step_and_of_a_discriminator():
    assert curves.draw_architecture_heat_map(history(1), OPERATIONS, dots_per_inch=30).size
    rows = [[np.full((1, 3), 1 / 3), np.full((1, 2), 0.5)]] * 2
    pools = {"channels_raise": ("a", "b", "c"), "normal_1": ("d", "e")}
    assert curves.draw_architecture_heat_map(rows, pools, dots_per_inch=30).size


def test_edges_that_mix_by_raw_weights_have_no_entropy_and_are_told_as_raw(monkeypatch):
    """The released code's first cell of D: its weights, next to 0, were drawn as an entropy of less than nothing."""
    raw, shares = np.array([[0.001, -0.002, 0.001]]), np.array([[0.25, 0.75]])
    drawn, titles = [], []
    plain = curves._entropies
    monkeypatch.setattr(curves, "_entropies", lambda panels: drawn.append(plain(panels)) or drawn[-1])
    column = curves._draw_column
    told = lambda *given: titles.extend(panel[0] for panel in given[3]) or column(*given)  # noqa: E731
    monkeypatch.setattr(curves, "_draw_column", told)
    pools = {"discriminator_channels_raise": ("a", "b", "c"), "discriminator_normal_2": ("d", "e")}
    curves.draw_architecture_heat_map([[raw, shares]] * 2, pools, dots_per_inch=30)
    expected = (-0.25 * np.log(0.25) - 0.75 * np.log(0.75)) / np.log(2)
    np.testing.assert_allclose(np.concatenate([found for found in drawn if len(found)]), [[expected] * 2])
    assert titles == ["discriminator_channels_raise, edge 0, raw weights", "discriminator_normal_2, edge 0"]


@pytest.mark.parametrize("values", [[[1.0]], [[0.3, -0.2]]], ids=["one operation", "raw weights"])
def test_without_an_edge_that_has_an_entropy_there_is_no_curve_of_it(values, monkeypatch, recwarn):
    """An empty panel made Matplotlib warn of a legend without lines. It has 2.9 inches, of 30 dots each."""
    pool = ("a", "b", "c")[: len(values[0])]
    rows, pools = [[np.array(values)]] * 2, {"normal_1": pool}
    image = curves.draw_architecture_heat_map(rows, pools, dots_per_inch=30)
    assert not recwarn.list
    monkeypatch.setattr(curves, "_entropies", lambda panels: np.ones((len(panels), 2)))
    drawn = curves.draw_architecture_heat_map(rows, pools, dots_per_inch=30)
    assert drawn.shape[1] == image.shape[1] and drawn.shape[0] - image.shape[0] == 87


@pytest.mark.parametrize(("length", "steps"), [(0, None), (2, [1])])
def test_heat_map_refuses_what_does_not_fit(length, steps):
    with pytest.raises(ConfigError, match="as many steps as entries, at least one"):
        curves.draw_architecture_heat_map(history(length), OPERATIONS, steps)
