"""Training: tasks, the pure function `train`, and sweeps over populations."""
