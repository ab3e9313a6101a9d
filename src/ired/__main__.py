"""`python -m ired <command>`."""

from ired.cli import main

if __name__ == "__main__":
    main()
