"""The network in PyTorch Geometric: the neighbours' mean is gathered and scattered along a list of edges."""

import torch
from torch import nn
from torch_geometric.nn import GraphConv

import epochs


class Layer(nn.Module):
    def __init__(self, edges, shares, inputs, outputs):
        super().__init__()
        self.register_buffer("edges", edges)
        self.register_buffer("shares", shares)
        self.convolution = GraphConv(inputs, outputs, aggr="add")

    def named_weights(self):
        convolution = self.convolution
        return {
            "own": convolution.lin_root.weight,
            "bias": convolution.lin_rel.bias,
            "neighbours": convolution.lin_rel.weight,
        }

    def forward(self, state):
        # All graphs of a batch have the same edges, which PyTorch Geometric takes without repeating them.
        flat = state.flatten(0, 1)
        return self.convolution(flat, self.edges, self.shares).view(*state.shape[:-1], -1)


def over(graph):
    shares = graph / graph.sum(1, keepdim=True).clamp_min(1e-6)
    to, of = shares.nonzero(as_tuple=True)
    edges = torch.stack([of, to])
    return lambda inputs, outputs: Layer(edges, shares[to, of], inputs, outputs)


epochs.run(over)
