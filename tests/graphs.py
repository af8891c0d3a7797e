"""What a traced graph computes."""


def needed(graph):
    """The operations that outputs and side effects of a graph depend on; TensorFlow prunes the others."""
    stack = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found = set()
    while stack:
        operation = stack.pop()
        if operation not in found:
            found.add(operation)
            stack += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return found
