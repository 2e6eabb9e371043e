"""The network in plain PyTorch: the neighbours' mean is a product with the whole matrix of edges."""

from torch import nn

import epochs


class Layer(nn.Module):
    def __init__(self, graph, inputs, outputs):
        super().__init__()
        self.register_buffer("graph", graph)
        self.own = nn.Linear(inputs, outputs)
        self.neighbours = nn.Linear(inputs, outputs, bias=False)

    def named_weights(self):
        return {"own": self.own.weight, "bias": self.own.bias, "neighbours": self.neighbours.weight}

    def forward(self, state):
        return self.own(state) + self.neighbours(self.graph @ state)


def over(graph):
    shares = graph / graph.sum(1, keepdim=True).clamp_min(1e-6)
    return lambda inputs, outputs: Layer(shares, inputs, outputs)


epochs.run(over)
