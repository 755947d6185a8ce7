"""The surfaces: command line, HTTP service, reports."""
