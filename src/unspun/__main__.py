"""`python -m unspun` is the command `unspun`."""

from unspun.service.cli import main

if __name__ == "__main__":
    main()
