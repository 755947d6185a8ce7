"""The subcommands of `unspun`, one a file, each thin over a library call."""
