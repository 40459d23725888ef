"""GPT-2 124M without allocating it, gradients in micro-batches, and what they cost."""

import numpy as np
import pytest
import torch
from ratewitness.problems.data.shards import Shards, Stream, write_shard
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.problems.networks.language_model import GPT2_124M, Streamed, operations
from scripted import seeded
from torch.func import functional_call

TINY = Transformer(vocabulary=11, context=6, width=8, heads=2, layers=2, tied=True)


@pytest.fixture
def stream(tmp_path):
    write_shard(tmp_path / "x_train_0.bin", np.arange(200) * 7 % 11)
    return lambda: Stream(Shards.in_folder(tmp_path), TINY.context)


def weights(*batch, dtype=torch.float64):
    return 0.5 * torch.randn(*batch, TINY.layout.size, generator=seeded(2), dtype=torch.float64).to(dtype)


def test_gpt2_has_124_million_weights():
    """As published, 124439808, without biases and gains, and with 47 rows of padding."""
    assert GPT2_124M.layout.size == 50304 * 768 + 1024 * 768 + 12 * 12 * 768**2 == 124_354_560
    assert GPT2_124M.layout.size - 47 * 768 == 124_439_808 - 12 * (2 * 2 * 768 + 9 * 768) - 2 * 768


def test_a_tied_head_is_the_embedding():
    """Against the untied network with the same matrix twice, whose two gradients add up."""
    untied = Transformer(vocabulary=11, context=6, width=8, heads=2, layers=2)
    x, tokens = weights(), torch.randint(11, (3, 7), generator=seeded(1))
    parts = TINY.layout.split(x)
    twice = untied.layout.join({**parts, "head": parts["embedding"]})
    torch.testing.assert_close(TINY.cross_entropy(x, tokens), untied.cross_entropy(twice, tokens))
    g, apart = TINY.layout.split(TINY.gradient(x, tokens)), untied.layout.split(untied.gradient(twice, tokens))
    torch.testing.assert_close(g["embedding"], apart["embedding"] + apart["head"])
    torch.testing.assert_close(g["attention"], apart["attention"])


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_micro_batches_add_up_to_the_batch(stream, batch):
    x = weights(*batch)
    whole, parts = Streamed(TINY, stream(), 6), Streamed(TINY, stream(), 6, micro=2)
    torch.testing.assert_close(parts.grad(x), whole.grad(x))
    torch.testing.assert_close(parts.grad(x), TINY.gradient(x, parts.sample))  # replicates have windows of their own,
    assert parts.sample.shape == (*batch[-1:], 6, 7)  # which a sweep shares
    assert (parts.calls, parts.component_gradients) == (2, 12)
    torch.testing.assert_close(parts.loss(x, whole.sample[..., :5, :]), TINY.cross_entropy(x, whole.sample[..., :5, :]))


def test_the_same_sample_again(stream):
    oracle, x = Streamed(TINY, stream(), 2), weights()
    torch.testing.assert_close(oracle.grad(x), oracle.grad(x, redraw=False), rtol=0, atol=0)


def test_products_in_bfloat16_keep_weights_in_float32(stream):
    x = weights(dtype=torch.float32)
    low, high = Streamed(TINY, stream(), 4, compute=torch.bfloat16).grad(x), Streamed(TINY, stream(), 4).grad(x)
    assert low.dtype == torch.float32
    assert 0 < (low - high).norm() < 0.05 * high.norm()


def test_operations_are_six_a_weight_and_token_and_attention():
    assert operations(TINY) == 6 * (2 * 12 * 64 + 11 * 8) + 12 * 2 * 8 * 6
    assert operations(GPT2_124M) == 6 * (GPT2_124M.layout.size - 1024 * 768) + 12 * 12 * 768 * 1024


@pytest.mark.parametrize(("batch", "micro"), [(0, None), (4, 3), (4, -2)])
def test_batches_that_do_not_divide_are_refused(stream, batch, micro):
    with pytest.raises(ValueError, match="accepted are batches from 1 on, and divisors of them"):
        Streamed(TINY, stream(), batch, micro)


def test_against_a_gpt_of_torch_modules(stream):
    """The same network in torch's own layers, with a tied head."""

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = torch.nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
            self.expand, self.contract = torch.nn.Linear(8, 32, bias=False), torch.nn.Linear(32, 8, bias=False)
            self.norm = torch.nn.LayerNorm(8, elementwise_affine=False)

        def forward(self, h):
            n, hidden = self.norm(h), torch.triu(torch.ones(6, 6, dtype=torch.bool), 1)
            h = h + self.attention(n, n, n, attn_mask=hidden, need_weights=False)[0]
            return h + self.contract(torch.nn.functional.gelu(self.expand(self.norm(h))))

    x, tokens = weights(), stream().next(3)
    w = TINY.layout.split(x)
    h = w["embedding"][tokens[:, :-1]] + w["position"]
    block = Block().double()
    for qkvo, expand, contract in zip(w["attention"], w["expand"], w["contract"], strict=True):
        own = {"attention.in_proj_weight": qkvo[:3].flatten(0, 1), "attention.out_proj.weight": qkvo[3]}
        h = functional_call(block, own | {"expand.weight": expand, "contract.weight": contract}, (h,))
    logits = torch.nn.functional.layer_norm(h, (8,)) @ w["embedding"].mT
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(TINY.cross_entropy(x, tokens), loss)
