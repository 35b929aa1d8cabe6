"""The report: one HTML file that stands alone, and the same content for programs."""
