"""Colours and lines of all drawings."""

from __future__ import annotations

# Okabe and Ito's colours: colour-blind readers distinguish them too. Grey, not black: it is visible
# on a dark ground as well.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#808080")
LINES = ("-", "--", ":", "-.")
HEAT = (
    *((68, 1, 84), (72, 40, 120), (62, 73, 137), (49, 104, 142), (38, 130, 142)),
    *((31, 158, 137), (53, 183, 121), (110, 206, 88), (181, 222, 43), (253, 231, 37)),
)
"""Viridis, in red, green and blue: also readable for colour-blind readers and in grey."""

NAMED_SCHEDULES = 10
"""With more schedules than this, a colour stands for a family and only the best are named."""
