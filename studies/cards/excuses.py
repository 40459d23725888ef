"""What some rules break by design: of which class, which law, and why. A card prints the reason in place of an alarm."""

from __future__ import annotations

from ratewitness.studies.cards.subject import Subject

BY_DESIGN: dict[tuple[str, str], str] = {
    ("Nero", "signs of rows and columns"): "it projects every row to mean 0",
    ("Rprop", "schedulers"): "it reads its lr once, as the length of every entry's first step",
    ("ASGD", "silent neighbours"): "its step length comes from norms over all tensors of a group",
    ("LBFGS", "descends"): "it stops where a gradient or a step is below its tolerances",
    ("LBFGS", "tensors without gradient"): "it reads a missing gradient as zero, in one vector with the others",
    ("LBFGS", "groups"): "it takes one group",
    ("LBFGS", "lr of a group"): "it takes one group",
    ("LBFGS", "settings of a group"): "it takes one group",
    ("LBFGS", "added groups"): "it takes one group",
    ("SWATS", "settings"): "nesterov acts only after its switch to SGD",
    ("Gravity", "descends"): "its velocity starts at random",
    ("Gravity", "keeps descending"): "its velocity starts at random",
    ("Gravity", "rests on zero gradients"): "its velocity starts at random",
    ("Prodigy", "lr of a group"): "one estimate of the distance serves all groups, and one lr",
    ("DAdaptAdam", "lr of a group"): "one estimate of the distance serves all groups, and one lr",
    ("DAdaptSGD", "lr of a group"): "one estimate of the distance serves all groups, and one lr",
    ("AdaFactor", "lr of a group"): "with relative_step its steps are relative to the parameters, and it reads no lr",
    ("AdaFactor", "schedulers"): "with relative_step its steps are relative to the parameters, and it reads no lr",
    ("AvaGrad", "silent neighbours"): "its step length is normalized over all tensors",
    ("SOAP", "single precision"): "rounding decides the basis of eigenvectors of nearly equal eigenvalues",
    ("SCION", "implementations"): "it orthogonalizes in bfloat16",
    ("Fromage", "rests on zero gradients"): "it divides the parameters by sqrt(1 + lr^2) in every step",
    ("Nero", "rests on zero gradients"): "it projects every row to mean 0 and norm 1",
    ("FTRL", "rests on zero gradients"): "its iterate is a function of the gradients alone, whatever the start",
    ("FOCUS", "rests on zero gradients"): "it is drawn to the average of its past",
}


def excuse(subject: Subject, law: str) -> str:
    """Why a class of torch or pytorch_optimizer may break the law; nothing if it may not, as a user's own never may."""
    own = subject.cls.__module__.partition(".")[0] in ("torch", "pytorch_optimizer")
    return BY_DESIGN.get((subject.cls.__name__, law), "") if own else ""
