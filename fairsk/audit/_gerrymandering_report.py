"""How a gerrymandering audit reads: who flips or counts, by column and by subgroup."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fairsk.audit._render import Record, Report, Section, spoken, with_interval

# Rows of a table that people read; the rest is in the frame.
MAX_SHOWN = 25


class GerrymanderingReport(Report):
    """Result of `gerrymandering_audit`; printing it shows its tables.

    Attributes
    ----------
    settings : dict
    tables : dict of str to list of dict
        ``"columns"``: of each column and intersection, whether it tells the two sides apart: the
        effect size, the test, its p-value, and that adjusted by Holm and by Benjamini and
        Hochberg; with a baseline, the gap in the rate before and after, its change and a verdict.
        ``"subgroups"``: the same of each group against all others, with its rate (before and
        after) and its share of the rows on either side.
    """

    main_table: ClassVar[str] = "subgroups"

    def significant(self, alpha: float = 0.05, *, table: str = "columns", by: str = "holm") -> list:
        """Names of what is significant after adjustment.

        Parameters
        ----------
        alpha : float, default=0.05
        table : {"columns", "subgroups"}, default="columns"
        by : {"holm", "benjamini_hochberg"}, default="holm"
            The family-wise error rate, or the false discovery rate, is at most ``alpha``.

        Returns
        -------
        list of str
            ``"race"``, or ``"race: Asian"`` of subgroups.
        """
        return [
            row["features"] if table == "columns" else f"{row['features']}: {row['group']}"
            for row in self.tables[table]
            if row[by] <= alpha
        ]

    # ------------------------------------------------------------------ for people

    def _sections(self) -> list[Section]:
        settings = self.settings
        rate = spoken(settings["rate"])
        if settings["paired"]:
            what = (
                f"{settings['n_rose'] + settings['n_fell']:,} of {settings['n_rows']:,} rows "
                f"flipped: {settings['sides'][0]} {settings['n_rose']:,}, {settings['sides'][1]} "
                f"{settings['n_fell']:,}"
            )
            title = f"Who flips, by column ({what})"
        else:
            title = f"{rate.capitalize()} by column ({settings['n_rows']:,} rows)"
        return [
            Section(title, *self._columns()),
            Section("By subgroup, each against all others", *self._subgroups(), self._notes()),
        ]

    def _columns(self) -> tuple[list[str], list[list[str]]]:
        paired = self.settings["paired"]
        header = ["column", "effect", "test", "p", "Holm", "BH"]
        if paired:
            header += ["gap before", "gap after", "change of the gap", "verdict"]
        else:
            header += ["lowest", "highest", "gap"]
        rows = []
        for row in self.tables["columns"]:
            fixed = " (fixed)" if row["fixed"] else ""
            cells = [row["features"] + fixed, _effect(row), row["test"] or row["reason"]]
            cells += [_p(row[name]) for name in ("pvalue", "holm", "benjamini_hochberg")]
            if paired:
                cells += [_number(row["gap_before"]), _number(row["gap"])]
                change = with_interval(row, "change", signed=True) if row["verdict"] else ""
                cells += [change, row["verdict"]]
            else:
                cells += [row["lowest"], row["highest"], _number(row["gap"])]
            rows.append(cells)
        return header, rows[:MAX_SHOWN]

    def _subgroups(self) -> tuple[list[str], list[list[str]]]:
        settings = self.settings
        rate = spoken(settings["rate"])
        header = ["column", "group", "rows"]
        if settings["paired"]:
            sides = settings["sides"]
            header += [f"{rate} before", "after", *(f"share of {side}" for side in sides)]
        else:
            header += [rate, "of others"]
        header += ["effect", "test", "p", "Holm", "BH"]
        rows = []
        for row in self.tables["subgroups"]:
            if row["test"] == "":
                continue
            cells = [row["features"], row["group"], f"{row['count']:,}"]
            if settings["paired"]:
                cells += [_number(row["rate_before"]), _number(row["rate"])]
                cells += [
                    f"{row['share_rose']:.3f} ({row['n_rose']:,})",
                    f"{row['share_fell']:.3f} ({row['n_fell']:,})",
                ]
            else:
                cells += [_number(row["rate"]), _number(row["rate_others"])]
            cells += [f"{row['effect']:.3f}", row["test"]]
            cells += [_p(row[name]) for name in ("pvalue", "holm", "benjamini_hochberg")]
            rows.append(cells)
        return header, rows[:MAX_SHOWN]

    def _notes(self) -> list[str]:
        settings = self.settings
        notes = [
            "effect: Cramer's V without bias, 0 to 1; for numbers |r|, and d is Cohen's. Holm: any "
            "false finding; BH: the share of false findings.",
        ]
        if settings["alternative"] == "greater" and settings["paired"]:
            notes.append(f"One-sided: groups with a greater share of {settings['sides'][0]}.")
        elif settings["alternative"] == "greater":
            notes.append("One-sided: groups with a greater rate.")
        if settings["paired"]:
            alone = f"hold together with {settings['confidence']:.3g} confidence"
            notes.append(f"Gap: largest minus smallest rate of a group; the changes {alone}.")
        hidden = {
            "columns": len(self.tables["columns"]) - MAX_SHOWN,
            "subgroups": sum(row["test"] != "" for row in self.tables["subgroups"]) - MAX_SHOWN,
        }
        more = [f"{n} more {table}" for table, n in hidden.items() if n > 0]
        if more:
            notes.append(f"{' and '.join(more)} in to_frame().")
        if settings["n_small"]:
            small = "1 group" if settings["n_small"] == 1 else f"{settings['n_small']} groups"
            notes.append(f"Left out: {small} of fewer than {settings['min_group_size']} rows.")
        return notes


def _effect(row: Record) -> str:
    if np.isnan(row["effect"]):
        return ""
    d = "" if np.isnan(row["cohens_d"]) else f" (d {row['cohens_d']:+.2f})"
    return f"{row['effect']:.3f}{d}"


def _p(value: float) -> str:
    if np.isnan(value):
        return ""
    if value < 1e-99:
        return "< 1e-99"
    return f"{value:.2g}" if value >= 1e-4 else f"{value:.0e}"


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"
