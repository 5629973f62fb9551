"""Small helpers without knowledge of Fairway: time, tasks, secrets, text."""
