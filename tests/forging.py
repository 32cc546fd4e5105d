"""States of stored objects with single entries changed."""

import json

from faast.core.state import State


def forge(thing, tensors=(), metadata=(), drop=()):
    """Rebuild an object from its state with other entries; names are paths with dots."""
    state = thing.to_state()
    arrays, facts = dict(state.tensors), json.loads(json.dumps(state.metadata))
    arrays.update(tensors)
    for path, value in dict(metadata).items():
        *folders, name = path.split(".")
        place = facts
        for folder in folders:
            place = place[folder]
        place[name] = value
    for path in drop:
        arrays = {name: a for name, a in arrays.items() if not f"{name}.".startswith(f"{path}.")}
        *folders, name = path.split(".")
        place = facts
        for folder in folders:
            place = place[folder]
        place.pop(name, None)
    return type(thing).from_state(State(arrays, facts))
