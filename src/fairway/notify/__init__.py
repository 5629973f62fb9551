"""Notify: who hears of what; one message for each thing, edited while it goes on."""
