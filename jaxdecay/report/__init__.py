"""What is drawn of a sweep: the report, pictures, and runs for other programs."""

REPORT = "report.html"
"""What `write_report` writes."""
