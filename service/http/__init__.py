"""The HTTP service: application, routes, limits and metrics."""
