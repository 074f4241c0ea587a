"""What a sweep found: its metrics, their statistics, its files."""
