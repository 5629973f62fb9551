"""What is in an image, and which known vulnerabilities that has: a report, never a verdict."""
