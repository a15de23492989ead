"""The tables of docs/costmodel.md are those of the benchmark that is committed."""

import json
import os
from pathlib import Path

import pytest

from nahas.costmodel.perceptron import HEADS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "costmodel.json"
WIDE = RESULTS.with_name("costmodel_wide.json")
RIVALS = RESULTS.with_name("costmodel_rivals.json")
USE = RESULTS.with_name("costmodel_use.json")
PAGE = ROOT / "docs" / "costmodel.md"
PAGE_OF_USE = PAGE.with_name("costmodel_use.md")
LINE = "\n"
COMMAND = "python benchmarks/costmodel.py"


def curve_table(rows):
    lines = [
        "| samples | rows | held out | latency % | energy % | area % | within 10 % | Kendall |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        for split, errors in row["errors"].items():
            latency = errors[HEADS[0]]
            cells = [f"{row['samples']:,}", f"{row['training_designs']:,}", f"`{split}`"]
            cells += [f"{errors[head]['mape']:.2f}" for head in HEADS]
            cells += [f"{latency['within_10']:.1f}", f"{latency['kendall']:.4f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def worst_table(cases):
    lines = [
        "| held out | cost | true | predicted | off % | rows | cycles | accelerator |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for case in cases:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in case["latency_share"].items())
        cells = [
            f"`{case['split']}`",
            case["cost"],
            f"{case['true']:.4g}",
            f"{case['predicted']:.4g}",
            f"{case['error_percent']:+.1f}",
            str(case["training_rows_on_accelerator"]),
            shares,
            ", ".join(f"{name} {value}" for name, value in case["hardware"].items()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def validity_of(document):
    told = [
        f"`{split}` AUC {errors['validity']['auc']:.5f}, {errors['validity']['accuracy']:.2f} %"
        for split, errors in document["rows"][-1]["errors"].items()
        if "validity" in errors
    ]
    return "; ".join(told) or document["validity"]


def text_of(document):
    return f"""\
`{COMMAND}` learns `{document["space"]}` from more and more samples, of which so many
rows are learned from. Every size is measured on the same held-out rows: the mean absolute errors
and, of latency, the share of designs within 10 % and Kendall's tau. The parts are those of the
largest draw, whose rows to learn from are thinned for the sizes below. There held-out rows of
every part, at the smallest sizes most of them, have a network and an accelerator that no row
learned from has: only at the largest size do the three parts ask what their names say.

{LINE.join(curve_table(document["rows"]))}

![Held-out error over the number of designs learned from](figures/costmodel.png)

Validity: {validity_of(document)}.

The held-out designs that the last of these models predicts worst, with the training rows on the
same accelerator and the share of cycles that each resource bounds:

{LINE.join(worst_table(document["worst"]))}
"""


def wide_text_of(document):
    return f"""\
`{COMMAND} --hardware-space wide` learns `{document["space"]}`, whose designs cannot all run. Of
{document["rows"][-1]["samples"]:,} samples, validity: {validity_of(document)}.

{LINE.join(curve_table(document["rows"]))}
"""


def rivals_text_of(document):
    options = document["options"]
    lines = [
        "| model | held out | latency % | energy % | fit, s | predictions/s |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in document["rows"]:
        speed = f"{row['predictions_per_second']:,.0f}"
        if "errors" not in row:
            lines.append(f"| {row['model']} | | 0 | 0 | | {speed} |")
        for split, errors in row.get("errors", {}).items():
            off = [f"{errors[head]['mape']:.2f}" for head in HEADS[:2]]
            cells = [row["model"], f"`{split}`", *off, f"{row['fit_seconds']:.0f}", speed]
            lines.append(f"| {' | '.join(cells)} |")
    return f"""\
`python benchmarks/costmodel_rivals.py` on {options["samples"]:,} samples of
`{options["space"]}`, mean absolute errors. Seconds and predictions, all of one run, were measured
on two cores that had other work to do:

{LINE.join(lines)}
"""


def use_text_of(document):
    samples, speeds = document["model"]["samples"], document["per_second"]
    predicted, simulated, predicted_few, simulated_few = (
        f"{speeds[name]:,.0f}"
        for name in (
            "predicted",
            "simulated",
            "predicted_in_batches_of_a_search",
            "simulated_in_batches_of_a_search",
        )
    )
    return f"""\
With a model of {samples:,} samples of `mnasnet` it printed, on two cores: {predicted} designs a
second predicted from choices and {simulated} simulated in large batches, {predicted_few} and
{simulated_few} in batches of 20. Of searches:

{LINE.join(f"> {sentence}" for sentence in document["words"])}
"""


@pytest.mark.parametrize(
    ("page", "results", "name", "text"),
    [
        (PAGE, RESULTS, "curve", text_of),
        (PAGE, WIDE, "wide", wide_text_of),
        (PAGE, RIVALS, "rivals", rivals_text_of),
        (PAGE_OF_USE, USE, "use", use_text_of),
    ],
)
def test_the_pages_quote_the_benchmarks_that_are_committed(page, results, name, text):
    begin, end = f"<!-- {name} -->\n", f"<!-- {name} ends -->\n"
    before, _, rest = page.read_text().partition(begin)
    shown, _, after = rest.partition(end)
    current = text(json.loads(results.read_text()))
    if os.environ.get("NAHAS_WRITE_DOCS"):
        page.write_text(before + begin + current + end + after)
    else:
        assert shown == current


def test_a_page_can_be_written():
    head = {"mape": 1.234, "within_10": 99.5, "kendall": 0.98765}
    case = {
        "split": "random",
        "cost": "latency_ms",
        "true": 1.0,
        "predicted": 1.5,
        "error_percent": 50.0,
        "training_rows_on_accelerator": 3,
        "latency_share": {"io": 0.25},
        "hardware": {"pes_x": 4},
    }
    row = {
        "samples": 1000,
        "training_designs": 900,
        "errors": {"random": dict.fromkeys(HEADS, head) | {"validity": {"auc": 1, "accuracy": 99}}},
    }
    document = {"space": "s1+accelerator", "rows": [row], "validity": "", "worst": [case]}
    text = text_of(document)
    assert "| 1,000 | 900 | `random` | 1.23 | 1.23 | 1.23 | 99.5 | 0.9877 |" in text
    assert "Validity: `random` AUC 1.00000, 99.00 %." in text
    assert "validity: `random` AUC 1.00000, 99.00 %." in wide_text_of(document)
    assert "| `random` | latency_ms | 1 | 1.5 | +50.0 | 3 | io 25% | pes_x 4 |" in text
