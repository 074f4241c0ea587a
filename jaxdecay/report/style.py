"""Colours and lines of all drawings."""

from __future__ import annotations

# Okabe and Ito's colours: colour-blind readers distinguish them too. Grey, not black: it is visible
# on a dark ground as well.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#808080")
LINES = ("-", "--", ":", "-.")
NAMED_SCHEDULES = 10
"""With more schedules than this, a colour stands for a family and only the best are named."""
