"""`make demo`: a change of a film site goes from its request to production and back."""
