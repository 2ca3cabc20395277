"""``python -m lipdub``."""

from lipdub.cli.main import main

if __name__ == "__main__":
    main()
