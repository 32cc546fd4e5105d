from tests.test_import import modules_after


def test_importing_the_protocols_loads_neither_torch_nor_a_higher_layer():
    protocols = "continual, efficiency, few_shot, image_datasets, sensitivity, time_to_accuracy"
    loaded = modules_after(f"from faast.evaluation import {protocols}")
    assert not loaded & {"torch", "faast.cli", "faast.distributed", "faast.hub"}
