"""The storefront: the film site that people see."""
