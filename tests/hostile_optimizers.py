"""Optimizers that a card must survive: they hang, crash, print, or cannot be examined."""

import os
import time

import torch
from torch.optim import SGD, Optimizer


class Hangs(SGD):
    def step(self, closure=None):
        if self.param_groups[0]["maximize"]:
            time.sleep(3600)
        return super().step(closure)


class Crashes(SGD):
    def step(self, closure=None):
        if self.param_groups[0]["maximize"]:
            os.abort()
        return super().step(closure)


class Prints(SGD):
    def step(self, closure=None):
        print('{"fact": "not one"}')
        return super().step(closure)


class Climbs(SGD):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(group["lr"] * p.grad)


class WantsMore(Optimizer):
    def __init__(self, params, total_steps):
        super().__init__(params, {"total_steps": total_steps})

    def step(self, closure=None):
        return None
