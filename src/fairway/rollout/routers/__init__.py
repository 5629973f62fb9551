"""Traffic routers, one file each."""
