"""The whole judgement on several seeds: on how many of them each claim has the word that stands in the ledger.

    <out>/seeds.csv         claim, budget, device, measured, seed, outcome, p, evidence: of every seed that was judged
    <out>/seeds/<seed>/     what was measured on the seeds but the first, which is that of the report

Rows of other definitions than those of the report's record, or of another budget or device, count for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from ratewitness.studies.claims import Claim, Verdict
from ratewitness.studies.running.evidence import deciding, p_value, readable
from ratewitness.studies.running.family import margin
from ratewitness.studies.running.records import answered, write_atomically

SAME = ["claim", "budget", "device", "measured"]
COLUMNS = [*SAME, "seed", "outcome", "p", "evidence"]


def folder(out: Path, seed: int) -> Path:
    return out / "seeds" / str(seed)


def kept(out: Path) -> pd.DataFrame:
    path = out / "seeds.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False) if path.exists() else pd.DataFrame(columns=COLUMNS, dtype=str)


def collect(claims: Sequence[Claim], seeds: Sequence[int], out: Path) -> pd.DataFrame:
    """Put what was found on these seeds, the first being that of the report, into seeds.csv; the rows of these claims."""
    rows = []
    for claim in claims:
        for seed in seeds:
            found = answered(claim.id, out if seed == seeds[0] else folder(out, seed))
            if found:
                where = [str(found["origin"][part]) for part in ("budget", "device")]
                verdict = Verdict(**found["verdict"])
                words = [str(seed), verdict.outcome, p_value(verdict), deciding(claim, verdict)]
                rows.append([claim.id, *where, found["measured"], *words])
    new = pd.DataFrame(rows, columns=COLUMNS, dtype=str)
    table = pd.concat([kept(out), new]).drop_duplicates([*SAME, "seed"], keep="last")
    mine = table.merge(new[SAME].drop_duplicates(), on=SAME)
    table = pd.concat([table[~table["claim"].isin(new["claim"])], mine])
    write_atomically(out / "seeds.csv", table.to_csv(index=False, lineterminator="\n"))
    return mine


def agreement(ledger: pd.DataFrame, out: Path) -> pd.Series:
    """For every row of the ledger on how many of the judged seeds its word is the same, such as 19/20; '' for none."""
    table, shares = kept(out), {}
    for claim, rows in table.groupby("claim"):
        record = answered(claim, out)
        mine = rows[rows["measured"] == record["measured"]] if record else rows[:0]
        if len(mine):
            shares[claim] = f"{(mine['outcome'] == record['verdict']['outcome']).sum()}/{len(mine)}"
    return ledger["claim"].map(shares).fillna("")


def differing(table: pd.DataFrame) -> list[str]:
    """One line for every claim whose word is not the same on all seeds, with the numbers of one seed for each word."""
    lines = []
    for claim, rows in table.groupby("claim", sort=False):
        if rows["outcome"].nunique() > 1:
            words = [
                f"{word} on {', '.join(of['seed'])} ({readable(of['evidence'].iloc[0])}{_margin(of['p'].iloc[0])})"
                for word, of in rows.groupby("outcome", sort=False)
            ]
            lines.append(f"{claim}: {'; '.join(words)}")
    judged = table["claim"].nunique()
    return [*lines, f"the same word on all of {table['seed'].nunique()} seeds: {judged - len(lines)} of {judged} claims"]


def _margin(p: str) -> str:
    return f"; margin {margin(p)}" if p else ""
