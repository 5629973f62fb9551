"""`make demo`: a film site of three services goes from push to candidate, live in the terminal."""
