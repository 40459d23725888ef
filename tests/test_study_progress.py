"""What a long run says of itself."""

import torch
from ratewitness.studies.measuring import progress
from ratewitness.studies.measuring.progress import Progress, watched


def test_it_speaks_seldom_and_averages_what_is_finite(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    speak = Progress("SAM", 1000, first=10)
    now[0] += 19
    speak(20, lambda: 1 / 0)  # nothing is computed between two lines
    now[0] += 1
    speak(20, lambda: torch.tensor([1.0, 2.0, torch.inf, torch.nan]))
    speak(21, lambda: 1 / 0)
    now[0] += 20
    speak(30, lambda: torch.tensor([torch.nan]))
    now[0] += 20
    speak(910, lambda: None)
    assert capsys.readouterr().err.splitlines() == [
        "SAM: step 20 of 1000, loss 1.5000, 2000 ms a step, about 33 min left",
        "SAM: step 30 of 1000, no loss is finite, 2000 ms a step, about 32 min left",
        "SAM: step 910 of 1000, 67 ms a step, about 6 s left",
    ]


def test_a_measure_is_watched_at_its_steps(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    seen = watched("SAM", [0, 5, 10], lambda x: 2 * x, lambda x: x + 1)
    for x in (1.0, 2.0, 3.0):
        assert float(seen(torch.tensor(x))) == x + 1
        now[0] += 25
    assert [line[:24] for line in capsys.readouterr().err.splitlines()] == [
        "SAM: step 5 of 10, loss ",
        "SAM: step 10 of 10, loss",
    ]
