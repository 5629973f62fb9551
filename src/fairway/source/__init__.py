"""Git hosting, polling and webhooks, cron: where changes come from."""
