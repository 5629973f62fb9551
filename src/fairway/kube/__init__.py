"""The Kubernetes client that all chapters use: requests, informers, work queues."""
