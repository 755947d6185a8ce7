"""What people see in a browser: the page at `/` and the reference at `/v1/docs`."""
