"""Long-lived processes: started, watched, restarted with backoff, adopted after a restart."""
