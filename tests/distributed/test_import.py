from tests.test_import import modules_after


def test_importing_the_package_loads_neither_ray_nor_torch_nor_a_higher_layer():
    loaded = modules_after("import faast.distributed")
    assert not loaded & {"ray", "torch", "faast.cli", "faast.evaluation", "faast.hub"}
