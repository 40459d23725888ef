"""Every bad argument of a problem is refused by one line that names it: what refuses, the call, parts of the message."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from ratewitness.problems.certify.certify import violations
from ratewitness.problems.data.bigram import (
    LowRank,
    balanced,
    levelled,
    low_rank_softmax,
    population_softmax,
    random_table,
    with_marginals,
    zipf,
)
from ratewitness.problems.data.class_imbalance import grouped_softmax
from ratewitness.problems.data.least_squares import least_squares, random_least_squares
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.data.matrix_regression import matrix_regression, random_matrix_regression
from ratewitness.problems.data.softmax import softmax
from ratewitness.problems.data.tables import two_classes
from ratewitness.problems.data.text import tokenized
from ratewitness.problems.data.which_testament import which_testament
from ratewitness.problems.huber import huber, huber_witness
from ratewitness.problems.layout import Layout
from ratewitness.problems.networks.character_model import Transformer, character_model, windows
from ratewitness.problems.networks.recurrent_model import Recurrent, sequences
from ratewitness.problems.noisy_quadratics import two_mode
from ratewitness.problems.online.moving_parabola import moving_parabola
from ratewitness.problems.online.slopes import (
    drawn_slopes,
    drifting_minimizer,
    dropping_scale,
    experiment,
    experiment_stochastic,
    negative_family,
    periodic,
    play,
    reddi_stochastic,
    sparse_features,
    three_periodic,
    two_slopes,
)
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.polyhedral import largest_coordinate, polyhedral
from ratewitness.problems.power import power
from ratewitness.problems.quadratics import log_spaced, quadratic
from ratewitness.problems.sawtooth import sawtooth
from ratewitness.problems.sine import critical_amplitude, sine
from ratewitness.problems.sine_valley import sine_valley
from ratewitness.problems.smooth_max import smooth_max
from ratewitness.problems.softplus import softplus
from ratewitness.problems.zero_chain import zero_chain
from scripted import assert_refused, every_row, normal, seeded, settings_of

BOWL = quadratic(torch.ones(2), torch.ones(2))
SIX = random_least_squares(6, 3, seeded())
A, SIGNS = normal(6, 2), torch.tensor([-1.0, 1.0, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
SEPARABLE = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)  # but for two equal rows
TABLE = random_table(zipf(5), zipf(4), seeded(), 1)[0]
LAYOUT = Layout({"a": (2, 3), "b": (4,), "c": (1, 2, 2)})


def spoiled(values, bad):
    """With one entry that is not finite."""
    changed = values.clone()
    changed.view(-1)[7 % values.numel()] = bad
    return changed


def in_another_norm(norm, problem):
    """With a constant of smoothness in a norm that cannot be checked there."""
    return replace(problem, constants=replace(problem.constants, smoothness_in={norm: 1.0}))


ROWS = [
    # functions of one shape
    ("huber", lambda: huber(0.0, 1.0, 1.0), "L and tau must be positive"),
    ("huber", lambda: huber(1.0, -1.0, 1.0), "L and tau must be positive"),
    ("huber_witness", lambda: huber_witness(0), "steps must be integers from 1 on"),
    ("huber_witness", lambda: huber_witness(1.5), "steps must be integers from 1 on"),
    ("sawtooth", lambda: sawtooth(-1), "N must be a nonnegative integer"),
    ("sawtooth", lambda: sawtooth(0.5), "N must be a nonnegative integer"),
    ("two_mode", lambda: two_mode(2.0, 1.0, 1.0), "two_mode needs 0 < lam <= L"),
    ("two_mode", lambda: two_mode(0.0, 1.0, 1.0), "two_mode needs 0 < lam <= L"),
    ("power", lambda: power(2.0), "power needs p > 2 and a nonzero start"),
    ("power", lambda: power(4.0, 0.0), "power needs p > 2 and a nonzero start"),
    ("sine", lambda: sine(-0.1), "a is -0.1; x"),
    ("sine", lambda: sine(4.7), "a is 4.7; x"),
    ("sine", lambda: sine(math.nan), "a is nan; x"),
    ("sine_valley", lambda: sine_valley((0.0, 0.0)), "start lies on the valley floor"),
    ("zero_chain", lambda: zero_chain(0), "T = 0 and n = 1 must be at least 1"),
    ("zero_chain", lambda: zero_chain(3, 1.0, 1.0, 0), "T = 3 and n = 0 must be at least 1"),
    (
        "quadratic",
        lambda: quadratic(torch.tensor([-1.0, 1.0]), torch.ones(2)),
        "spectrum must be nonnegative with a positive entry",
    ),
    ("quadratic", lambda: quadratic(torch.zeros(2), torch.ones(2)), "spectrum must be nonnegative with a positive entry"),
    ("softplus", lambda: replace(softplus(), minimizer=torch.zeros(2)), r"minimizer of softplus has shape \(2,\)"),
    ("log_spaced", lambda: log_spaced(energies="equal"), "'equal distances', 'equal energies'"),
    *(("sine", partial(sine, a), r"4\.603339") for a in (critical_amplitude(), 4.61, -1e-9, math.inf)),
    ("sine", lambda: sine(critical_amplitude() * (1 - 1e-10)), "too close"),
    ("polyhedral", lambda: polyhedral([[1.0], [1.0]], [1.0], [1.0, 1.0]), "with which the rows add up to 0"),
    ("polyhedral", lambda: polyhedral([[1.0], [-1.0]], [1.0], [1.0, -1.0]), "accepted are numbers >= 0"),
    ("polyhedral", lambda: polyhedral([[1.0], [-1.0]], [1.0], [1.0]), "accepted are numbers >= 0"),
    ("largest_coordinate", lambda: largest_coordinate(0), "d is 0"),
    ("smooth_max", lambda: smooth_max(0), "d is 0"),
    ("smooth_max", lambda: smooth_max(3, 0.0), "tau is 0"),
    ("smooth_max", lambda: smooth_max(3, math.inf), "tau is inf"),
    ("smooth_max", lambda: smooth_max(3, start=torch.ones(2)), "start has shape"),
    ("perturbed", lambda: perturbed(perturbed(BOWL, 1.0), 1.0), "deterministic"),
    *(("perturbed", partial(perturbed, BOWL, 1.0, n=n), "even numbers") for n in (0, 1, 3)),
    ("starts", lambda: quadratic(torch.ones(12, 3), torch.ones(12, 3)).starts(12), r"batch shape \(12,\)"),
    # what watches them
    (
        "minibatch",
        lambda: Oracle.minibatch(SIX, 0, seeded()),
        "batch_size is 0; accepted are integers from 1 on for sampling 'with replacement'",
    ),
    *(
        ("minibatch", partial(Oracle.minibatch, SIX, b, seeded(), sampling), "1 to n = 6")
        for b, sampling in ((0, "without replacement"), (-1, "reshuffled"), (7, "without replacement"), (7, "reshuffled"))
    ),
    *(
        (
            "part_grads",
            partial(Oracle.full(SIX).part_grads, torch.ones(k, *SIX.shape), part),
            f"part is {part} at {k} points",
        )
        for k, part in ((1, 0), (1, 4), (2, 2), (1, 1.5))
    ),
    (
        "part_grads",
        lambda: Oracle.gaussian(SIX, 1.0, seeded()).part_grads(torch.ones(1, *SIX.shape), 1),
        "a sample of noise has no parts; accepted are",
    ),
    (
        "minibatch",
        lambda: Oracle.minibatch(SIX, 1, seeded(), "shuffled"),
        "'with replacement', 'without replacement', 'reshuffled'",
    ),
    *(
        (
            "violations",
            partial(violations, in_another_norm(norm, problem), seeded(7)),
            f"smoothness_in names '{norm}'.*'linf', 'l1'",
        )
        for norm, problem in (("spectral", BOWL), ("l_inf", random_matrix_regression(2, 3, 2.0, seeded())))
    ),
    # data
    *(
        ("two_classes", partial(two_classes, np.array(y), "my.csv"), r"my\.csv: .*exactly two classes")
        for y in ([1, 1, 1], [0, 1, 2], [])
    ),
    ("least_squares", lambda: least_squares(torch.ones(3, 2), torch.ones(2)), "do not fit"),
    ("least_squares", lambda: least_squares(torch.zeros(3, 2), torch.ones(3)), "A is zero"),
    ("random_least_squares", lambda: random_least_squares(3, 5, seeded(), rank=4), "1 to min"),
    *(
        (name, call, message)
        for bad in (math.inf, -math.inf, math.nan)
        for name, call, message in (
            ("least_squares", partial(least_squares, spoiled(A, bad), SIGNS), r"A .*holds inf or nan"),
            ("logistic", partial(logistic, spoiled(A, bad), SIGNS, 0.1), r"A .*holds inf or nan"),
            ("least_squares", partial(least_squares, A, spoiled(SIGNS, bad)), "b holds inf or nan"),
            ("logistic", partial(logistic, A, spoiled(SIGNS, bad), 0.1), "labels -1 and 1"),
        )
    ),
    ("logistic", lambda: logistic(SEPARABLE, torch.tensor([1.0, -1.0, 1.0, -1.0])), "quasi-separable"),
    *(
        ("logistic", partial(logistic, SEPARABLE, y, l2), "labels -1 and 1")
        for y, l2 in ((torch.tensor([0.0, 1.0, 1.0, 0.0]), 0.0), (torch.ones(3), 0.0), (torch.ones(4), -1.0))
    ),
    *(
        ("softmax", partial(softmax, *arguments), message)
        for arguments, message in (
            ((torch.ones(3), torch.zeros(3, dtype=torch.int64)), "A and y have shapes"),
            ((torch.ones(3, 2), torch.zeros(4, dtype=torch.int64)), "A and y have shapes"),
            ((torch.full((3, 2), math.nan), torch.arange(3)), "A holds inf or nan"),
            ((torch.ones(3, 2), torch.tensor([0.0, 1.0, 1.0])), "y holds"),
            ((torch.ones(3, 2), torch.tensor([-1, 1, 1])), "y holds"),
            ((torch.ones(3, 2), torch.zeros(3, dtype=torch.int64)), "at least two classes"),
            ((torch.ones(3, 2), torch.arange(3), -0.1), "l2 is -0.1"),
            ((torch.ones(3, 2), torch.arange(3), 0.1, 2), "y holds"),
        )
    ),
    (
        "softmax",
        lambda: softmax(torch.cat([SEPARABLE, torch.tensor([[2.0, 1.0], [-2.0, 1.0]])]), torch.tensor([0, 1, 0, 1, 0, 1])),
        "no minimizer certified",
    ),
    ("population_softmax", lambda: population_softmax(torch.ones(2, 2)), "sum to 1"),
    ("population_softmax", lambda: population_softmax(torch.tensor([[1.0, 0.0], [0.0, 0.0]])), "in every row"),
    ("levelled", lambda: levelled(torch.tensor([[0, 1], [0, 0]]), (0,)), "never occurs at place 0"),
    ("with_marginals", lambda: with_marginals(torch.eye(2), balanced(2), balanced(2)), "positive"),
    ("with_marginals", lambda: with_marginals(torch.ones(2, 2), balanced(2), 2 * balanced(2)), "equal sums"),
    ("low_rank_softmax", lambda: low_rank_softmax(TABLE, LowRank(4, 4, 2), torch.zeros(16)), r"\(\*batch, 4, 4\)"),
    ("grouped_softmax", lambda: grouped_softmax(torch.ones(3, 4), torch.arange(3)), "not independent"),
    ("matrix_regression", lambda: matrix_regression(normal(3, 2), normal(4, 2), normal(4, 3)), "do not fit"),
    ("matrix_regression", lambda: matrix_regression(torch.zeros(3, 2), normal(4, 2), normal(3, 4)), "A is zero"),
    ("matrix_regression", lambda: matrix_regression(normal(3, 2), normal(4, 2), normal(3, 4) / 0), "target holds inf"),
    ("random_matrix_regression", lambda: random_matrix_regression(3, 3, 0.5, seeded()), "condition is 0.5"),
    (
        "random_matrix_regression",
        lambda: random_matrix_regression(3, 3, torch.tensor([2.0, 3.0]), seeded()),
        "tensor \\(\\*sweep, 1, 1\\)",
    ),
    ("random_matrix_regression", lambda: random_matrix_regression(3, 3, 2.0, seeded(), rank=4), "rank is 4"),
    *(
        ("which_testament", partial(which_testament, count), rf"words is {count}; accepted are integers from 1 on")
        for count in (0, -3, 2.5, "many", True)
    ),
    ("which_testament", lambda: which_testament(40, 0.0), r"l2 is 0\.0; accepted are numbers > 0"),
    (
        "which_testament",
        lambda: which_testament(40, weights="idf"),
        "weights is 'idf'; accepted are tf-idf, counts, presence",
    ),
    # networks and their texts
    ("split", lambda: LAYOUT.split(torch.ones(2, 13)), "length 14"),
    ("join", lambda: LAYOUT.join({"a": torch.ones(2, 2, 3)}), "accepted are exactly a, b, c"),
    ("tokenized", lambda: tokenized("aaaa"), "holds 1 different characters"),
    ("windows", lambda: windows(torch.arange(6), 6), "more than the context 6"),
    *settings_of(
        Transformer,
        {"vocabulary": 5, "context": 6, "width": 8, "heads": 2},
        ({"heads": 3}, "divisors of the width 8"),
        ({"layers": 0}, "layers is 0"),
        ({"width": -8}, "width"),
    ),
    (
        "character_model",
        lambda: character_model(Transformer(5, context=6, width=8, heads=2, layers=2), torch.arange(20), seeded()),
        "accepted are 0 to 4",
    ),
    ("Recurrent", lambda: Recurrent(0), "hidden is 0; accepted are integers from 1 on"),
    ("sequences", lambda: sequences(3, 1, seeded()), "length is 1; accepted are integers from 2 on"),
    # sequences of losses
    ("three_periodic", lambda: three_periodic(0), "C is 0", "accepted"),
    ("reddi_stochastic", lambda: reddi_stochastic(-1.0, 0.1), "C is -1.0", "accepted"),
    ("periodic", lambda: periodic(2.5), "C is 2.5", "accepted"),
    ("negative_family", lambda: negative_family(1), "n is 1", "accepted"),
    ("reddi_stochastic", lambda: reddi_stochastic(2.0, 3.0), "delta is 3.0 and C 2.0", "accepted"),
    ("two_slopes", lambda: two_slopes("any", 1.0, -1.0, 1), "period is 1", "accepted"),
    ("two_slopes", lambda: two_slopes("any", 1.0, -1.0, 2, 1.0, 1.0), "low is 1.0 and high 1.0", "accepted"),
    ("drawn_slopes", lambda: drawn_slopes("any", 1.0, -1.0, 1.5), "probability is 1.5", "accepted"),
    ("two_slopes", lambda: two_slopes("any", torch.ones(3), -1.0, 2), "big has shape", "accepted"),
    ("sparse_features", lambda: sparse_features(torch.tensor([0.5, 0.0])), "frequencies is", "accepted"),
    ("sparse_features", lambda: sparse_features(torch.ones(0)), "frequencies is tensor", "accepted"),
    ("sparse_features", lambda: sparse_features(torch.ones(2), "hinge"), "losses is 'hinge'", "accepted"),
    ("sparse_features", lambda: sparse_features(torch.ones(2), D=-1), "D is -1", "accepted"),
    ("sparse_features", lambda: sparse_features(torch.ones(2), pull=2), "pull is 2", "accepted"),
    ("drifting_minimizer", lambda: drifting_minimizer(-1), "at is -1", "accepted"),
    ("dropping_scale", lambda: dropping_scale(2.5, 2.0), "at is 2.5", "accepted"),
    ("drifting_minimizer", lambda: drifting_minimizer(2, over=0), "over is 0", "accepted"),
    ("dropping_scale", lambda: dropping_scale(2, 0), "factor is 0", "accepted"),
    ("drifting_minimizer", lambda: drifting_minimizer(2, curvature=float("nan")), "curvature is nan", "accepted"),
    ("drifting_minimizer", lambda: drifting_minimizer(2, noise=-0.1), "noise is -0.1", "accepted"),
    ("drifting_minimizer", lambda: drifting_minimizer(2, low=0.0), "low is 0.0 and high None", "accepted"),
    ("moving_parabola", lambda: moving_parabola("any", 2, 0, 1, 1, 1, 1, 0, 2, 1), "low is 2 and high 1", "accepted"),
    ("experiment", lambda: experiment().best(-1), "T is -1", "accepted"),
    ("drifting_minimizer", lambda: drifting_minimizer(2).best(1.5), "T is 1.5", "accepted"),
    ("play", lambda: play(experiment_stochastic()), "generator is None", "accepted"),
    (
        "play",
        lambda: play(experiment_stochastic(), "x"),
        r"generator is 'x' for .*, which is drawn; accepted are torch generators",
    ),
    *(
        ("three_periodic", partial(three_periodic, value), r"C is .*; accepted are numbers > 0")
        for value in ("3", None, [3.0])
    ),
]


@every_row(ROWS)
def test_a_bad_argument_is_named_in_one_line(call, parts):
    assert_refused(call, parts)
