"""`python -m benchmarks` is the command `recsim-env`."""

from benchmarks.cli import main

if __name__ == "__main__":
    main()
