"""Which maps of parameters and gradients the steps commute with, and which entries and tensors see each other.

    d(T x, T g) = T d(x, g)        for translations, signs, permutations, transposition, rotations
    d(x, D g) = D^a d(x, g)        for a diagonal D: a = 0, the size of an entry's gradients does not matter; 1, it is linear

"yes" is a gap of at most 1e-9, "up to epsilon" that at gradients 10^6 times as large, "about" at most 3 %.
"""

from __future__ import annotations

import math

import torch
from ratewitness.studies.cards.examined import EXACT, STEPS, Examined, excused, fact
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import F64, gap, normal, steps_of
from torch import Tensor

ALIKE = 1e-2  # 1 - cosine: an orthogonalization in bfloat16 stays within


def _judged(it: Examined, points, grads, steps) -> Fact:
    word, number = it.symmetric(points, grads, steps)
    return fact(word, number, EXACT)


def _alike(it: Examined, change) -> Fact:
    """Under a linear map of everything."""
    return _judged(it, change, change, change)


def translation(it: Examined) -> Fact:
    """Whether the steps depend on the gradients alone, and not on where the parameters are."""
    moved = normal(*it.shape, seed=3)
    return _judged(it, lambda x: x + moved, lambda g: g, lambda d: d)


def reflection(it: Examined) -> Fact:
    return _alike(it, lambda x: -x)


def sign_flips(it: Examined) -> Fact:
    signs = torch.where(normal(*it.shape, seed=4) > 0, 1.0, -1.0).double()
    return _alike(it, lambda x: signs * x)


def signs_of_sides(it: Examined) -> Fact:
    """Of whole rows and columns of a matrix."""
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    rows, columns = (torch.where(normal(size, seed=7) > 0, 1.0, -1.0).double() for size in it.shape)
    return _alike(it, lambda x: rows[:, None] * x * columns)


def permutations(it: Examined) -> Fact:
    order = torch.randperm(math.prod(it.shape), generator=torch.Generator().manual_seed(5))
    return _alike(it, lambda x: x.reshape(-1)[order].reshape(it.shape))


def rows_and_columns(it: Examined) -> Fact:
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    rows, columns = (torch.randperm(size, generator=torch.Generator().manual_seed(6)) for size in it.shape)
    return _alike(it, lambda x: x[rows][:, columns])


def transposition(it: Examined) -> Fact:
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    return _alike(it, lambda x: x.mT.contiguous())


def both_sides(it: Examined) -> Fact:
    """Whether a matrix and its transpose move the same way, but for a factor."""
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    steps = steps_of(it.path).flatten(1)
    turned = steps_of(it.play([g.mT.contiguous() for g in it.g], it.x0.mT.contiguous())).mT.flatten(1)
    moving = (steps.norm(dim=1) > 0) & (turned.norm(dim=1) > 0)
    cosine = (steps * turned).sum(1)[moving] / (steps.norm(dim=1) * turned.norm(dim=1))[moving]
    if not len(cosine):
        return fact("it does not move")
    number = 1 - float(cosine.min())
    step = int(moving.nonzero()[int(cosine.argmin())]) + 1
    return fact("alike" if number < ALIKE else f"unlike: their steps {step} have cosine {1 - number:.4g}", number, ALIKE)


def flattening(it: Examined) -> Fact:
    """Whether a matrix moves like the vector of its entries."""
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    if not it.subject.takes_shape((math.prod(it.shape),)):
        return excused("it takes no vectors")
    return _alike(it, lambda x: x.reshape(-1).contiguous())


def _rotation(size: int, seed: int) -> Tensor:
    return torch.linalg.qr(normal(size, size, seed=seed)).Q


def rotation_of_rows(it: Examined) -> Fact:
    """x -> Q x."""
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    Q = _rotation(it.shape[0], 8)
    return _alike(it, lambda x: Q @ x)


def rotation_of_columns(it: Examined) -> Fact:
    """x -> x Q."""
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    Q = _rotation(it.shape[1], 9)
    return _alike(it, lambda x: x @ Q)


def rotation(it: Examined) -> Fact:
    """Of all entries as one vector."""
    Q = _rotation(math.prod(it.shape), 8)
    return _alike(it, lambda x: (Q @ x.reshape(-1)).reshape(it.shape))


