"""What a traced graph computes."""


def needed(graph):
    """The operations that outputs and side effects of a graph depend on, in its order; TensorFlow prunes the others.

    After a call of a function come those of the function, each time it is called.
    """
    stack = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found = set()
    while stack:
        operation = stack.pop()
        if operation not in found:
            found.add(operation)
            stack += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    written = []
    for operation in graph.get_operations():
        if operation in found:
            written.append(operation)
            if function := called(operation):
                written += needed(function.graph)
    return written


def called(operation):
    """The function that an operation calls, or None."""
    if not operation.type.endswith("PartitionedCall"):
        return None
    return operation.graph._get_function(operation.get_attr("f").name)
