"""Contract suites: what every implementation of a contract, and its fake, must do."""