def _degree(it: Examined, scales: Tensor) -> Fact:
    """The a of D^a that fits best."""
    found = {a: it.symmetric(lambda x: x, lambda g: scales * g, lambda d, a=a: scales**a * d) for a in (0, 1, -1)}
    a = min(found, key=lambda each: found[each][1] if math.isfinite(found[each][1]) else math.inf)
    word, number = found[a]
    return fact("none" if word == "no" else f"degree {a}" + ("" if word == "yes" else f", {word}"), number, EXACT)


def _powers_of_two(shape: tuple[int, ...], largest: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.exp2(torch.randint(-largest, largest + 1, shape, generator=generator).double())


def scaling(it: Examined) -> Fact:
    """Of all gradients by one number."""
    return _degree(it, torch.full(it.shape, 8.0, dtype=F64))


def scaling_of_entries(it: Examined) -> Fact:
    return _degree(it, _powers_of_two(it.shape, 6, 11))


def scaling_of_rows(it: Examined) -> Fact:
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    return _degree(it, _powers_of_two((it.shape[0], 1), 6, 12).expand(it.shape))


def scaling_of_rank_one(it: Examined) -> Fact:
    """Of rows and columns at once, entry (i, j) by a_i b_j."""
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    return _degree(it, _powers_of_two((it.shape[0], 1), 4, 12) * _powers_of_two((1, it.shape[1]), 4, 13))


def entrywise(it: Examined) -> Fact:
    """Whether an entry's steps depend on its own gradients alone."""
    louder = [g.clone() for g in it.g]
    for g in louder:
        g.view(-1)[0] *= -7.0
    number = gap(steps_of(it.play(louder)).flatten(1)[:, 1:], steps_of(it.path).flatten(1)[:, 1:])
    return fact("yes" if number <= EXACT else "no", number, EXACT)


def tensors(it: Examined) -> Fact:
    """Whether a tensor's steps depend on its own gradients alone."""
    number = 0.0
    for loud in (1.0, 50.0):
        beside = it.play([[g, loud * h] for g, h in zip(it.g, it.other, strict=True)], [it.x0, it.y0])[0]
        number = max(number, gap(steps_of(beside), steps_of(it.path)))
    return fact("apart" if number <= EXACT else "together", number, EXACT)


def stacks(it: Examined) -> Fact:
    """Whether a tensor of four axes moves like one matrix, a stack of them, or the matrices of its last two axes."""
    shape = (2, 3, 2, 2)
    if len(it.shape) != 2 or not it.subject.takes_shape(shape):
        return excused("it takes no tensors of four axes")
    grads, x0 = [normal(*shape, seed=30 + t) for t in range(STEPS)], normal(*shape, seed=3)
    whole = steps_of(it.play(grads, x0))
    flat = steps_of(it.play([g.reshape(2, 12) for g in grads], x0.reshape(2, 12))).reshape(whole.shape)
    single, layers = torch.zeros_like(whole), torch.zeros_like(whole)
    for i in range(2):
        own = steps_of(it.play([g[i].reshape(3, 4) for g in grads], x0[i].reshape(3, 4)))
        layers[:, i] = own.reshape(-1, 3, 2, 2)
        for j in range(3):
            single[:, i, j] = steps_of(it.play([g[i, j].contiguous() for g in grads], x0[i, j].contiguous()))
    found = {
        "as one matrix of its first axis": gap(whole, flat),
        "as a stack of such matrices": gap(whole, layers),
        "as its last two axes": gap(whole, single),
    }
    fits = [word for word, number in found.items() if number <= EXACT]
    return fact("all alike" if len(fits) == 3 else fits[0] if fits else "otherwise", min(found.values()), EXACT)


SYMMETRIES = {
    "translation": translation,
    "reflection": reflection,
    "sign flips": sign_flips,
    "permutations": permutations,
    "rows and columns": rows_and_columns,
    "transposition": transposition,
    "rows against columns": both_sides,
    "flattening": flattening,
    "rotation of rows": rotation_of_rows,
    "rotation of columns": rotation_of_columns,
    "rotation": rotation,
    "scaling": scaling,
    "scaling of entries": scaling_of_entries,
    "scaling of rows": scaling_of_rows,
    "scaling of rank one": scaling_of_rank_one,
    "entrywise": entrywise,
    "tensors": tensors,
    "stacks": stacks,
}
