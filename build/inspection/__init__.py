"""What is inside finished artifacts: sizes, reasons, differences, SBOMs, and whether another machine makes the same."""
