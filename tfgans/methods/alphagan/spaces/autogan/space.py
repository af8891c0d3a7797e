"""The search space of AlphaGAN on conventional GANs (Tian et al., 2021, section 4.1): edges, pools, sizes.

A generator is three cells, each of which doubles its map. In a cell, node 0 is the input and node 4 the output, the
next cell's node 0. Edges 0->1 and 0->3 double the map; 1->2, 2->4 and 3->4 keep its size; node 1 of every earlier
cell goes up to node 4. A node is the plain sum of what its edges bring.
"""

from dataclasses import dataclass

NORMAL_OPERATIONS = (
    "conv_1x1", "conv_3x3", "conv_5x5", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7",
)  # fmt: skip
UP_OPERATIONS = ("deconv", "nearest", "bilinear")
UP_OPERATIONS_LEARNABLE = ("deconv", "nearest_conv", "bilinear_conv")
UP_OPERATIONS_WITHOUT_DECONV = ("nearest", "bilinear")
DISCRIMINATOR_OPERATIONS = ("none", "conv_1x1_SN", "conv_3x3_SN", "conv_5x5_SN", "skip_connect")
DISCRIMINATOR_OPERATIONS_CONVOLUTIONS = ("conv_1x1_SN", "conv_3x3_SN", "conv_5x5_SN")

CELLS = (1, 2, 3)
ARCHITECTURE_NAMES = ("normal_1", "normal_2", "normal_3", "up_1", "up_2", "up_3", "skip_2", "skip_3")


@dataclass(frozen=True)
class Edge:
    """An edge of the generator: `row` of the architecture weight `group`, from and to a (cell, node).

    `factor` is how much larger the map gets: 1 on an edge of a normal operation, else 2 or 4.
    """

    group: str
    row: int
    source: tuple
    target: tuple
    factor: int = 1

    @property
    def kind(self):
        """`normal` or `up`: the pool its operation is from."""
        return "normal" if self.factor == 1 else "up"

    @property
    def name(self):
        return f"{self.group}_edge_{self.row}"


def _cell_edges(cell):
    """Of one cell, each after those that its source needs. Node 0 goes by the name of the node it is."""
    inputs = (cell - 1, 4)
    edges = [
        Edge(f"up_{cell}", 0, inputs, (cell, 1), 2),
        Edge(f"normal_{cell}", 0, (cell, 1), (cell, 2)),
        Edge(f"normal_{cell}", 1, (cell, 2), (cell, 4)),
        Edge(f"up_{cell}", 1, inputs, (cell, 3), 2),
        Edge(f"normal_{cell}", 2, (cell, 3), (cell, 4)),
    ]
    skips = [
        Edge(f"skip_{cell}", row, (earlier, 1), (cell, 4), 2 ** (cell - earlier))
        for row, earlier in enumerate(range(1, cell))
    ]
    return edges + skips


EDGES = tuple(edge for cell in CELLS for edge in _cell_edges(cell))


def wire(inputs, apply):
    """Sends a map through the three cells.

    Args:
        inputs: what enters the first cell.
        apply: function of (edge, the value of its source) that gives what the edge brings to its target.
    Returns: the value of each node, by (cell, node); (0, 4) is `inputs` and (3, 4) the output.
    """
    nodes = {(0, 4): inputs}
    for edge in EDGES:
        value = apply(edge, nodes[edge.source])
        nodes[edge.target] = nodes[edge.target] + value if edge.target in nodes else value
    return nodes


def architecture_rows(normal_operations=NORMAL_OPERATIONS, up_operations=UP_OPERATIONS):
    """(number of edges, names of the operations) of each architecture weight, by name, in their order."""
    rows = {}
    for name in ARCHITECTURE_NAMES:
        edges = [edge for edge in EDGES if edge.group == name]
        rows[name] = (len(edges), tuple(normal_operations if edges[0].kind == "normal" else up_operations))
    return rows


def size(normal_operations=NORMAL_OPERATIONS, up_operations=UP_OPERATIONS):
    """Number of architectures: 1.984e11 with the default pools, 5.2e9 without deconvolutions."""
    total = 1
    for edges, operations in architecture_rows(normal_operations, up_operations).values():
        total *= len(operations) ** edges
    return total
