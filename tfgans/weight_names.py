"""Names of a network's weights that say which layer they are of, in whatever process the network is made.

Keras numbers layers without a name through the whole process (`conv2d_7`); here each kind is numbered within what
holds it, in the network's order: `conv2d`, `conv2d_1`. So two networks name alike what they have alike.
"""

import re

_NUMBERED = re.compile(r"(.+)_\d+")


def named_weights(network, without=()):
    """`{name: variable}` of all weights of a network, such as `mapping/dense1/kernel`, but those of `without`."""
    known, found = {}, {}  # names by paths, of layers too
    for variable in network.weights:
        name = path = ""
        for part in variable.path.removeprefix(f"{network.name}/").split("/"):
            path = f"{path}/{part}"
            if path not in known:
                known[path] = _unique(f"{name}/{_without_number(part)}".lstrip("/"), known.values())
            name = known[path]
        found[_unique(name, found)] = variable
    left_out = {id(variable) for variable in without}
    return {name: variable for name, variable in found.items() if id(variable) not in left_out}


def _without_number(part):
    match = _NUMBERED.fullmatch(part)
    return match[1] if match else part


def _unique(name, taken):
    """`name`, or with the first number that is free."""
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
