"""What both Python programs share: the samples, the parts of the network beside the graph, and the epochs.

The network is that of trainer/src/network.rs in its shipped form: two layers over the graph, a learned mean over bars.
"""

import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional


class Network(nn.Module):
    """`layer` makes a layer over the graph out of its number of inputs; `weights` are named as in the Rust program."""

    def __init__(self, layer, settings):
        super().__init__()
        symbols, features, hidden = settings["symbols"], settings["features"], settings["hidden"]
        self.layers = nn.ModuleList([layer(features, hidden), layer(hidden, hidden)])
        self.node = nn.Parameter(torch.zeros(symbols, hidden))
        self.shares = nn.Parameter(torch.zeros(len(settings["lags"]), hidden))
        self.volatility = nn.Linear(2 * hidden, 1, bias=False)
        self.skip = nn.Linear(features, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(symbols))
        self.direction = nn.Linear(2 * hidden, 3)

    def start(self, weights):
        """Takes over the start values; each layer knows the names of its own."""
        named = {
            "node": self.node,
            "bars.shares": self.shares,
            "volatility.state": self.volatility.weight,
            "volatility.skip": self.skip.weight,
            "volatility.bias": self.bias,
            "direction.state": self.direction.weight,
            "direction.bias": self.direction.bias,
        }
        for number, layer in enumerate(self.layers):
            named |= {f"layer_{number}.{name}": parameter for name, parameter in layer.named_weights().items()}
        assert named.keys() == weights.keys(), named.keys() ^ weights.keys()
        with torch.no_grad():
            for name, parameter in named.items():
                parameter.copy_(weights[name])

    def forward(self, values):
        """values: batch × lags × symbols × features, the newest bar first."""
        first = torch.relu(self.layers[0](values) + self.node)
        state = torch.relu(self.layers[1](first)) + first
        bars = (state * torch.softmax(self.shares, 0).unsqueeze(1)).sum(1)
        state = torch.cat([state[:, 0], bars], -1)
        volatility = self.volatility(state) + self.skip(values[:, 0])
        return volatility.squeeze(-1) + self.bias, self.direction(state)


def run(make_layer):
    """Trains an epoch for each line of input and answers with its seconds and losses."""
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    settings = json.loads((folder / "settings.json").read_text())
    samples = load_file(folder / "samples.safetensors")
    values, volatility, direction = samples["values"], samples["volatility"], samples["direction"]
    lags = torch.tensor(settings["lags"])
    network = Network(make_layer(samples["graph"]), settings)
    network.start(load_file(folder / "weights.safetensors"))
    # The fused optimiser is the fastest that PyTorch has on a CPU.
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"], fused=True
    )
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, settings["rate_decay"])

    def predict(rows):
        return network(values[rows.unsqueeze(1) - lags])

    def train(order):
        total = 0.0
        for rows in order.split(settings["batch"]):
            said, scores = predict(rows)
            wrong = functional.cross_entropy(scores.reshape(-1, 3), direction[rows].reshape(-1))
            loss = functional.mse_loss(said, volatility[rows]) + settings["direction_weight"] * wrong
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings["longest_gradient"])
            optimiser.step()
            total += loss.item() * len(rows)
        schedule.step()
        return total / len(order)

    @torch.no_grad()
    def validate(rows):
        missed = [((predict(part)[0] - volatility[part]) ** 2).sum().item() for part in rows.split(512)]
        return sum(missed) / volatility[rows].numel()

    print("ready", flush=True)
    for order, _ in zip(samples["orders"], sys.stdin):
        started = time.perf_counter()
        losses = train(order), validate(samples["validation"])
        print(time.perf_counter() - started, *losses, flush=True)
