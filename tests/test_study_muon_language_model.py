"""What runs with a GPU and shards, tried on a network of 2000 weights; and what is said without them."""

from dataclasses import replace

import pytest
import torch
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.studies.claims import FULL, QUICK
from ratewitness.studies.landscapes import language_model_runs, muon_language_model
from ratewitness.studies.landscapes.language_model_runs import Setting, gpt2, losses, own_shards
from ratewitness.studies.landscapes.muon_language_model import figures, on_data, tables
from ratewitness.studies.running.records import digest_of
from ratewitness.studies.running.sources import reads_data

CLAIM = muon_language_model.gpt2_needs_fewer_steps
REFERENCE = (("AdamW", 0.01), ("Muon", 0.01), ("SOAP", 0.01))
TINY = Setting(Transformer(68, 8, 12, 2, 1, tied=True), 2, 4, 2, 8, 4, 1, 4, 6, 5, 0.01, REFERENCE, None, torch.bfloat16)


@pytest.fixture
def shards(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with own_shards() as folder:
        yield replace(QUICK, data=str(folder))


def test_without_a_gpu_or_shards_nothing_is_decided(shards, capsys):
    muon_language_model.say.cache_clear()
    for budget, count in ((QUICK, 0), (shards, 4), (replace(FULL, device="cuda"), 0)):
        verdict = CLAIM.check(budget)
        assert verdict.outcome == "inconclusive"
        assert verdict.evidence == {"ran": 0.0, "shards": count, "gpu": float(budget.device == "cuda")}
        missing = f"{count} shards, device {budget.device}; accepted is --data DIR --device cuda"
        assert capsys.readouterr().err == f"GPT-2 124M is not trained: {missing}\n"
    assert on_data({"gpt2_needs_fewer_steps": CLAIM.check(shards)}) == [
        "GPT-2 124M: 4 training shards; not trained, no GPU (--device cuda)"
    ]


def test_with_a_gpu_and_shards_it_is_the_speedrun(shards):
    setting = gpt2(replace(shards, name="full", device="cuda"))
    assert setting.batch * setting.network.context * setting.steps == 8 * 64 * 1024 * 5100
    assert (setting.folder, setting.compute) == (shards.data, torch.bfloat16)


def test_what_runs_then(shards, monkeypatch, tmp_path):
    monkeypatch.setattr(muon_language_model, "gpt2", lambda budget: replace(TINY, folder=budget.data))
    verdict = CLAIM.check(shards)
    assert verdict.evidence["ran"] == 1
    assert {"loss_Muon", "loss_AdamW", "step_Muon", "mean_step", "steps_on_an_edge"} <= verdict.evidence.keys()
    assert len([*(tmp_path / "cache/ratewitness/checkpoints").iterdir()]) == 6  # two methods: two tunings and a run
    assert list(verdict.table.groupby("curve").size()) == [5, 5]
    found = dict.fromkeys(("gpt2_needs_fewer_steps", "ends_lower_at_equal_operations", "soap_ends_lower_as_well"), verdict)
    assert set(figures(found)) == {"small", "gpt2"}
    assert len(tables(found)["speed"]) == 2
    assert "Muon is as low as AdamW ends" in on_data(found)[0]


def test_a_run_that_is_asked_for_again_is_read(shards, monkeypatch):
    setting, lr = replace(TINY, folder=shards.data), ((0.01,),)
    first = losses(shards, setting, "Muon", lr, lr, 4, "fresh", 2)
    monkeypatch.setattr(language_model_runs.Streamed, "grad", lambda *given: 1 / 0)
    again = losses(replace(shards, replicates=1), setting, "Muon", lr, lr, 4, "fresh", 2)  # another budget is not remembered
    assert torch.equal(first.values, again.values)


def test_a_folder_reaches_the_claims_that_read_shards_and_a_file_the_others():
    here, there = muon_language_model.__name__, "ratewitness.studies.rates.bounds_on_every_problem"
    assert reads_data(here, "gpt2_needs_fewer_steps", True)
    assert not reads_data(here, "gpt2_needs_fewer_steps", False)
    assert not reads_data(here, "ends_lower_at_equal_operations", True)
    assert reads_data(there, "gd_convex", False)
    assert not reads_data(there, "gd_convex", True)


def test_the_digest_of_a_folder_says_what_it_is_of(shards, tmp_path):
    assert digest_of(None) is None
    (tmp_path / "a.csv").write_text("1,2\n")
    assert len(digest_of(str(tmp_path / "a.csv"))) == 64
    assert digest_of(shards.data).startswith("names, sizes and both ends of its shards: ")
