"""What can be said of a schedule before anything is trained with it."""
