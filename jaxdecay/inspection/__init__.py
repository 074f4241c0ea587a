"""Checks of a schedule before anything is trained with it."""
