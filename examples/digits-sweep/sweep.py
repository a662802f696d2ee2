#!/usr/bin/env python3
"""The sweep: each setting trains one network on the pool, and the best one is told. Checks every score against a sweep here."""
import itertools
import sys

import joblib
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import hearth.joblib  # noqa: F401  (makes the backend known)

GRID = {"hidden": [16, 64], "rate": [0.003, 0.03], "decay": [0.0, 0.01]}
EPOCHS = 30
BATCH = 64


def train(hidden, rate, decay):
    """The part of the digits, not trained on, that the network reads right. The same wherever it runs."""
    torch.set_num_threads(1)
    torch.manual_seed(4)
    pixels, digits = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16, digits, test_size=0.3, random_state=4, stratify=digits)
    known, unseen = torch.tensor(parts[0], dtype=torch.float32), torch.tensor(parts[1], dtype=torch.float32)
    truth, answers = torch.tensor(parts[2]), torch.tensor(parts[3])
    network = torch.nn.Sequential(torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10))
    steps = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(known)).split(BATCH):
            steps.zero_grad()
            torch.nn.functional.cross_entropy(network(known[chosen]), truth[chosen]).backward()
            steps.step()
    with torch.no_grad():
        return (network(unseen).argmax(1) == answers).double().mean().item()


def sweep():
    settings = [dict(zip(GRID, values)) for values in itertools.product(*GRID.values())]
    return settings, joblib.Parallel(n_jobs=-1)(joblib.delayed(train)(**setting) for setting in settings)


def best(settings, scores):
    return max(zip(scores, map(str, settings)))


def main():
    with joblib.parallel_backend("hearth", memory="2G"):
        settings, scores = sweep()
    with joblib.parallel_backend("sequential"):
        _, expected = sweep()
    if scores != expected:
        sys.exit(f"error: the pool's scores {scores} are not this PC's, {expected}")
    score, setting = best(settings, scores)
    print(f"the best of {len(settings)} settings on the pool as here: {setting} reads {100 * score:.1f} % right")


if __name__ == "__main__":
    main()
